// Brush and eraser: the stroke is painted into the mask as it is drawn, by the exact rule.

import { paintStroke, quantize } from "../surface/raster.js";

const BRUSH_LARGEST = 200; // pixels

/** Return the index that painting uses: 0 erases. */
export function paintIndex(desk) {
  return desk.task === "anomaly" ? 1 : desk.classIndex(desk.state.className);
}

/** Return a size a step larger (1) or smaller (-1); large brushes take larger steps. */
export function stepSize(size, by) {
  const step = Math.max(1, Math.round(size / 8));
  return Math.min(Math.max(size + by * step, 1), BRUSH_LARGEST);
}

/** Return the brush, or with erases the eraser. */
export function makeBrush(desk, erases) {
  let stroke = null; // {record, points, index, before, params}
  let hover = null;
  let lastEnd = null; // {id, x, y}: where a Shift-click draws its line from

  function begin(p) {
    const { image, size, shape, protect, className } = desk.state;
    const index = erases || p.event.button === 2 ? 0 : paintIndex(desk);
    if (index === 0 && !erases && p.event.button !== 2) {
      desk.set({ message: `Choose a class to paint with${className ? "" : ", or add one"}.` });
      return;
    }
    image.mask ??= new Uint8Array(image.width * image.height);
    const params = { class_index: index, size, shape, protect };
    stroke = { record: image, points: [], index, before: image.mask.slice(), params };
    if (p.event.shiftKey && lastEnd?.id === image.id) extend([lastEnd.x, lastEnd.y]);
    extend([p.x, p.y]);
  }

  /** Paint the new points, from the last one on. */
  function extend(points) {
    const { record, params, index } = stroke;
    const from = stroke.points.slice(-2);
    stroke.points.push(...points);
    const { size, shape, protect } = params;
    const found = quantize([...from, ...points]);
    const { mask, width, height } = record;
    const rect = paintStroke(mask, width, height, found, size, shape, index, protect);
    if (rect) desk.emitLabel(record, rect);
  }

  function finish() {
    const { record, points, params } = stroke;
    stroke = null;
    lastEnd = { id: record.id, x: points.at(-2), y: points.at(-1) };
    desk.act("brush", params, points);
  }

  return {
    cursor: "none",
    down: begin,
    move(p) {
      hover = p;
      if (stroke) extend(p.points);
    },
    up() {
      if (stroke) finish();
    },
    cancel() {
      if (!stroke) return;
      stroke.record.mask?.set(stroke.before);
      desk.emitLabel(stroke.record, null);
      stroke = null;
    },
    hover(p) {
      hover = p;
    },
    leave() {
      hover = null;
    },
    wheel(event) {
      desk.set({ size: stepSize(desk.state.size, event.deltaY < 0 ? 1 : -1) });
      return true;
    },
    draw(context, viewport) {
      if (hover) drawFootprint(context, viewport, hover, desk.state, erases);
    },
  };
}

/** Draw the outline of what a click would paint. */
function drawFootprint(context, viewport, { x, y }, { size, shape }, erases) {
  const half = size / 2;
  const isSnapped = size === 1 || shape === "square";
  const snap = (v) => (size % 2 ? Math.floor(v) + 0.5 : Math.round(v));
  const [cx, cy] = isSnapped ? [snap(x), snap(y)] : [x, y];
  const outline = () => {
    context.beginPath();
    if (isSnapped) {
      const [left, top] = viewport.toView(cx - half, cy - half);
      context.rect(left, top, size * viewport.scale, size * viewport.scale);
    } else {
      const [vx, vy] = viewport.toView(cx, cy);
      context.arc(vx, vy, Math.max(half * viewport.scale, 1.5), 0, 2 * Math.PI);
    }
    context.stroke();
  };
  context.setLineDash(erases ? [4, 3] : []);
  context.lineWidth = 3;
  context.strokeStyle = "rgba(0, 0, 0, 0.6)";
  outline();
  context.lineWidth = 1;
  context.strokeStyle = "#ffffff";
  outline();
  context.setLineDash([]);
}
