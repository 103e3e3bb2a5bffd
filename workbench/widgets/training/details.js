// The selected run: how far it is, its curves and figures, what went wrong, and what to do.

import { makeAskName, makeConfirm } from "../dialogs.js";
import { makeButton, makeElement } from "../parts.js";
import { drawCurve } from "./curves.js";
import { makeRunBar, tellSeconds } from "./runs.js";

const DETAIL_FIGURES = ["accuracy", "map_50", "mean_iou", "auroc"];

/** Return the part that shows the selected run. */
export function createDetails(desk) {
  const title = makeElement("h3", { dir: "auto" });
  const state = makeElement("p", { "aria-live": "polite", class: "workbench-run-state" });
  const bar = makeRunBar("Progress");
  const error = makeElement("p", { class: "workbench-panel-message", role: "alert" });
  const curves = makeElement("div", { class: "workbench-curves" });
  const figures = makeElement("p", { class: "workbench-figures" });
  const notes = makeElement("p", { class: "workbench-quiet", dir: "auto" });
  const previews = makePreviews(desk);
  const acts = makeActs(desk);
  const log = makeLog(desk);
  const element = makeElement("section", { "aria-label": "Selected run" },
    title, state, bar.element, error, acts.element, previews.element, curves,
    figures, notes, log.element);
  let drawn = "";

  function update(names) {
    const { run } = desk.state;
    element.hidden = !run;
    if (!run || !names.has("run")) return;
    title.textContent = run.name;
    state.textContent = tellState(run);
    bar.set(run.status === "finished" ? 1 : run.progress, run.is_active);
    bar.element.hidden = !run.is_active;
    error.hidden = !run.error;
    error.textContent = run.error ?? "";
    figures.textContent = Object.entries(run.metrics)
      .filter(([name]) => !/_(low|high)$/.test(name))
      .map(([name, value]) => `${name} ${value.toFixed(3)}`).join(" · ");
    notes.textContent = [...run.notes, run.note].filter(Boolean).join(" ");
    acts.update(run);
    previews.update(run);
    log.update(run);
    const key = `${run.id} ${run.history.length}`;
    if (key === drawn) return;
    drawn = key;
    curves.replaceChildren(...makeCurves(run));
  }
  return { element, update };
}

function tellState(run) {
  const labels = run.changed_labels
    ? `${run.changed_labels} labels changed since` : "no label changed since";
  const left = run.remaining === null ? "" : `about ${tellSeconds(run.remaining)} left`;
  const share = run.is_active ? `${Math.round(100 * run.progress)} %` : "";
  const time = run.seconds ? `${tellSeconds(run.seconds)} so far` : "";
  const took = run.seconds ? `took ${tellSeconds(run.seconds)}` : "";
  const status = run.status === "queued"
    ? "queued: it starts, or waits for the run before it" : run.status;
  return [
    status, share, run.is_active ? time : took, left,
    `trained on snapshot "${run.snapshot}"; ${labels}`,
  ].filter(Boolean).join(" · ");
}

function makeCurves({ history, figure_name }) {
  const series = (name) => history.filter((entry) => Number.isFinite(entry[name]))
    .map((entry, i) => [entry.epoch ?? i + 1, entry[name]]);
  const found = [];
  const loss = series("loss");
  if (loss.length) found.push(drawCurve("Loss, by round", loss));
  for (const name of new Set([figure_name, ...DETAIL_FIGURES])) {
    const points = series(name);
    if (points.length) found.push(drawCurve(`${name} on dev, by round`, points, [0, 1]));
  }
  return found;
}

/** Return what the model said of a few dev images, round by round; the newest unless one looks. */
function makePreviews(desk) {
  const image = makeElement("img", { class: "workbench-preview" });
  image.alt = "Predictions on dev images";
  const text = makeElement("span");
  const slider = makeElement("input", {
    type: "range", min: "0", step: "1", "aria-label": "Round", oninput: () => choose(),
  });
  const element = makeElement("div", {}, image,
    makeElement("label", { class: "workbench-row" }, text, slider));
  let epochs = [];
  let shown = "";
  let isNewest = true;

  function choose() {
    isNewest = Number(slider.value) === epochs.length - 1;
    load(desk.state.run.id);
  }

  async function load(id) {
    const epoch = epochs[Number(slider.value)];
    text.textContent = `Dev images after round ${epoch}`;
    if (shown === `${id} ${epoch}`) return;
    shown = `${id} ${epoch}`;
    const answer = await desk.ask("preview", { run: id, epoch });
    if (!answer || shown !== `${id} ${epoch}`) return;
    if (image.src) URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(new Blob([answer.buffers[0]], { type: "image/jpeg" }));
  }

  function update({ id, previews }) {
    if (!shown.startsWith(`${id} `)) isNewest = true;
    epochs = previews;
    element.hidden = !epochs.length;
    if (!epochs.length) return;
    slider.max = String(epochs.length - 1);
    if (isNewest) slider.value = slider.max;
    load(id);
  }
  return { element, update };
}

function makeActs(desk) {
  const run = () => desk.state.run?.id;
  const cancel = makeButton("Cancel", () => desk.ask("cancel", { run: run() }));
  const resume = makeButton("Resume", () => desk.ask("resume", { run: run() }));
  const rename = makeAskName("New name", (name) => desk.ask("rename", { run: run(), name }));
  const note = makeAskName("Note", (text) => desk.ask("note", { run: run(), note: text }));
  const remove = makeConfirm("Delete the run with its model and its predictions? Labels stay.",
    "Delete the run", () => desk.ask("delete", { run: run() }));
  const inspect = makeButton("Inspect this run", () => desk.ask("inspect", { run: run() }),
    { kind: "workbench-primary" });
  const more = [
    makeButton("Rename", () => rename.open(desk.state.run.name)),
    makeButton("Note", () => note.open(desk.state.run.note)),
    makeButton("Delete", () => remove.open()),
  ];
  const element = makeElement("div", {},
    makeElement("div", { class: "workbench-row" }, cancel, resume, inspect, ...more),
    rename.element, note.element, remove.element);
  let shown = "";
  function update({ id, status }) {
    cancel.hidden = !["queued", "running"].includes(status);
    inspect.hidden = status !== "finished" || !desk.state.links;
    resume.hidden = !["cancelled", "interrupted", "failed"].includes(status);
    if (id !== shown) [rename, note, remove].forEach((part) => { part.element.hidden = true; });
    shown = id;
  }
  return { element, update };
}

function makeLog(desk) {
  const text = makeElement("pre", { tabindex: "0", "aria-label": "Log" });
  const element = makeElement("details", {}, makeElement("summary", {}, "Log"), text);
  let shown = "";
  async function load() {
    if (!element.open || !desk.state.run) return;
    const answer = await desk.ask("log", { run: desk.state.run.id });
    if (answer) text.textContent = answer.content.log;
  }
  element.addEventListener("toggle", load);
  function update({ id, progress, status }) {
    const key = `${id} ${progress} ${status}`;
    if (key !== shown) load();
    shown = key;
  }
  return { element, update };
}
