// The toolbar: the tools that fit the project type, undo and redo, moving on, and the zoom.

import { giveVerdict, sayNothing, undoScope, unlabel } from "./keys.js";
import { makeButton, makeElement, makeSlider, shorten } from "../parts.js";
import { TOOL_TABLE } from "./tools.js";

const TOOLBAR_ZOOM_STEPS = 100;

/** Return the toolbar of one view. */
export function createToolbar(desk, surface) {
  const tools = makeToolButtons(desk);
  const undo = makeButton("Undo", () => desk.act("undo", undoScope(desk)), { key: "Ctrl+Z" });
  const redo = makeButton("Redo", () => desk.act("redo", undoScope(desk)), { key: "Ctrl+Y" });
  const name = makeElement("span", { class: "workbench-image-name", dir: "auto" });
  const place = makeElement("span", { class: "workbench-image-place" });
  const brush = makeBrushParts(desk);
  const hand = group(...tools.elements);
  const zoom = makeZoomParts(surface);
  const zoomGroup = group(...zoom.elements);
  const element = makeElement(
    "div", { class: "workbench-toolbar", role: "toolbar", "aria-label": "Tools" },
    group(
      makeButton("Previous image", () => desk.step(-1), { key: "A", text: "◀" }), place,
      makeButton("Next image", () => desk.step(1), { key: "D", text: "▶" }),
      makeButton("Next unlabeled", () => desk.nextUnlabeled(), { key: "U" }), name,
    ),
    hand, ...brush.elements, group(undo, redo, ...makeActs(desk)), zoomGroup,
  );

  function update() {
    const { image, index, total, can_undo, can_redo, mode } = desk.state;
    undo.disabled = mode === "single" && !can_undo;
    redo.disabled = mode === "single" && !can_redo;
    name.textContent = image ? shorten(image.name, 36) : "";
    name.title = image?.name ?? "";
    place.textContent = index >= 0 && total ? `${index + 1} / ${total}` : `– / ${total}`;
    for (const part of [hand, zoomGroup, ...brush.elements]) part.hidden = mode === "grid";
    tools.update();
    brush.update();
  }
  const offs = [desk.on("change", update), desk.on("image", update), zoom.off];
  update();
  return { element, destroy: () => offs.forEach((off) => off()) };
}

function group(...children) {
  return makeElement("div", { class: "workbench-group" }, ...children);
}

function makeToolButtons(desk) {
  const buttons = TOOL_TABLE.filter((row) => row.tasks.includes(desk.task)).map((row) => {
    const options = { key: row.key.toUpperCase() };
    return [row.name, makeButton(row.title, () => desk.set({ tool: row.name }), options)];
  });
  const update = () => {
    for (const [name, button] of buttons) {
      button.setAttribute("aria-pressed", String(desk.state.tool === name));
    }
  };
  return { elements: buttons.map(([, button]) => button), update };
}

function makeActs(desk) {
  const clear = makeButton("Unlabel", () => unlabel(desk), { key: "Ctrl+Delete" });
  if (desk.task === "classification") return [clear];
  const nothing = makeButton("Nothing here", () => sayNothing(desk), { key: "N" });
  if (desk.task !== "anomaly") return [nothing, clear];
  return [
    makeButton("Normal", () => giveVerdict(desk, "normal"), { key: "1" }),
    makeButton("Abnormal", () => giveVerdict(desk, "abnormal"), { key: "2" }),
    clear,
  ];
}

/** Return size and shape of the brush, and the tolerance of the wand. */
function makeBrushParts(desk) {
  if (!["segmentation", "anomaly"].includes(desk.task)) return { elements: [], update: () => {} };
  // Quadratic: small sizes need fine steps.
  const size = makeSlider("Size", { min: 1, max: 14.14, step: 0.01, value: 3.5 }, (value) =>
    desk.set({ size: Math.max(1, Math.round(value * value)) }));
  const shown = makeElement("output", { class: "workbench-size" });
  const shape = makeButton("Square brush", () =>
    desk.set({ shape: desk.state.shape === "round" ? "square" : "round" }));
  const range = { min: 0, max: 128, step: 1, value: desk.state.tolerance };
  const brush = [size.element, shown, shape];
  const tolerance = makeSlider("Tolerance", range, (value) => desk.set({ tolerance: value }));
  const update = () => {
    const root = Math.sqrt(desk.state.size);
    if (Math.round(Number(size.input.value) ** 2) !== desk.state.size) size.input.value = root;
    shown.textContent = `${desk.state.size} px`;
    shape.setAttribute("aria-pressed", String(desk.state.shape === "square"));
    const { tool } = desk.state;
    for (const part of brush) part.hidden = !["brush", "eraser"].includes(tool);
    tolerance.element.hidden = tool !== "wand";
  };
  const parts = group(...brush, tolerance.element);
  parts.classList.add("workbench-tool-settings");
  return { elements: [parts], update };
}

function makeZoomParts(surface) {
  const { viewport } = surface;
  const middle = (factor) => viewport.zoomAt(factor, viewport.width / 2, viewport.height / 2);
  const range = { min: 0, max: TOOLBAR_ZOOM_STEPS, step: 0.5, value: 0 };
  const least = () => Math.min(viewport.fitScale() / 4, 1);
  const slider = makeSlider("Zoom", range, (value) =>
    viewport.zoomTo(least() * (64 / least()) ** (value / TOOLBAR_ZOOM_STEPS)));
  const shown = makeElement("output", { class: "workbench-zoom" });
  const update = () => {
    const share = Math.log(viewport.scale / least()) / Math.log(64 / least());
    slider.input.value = String(share * TOOLBAR_ZOOM_STEPS);
    const screen = viewport.scale * (window.devicePixelRatio || 1);
    shown.textContent = `${Math.round(screen * 100)} %`;
  };
  const off = surface.onView(update);
  const elements = [
    makeButton("Zoom out", () => middle(0.8), { key: "−", text: "−" }), slider.element,
    makeButton("Zoom in", () => middle(1.25), { key: "+", text: "+" }), shown,
    makeButton("Fit", () => viewport.fit(), { key: "Z" }),
    makeButton("Actual size", () => viewport.actual(), { key: "X", text: "1:1" }),
  ];
  return { elements, off };
}
