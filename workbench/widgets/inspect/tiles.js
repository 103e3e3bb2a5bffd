// The entry of the tiles: choices, grid, one image large, and photos to try.

import { createPanelDesk } from "../panel.js";
import { makeButton, makeElement } from "../parts.js";
import { keepKeys } from "../shortcuts.js";
import { createChoices } from "./choices.js";
import { createDetail } from "./detail.js";
import { makeJobBar } from "../job_bar.js";
import { createTileGrid } from "./tile_grid.js";
import { createTileStore } from "./tile_store.js";
import { createTrying } from "./trying.js";

/** Return what the parts of one view share. */
function createTilesDesk(model) {
  const state = {
    task: "", run: "", colors: {}, classes: [], model_classes: [], heat: [],
    ids: new Int32Array(0), codes: new Uint8Array(0), counts: {}, threshold: 0.5,
    outcomes: null, scope: "test", order: "worst", class_name: "", low: 0, high: 1, text: "",
    cell: null, stale: false, missing: 0, job: null, batch: null, message: "", code: "",
    show: "both", opacity: 0.5, side: 170, open: -1, changed: [],
  };
  const desk = createPanelDesk(model, state, { onMessage, onAnswer });
  desk.key = Math.random().toString(36).slice(2);

  function onAnswer({ code }) {
    if (code !== undefined) desk.set({ code });
  }

  function onMessage(content, buffers) {
    const { kind, ...values } = content;
    if (kind === "list") {
      const [ids, codes] = buffers.map((view) =>
        view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
      const isRead = values.job === null && state.job !== null; // tiles may have come without
      const sorted = new Int32Array(ids);
      desk.set({ ...values, ids: sorted, codes: new Uint8Array(codes),
        open: findAgain(state.ids, sorted, state.open),
        ...(isRead ? { changed: null } : {}) });
    } else if (kind === "job") desk.set({ job: values.job });
    else if (kind === "batch") desk.set({ batch: values.batch });
    else if (kind === "changed") desk.set({ changed: values.images });
  }

  async function start() {
    const answer = await desk.ask("start");
    if (answer) desk.set(answer.content);
  }
  return Object.assign(desk, { start });
}

/** Return where the image that is open lies after sorting; where it is gone, its old place. */
function findAgain(before, after, open) {
  if (open < 0) return -1;
  const place = after.indexOf(before[open]);
  return place < 0 ? Math.max(0, Math.min(open, after.length - 1)) : place;
}

function renderTiles({ model, el }) {
  const desk = createTilesDesk(model);
  const store = createTileStore(desk.ask, () => grid.update());
  const grid = createTileGrid(desk, store, { act, open });
  const detail = createDetail(desk, { act, step, close });
  const choices = createChoices(desk);
  const trying = createTrying(desk);
  const bar = makeJobBar("Reading predictions");
  const message = makeElement("div", { class: "workbench-panel-message", role: "alert" });
  const missing = makeElement("span");
  const predict = makeElement("div", { class: "workbench-row" }, missing,
    makeButton("Predict them", () => desk.ask("predict_missing")));
  const sort = makeElement("div", { class: "workbench-row" },
    "Labels changed since the images were sorted.",
    makeButton("Sort again", () => desk.ask("sort")));
  const scale = makeHeatScale(desk);
  const code = makeElement("code", { dir: "ltr" });
  const foot = makeElement("footer", { class: "workbench-quiet" }, "In Python: ", code);
  const browse = makeElement("div", {}, choices.element, bar.element, predict, sort, grid.element);
  const root = makeElement("div", { class: "workbench-panel workbench-predictions" },
    message, browse, detail.element, scale.element, trying.element, foot);

  async function act(name, id) {
    if (id === undefined) return;
    const answer = await desk.ask("act", { act: name, image: id });
    if (!answer) return;
    const isDraft = desk.state.scope === "unlabeled" && ["accept", "reject"].includes(name);
    if (desk.state.open < 0 || !isDraft) return;
    const place = desk.state.ids.indexOf(id); // it is gone where the images were just sorted
    const last = desk.state.ids.length - 1;
    const next = place < 0 ? Math.min(desk.state.open, last) : place + 1;
    if (next >= 0 && next <= last) open(next);
  }

  function open(index) {
    const id = desk.state.ids[index];
    if (id === undefined) return;
    desk.set({ open: index });
    browse.hidden = true;
    detail.show(id);
  }

  function step(by) {
    const index = desk.state.open + by;
    if (index < 0 || index >= desk.state.ids.length) return;
    open(index);
  }

  function close() {
    const index = desk.state.open;
    desk.set({ open: -1 });
    detail.hide();
    browse.hidden = false;
    grid.moveFocus(index);
    grid.take();
  }

  function update(names) {
    const { state } = desk;
    message.textContent = state.message;
    message.hidden = !state.message;
    code.textContent = state.code;
    foot.hidden = !state.code;
    bar.update(state.job);
    predict.hidden = !state.missing;
    missing.textContent = `${state.missing} images are not predicted yet.`;
    sort.hidden = !state.stale;
    choices.update();
    scale.update();
    if (names.has("changed")) store.drop(state.changed);
    if (["scope", "order", "cell", "outcomes"].some((name) => names.has(name))) grid.reset();
    else grid.update();
    if (names.has("batch") || names.has("threshold") || names.has("opacity")) trying.update();
    if (state.open < 0) return;
    if (names.has("changed") && document.activeElement === document.body) detail.take();
    if (names.has("threshold") || names.has("changed")) detail.reload();
    else detail.draw();
  }
  const off = desk.on(update);
  const letKeysGo = keepKeys(root);
  update(new Set());
  el.append(root);
  desk.start();
  return () => {
    off();
    letKeysGo();
    [grid, detail, trying, desk].forEach((part) => part.destroy());
    store.clear();
  };
}

/** Return the scale of the heat maps: the same colors in every image. */
function makeHeatScale(desk) {
  const band = makeElement("div", { class: "workbench-heat-band" });
  const line = makeElement("span", { class: "workbench-heat-line" });
  const element = makeElement("div", { class: "workbench-heat" }, "normal", band, "abnormal", line);
  let drawn = false;
  function update() {
    const { heat, task, threshold } = desk.state;
    element.hidden = task !== "anomaly";
    line.textContent = `The middle is the threshold, ${threshold.toFixed(2)}; `
      + "the colors are the same in every image.";
    if (drawn || !heat.length) return;
    drawn = true;
    const stops = heat.filter((_, i) => i % 15 === 0)
      .map(([red, green, blue]) => `rgb(${red} ${green} ${blue})`);
    band.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  }
  return { element, update };
}

export default { render: renderTiles };
