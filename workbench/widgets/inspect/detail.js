// One image large: label and prediction over the photo, and what can be done about it.

import { makeButton, makeElement, makeSlider } from "../parts.js";
import { createSurface } from "../surface/surface.js";
import { chooseBoxes, drawHeat, findBorder, findOverlayColor } from "./overlay.js";
import { GRID_SIGNS, tellValue } from "./tile_grid.js";
import { readTile } from "./tile_store.js";

const DETAIL_DIFFERENCES = [
  ["found", "#2ca02c"], ["missed", "#d62728"], ["made up", "#ff7f0e"], ["wrong class", "#9467bd"],
];
const DETAIL_FLIPS = { both: "label", label: "prediction", prediction: "label", photo: "both" };

/** Return the desk that the drawing surface wants, for looking alone. */
function createLookingDesk(desk) {
  const listeners = { image: new Set(), label: new Set(), change: new Set() };
  const state = {
    tool: "pan", image: null, selectedBox: -1, classes: [], brightness: 1, contrast: 1,
    opacity: 1, showLabels: true, waiting: 0, online: true, wheelZooms: true,
    counts: { images: 1 },
  };
  const looking = {
    task: "segmentation", state, colors: {},
    on(event, listener) {
      listeners[event].add(listener);
      return () => listeners[event].delete(listener);
    },
    emit: (event, value) => [...listeners[event]].forEach((listener) => listener(value)),
    color: (name) => looking.colors[name] ?? findOverlayColor(desk, name),
  };
  return looking;
}

/** Return which pixels are found, missed, made up or of the wrong class: 1 to 4. */
function comparePixels(label, prediction) {
  const data = new Uint8Array(label.data.length);
  for (let i = 0; i < data.length; i += 1) {
    const [truth, said] = [label.data[i], prediction.data[i]];
    if (truth && said) data[i] = truth === said ? 1 : 4;
    else if (truth) data[i] = 2;
    else if (said) data[i] = 3;
  }
  return data;
}

