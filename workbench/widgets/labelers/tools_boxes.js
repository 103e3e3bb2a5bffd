// Boxes: draw, select, move, resize, nudge, relabel, duplicate, delete.

import { drawLayerBox, findHandles } from "../surface/layers.js";
import { clampBox } from "./gestures.js";

const BOX_GRAB = 8; // CSS pixels around a handle or an edge
const BOX_LEAST_DRAG = 3; // CSS pixels: a shorter drag is a click
const BOX_CURSORS = {
  n: "ns-resize", s: "ns-resize", e: "ew-resize", w: "ew-resize",
  nw: "nwse-resize", se: "nwse-resize", ne: "nesw-resize", sw: "nesw-resize",
};

/** Return a box with sides on whole pixels: a box holds pixels, not parts of them. */
function roundBox(box) {
  const { class_name, x0, y0, x1, y1 } = box;
  const [a, b, c, d] = [x0, y0, x1, y1].map((value) => Math.round(value));
  return { class_name, x0: a, y0: b, x1: c, y1: d };
}

/** Return the places in the list of the boxes under a point, the smallest first. */
function boxesUnder(boxes, x, y) {
  const area = (box) => (box.x1 - box.x0) * (box.y1 - box.y0);
  return boxes
    .map((box, index) => ({ box, index }))
    .filter(({ box }) => x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1)
    .sort((a, b) => area(a.box) - area(b.box))
    .map(({ index }) => index);
}

/** Change the selected box to another one, as one gesture. */
export function changeSelected(desk, change) {
  const { image, selectedBox } = desk.state;
  const old = image?.boxes[selectedBox];
  if (!old) return false;
  const next = clampBox(image, { ...old, ...change });
  desk.act("change_box", { index: selectedBox, old: { ...old }, new: next });
  return true;
}

/** Move the selected box by whole pixels, keeping its size at the border. */
export function nudgeSelected(desk, dx, dy) {
  const { image, selectedBox } = desk.state;
  const box = image?.boxes[selectedBox];
  return box ? changeSelected(desk, moveBox(image, box, dx, dy)) : false;
}

function moveBox(image, box, dx, dy) {
  const x = Math.min(Math.max(dx, -box.x0), image.width - box.x1);
  const y = Math.min(Math.max(dy, -box.y0), image.height - box.y1);
  return { ...box, x0: box.x0 + x, y0: box.y0 + y, x1: box.x1 + x, y1: box.y1 + y };
}

function resizeBox(box, handle, x, y) {
  const next = { ...box };
  if (handle.includes("w")) next.x0 = x;
  if (handle.includes("e")) next.x1 = x;
  if (handle.includes("n")) next.y0 = y;
  if (handle.includes("s")) next.y1 = y;
  return next;
}

/** Return the handle of a box at a point in CSS pixels, or null; whole edges can be grabbed too. */
function handleAt(viewport, box, cx, cy) {
  for (const [name, x, y] of findHandles(viewport, box)) {
    if (Math.abs(cx - x) <= BOX_GRAB && Math.abs(cy - y) <= BOX_GRAB) return name;
  }
  const [x0, y0] = viewport.toView(box.x0, box.y0);
  const [x1, y1] = viewport.toView(box.x1, box.y1);
  const inside = cx >= x0 - 4 && cx <= x1 + 4 && cy >= y0 - 4 && cy <= y1 + 4;
  if (!inside) return null;
  const edges = [["w", cx - x0], ["e", cx - x1], ["n", cy - y0], ["s", cy - y1]];
  return edges.find(([, distance]) => Math.abs(distance) <= 4)?.[0] ?? null;
}

/** Return the tool for boxes. draws: a drag on free ground draws a new one. */
export function makeBoxTool(desk, draws) {
  let drag = null; // {kind: "draw" | "move" | handle, x, y, cx, cy, box, old, next}
  let cursor = null;
  let lastClick = null; // {x, y}: a click at the same place takes the next box below

  const selected = () => desk.state.image?.boxes[desk.state.selectedBox];

  function grabbed(p, surface) {
    const box = selected();
    if (!box) return null;
    const handle = handleAt(surface.viewport, box, p.cx, p.cy);
    if (handle) return handle;
    const isInside = p.x >= box.x0 && p.x < box.x1 && p.y >= box.y0 && p.y < box.y1;
    return isInside && !(draws && p.event.shiftKey) ? "move" : null;
  }

  function down(p, surface) {
    const kind = grabbed(p, surface) ?? (draws ? "draw" : "click");
    drag = { kind, x: p.x, y: p.y, cx: p.cx, cy: p.cy, old: selected(), next: null };
  }

  function move(p) {
    if (!drag) return;
    const far = Math.hypot(p.cx - drag.cx, p.cy - drag.cy) >= BOX_LEAST_DRAG;
    if (!far && !drag.next) return;
    const { image, className } = desk.state;
    if (drag.kind === "draw") {
      const { x, y } = drag;
      const sides = { x0: x, y0: y, x1: p.x, y1: p.y };
      drag.next = clampBox(image, roundBox({ class_name: className, ...sides }));
    } else if (drag.kind === "move") {
      const [dx, dy] = [Math.round(p.x - drag.x), Math.round(p.y - drag.y)];
      drag.next = moveBox(image, drag.old, dx, dy);
    } else if (drag.kind !== "click") {
      drag.next = clampBox(image, roundBox(resizeBox(drag.old, drag.kind, p.x, p.y)));
    }
  }

  function up(p) {
    const { kind, next } = drag ?? {};
    drag = null;
    if (!kind) return;
    if (!next) pick(p);
    else if (kind === "draw") add(next);
    else changeSelected(desk, next);
  }

  function add(box) {
    if (!box.class_name) {
      desk.set({ message: "Add a class first: a box needs one." });
      return;
    }
    desk.act("box", box);
    desk.set({ selectedBox: desk.state.image.boxes.length - 1 });
  }

  /** Select the smallest box under the pointer; clicked again at the same place, the next one. */
  function pick(p) {
    const under = boxesUnder(desk.state.image.boxes, p.x, p.y);
    const isAgain = lastClick && Math.hypot(p.cx - lastClick.x, p.cy - lastClick.y) < 4;
    const at = under.indexOf(desk.state.selectedBox);
    lastClick = { x: p.cx, y: p.cy };
    const next = isAgain && at >= 0 ? under[(at + 1) % under.length] : under[0] ?? -1;
    desk.set({ selectedBox: next });
    const box = desk.state.image.boxes[next];
    if (box) desk.set({ className: box.class_name });
  }

  return {
    get cursor() {
      return cursor ?? (draws ? "crosshair" : "default");
    },
    down,
    move,
    up,
    cancel() {
      drag = null;
    },
    hover(p, surface) {
      const kind = grabbed(p, surface);
      cursor = kind === "move" ? "move" : BOX_CURSORS[kind] ?? null;
    },
    draw(context, viewport) {
      if (!drag?.next) return;
      drawLayerBox(context, viewport, drag.next, desk.color(drag.next.class_name), true);
    },
  };
}
