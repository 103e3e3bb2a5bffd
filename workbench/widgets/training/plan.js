// What will be trained on, how long it may take, and the button that starts it.

import { makeButton, makeElement } from "../parts.js";

const PLAN_PRESETS = {
  fast: "Fast: a first model in minutes", accurate: "Accurate: larger images, far more rounds",
};
const PLAN_FIELDS = [
  ["epochs", "Epochs", "as many as fit"], ["time_limit", "Time limit, seconds", "none"],
  ["input_size", "Input size, pixels", ""], ["batch_size", "Batch size", ""],
  ["learning_rate", "Learning rate", ""], ["seed", "Seed", "0"],
];

/** Return the part that plans and starts a run. */
export function createPlan(desk) {
  const table = makeElement("table", { class: "workbench-plan-table" });
  const warnings = makeElement("ul", { class: "workbench-warnings" });
  const problem = makeElement("p", { class: "workbench-panel-message", role: "alert" });
  const estimate = makeElement("p", { "aria-live": "polite" });
  const settings = makeSettings(desk, () => askPlan());
  const name = makeElement("input", {
    type: "text", "aria-label": "Name of the run", placeholder: "Name of the run", dir: "auto",
  });
  const train = makeButton("Train", start, { kind: "workbench-primary" });
  const element = makeElement("section", { "aria-label": "Plan" },
    makeElement("div", { class: "workbench-plan" },
      makeElement("div", {}, makeElement("strong", {}, "What it learns from"), table),
      makeElement("div", { class: "workbench-plan-settings" }, settings.element)),
    warnings, problem, estimate,
    makeElement("div", { class: "workbench-row" }, train, name), settings.picture);

  async function askPlan() {
    const answer = await desk.ask("plan", settings.read());
    if (answer) desk.set({ plan: answer.content.plan });
  }

  async function start() {
    train.disabled = true;
    const answer = await desk.ask("train", { ...settings.read(), name: name.value });
    train.disabled = false;
    if (answer) name.value = "";
  }

  function update(names) {
    const { plan } = desk.state;
    settings.update(names);
    if (!plan || !names.has("plan")) return;
    drawTable(table, plan);
    warnings.replaceChildren(...plan.warnings.map((text) =>
      makeElement("li", { dir: "auto" }, text)));
    problem.hidden = !plan.problem;
    problem.textContent = plan.problem ? `Training cannot start: ${plan.problem}` : "";
    train.disabled = Boolean(plan.problem);
    estimate.textContent = `About ${plan.duration} on ${plan.cores} cores: ${plan.work}. `
      + `It may need ${plan.memory_gb} GB of memory; ${plan.free_gb} GB are free.`;
    estimate.classList.toggle("workbench-tight", plan.memory_gb > plan.free_gb);
  }
  return { element, update, refresh: askPlan };
}

function drawTable(table, { splits, rows }) {
  const cell = (kind, text) => makeElement(kind, { dir: "auto" }, String(text));
  const line = (kind, texts) => makeElement("tr", {}, ...texts.map((text) => cell(kind, text)));
  table.replaceChildren(line("th", ["class", ...splits]), ...rows.map((row) => line("td", row)));
}

function makeSettings(desk, onChange) {
  const group = Math.random().toString(36).slice(2);
  const presets = Object.entries(PLAN_PRESETS).map(([value, text]) => {
    const input = makeElement("input", { type: "radio", name: group, value, onchange: onChange });
    input.checked = value === "fast";
    return { input, element: makeElement("label", { class: "workbench-row" }, input, text) };
  });
  const fields = PLAN_FIELDS.map(([key, text, placeholder]) => {
    const input = makeElement("input", {
      type: "text", inputmode: "decimal", "aria-label": text, placeholder, onchange: onChange,
    });
    return { key, input, element: makeElement("label", {}, text, input) };
  });
  const backbone = makeElement("select", { "aria-label": "Backbone", onchange: onChange });
  const augment = makeElement("input", { type: "checkbox", onchange: onChange });
  augment.checked = true;
  const image = makeElement("img", { class: "workbench-augmented" });
  image.alt = "Training images as they will be varied, with their labels";
  image.hidden = true;
  const show = makeButton("Show augmented images", async () => {
    if (await desk.ask("augmented", read())) desk.set({ drawing: true });
  });
  const drawer = makeElement("details", {}, makeElement("summary", {}, "Advanced"),
    makeElement("div", { class: "workbench-fields" },
      ...fields.map((field) => field.element), makeElement("label", {}, "Backbone", backbone)),
    makeElement("label", { class: "workbench-row" }, augment, "Vary the images (augmentation)"),
    show);

  function read() {
    const isUsual = backbone.value === backbone.firstChild?.value;
    const chosen = {
      backbone: isUsual ? null : backbone.value, augment: augment.checked ? null : false,
    };
    for (const { key, input } of fields) {
      const text = input.value.trim();
      const number = Number(text.replace(",", "."));
      if (text) chosen[key] = Number.isFinite(number) ? number : text; // Python says what is wrong
    }
    return { preset: presets.find(({ input }) => input.checked).input.value, settings: chosen };
  }

  function update(names) {
    const { plan, picture, drawing } = desk.state;
    show.disabled = drawing;
    show.textContent = drawing ? "Drawing…" : "Show augmented images";
    if (names.has("picture")) {
      image.hidden = !picture;
      if (picture) image.src = picture;
    }
    if (!plan) return;
    if (!backbone.children.length) {
      backbone.append(...plan.backbones.map((value) => makeElement("option", { value }, value)));
    }
    for (const { key, input } of fields) {
      if (["input_size", "batch_size", "learning_rate"].includes(key)) {
        input.placeholder = plan.settings[key];
      }
    }
  }
  const element = makeElement("div", {}, makeElement("strong", {}, "How"),
    ...presets.map((preset) => preset.element), drawer);
  return { element, picture: image, read, update };
}
