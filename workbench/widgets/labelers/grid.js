// The grid: many images at once, selected and labeled together.

import { chooseNumber, runCommand } from "./keys.js";
import { makeElement, makeSlider, shorten } from "../parts.js";
import { drawThumbnail, signOf } from "./strip.js";

const GRID_NAME = 34; // CSS pixels below the picture of a tile
const GRID_LONGEST = 8e6; // CSS pixels, as in strip.js
const GRID_ALL = 5000; // images that Ctrl+A selects at most

/** Return the grid. */
export function createGrid(desk) {
  const inner = makeElement("div", { class: "workbench-grid-inner" });
  const scroller = makeElement("div", {
    class: "workbench-grid-scroll", tabindex: "0", role: "listbox", "aria-label": "Images",
    "aria-multiselectable": "true",
  }, inner);
  const size = makeSlider("Tile size", { min: 72, max: 280, step: 4, value: 132 }, update);
  const count = makeElement("span", { "aria-live": "polite" });
  const element = makeElement("div", { class: "workbench-grid" },
    makeElement("div", { class: "workbench-grid-head" }, size.element, count), scroller);
  const tiles = new Map(); // index -> element
  let focus = 0;
  let anchor = 0;

  const side = () => Number(size.input.value);
  const columns = () => Math.max(1, Math.floor(scroller.clientWidth / (side() + 8)));
  const rowHeight = () => side() * 0.75 + GRID_NAME;
  const lines = () => Math.ceil(desk.rows.total / columns());
  const height = () => Math.min(lines() * rowHeight(), GRID_LONGEST);
  const ratio = () => (height() ? (lines() * rowHeight()) / height() : 1);

  function update() {
    if (!scroller.clientWidth) return; // another mode is shown
    inner.style.height = `${height()}px`;
    const top = scroller.scrollTop * ratio();
    const start = Math.floor(top / rowHeight()) * columns();
    const seen = (Math.ceil(scroller.clientHeight / rowHeight()) + 1) * columns();
    const end = Math.min(start + seen, desk.rows.total);
    for (const [index, tile] of tiles) {
      if (index < start || index >= end) {
        tile.remove();
        tiles.delete(index);
      }
    }
    for (let index = start; index < end; index += 1) {
      const tile = tiles.get(index) ?? addTile(index);
      const y = Math.floor(index / columns()) * rowHeight() + scroller.scrollTop - top;
      tile.style.transform = `translate(${(index % columns()) * (side() + 8)}px, ${y}px)`;
      tile.style.width = `${side()}px`;
      tile.style.height = `${rowHeight() - 6}px`;
      fillTile(tile, index);
    }
    const { size: chosen } = desk.state.selection;
    count.textContent = chosen ? `${chosen} selected: press the key of a class, or click it`
      : "Select images, then press the key of a class";
  }

  function addTile(index) {
    const tile = makeElement("div", {
      class: "workbench-tile", role: "option", id: `workbench-tile-${desk.number}-${index}`,
      onclick: (event) => clickTile(index, event), ondblclick: () => open(index),
    }, makeElement("canvas", { width: "240", height: "180" }),
    makeElement("span", { class: "workbench-tile-sign" }),
    makeElement("span", { class: "workbench-tile-name", dir: "auto" }),
    makeElement("span", { class: "workbench-tile-class", dir: "auto" }));
    inner.append(tile);
    tiles.set(index, tile);
    return tile;
  }

  function fillTile(tile, index) {
    const row = desk.rows.get(index);
    tile.dataset.focus = String(index === focus);
    if (!row) return;
    const [canvas, sign, name, chip] = tile.children;
    const label = row.classes.join(", ");
    tile.setAttribute("aria-selected", String(desk.state.selection.has(row.id)));
    tile.setAttribute("aria-label", `${row.name}, ${label || row.state}`);
    tile.title = row.name;
    tile.dataset.image = row.name;
    sign.textContent = signOf(row);
    sign.dataset.state = row.state;
    name.textContent = shorten(row.name, Math.round(side() / 7));
    chip.textContent = label;
    chip.style.borderInlineStart = label ? `6px solid ${desk.color(row.classes[0])}` : "";
    const picture = desk.rows.thumbnail(row.id);
    if (tile.shownPicture === picture && tile.shownId === row.id) return;
    Object.assign(tile, { shownPicture: picture, shownId: row.id });
    drawThumbnail(canvas, picture);
  }

  function clickTile(index, event) {
    scroller.focus({ preventScroll: true });
    if (event.shiftKey) selectRange(anchor, index);
    else {
      const id = desk.rows.get(index)?.id;
      if (id === undefined) return;
      const keep = event.ctrlKey || event.metaKey;
      const next = new Set(keep ? desk.state.selection : []);
      if (keep && next.has(id)) next.delete(id);
      else next.add(id);
      anchor = index;
      desk.set({ selection: next });
    }
    moveFocus(index);
  }

  function selectRange(from, to) {
    const next = new Set();
    for (let i = Math.min(from, to); i <= Math.max(from, to); i += 1) {
      const id = desk.rows.get(i)?.id;
      if (id !== undefined) next.add(id);
    }
    desk.set({ selection: next });
  }

  function moveFocus(index) {
    focus = Math.min(Math.max(index, 0), Math.max(desk.rows.total - 1, 0));
    const top = (Math.floor(focus / columns()) * rowHeight()) / ratio();
    const room = scroller.clientHeight - rowHeight();
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top > scroller.scrollTop + room) scroller.scrollTop = top - room;
    scroller.setAttribute("aria-activedescendant", `workbench-tile-${desk.number}-${focus}`);
    update();
  }

  function open(index) {
    const row = desk.rows.get(index);
    if (!row) return;
    desk.set({ mode: "single" });
    desk.show(row.id);
  }

  /** After a label was given, go on to the next image without one. */
  function goOn() {
    for (let i = focus + 1; i < desk.rows.total; i += 1) {
      const row = desk.rows.get(i);
      if (!row) return;
      if (row.state !== "unlabeled") continue;
      anchor = i;
      desk.set({ selection: new Set([row.id]) });
      moveFocus(i);
      return;
    }
  }

  async function selectAll() {
    try {
      const params = { filter: desk.state.filter, count: GRID_ALL };
      const { content } = await desk.request("ids", params);
      desk.set({ selection: new Set(content.ids) });
      if (content.total > GRID_ALL) {
        desk.set({ message: `The first ${GRID_ALL} of ${content.total} images are selected.` });
      }
    } catch (error) {
      desk.set({ message: error.message });
    }
  }

  function runKey(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() };
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") {
      selectAll();
      return true;
    }
    if (event.ctrlKey || event.metaKey) return runCommand(desk, event);
    if (event.altKey) return false;
    if (steps[event.key]) {
      moveFocus(focus + steps[event.key]);
      if (event.shiftKey) selectRange(anchor, focus);
      else {
        anchor = focus;
        selectRange(focus, focus);
      }
    } else if (event.key === " ") clickTile(focus, { ctrlKey: true });
    else if (event.key === "Enter") open(focus);
    else if (event.key === "Escape") desk.set({ selection: new Set() });
    else if (event.key === "?") desk.set({ help: true });
    else if (/^[1-9]$/.test(event.key)) {
      chooseNumber(desk, Number(event.key));
      goOn();
    } else return event.key.length === 1; // swallowed: JupyterLab has plans with single letters
    return true;
  }

  const aborter = new AbortController();
  window.addEventListener("keydown", (event) => {
    if (document.activeElement !== scroller || event.key === "Tab") return;
    if (!runKey(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, { capture: true, signal: aborter.signal });
  scroller.addEventListener("scroll", update);
  const observer = new ResizeObserver(update);
  observer.observe(scroller);
  const offs = ["change", "rows", "thumbnails"].map((event) => desk.on(event, update));
  const destroy = () => {
    aborter.abort();
    observer.disconnect();
    offs.forEach((off) => off());
  };
  return { element, scroller, destroy };
}
