// Painting a mask: the exact rule of brush and polygon, the same as in tasks/painting.py.
// All arithmetic is on integers, in sixteenths of a pixel, below 2 ** 53.

const RASTER_UNITS = 16; // in a pixel

/** Return points in pixels (flat x, y, …) in sixteenths, rounded down: none leaves its pixel. */
export function quantize(points) {
  return Int32Array.from(points, (value) => Math.floor(value * RASTER_UNITS));
}

/** Return quantized points as bytes: the first whole, then steps of int16. */
export function encodePoints(points16) {
  const steps = [];
  for (let i = 2; i < points16.length; i += 2) rasterSteps(points16, i, steps);
  const buffer = new ArrayBuffer(8 + 2 * steps.length);
  const view = new DataView(buffer);
  view.setInt32(0, points16[0], true);
  view.setInt32(4, points16[1], true);
  steps.forEach((step, i) => view.setInt16(8 + 2 * i, step, true));
  return buffer;
}

/** Add the steps to point i; one that is too long for int16 goes in several, on its line. */
function rasterSteps(points16, i, steps) {
  const from = [points16[i - 2], points16[i - 1]];
  const to = [points16[i], points16[i + 1]];
  const longest = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
  const count = Math.max(1, Math.ceil(longest / 32767));
  const between = (k, axis) => Math.floor((from[axis] * (count - k) + to[axis] * k) / count);
  for (let k = 1; k <= count; k += 1) {
    for (const axis of [0, 1]) steps.push(between(k, axis) - between(k - 1, axis));
  }
}

/** Paint a polyline into mask in place; return the rect that it may have changed, or null. */
export function paintStroke(mask, width, height, points16, size, shape, classIndex, protect) {
  const points = rasterSnap(points16, size, shape);
  let rect = null;
  for (let i = 0; i === 0 || i + 2 < points.length; i += 2) {
    const j = i + 2 < points.length ? i + 2 : i;
    const segment = [points[i], points[i + 1], points[j], points[j + 1]];
    const window = rasterWindow(segment, size, width, height);
    if (!window) continue;
    const paint = shape === "round" ? rasterRound : rasterSquare;
    paint(mask, width, window, segment, size, classIndex, protect);
    rect = rasterJoin(rect, window);
  }
  return rect && { x: rect[0], y: rect[1], width: rect[2] - rect[0], height: rect[3] - rect[1] };
}

/** Return points where the brush is centred. */
function rasterSnap(points16, size, shape) {
  if (size > 1 && shape === "round") return points16;
  const unit = RASTER_UNITS;
  const snap = size % 2
    ? (value) => Math.floor(value / unit) * unit + unit / 2
    : (value) => Math.floor((value + unit / 2) / unit) * unit;
  return Int32Array.from(points16, snap);
}

/** Return [x0, y0, x1, y1] of the pixels that a segment can reach, or null. */
function rasterWindow([ax, ay, bx, by], size, width, height) {
  const unit = RASTER_UNITS;
  const reach = Math.floor((size * unit) / 2) + unit;
  const x0 = Math.max(Math.floor((Math.min(ax, bx) - reach) / unit), 0);
  const y0 = Math.max(Math.floor((Math.min(ay, by) - reach) / unit), 0);
  const x1 = Math.min(Math.floor((Math.max(ax, bx) + reach) / unit) + 1, width);
  const y1 = Math.min(Math.floor((Math.max(ay, by) + reach) / unit) + 1, height);
  return x0 < x1 && y0 < y1 ? [x0, y0, x1, y1] : null;
}

function rasterPut(mask, at, classIndex, protect) {
  const value = mask[at];
  if (!protect || !classIndex || value === 0 || value === classIndex) mask[at] = classIndex;
}

