// Which images are shown, in which order, and what lies over them.

import { makeButton, makeElement, makeSlider } from "../parts.js";
import { GRID_SIGNS } from "./tile_grid.js";

const CHOICES_SCOPES = [
  ["test", "Test images"], ["dev", "Dev images"], ["train", "Train images"],
  ["all", "All images"], ["unlabeled", "Images without a label"],
];
const CHOICES_ORDERS = [
  ["worst", "Worst first"], ["unsure", "Least sure first"],
  ["suspect", "Likely label errors"], ["added", "As added"],
];
const CHOICES_SHOW = [
  ["both", "Label and prediction"], ["label", "Label"], ["prediction", "Prediction"],
  ["photo", "Photo alone"],
];
const CHOICES_OUTCOMES = {
  correct: "Correct", "false-positive": "False positive", "false-negative": "False negative",
  "wrong-class": "Wrong class", unlabeled: "Unlabeled",
};
const CHOICES_ANOMALY = {
  "false-positive": "False positive (overkill)", "false-negative": "False negative (escape)",
};

function makeChoice(name, options, onChange) {
  const element = makeElement("select", {
    "aria-label": name, title: name, onchange: () => onChange(element.value),
  }, ...options.map(([value, text]) => makeElement("option", { value }, text)));
  return element;
}

/** Return the rows of choices above the tiles. */
export function createChoices(desk) {
  const choose = (wanted) => desk.ask("choose", wanted);
  const scope = makeChoice("Images", CHOICES_SCOPES, (value) =>
    desk.ask("scope", { scope: value }));
  const order = makeChoice("Order", CHOICES_ORDERS, (value) =>
    choose({ order: value, cell: null }));
  const classes = makeElement("select", {
    "aria-label": "Class", onchange: () => choose({ class_name: classes.value }),
  });
  const text = makeElement("input", {
    type: "text", "aria-label": "Name", placeholder: "Name", dir: "auto",
    onchange: () => choose({ text: text.value }),
  });
  const [low, high] = ["Score from", "Score to"].map((name) => makeElement("input", {
    type: "number", min: "0", max: "1", step: "0.05", "aria-label": name, title: name,
    class: "workbench-score", onchange: () => choose({ low: Number(low.value || 0),
      high: high.value === "" ? 1 : Number(high.value) }),
  }));
  const outcomes = makeOutcomes(desk, choose);
  const show = makeChoice("Show", CHOICES_SHOW, (value) => desk.set({ show: value }));
  const opacity = makeSlider("Opacity", { min: 0.05, max: 1, step: 0.05, value: 0.5 },
    (value) => desk.set({ opacity: value }));
  const size = makeSlider("Tile size", { min: 90, max: 320, step: 5, value: 170 },
    (value) => desk.set({ side: value }));
  const cell = makeElement("span", { dir: "auto" });
  const all = makeButton("Show all", () => choose({
    cell: null, outcomes: null, class_name: "", low: 0, high: 1, text: "",
  }));
  const scores = makeElement("label", { class: "workbench-row" }, "Score", low, "to", high);
  const element = makeElement("div", { class: "workbench-choices" },
    makeElement("div", { class: "workbench-row" }, scope, outcomes.element, cell, all),
    makeElement("div", { class: "workbench-row" }, order, classes, text, scores, show,
      opacity.element, size.element));

  function update() {
    const { state } = desk;
    scope.value = state.scope;
    order.value = state.order;
    fillClasses();
    text.value = state.text;
    low.value = state.low;
    high.value = state.high;
    show.value = state.show;
    outcomes.update();
    cell.textContent = state.cell ? `Labeled ${state.cell[0]}, predicted ${state.cell[1]}` : "";
    all.hidden = !(state.cell || state.outcomes || state.class_name || state.text
      || state.low > 0 || state.high < 1);
  }

  function fillClasses() {
    const names = desk.state.task === "anomaly" ? ["normal", "abnormal"] : desk.state.classes;
    if (classes.children.length !== names.length + 1) {
      classes.replaceChildren(makeElement("option", { value: "" }, "All classes"),
        ...names.map((value) => makeElement("option", { value }, value)));
    }
    classes.value = desk.state.class_name;
  }
  return { element, update };
}

function makeOutcomes(desk, choose) {
  const element = makeElement("span", { class: "workbench-row", role: "group",
    "aria-label": "Outcomes" });
  const buttons = new Map();
  function toggle(outcome) {
    const chosen = new Set(desk.state.outcomes ?? []);
    if (!chosen.delete(outcome)) chosen.add(outcome);
    choose({ outcomes: chosen.size ? [...chosen] : null, cell: null });
  }
  for (const outcome of Object.keys(CHOICES_OUTCOMES)) {
    const button = makeElement("button", {
      type: "button", class: "workbench-button workbench-outcome", "data-outcome": outcome,
      onclick: () => toggle(outcome),
    });
    buttons.set(outcome, button);
    element.append(button);
  }
  function update() {
    const { counts, outcomes, task } = desk.state;
    const names = task === "anomaly" ? { ...CHOICES_OUTCOMES, ...CHOICES_ANOMALY }
      : CHOICES_OUTCOMES;
    for (const [outcome, button] of buttons) {
      const count = counts[outcome] ?? 0;
      button.textContent = `${GRID_SIGNS[outcome]} ${names[outcome]} ${count}`;
      button.setAttribute("aria-pressed", String(Boolean(outcomes?.includes(outcome))));
      button.hidden = !count && !outcomes?.includes(outcome);
    }
  }
  return { element, update };
}
