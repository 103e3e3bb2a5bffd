// Shapes in a mask: polygon, lasso, fill, magic wand, box to mask, and picking a class.

import { paintIndex } from "./tools_paint.js";

const SHAPE_CLOSE = 9; // CSS pixels around the first point of a polygon

function shapeParams(desk) {
  return { class_index: paintIndex(desk), protect: desk.state.protect };
}

/** Tell whether there is a class to paint with, and say so if not. */
function hasPaint(desk) {
  if (paintIndex(desk)) return true;
  desk.set({ message: "Add a class first: then there is something to paint." });
  return false;
}

function drawShapePath(context, viewport, points, color, isClosed) {
  context.beginPath();
  for (let i = 0; i < points.length; i += 2) {
    context.lineTo(...viewport.toView(points[i], points[i + 1]));
  }
  if (isClosed) context.closePath();
  context.lineWidth = 3;
  context.strokeStyle = "rgba(0, 0, 0, 0.6)";
  context.stroke();
  context.lineWidth = 1.5;
  context.strokeStyle = color;
  context.stroke();
}

/** Return the polygon tool: click the corners; the first one, Enter or a double click closes. */
export function makePolygon(desk) {
  let points = [];
  let hover = null;
  let imageId = null;

  function close() {
    if (points.length >= 6) desk.act("polygon", shapeParams(desk), points);
    points = [];
  }

  return {
    cursor: "crosshair",
    down(p, surface) {
      if (!hasPaint(desk)) return;
      if (imageId !== desk.state.image.id) points = [];
      imageId = desk.state.image.id;
      if (points.length >= 6) {
        const [fx, fy] = surface.viewport.toView(points[0], points[1]);
        if (Math.hypot(p.cx - fx, p.cy - fy) < SHAPE_CLOSE) {
          close();
          return;
        }
      }
      if (p.event.detail < 2) points.push(p.x, p.y);
    },
    double: close,
    hover(p) {
      hover = p;
    },
    move(p) {
      hover = p;
    },
    key(event) {
      if (!points.length) return false;
      if (event.key === "Enter") close();
      else if (event.key === "Backspace") points.splice(-2);
      else if (event.key === "Escape") points = [];
      else return false;
      return true;
    },
    draw(context, viewport) {
      if (!points.length || imageId !== desk.state.image?.id) return;
      const rubber = hover ? [...points, hover.x, hover.y] : points;
      drawShapePath(context, viewport, rubber, desk.color(desk.state.className), true);
      context.fillStyle = "#ffffff";
      for (let i = 0; i < points.length; i += 2) {
        const [x, y] = viewport.toView(points[i], points[i + 1]);
        context.fillRect(x - 3, y - 3, 6, 6);
      }
    },
  };
}

/** Return the lasso: a freehand outline that closes when the hand lifts. */
export function makeLasso(desk) {
  let points = null;
  return {
    cursor: "crosshair",
    down(p) {
      if (hasPaint(desk)) points = [p.x, p.y];
    },
    move(p) {
      points?.push(...p.points);
    },
    up() {
      if (points?.length >= 6) desk.act("lasso", shapeParams(desk), points);
      points = null;
    },
    cancel() {
      points = null;
    },
    draw(context, viewport) {
      if (points) drawShapePath(context, viewport, points, desk.color(desk.state.className), true);
    },
  };
}

/** Return a tool that works on the pixel that is clicked: fill or wand. */
export function makeClickTool(desk, tool) {
  return {
    cursor: "crosshair",
    up(p) {
      const { image, tolerance } = desk.state;
      const isInside = p.x >= 0 && p.y >= 0 && p.x < image.width && p.y < image.height;
      if (!isInside || !hasPaint(desk)) return;
      const params = { ...shapeParams(desk), x: p.x, y: p.y };
      desk.act(tool, tool === "wand" ? { ...params, tolerance } : params);
    },
  };
}

/** Return the tool that takes the class under the pointer. */
export function makePick(desk) {
  return {
    cursor: "copy",
    up(p) {
      const { image, classes } = desk.state;
      const index = image.mask?.[Math.floor(p.y) * image.width + Math.floor(p.x)] ?? 0;
      if (index && desk.task === "segmentation") {
        desk.set({ className: classes[index - 1].name, tool: "brush" });
      } else desk.set({ tool: index ? "brush" : "eraser" });
    },
  };
}

/** Return the tool that draws a box which Python turns into a shape. */
export function makeBoxToMask(desk) {
  let box = null;
  return {
    cursor: "crosshair",
    down(p) {
      if (hasPaint(desk)) box = { x0: p.x, y0: p.y, x1: p.x, y1: p.y };
    },
    move(p) {
      if (box) Object.assign(box, { x1: p.x, y1: p.y });
    },
    up() {
      const done = box;
      box = null;
      if (!done) return;
      const [x0, x1] = [done.x0, done.x1].sort((a, b) => a - b);
      const [y0, y1] = [done.y0, done.y1].sort((a, b) => a - b);
      if (x1 - x0 >= 2 && y1 - y0 >= 2) {
        desk.act("box_mask", { ...shapeParams(desk), x0, y0, x1, y1 });
      }
    },
    cancel() {
      box = null;
    },
    draw(context, viewport) {
      if (!box) return;
      const points = [box.x0, box.y0, box.x1, box.y0, box.x1, box.y1, box.x0, box.y1];
      drawShapePath(context, viewport, points, desk.color(desk.state.className), true);
    },
  };
}
