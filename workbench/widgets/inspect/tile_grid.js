// The grid of tiles: only those in sight are in the page, however many there are.

import { makeElement, shorten } from "../parts.js";
import { drawTile } from "./overlay.js";

const GRID_FOOT = 46; // CSS pixels below the picture of a tile
const GRID_HIGHEST = 8e6; // CSS pixels: browsers draw no taller elements
export const GRID_OUTCOMES = [
  "unlabeled", "correct", "false-positive", "wrong-class", "false-negative",
];
export const GRID_SIGNS = {
  unlabeled: "○", correct: "✓", "false-positive": "+", "wrong-class": "≠", "false-negative": "−",
};

/** Return what a tile says of a label or a prediction, in a few words. */
export function tellValue(value, task, threshold) {
  if (!value) return "";
  if (task === "classification") {
    const score = value.score === undefined ? "" : ` ${Math.round(100 * value.score)} %`;
    return value.class_name + score;
  }
  if (task === "detection") {
    const count = value.boxes.filter((box) => box[5] >= threshold).length;
    return count === 1 ? "1 box" : `${count} boxes`;
  }
  if (task === "segmentation") return tellAreas(value);
  if (value.score === undefined) return value.class_name;
  return `${value.score >= threshold ? "abnormal" : "normal"} ${value.score.toFixed(2)}`;
}

function tellAreas({ areas }) {
  if (!areas) return "painted";
  const found = Object.entries(areas).filter(([, share]) => share > 0);
  return found.map(([name, share]) => `${name} ${(100 * share).toPrecision(2)} %`).join(", ")
    || "nothing";
}

/** Return the grid. act(name, id): an act on a tile; open(index): show it large. */
export function createTileGrid(desk, store, { act, open }) {
  const inner = makeElement("div", { class: "workbench-tiles-inner" });
  const scroller = makeElement("div", {
    class: "workbench-tiles-scroll", tabindex: "0", role: "listbox", "aria-label": "Images",
  }, inner);
  const empty = makeElement("p", { class: "workbench-quiet" }, "No image fits.");
  const element = makeElement("div", {}, scroller, empty);
  const shown = new Map(); // index -> element
  let focus = 0;

  const side = () => desk.state.side;
  const columns = () => Math.max(1, Math.floor(scroller.clientWidth / (side() + 8)));
  const rowHeight = () => side() * 0.75 + GRID_FOOT + 6;
  const lines = () => Math.ceil(desk.state.ids.length / columns());
  const height = () => Math.min(lines() * rowHeight(), GRID_HIGHEST);
  const ratio = () => (height() ? (lines() * rowHeight()) / height() : 1);

  function update() {
    const { ids } = desk.state;
    empty.hidden = ids.length > 0;
    scroller.hidden = !ids.length;
    if (!scroller.clientWidth) return;
    inner.style.height = `${height()}px`;
    const top = scroller.scrollTop * ratio();
    const start = Math.max(0, Math.floor(top / rowHeight()) * columns());
    const seen = (Math.ceil(scroller.clientHeight / rowHeight()) + 1) * columns();
    const end = Math.min(start + seen, ids.length);
    for (const [index, tile] of shown) {
      if (index >= start && index < end) continue;
      tile.remove();
      shown.delete(index);
    }
    for (let index = start; index < end; index += 1) {
      const tile = shown.get(index) ?? addTile(index);
      const y = Math.floor(index / columns()) * rowHeight() + scroller.scrollTop - top;
      tile.style.transform = `translate(${(index % columns()) * (side() + 8)}px, ${y}px)`;
      tile.style.width = `${side()}px`;
      tile.style.height = `${rowHeight() - 6}px`;
      fillTile(tile, index);
    }
  }

  function addTile(index) {
    const tile = makeElement("div", {
      class: "workbench-prediction", role: "option",
      id: `workbench-prediction-${desk.key}-${index}`,
      onclick: () => { moveFocus(index); open(index); },
    }, makeElement("canvas", { width: "4", height: "3" }),
    makeElement("span", { class: "workbench-prediction-sign" }),
    makeElement("span", { class: "workbench-prediction-name", dir: "auto" }),
    makeElement("span", { class: "workbench-prediction-words", dir: "auto" }));
    inner.append(tile);
    shown.set(index, tile);
    return tile;
  }

  function fillTile(element, index) {
    const { ids, codes, task, threshold, show, opacity } = desk.state;
    const outcome = GRID_OUTCOMES[codes[index]] ?? "pending";
    const [canvas, sign, name, words] = element.children;
    element.dataset.focus = String(index === focus);
    element.dataset.outcome = outcome;
    sign.textContent = GRID_SIGNS[outcome] ?? "…";
    const tile = store.get(ids[index]);
    if (!tile) {
      delete element.dataset.image;
      name.textContent = "";
      words.textContent = "";
      element.drawn = "";
      canvas.width = 4;
      return;
    }
    const label = tellValue(tile.label, task, 0) || "no label";
    const prediction = tellValue(tile.prediction, task, threshold) || "not predicted";
    element.dataset.image = tile.name;
    element.title = tile.name;
    element.setAttribute("aria-label", `${tile.name}: ${outcome}; label: ${label}; `
      + `prediction: ${prediction}`);
    name.textContent = shorten(tile.name, Math.round(side() / 7.5));
    words.textContent = `${label} → ${prediction}`;
    const key = `${threshold} ${show} ${opacity}`;
    if (element.drawn === key && element.tile === tile) return;
    Object.assign(element, { drawn: key, tile });
    drawTile(desk, canvas, tile, { show, opacity, threshold });
  }

  function moveFocus(index) {
    focus = Math.min(Math.max(index, 0), Math.max(desk.state.ids.length - 1, 0));
    const top = (Math.floor(focus / columns()) * rowHeight()) / ratio();
    const room = scroller.clientHeight - rowHeight();
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top > scroller.scrollTop + room) scroller.scrollTop = top - room;
    scroller.setAttribute("aria-activedescendant", `workbench-prediction-${desk.key}-${focus}`);
    update();
  }

  /** Use a key; tell whether it was one of ours. */
  function runKey(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() };
    const acts = { a: "accept", x: "reject", e: "correct", z: "undo" };
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (steps[event.key]) moveFocus(focus + steps[event.key]);
    else if (event.key === "Enter") open(focus);
    else if (acts[event.key.toLowerCase()]) {
      act(acts[event.key.toLowerCase()], desk.state.ids[focus]);
    }
    else return event.key.length === 1;
    return true;
  }

  function onKey(event) {
    if (document.activeElement !== scroller || event.key === "Tab" || !runKey(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // JupyterLab's shortcuts have single letters
  }

  function reset() {
    scroller.scrollTop = 0;
    focus = 0;
    update();
  }
  window.addEventListener("keydown", onKey, true);
  scroller.addEventListener("scroll", update);
  const observer = new ResizeObserver(update);
  observer.observe(scroller);
  const destroy = () => {
    window.removeEventListener("keydown", onKey, true);
    observer.disconnect();
  };
  const take = () => scroller.focus({ preventScroll: true });
  return { element, update, reset, moveFocus, take, destroy };
}
