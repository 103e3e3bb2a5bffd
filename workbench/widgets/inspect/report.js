// The report of a run: what it means in words, the threshold, and the figures.

import { createPanelDesk } from "../panel.js";
import { makeButton, makeElement } from "../parts.js";
import { keepKeys } from "../shortcuts.js";

/** Return what the parts of one view share. */
function createReportDesk(model) {
  const state = { report: null, threshold: 0.5, saved: 0.5, message: "", code: "", task: "" };
  const desk = createPanelDesk(model, state, {
    onMessage: ({ kind, ...values }) => kind === "report" && desk.set(values),
    onAnswer: ({ code }) => code !== undefined && desk.set({ code }),
  });
  let wanted = null;
  let isMoving = false;

  /** Move the threshold: one question at a time, always the newest. */
  async function move(threshold) {
    wanted = threshold;
    desk.set({ threshold });
    if (isMoving) return;
    isMoving = true;
    while (wanted !== null) {
      const next = wanted;
      wanted = null;
      await desk.ask("move", { threshold: next });
    }
    isMoving = false;
  }

  async function start() {
    const answer = await desk.ask("start");
    if (answer) desk.set(answer.content);
  }
  return Object.assign(desk, { move, start, isMoving: () => isMoving });
}

function makeThreshold(desk) {
  const name = "Threshold";
  const slider = makeElement("input", {
    type: "range", min: "0", max: "1", step: "0.005", "aria-label": name, title: name,
    oninput: () => desk.move(Number(slider.value)),
  });
  const exact = makeElement("input", {
    type: "number", min: "0", max: "1", step: "0.01", "aria-label": "Threshold as a number",
    class: "workbench-score", onchange: () => desk.move(Number(exact.value)),
  });
  const save = makeButton("Save threshold", () => desk.ask("save"));
  const reset = makeButton("Back to the saved one", () => desk.move(desk.state.saved));
  const note = makeElement("span", { class: "workbench-quiet" });
  const element = makeElement("div", { class: "workbench-row" },
    makeElement("label", { class: "workbench-row" }, name, slider), exact, save, reset, note);
  function update() {
    const { threshold, saved } = desk.state;
    slider.value = threshold;
    if (document.activeElement !== exact) exact.value = threshold.toFixed(3);
    const isSaved = Math.abs(threshold - saved) < 1e-9;
    save.disabled = isSaved;
    reset.hidden = isSaved;
    note.textContent = isSaved ? "predict and export use it"
      : `predict and export still use ${saved.toFixed(3)}`;
  }
  return { element, update };
}

/** Return the fields that choose the threshold by a rate, for anomaly projects. */
function makeRates(desk) {
  const make = (name, text) => {
    const input = makeElement("input", {
      type: "number", min: "0", max: "100", step: "0.5", "aria-label": text,
      class: "workbench-score",
      onchange: () => desk.ask("rate", { [name]: Number(input.value) / 100 }),
    });
    return makeElement("label", { class: "workbench-row" }, text, input, "%");
  };
  const element = makeElement("div", { class: "workbench-row" }, "Choose it by a rate:",
    make("overkill", "overkill at most"), make("escape", "escape at most"));
  element.hidden = true;
  const update = () => { element.hidden = desk.state.task !== "anomaly"; };
  return { element, update };
}

function fillReportTable(table, rows) {
  const cell = (kind, text) => makeElement(kind, { dir: "auto" }, text);
  table.replaceChildren(...rows.map((row, i) => makeElement("tr", {},
    ...row.map((text, j) => cell(i === 0 || j === 0 ? "th" : "td", text)))));
}

/** Return the confusion as a table of buttons: the chart, for keys and screen readers. */
function makeCells(desk) {
  const table = makeElement("table", { class: "workbench-report-table" });
  const element = makeElement("details", {},
    makeElement("summary", {}, "Confusion as a table"), table);
  function update(names) {
    const { report } = desk.state;
    element.hidden = !report;
    if (!report || !names.has("report")) return;
    const { row_names: rows, column_names: columns, confusion } = report;
    const head = makeElement("tr", {}, makeElement("th", {}, "label \\ prediction"),
      ...columns.map((name) => makeElement("th", { dir: "auto" }, name)));
    table.replaceChildren(head, ...rows.map((row, i) => makeElement("tr", {},
      makeElement("th", { dir: "auto" }, row),
      ...columns.map((column, j) =>
        makeElement("td", {}, makeCell(row, column, confusion[i][j]))))));
  }
  function makeCell(row, column, count) {
    const button = makeButton(`Labeled ${row}, predicted ${column}: ${count}`,
      () => desk.ask("cell", { cell: [row, column] }), { text: String(count) });
    button.disabled = !count;
    return button;
  }
  return { element, update };
}

function renderReport({ model, el }) {
  const desk = createReportDesk(model);
  const message = makeElement("div", { class: "workbench-panel-message", role: "alert" });
  const title = makeElement("h3", { dir: "auto" });
  const headline = makeElement("p", { class: "workbench-report-headline", "aria-live": "polite" });
  const origin = makeElement("p", { class: "workbench-quiet", dir: "auto" });
  const overall = makeElement("table", { class: "workbench-report-table" });
  const classes = makeElement("table", { class: "workbench-report-table" });
  const code = makeElement("code", { dir: "ltr" });
  const foot = makeElement("footer", { class: "workbench-quiet" }, "In Python: ", code);
  const parts = [makeThreshold(desk), makeRates(desk), makeCells(desk)];
  const [threshold, rates, cells] = parts;
  const root = makeElement("div", { class: "workbench-panel workbench-report" }, title, message,
    headline, origin, threshold.element, rates.element,
    makeElement("div", { class: "workbench-report-figures" }, overall, classes),
    cells.element, foot);

  function update(names) {
    const { state } = desk;
    const { report } = state;
    title.textContent = state.name ?? "";
    message.textContent = state.message;
    message.hidden = !state.message;
    code.textContent = state.code;
    foot.hidden = !state.code;
    headline.textContent = report ? report.headline : "Reading predictions…";
    origin.textContent = report ? report.origin.join(" ") : "";
    if (report && names.has("report")) {
      fillReportTable(overall, [["figure", "value"], ...report.overall]);
      fillReportTable(classes, report.table);
    }
    parts.forEach((part) => part.update(names));
  }
  const off = desk.on(update);
  const letKeysGo = keepKeys(root);
  update(new Set());
  el.append(root);
  desk.start();
  return () => {
    off();
    letKeysGo();
    desk.destroy();
  };
}

export default { render: renderReport };
