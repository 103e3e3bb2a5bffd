// The drawing surface: photo, committed labels and the hand's ink, all drawn in the browser.

import { createLayers } from "./layers.js";
import { createPointers } from "./pointers.js";
import { createViewport } from "./viewport.js";

/**
 * Return a surface on which the tools of a desk work.
 *
 * tools: {name: tool}. options.onKey(event, surface): tells whether it used a key that the tool
 * did not. Returns {element, viewport, onView, redraw, destroy}.
 */
export function createSurface(desk, tools, options = {}) {
  const element = document.createElement("div");
  element.className = "workbench-surface";
  element.tabIndex = 0;
  element.setAttribute("role", "application");
  element.setAttribute("aria-label", "Image to label. Press question mark for the keys.");
  const notice = document.createElement("div");
  notice.className = "workbench-surface-notice";
  const watchers = new Set();
  const viewport = createViewport(onView);
  const layers = createLayers(desk, viewport);
  element.append(...layers.elements, notice);
  let isSpace = false;
  let photo = null; // the bitmap that is drawn

  const surface = { element, viewport, redraw, destroy, cancel: () => pointers.cancel() };
  surface.onView = (watcher) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  };
  const tool = () => tools[desk.state.tool];
  const host = {
    surface, viewport, tool, redraw,
    isPanning: () => isSpace || desk.state.tool === "pan",
    blocked: () => !desk.state.image || Boolean(desk.state.image.error),
    leave: () => {
      tool()?.leave?.(surface);
      redraw();
    },
  };
  const pointers = createPointers(element, desk, host);

  function redraw() {
    layers.drawInk((context) => tool()?.draw?.(context, viewport, surface));
    element.style.cursor = isSpace || desk.state.tool === "pan" ? "grab" : tool()?.cursor ?? "";
  }

  function onView() {
    layers.drawAll((context) => tool()?.draw?.(context, viewport, surface));
    say();
    for (const watcher of watchers) watcher(viewport);
  }

  /** Write what a test or a screen reader relies on into the element's attributes. */
  function say() {
    const { image, waiting, online } = desk.state;
    const isReady = image && (image.bitmap || image.preview || image.error);
    element.dataset.state = !online ? "offline" : isReady ? "ready" : "loading";
    element.dataset.image = image?.name ?? "";
    element.dataset.waiting = String(waiting);
    element.dataset.scale = String(viewport.scale);
    element.dataset.left = String(viewport.left);
    element.dataset.top = String(viewport.top);
    notice.textContent = describeNotice(image, isReady);
    notice.hidden = !notice.textContent;
  }

  function describeNotice(image, isReady) {
    if (image?.error) return image.error;
    if (!image) return desk.state.counts.images ? "Loading…" : "There are no images here yet.";
    return isReady ? "" : "Loading…";
  }

  function onImage(record) {
    const next = record.bitmap ?? record.preview;
    const isNew = photo?.id !== record.id;
    if (isNew) pointers.cancel();
    photo = { id: record.id, bitmap: next };
    viewport.setImage(record.width, record.height);
    onView();
  }

  function onLabel(rect) {
    layers.drawMask(rect);
    layers.drawVectors();
    say();
  }

  function onChange(names) {
    layers.style();
    if (names.has("tool")) pointers.cancel();
    if (names.has("selectedBox") || names.has("classes")) layers.drawVectors();
    say();
    redraw();
  }

  function onKeyDown(event) {
    if (document.activeElement !== element || event.defaultPrevented) return;
    if (event.key === "Tab" || /^F\d+$/.test(event.key)) return;
    if (event.key === " ") isSpace = true;
    const used = event.key === " " || event.key === "Escape" && pointers.cancel()
      || tool()?.key?.(event, surface) || options.onKey?.(event, surface);
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (used || isPlain) {
      event.preventDefault();
      event.stopImmediatePropagation(); // JupyterLab's shortcuts have single letters
    }
    redraw();
  }

  function onKeyUp(event) {
    if (event.key === " ") isSpace = false;
    redraw();
  }

  const aborter = new AbortController();
  const listening = { capture: true, signal: aborter.signal };
  window.addEventListener("keydown", onKeyDown, listening);
  window.addEventListener("keyup", onKeyUp, listening);
  const observer = new ResizeObserver(() => {
    const [width, height] = [element.clientWidth, element.clientHeight];
    if (!width || !height) return; // in a hidden tab or a collapsed cell
    layers.resize(width, height);
    viewport.resize(width, height);
  });
  observer.observe(element);
  const offs = [
    desk.on("image", onImage), desk.on("label", onLabel), desk.on("change", onChange),
  ];
  layers.style();
  if (desk.state.image) onImage(desk.state.image);
  else say();

  function destroy() {
    aborter.abort();
    pointers.destroy();
    observer.disconnect();
    offs.forEach((off) => off());
    layers.destroy();
    watchers.clear();
  }
  return surface;
}