/** Return the large view. act(name, id), step(by), close(). */
export function createDetail(desk, { act, step, close }) {
  const looking = createLookingDesk(desk);
  const surface = createSurface(looking, {}, { onKey: runKey });
  surface.element.setAttribute("aria-label", "Image with label and prediction");
  const title = makeElement("h3", { dir: "auto" });
  const words = makeElement("table", { class: "workbench-detail-words" });
  const legend = makeElement("p", { class: "workbench-row" });
  const opacity = makeSlider("Opacity of what lies over the photo",
    { min: 0.05, max: 1, step: 0.05, value: desk.state.opacity },
    (value) => desk.set({ opacity: value }));
  const buttons = makeDetailButtons();
  const element = makeElement("div", { class: "workbench-detail" },
    makeElement("div", { class: "workbench-detail-surface" }, surface.element),
    makeElement("div", { class: "workbench-detail-side" },
      title, words, legend, opacity.element, ...Object.values(buttons)));
  element.hidden = true;
  let tile = null; // the image as it came
  let heat = null; // what speaks for a class, once it was asked for
  let number = 0;
  let wanted = 0; // the id of the image to show, which may still be on its way

  function makeDetailButtons() {
    const make = (name, key, run) => makeButton(name, run, { key });
    const perform = (name) => () => act(name, wanted);
    return {
      row: makeElement("div", { class: "workbench-row" },
        make("Back to the tiles", "Escape", close), make("Previous", "←", () => step(-1)),
        make("Next", "→", () => step(1))),
      flip: make("Flip label and prediction", "F", flip),
      accept: make("Accept prediction as label", "A", perform("accept")),
      reject: make("Reject draft", "X", perform("reject")),
      correct: make("Correct the label", "E", perform("correct")),
      draft: make("Edit the draft", "D", perform("draft")),
      undo: make("Undo", "Z", perform("undo")),
      explain: make("Why this class?", "H", explain),
    };
  }

  function flip() {
    desk.set({ show: DETAIL_FLIPS[desk.state.show] });
  }

  function runKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const acts = {
      Escape: close, ArrowLeft: () => step(-1), ArrowRight: () => step(1), f: flip, h: explain,
      a: () => act("accept", wanted), x: () => act("reject", wanted),
      e: () => act("correct", wanted), d: () => act("draft", wanted),
      z: () => act("undo", wanted), 0: () => surface.viewport.fit(),
    };
    const run = acts[event.key] ?? acts[event.key.toLowerCase()];
    run?.();
    return Boolean(run);
  }

  /** Show an image; isSame: it is shown already, only label or threshold changed. */
  async function load(id, isSame = false) {
    number += 1;
    const mine = number;
    const answer = await desk.ask("image", { image: id, photo: !isSame });
    if (!answer || mine !== number) return;
    const { image } = answer.content;
    const next = await readTile(image, answer.buffers);
    if (mine !== number) return;
    if (isSame) next.picture = tile.picture;
    else tile?.picture?.close();
    if (!isSame) heat = null;
    tile = { ...next, outcome: answer.content.outcome };
    draw();
  }

  async function explain() {
    if (desk.state.task !== "classification" || !tile) return;
    if (heat) heat = null;
    else {
      const answer = await desk.ask("explain", { image: tile.id });
      if (!answer) return;
      const { width, height } = answer.content;
      const read = await readTile({ layers: [["heat", height, width]] },
        [new ArrayBuffer(0), answer.buffers[0]]);
      heat = read.layers.heat;
    }
    draw();
  }

  function draw() {
    if (!tile) return;
    const { show, threshold, opacity: fill } = desk.state;
    opacity.input.value = fill;
    const { id, name, width, height, picture, error } = tile;
    const wasShown = looking.state.image?.id === id;
    const record = {
      id, name, width, height, bitmap: picture, preview: null, mask: null, overlay: null,
      error: error ?? (picture ? null : "This browser cannot decode the image."),
      boxes: chooseBoxes(tile, { show, threshold }),
    };
    putMask(record);
    const warm = desk.state.task === "classification" ? heat
      : (show === "both" || show === "prediction") && tile.layers.heat;
    const line = desk.state.task === "classification" ? 0.5 : threshold;
    if (warm && show !== "photo") record.overlay = drawHeat(desk, warm, line, fill);
    looking.state.image = record;
    looking.state.opacity = record.isBorder || record.overlay ? 1 : fill;
    looking.emit("change", new Set(["opacity"]));
    if (wasShown) looking.emit("label", null);
    else looking.emit("image", record);
    describe();
  }

  function putMask(record) {
    const { label, prediction } = tile.layers;
    const { show, task, classes, model_classes } = desk.state;
    const name = (names) => names.map((each) => ({ name: each }));
    looking.colors = {};
    looking.state.classes = name(task === "anomaly" ? ["abnormal"] : classes);
    if (task === "anomaly") {
      if (!label || (show !== "both" && show !== "label")) return;
      record.mask = show === "label" ? label.data
        : findBorder(label, Math.max(1, Math.round(Math.max(label.width, label.height) / 500)));
      record.isBorder = show === "both";
    } else if (show === "label") record.mask = label?.data ?? null;
    else if (show === "both" && label && prediction) {
      record.mask = comparePixels(label, prediction);
      looking.state.classes = name(DETAIL_DIFFERENCES.map(([each]) => each));
      looking.colors = Object.fromEntries(DETAIL_DIFFERENCES);
    } else if (show === "both" || show === "prediction") {
      record.mask = prediction?.data ?? null;
      looking.state.classes = name(model_classes);
    }
  }

  function describe() {
    const { task, threshold, show } = desk.state;
    title.textContent = tile.name;
    title.title = tile.name;
    const isDraft = !tile.label;
    const rows = [
      ["Outcome", `${GRID_SIGNS[tile.outcome] ?? ""} ${tile.outcome}`],
      ["Label", tellValue(tile.label, task, 0) || "none"],
      [isDraft ? "Draft" : "Prediction", tellValue(tile.prediction, task, threshold) || "none"],
      ["Split", tile.split || "none"], ["Size", `${tile.width} × ${tile.height}`],
      ...(isDraft && tile.state !== "unlabeled" ? [["State", tile.state]] : []),
    ];
    const scores = Object.entries(tile.prediction?.scores ?? {});
    scores.sort(([, a], [, b]) => b - a).slice(0, 5).forEach(([name, score]) =>
      rows.push([name, `${(100 * score).toFixed(1)} %`]));
    words.replaceChildren(...rows.map(([name, text]) => makeElement("tr", {},
      makeElement("th", { dir: "auto" }, name), makeElement("td", { dir: "auto" }, text))));
    buttons.reject.hidden = !isDraft;
    buttons.draft.hidden = !isDraft || task === "classification" || task === "anomaly";
    buttons.explain.hidden = task !== "classification";
    buttons.explain.setAttribute("aria-pressed", String(Boolean(heat)));
    drawLegend(show, task);
  }

  function drawLegend(show, task) {
    const chip = ([name, color]) => {
      const part = makeElement("span", { class: "workbench-legend" }, name);
      part.style.borderInlineStartColor = color;
      return part;
    };
    const isDifference = task === "segmentation" && show === "both"
      && tile.layers.label && tile.layers.prediction;
    const isBoxes = task === "detection" && show === "both";
    legend.replaceChildren(...(isDifference ? DETAIL_DIFFERENCES.map(chip) : []),
      ...(isBoxes ? ["dashed: label, solid: prediction"] : []));
  }

  const take = () => surface.element.focus({ preventScroll: true });

  function show(id) {
    element.hidden = false;
    wanted = id;
    if (tile?.id !== id) load(id);
    take();
  }

  function hide() {
    element.hidden = true;
    number += 1;
    wanted = 0;
    tile?.picture?.close();
    tile = null;
    looking.state.image = null;
  }
  const reload = () => wanted && load(wanted, tile?.id === wanted);
  const destroy = () => {
    hide();
    surface.destroy();
  };
  return { element, show, hide, draw, reload, take, destroy };
}