function rasterRound(mask, width, [x0, y0, x1, y1], segment, size, classIndex, protect) {
  const [ax, ay, bx, by] = segment;
  const dx = bx - ax;
  const dy = by - ay;
  const length2 = dx * dx + dy * dy;
  const radius = Math.floor((size * RASTER_UNITS) / 2);
  const radius2 = radius * radius;
  // |across| <= radius * sqrt(length2) in exact integers: across ** 2 could pass 2 ** 53.
  const widest = rasterRoot(BigInt(radius2) * BigInt(length2));
  for (let row = y0; row < y1; row += 1) {
    const y = row * RASTER_UNITS + RASTER_UNITS / 2;
    for (let column = x0; column < x1; column += 1) {
      const x = column * RASTER_UNITS + RASTER_UNITS / 2;
      const fx = x - ax;
      const fy = y - ay;
      let inside = fx * fx + fy * fy <= radius2;
      if (!inside && length2) {
        const tx = x - bx;
        const ty = y - by;
        inside = tx * tx + ty * ty <= radius2;
        if (!inside) {
          const along = fx * dx + fy * dy;
          inside = along >= 0 && along <= length2 && Math.abs(fx * dy - fy * dx) <= widest;
        }
      }
      if (inside) rasterPut(mask, row * width + column, classIndex, protect);
    }
  }
}

/** Return the whole part of the square root, exactly. */
function rasterRoot(value) {
  let root = BigInt(Math.floor(Math.sqrt(Number(value))));
  while (root * root > value) root -= 1n;
  while ((root + 1n) * (root + 1n) <= value) root += 1n;
  return Number(root);
}

function rasterSquare(mask, width, [x0, y0, x1, y1], segment, size, classIndex, protect) {
  const [ax, ay, bx, by] = segment;
  const half = Math.floor((size * RASTER_UNITS) / 2);
  const dx = bx - ax;
  const dy = by - ay;
  const widest = half * (Math.abs(dx) + Math.abs(dy));
  const [left, right] = [Math.min(ax, bx) - half, Math.max(ax, bx) + half];
  const [top, bottom] = [Math.min(ay, by) - half, Math.max(ay, by) + half];
  for (let row = y0; row < y1; row += 1) {
    const y = row * RASTER_UNITS + RASTER_UNITS / 2;
    if (y < top || y >= bottom) continue;
    for (let column = x0; column < x1; column += 1) {
      const x = column * RASTER_UNITS + RASTER_UNITS / 2;
      if (x < left || x >= right) continue;
      if (Math.abs((x - ax) * dy - (y - ay) * dx) > widest) continue;
      rasterPut(mask, row * width + column, classIndex, protect);
    }
  }
}

/** Fill a closed polygon into mask in place; return the rect that it may have changed, or null. */
export function paintPolygon(mask, width, height, points16, classIndex, protect) {
  const unit = RASTER_UNITS;
  const xs = points16.filter((_, i) => i % 2 === 0);
  const ys = points16.filter((_, i) => i % 2 === 1);
  const lowest = (values) => values.reduce((a, b) => Math.min(a, b));
  const highest = (values) => values.reduce((a, b) => Math.max(a, b));
  const x0 = Math.max(Math.floor(lowest(xs) / unit), 0);
  const y0 = Math.max(Math.floor(lowest(ys) / unit), 0);
  const x1 = Math.min(Math.floor(highest(xs) / unit) + 1, width);
  const y1 = Math.min(Math.floor(highest(ys) / unit) + 1, height);
  if (x0 >= x1 || y0 >= y1) return null;
  for (let row = y0; row < y1; row += 1) {
    const spans = rasterSpans(xs, ys, row * unit + unit / 2);
    for (let i = 0; i + 1 < spans.length; i += 2) {
      const end = Math.min(spans[i + 1], width);
      for (let column = Math.max(spans[i], 0); column < end; column += 1) {
        rasterPut(mask, row * width + column, classIndex, protect);
      }
    }
  }
  return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
}

/** Return the pixels of one row at which the polygon begins and ends, in order. */
function rasterSpans(xs, ys, y) {
  const unit = RASTER_UNITS;
  const found = [];
  for (let i = 0; i < xs.length; i += 1) {
    const j = (i + 1) % xs.length;
    if (ys[i] <= y === ys[j] <= y) continue;
    const over = ys[j] - ys[i];
    const top = (xs[i] * over + (y - ys[i]) * (xs[j] - xs[i])) * Math.sign(over);
    const below = unit * Math.abs(over);
    found.push(Math.ceil((top - (unit / 2) * Math.abs(over)) / below));
  }
  return found.sort((a, b) => a - b);
}

function rasterJoin(rect, other) {
  if (!rect) return other;
  return [
    Math.min(rect[0], other[0]), Math.min(rect[1], other[1]),
    Math.max(rect[2], other[2]), Math.max(rect[3], other[3]),
  ];
}
