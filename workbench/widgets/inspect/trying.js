// Try the model: photos that are dropped are predicted and shown, and added to nothing.

import { makeButton, makeElement } from "../parts.js";
import { drawTile } from "./overlay.js";
import { makeJobBar } from "../job_bar.js";
import { tellValue } from "./tile_grid.js";
import { readTile } from "./tile_store.js";

const TRYING_KEPT = 24; // photos
const TRYING_BYTES = 30e6; // of one photo

/** Return the drawer with the drop zone, its photos, and the prediction of a folder. */
export function createTrying(desk) {
  const input = makeElement("input", {
    type: "file", multiple: "", accept: "image/*,.tif,.tiff", "aria-label": "Photos to try",
    onchange: () => { take([...input.files]); input.value = ""; },
  });
  const zone = makeElement("div", { class: "workbench-try-drop" },
    "Drop photos here to predict them without adding them, or choose some: ", input);
  const row = makeElement("div", { class: "workbench-tried" });
  const batch = makeBatch(desk);
  const element = makeElement("details", { class: "workbench-trying" },
    makeElement("summary", {}, "Try it on new photos"), zone, row, batch.element);
  const shown = []; // {tile, canvas, words}

  async function take(files) {
    element.open = true;
    for (const file of files) await tryFile(file);
  }

  async function tryFile(file) {
    if (file.size > TRYING_BYTES) {
      desk.set({ message: `${file.name} has over 30 MB: predict it from its folder instead.` });
      return;
    }
    const answer = await desk.ask("try", { name: file.name }, [await file.arrayBuffer()]);
    if (!answer) return;
    const tile = await readTile(answer.content.tile, answer.buffers);
    const canvas = makeElement("canvas");
    const words = makeElement("figcaption", { dir: "auto" });
    const figure = makeElement("figure", { "data-tried": file.name }, canvas, words);
    row.prepend(figure);
    shown.unshift({ tile, canvas, words });
    if (shown.length > TRYING_KEPT) {
      shown.pop().tile.picture?.close();
      row.lastElementChild.remove();
    }
    update();
  }

  function update() {
    const { threshold, opacity, task } = desk.state;
    for (const { tile, canvas, words } of shown) {
      drawTile(desk, canvas, tile, { show: "prediction", opacity, threshold });
      words.textContent = `${tile.name}: ${tellValue(tile.prediction, task, threshold)}`;
    }
    batch.update();
  }

  for (const type of ["dragover", "drop"]) {
    zone.addEventListener(type, (event) => {
      event.preventDefault();
      event.stopPropagation(); // JupyterLab would open the file
      if (type === "drop") take([...event.dataTransfer.files]);
    });
  }
  const destroy = () => shown.forEach(({ tile }) => tile.picture?.close());
  return { element, update, destroy };
}

function makeBatch(desk) {
  const field = (name, placeholder) => makeElement("input", {
    type: "text", "aria-label": name, placeholder, dir: "ltr", size: "28",
  });
  const source = field("Folder to predict", "folder, archive or glob on this machine");
  const target = field("Table to write", "predictions.csv or .json");
  const bar = makeJobBar("Predict the folder", () => desk.ask("batch", { stop: true }));
  const start = makeButton("Predict the folder", () => desk.ask("batch", {
    source: source.value, target: target.value || target.placeholder.split(" ")[0],
  }));
  const done = makeElement("p", { dir: "auto", "aria-live": "polite" });
  const element = makeElement("div", {},
    makeElement("div", { class: "workbench-row" }, source, target, start), bar.element, done);
  function update() {
    const { batch } = desk.state;
    bar.update(batch?.state === "running" ? batch : null);
    start.disabled = batch?.state === "running";
    done.textContent = batch?.words ?? "";
  }
  return { element, update };
}
