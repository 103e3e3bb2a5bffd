// Where the parts of a labeler lie: toolbar, image or grid, side panel, strip, status.

import { makeButton, makeElement } from "../parts.js";

const LAYOUT_NARROW = 640; // CSS pixels: below, the side panel lies under the image

const LAYOUT_HANDS = ".workbench-toolbar .workbench-button, .workbench-class-name";

/** Arrange the parts of one view and return {element, destroy}. */
export function createLayout(desk, parts) {
  const modes = makeModes(desk);
  const side = makeElement("aside", { class: "workbench-side" },
    modes.element, parts.classes.element, parts.boxes.element);
  const stage = makeElement("div", { class: "workbench-stage" },
    parts.surface.element, parts.grid.element);
  const main = makeElement("div", { class: "workbench-main" }, stage, side);
  const element = makeElement("div", { class: "workbench-labeler" },
    parts.toolbar.element, main, parts.filters.element, parts.strip.element,
    parts.status.element, parts.drawers.element, parts.help.element);

  function update() {
    const isGrid = desk.state.mode === "grid";
    parts.surface.element.hidden = isGrid;
    parts.grid.element.hidden = !isGrid;
    parts.strip.element.hidden = isGrid;
    modes.update();
  }
  const off = desk.on("change", (names) => {
    if (names.has("mode")) update();
  });
  element.addEventListener("click", (event) => keepFocus(event, parts, desk.state.mode));
  // No container query: Chromium does not lay out what changes in one while JupyterLab hides it.
  const observer = new ResizeObserver(([{ contentRect }]) =>
    element.classList.toggle("workbench-narrow", contentRect.width <= LAYOUT_NARROW));
  observer.observe(element);
  update();
  const destroy = () => {
    off();
    observer.disconnect();
  };
  return { element, destroy };
}

/** After a click on a tool or a class the keys go on to work; who tabs to a button stays there. */
function keepFocus(event, parts, mode) {
  const isMouse = event.detail > 0;
  if (!isMouse || !event.target.closest(LAYOUT_HANDS)) return;
  const stage = mode === "grid" ? parts.grid : parts.surface;
  (stage.scroller ?? stage.element).focus({ preventScroll: true });
}

function makeModes(desk) {
  const buttons = [["grid", "Grid"], ["single", "Single image"]].map(([mode, name]) =>
    [mode, makeButton(name, () => desk.set({ mode }))]);
  const element = makeElement("div", { class: "workbench-group" }, ...buttons.map(([, b]) => b));
  element.hidden = !["classification", "anomaly"].includes(desk.task);
  const update = () => buttons.forEach(([mode, button]) =>
    button.setAttribute("aria-pressed", String(desk.state.mode === mode)));
  return { element, update };
}
