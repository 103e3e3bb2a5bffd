// What a gesture makes of an image in the browser, at once, before Python has it on disk.

import { paintPolygon, paintStroke } from "../surface/raster.js";

const NO_RECT = { x: 0, y: 0, width: 0, height: 0 };
const BOX_OFFSET = 10; // pixels from a box to its duplicate, as in labelers/detection.py

/**
 * Change a record as Python will, and return the rect of its mask that changed.
 *
 * undefined: only Python can compute it, and its answer brings the pixels. points16: quantized.
 */
export function applyGesture(record, tool, params, points16) {
  if (tool === "brush" || tool === "polygon" || tool === "lasso") {
    return paintGesture(record, tool, params, points16);
  }
  const change = GESTURE_CHANGES[tool];
  return change ? change(record, params) : undefined;
}

function paintGesture(record, tool, params, points16) {
  const { width, height } = record;
  record.mask ??= new Uint8Array(width * height);
  record.labeled = true;
  if (record.verdict !== undefined && params.class_index) record.verdict = "abnormal";
  const index = params.class_index;
  const protect = Boolean(params.protect);
  const rect = tool === "brush"
    ? paintStroke(record.mask, width, height, points16, params.size, params.shape, index, protect)
    : paintPolygon(record.mask, width, height, points16, index, protect);
  return rect ?? NO_RECT;
}

function emptyMask(record) {
  if (!record.mask) return NO_RECT;
  record.mask.fill(0);
  return null;
}

const GESTURE_CHANGES = {
  box: (record, params) => {
    record.boxes = [...record.boxes, clampBox(record, params)];
    record.labeled = true;
    return NO_RECT;
  },
  change_box: (record, params) => {
    const index = findBox(record.boxes, params);
    if (index >= 0) record.boxes = record.boxes.with(index, clampBox(record, params.new));
    return NO_RECT;
  },
  delete_box: (record, params) => {
    const index = findBox(record.boxes, params);
    if (index >= 0) record.boxes = record.boxes.filter((_, i) => i !== index);
    return NO_RECT;
  },
  duplicate_box: (record, params) => {
    const index = findBox(record.boxes, params);
    if (index >= 0) record.boxes = [...record.boxes, shiftBox(record, record.boxes[index])];
    return NO_RECT;
  },
  clear: (record) => {
    record.boxes = [];
    record.labeled = true;
    return emptyMask(record);
  },
  nothing: (record) => {
    record.boxes = [];
    record.labeled = true;
    if (record.verdict !== undefined) record.verdict = "normal";
    return emptyMask(record);
  },
  unlabel: (record) => {
    record.boxes = [];
    Object.assign(record, { labeled: false, class_name: null, verdict: null });
    return emptyMask(record);
  },
  class: (record, params) => {
    record.class_name = params.class_name;
    record.labeled = params.class_name !== null;
    return NO_RECT;
  },
  verdict: (record, params) => {
    record.verdict = params.verdict;
    record.labeled = params.verdict !== null;
    return params.verdict === "abnormal" ? NO_RECT : emptyMask(record);
  },
};

function findBox(boxes, { index, old }) {
  const isSame = (box) => ["class_name", "x0", "y0", "x1", "y1"].every((k) => box[k] === old[k]);
  if (boxes[index] && isSame(boxes[index])) return index;
  return boxes.findIndex(isSame);
}

/** Return the box inside the image, corners in order, at least a pixel wide and high. */
export function clampBox(record, { class_name, x0, y0, x1, y1 }) {
  const [left, right] = clampBoxSide(x0, x1, record.width);
  const [top, bottom] = clampBoxSide(y0, y1, record.height);
  return { class_name, x0: left, y0: top, x1: right, y1: bottom };
}

function clampBoxSide(a, b, limit) {
  let [low, high] = [a, b].map((v) => Math.min(Math.max(v, 0), limit)).sort((p, q) => p - q);
  if (high - low < 1) {
    low = Math.min(low, limit - 1);
    high = low + 1;
  }
  return [Math.max(low, 0), Math.min(high, limit)];
}

function shiftBox(record, box) {
  const x = box.x1 + BOX_OFFSET > record.width ? -BOX_OFFSET : BOX_OFFSET;
  const y = box.y1 + BOX_OFFSET > record.height ? -BOX_OFFSET : BOX_OFFSET;
  const { class_name, x0, y0, x1, y1 } = box;
  return clampBox(record, { class_name, x0: x0 + x, y0: y0 + y, x1: x1 + x, y1: y1 + y });
}
