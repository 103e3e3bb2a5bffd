// The strip: all images that fit the filter in one row, as few of them drawn as can be seen.

import { makeElement, shorten } from "../parts.js";

const STRIP_TILE = 92; // CSS pixels
const STRIP_LONGEST = 8e6; // CSS pixels: browsers lay out no element much longer

/** Return what says the state of an image: a sign for the eye. */
export function signOf(row) {
  return { unlabeled: "○", labeled: "●", "nothing there": "∅" }[row.state] ?? "◆";
}

/** Put the picture of a row into a canvas, whole and in its own shape. */
export function drawThumbnail(canvas, picture) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!picture) return;
  const scale = Math.min(canvas.width / picture.width, canvas.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  const [x, y] = [(canvas.width - width) / 2, (canvas.height - height) / 2];
  context.drawImage(picture, x, y, width, height);
}

/** Return the strip. */
export function createStrip(desk) {
  const inner = makeElement("div", { class: "workbench-strip-inner" });
  const element = makeElement("div", {
    class: "workbench-strip", role: "listbox", "aria-label": "Images", tabindex: "0",
    "aria-orientation": "horizontal",
  }, inner);
  const tiles = new Map(); // index -> element
  let lastIndex = -1;

  const length = () => Math.min(desk.rows.total * STRIP_TILE, STRIP_LONGEST);
  /** How many tiles a CSS pixel of scrolling stands for: more than 1 / STRIP_TILE if very many. */
  const ratio = () => (length() ? (desk.rows.total * STRIP_TILE) / length() : 1);

  function update() {
    inner.style.width = `${length()}px`;
    const start = Math.floor((element.scrollLeft * ratio()) / STRIP_TILE);
    const count = Math.ceil(element.clientWidth / STRIP_TILE) + 2;
    const end = Math.min(start + count, desk.rows.total);
    for (const [index, tile] of tiles) {
      if (index < start || index >= end) {
        tile.remove();
        tiles.delete(index);
      }
    }
    const offset = element.scrollLeft - element.scrollLeft * ratio();
    for (let index = start; index < end; index += 1) {
      const tile = tiles.get(index) ?? addTile(index);
      tile.style.transform = `translateX(${index * STRIP_TILE + offset}px)`;
      fillTile(tile, index);
    }
  }

  function addTile(index) {
    const canvas = makeElement("canvas", { width: "160", height: "120" });
    const sign = makeElement("span", { class: "workbench-tile-sign" });
    const name = makeElement("span", { class: "workbench-tile-name", dir: "auto" });
    const tile = makeElement("div", {
      class: "workbench-tile", role: "option", onclick: () => openTile(index),
    }, canvas, sign, name);
    inner.append(tile);
    tiles.set(index, tile);
    return tile;
  }

  function openTile(index) {
    const row = desk.rows.get(index);
    if (row) desk.show(row.id);
  }

  function fillTile(tile, index) {
    const row = desk.rows.get(index);
    const [canvas, sign, name] = tile.children;
    tile.setAttribute("aria-selected", String(index === desk.state.index));
    if (!row) return;
    tile.setAttribute("aria-label", `${row.name}, ${row.state}`);
    tile.title = `${row.name}\n${row.state}`;
    tile.dataset.image = row.name;
    sign.textContent = signOf(row);
    sign.dataset.state = row.state;
    name.textContent = shorten(row.name, 16);
    const picture = desk.rows.thumbnail(row.id);
    if (tile.shownPicture === picture && tile.shownId === row.id) return;
    Object.assign(tile, { shownPicture: picture, shownId: row.id });
    drawThumbnail(canvas, picture);
  }

  function follow() {
    if (desk.state.index === lastIndex || desk.state.index < 0) return;
    lastIndex = desk.state.index;
    const left = (lastIndex * STRIP_TILE) / ratio();
    const room = element.clientWidth - STRIP_TILE;
    if (left < element.scrollLeft || left > element.scrollLeft + room) {
      element.scrollLeft = Math.max(left - room / 2, 0);
    }
  }

  element.addEventListener("scroll", update);
  element.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    desk.step(by);
  });
  const observer = new ResizeObserver(update);
  observer.observe(element);
  const refresh = () => {
    follow();
    update();
  };
  const offs = ["change", "rows", "thumbnails"].map((event) => desk.on(event, refresh));
  update();
  const destroy = () => {
    observer.disconnect();
    offs.forEach((off) => off());
  };
  return { element, destroy };
}
