// What lies over a photo: boxes, masks and heat, of the label and of the prediction.

const OVERLAY_UNKNOWN = "#888888";

/** Return [red, green, blue] of "#rrggbb". */
function readOverlayColor(color) {
  const value = parseInt(color.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Return the color of a class of the project. */
export function findOverlayColor(desk, name) {
  if (desk.state.task === "anomaly") return name === "abnormal" ? "#d62728" : "#2ca02c";
  return desk.state.colors[name] ?? OVERLAY_UNKNOWN;
}

/** Return the level of heat at which a value is shown: the threshold always has the same color. */
export function placeHeat(value, threshold) {
  if (value < threshold) return (0.5 * value) / threshold;
  return threshold >= 1 ? 0.5 : 0.5 + (0.5 * (value - threshold)) / (1 - threshold);
}

/** Return the color of each of the 256 levels, alpha on top (little-endian RGBA). */
function makeHeatColors(desk, threshold, opacity) {
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const place = Math.round(255 * placeHeat(level / 255, threshold));
    const [red, green, blue, fill] = desk.state.heat[place];
    const alpha = Math.round(255 * Math.min(1, fill * opacity * 1.6));
    return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

function packOverlay([red, green, blue], alpha) {
  return ((Math.round(255 * alpha) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Paint pixels, found by a function of the place, into a canvas of that size. */
function paintOverlay(width, height, paint) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  paint(new Uint32Array(image.data.buffer));
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Return a map of heat as a canvas of its own size. */
export function drawHeat(desk, { data, width, height }, threshold, opacity) {
  const table = makeHeatColors(desk, threshold, opacity);
  return paintOverlay(width, height, (pixels) => {
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = table[data[i]];
  });
}

/** Return which pixels of a mask border on another value, as far as `reach`. */
export function findBorder({ data, width, height }, reach = 1) {
  const border = new Uint8Array(data.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const i = y * width + x;
      const value = data[i];
      if (!value) continue;
      const differs = (x >= reach && data[i - reach] !== value)
        || (x + reach < width && data[i + reach] !== value)
        || (y >= reach && data[i - reach * width] !== value)
        || (y + reach < height && data[i + reach * width] !== value);
      if (differs) border[i] = value;
    }
  }
  return border;
}

/** Return what is predicted of every pixel at a threshold, from candidates and foreground. */
function decidePixels({ candidates, foreground }, threshold) {
  const least = Math.ceil(threshold * 255);
  const data = new Uint8Array(foreground.data.length);
  for (let i = 0; i < data.length; i += 1) {
    if (foreground.data[i] >= least) data[i] = candidates.data[i];
  }
  return { ...foreground, data };
}

function drawMaskOverlay(desk, mask, names, { isOutline, opacity }) {
  const colors = names.map((name) => readOverlayColor(findOverlayColor(desk, name)));
  const fill = isOutline ? null : mask.data;
  const border = findBorder(mask);
  return paintOverlay(mask.width, mask.height, (pixels) => {
    for (let i = 0; i < pixels.length; i += 1) {
      if (border[i]) {
        pixels[i] = isOutline ? 0xffffffff : packOverlay(colors[border[i] - 1] ?? [0, 0, 0], 1);
      } else if (fill?.[i]) pixels[i] = packOverlay(colors[fill[i] - 1] ?? [0, 0, 0], opacity);
    }
  });
}

/** Return the boxes that are shown: the label's dashed, the prediction's at the threshold solid. */
export function chooseBoxes(tile, { show, threshold }) {
  const listed = [];
  const add = ([class_name, x0, y0, x1, y1, score], isDashed) => {
    const text = isDashed ? class_name : `${class_name} ${Math.round(100 * score)} %`;
    listed.push({ class_name, x0, y0, x1, y1, isDashed, text });
  };
  const isLabel = show === "both" || show === "label";
  const isPrediction = show === "both" || show === "prediction";
  if (isPrediction) {
    (tile.prediction?.boxes ?? []).filter((box) => box[5] >= threshold).reverse()
      .forEach((box) => add(box, false));
  }
  if (isLabel) (tile.label?.boxes ?? []).forEach((box) => add(box, true));
  return listed.map((box) => (isNamedTwice(box, listed) ? { ...box, text: "" } : box));
}

/** Tell whether a labeled box lies on a predicted one that says the same. */
function isNamedTwice(box, listed) {
  return box.isDashed && listed.some((other) => !other.isDashed
    && other.class_name === box.class_name && measureOverlap(box, other) >= 0.5);
}

/** Return the IoU of two boxes. */
function measureOverlap(a, b) {
  const width = Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0);
  const height = Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0);
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box.x1 - box.x0) * (box.y1 - box.y0);
  return (width * height) / (area(a) + area(b) - width * height);
}

/** Draw a tile: its picture, and over it what `view` asks for: {show, opacity, threshold}. */
export function drawTile(desk, canvas, tile, view) {
  const { picture, layers } = tile;
  canvas.width = picture?.width ?? 4;
  canvas.height = picture?.height ?? 3;
  const context = canvas.getContext("2d");
  if (!picture) return;
  context.drawImage(picture, 0, 0);
  const stretch = (source, isSmooth) => {
    context.imageSmoothingEnabled = isSmooth;
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
  };
  const isLabel = view.show === "both" || view.show === "label";
  const isPrediction = view.show === "both" || view.show === "prediction";
  if (isPrediction && layers.heat) {
    stretch(drawHeat(desk, layers.heat, view.threshold, view.opacity), true);
  }
  if (isPrediction && layers.foreground) {
    const mask = decidePixels(layers, view.threshold);
    stretch(drawMaskOverlay(desk, mask, desk.state.model_classes, view), false);
  }
  if (isLabel && layers.label) {
    const names = desk.state.task === "anomaly" ? ["abnormal"] : desk.state.classes;
    const isOutline = view.show === "both";
    stretch(drawMaskOverlay(desk, layers.label, names, { ...view, isOutline }), false);
  }
  drawTileBoxes(desk, context, canvas, tile, view);
}

function drawTileBoxes(desk, context, canvas, tile, view) {
  const scale = canvas.width / tile.width;
  for (const box of chooseBoxes(tile, view)) {
    const sides = [box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0].map((side) => side * scale);
    context.setLineDash([]);
    context.lineWidth = 3.5;
    context.strokeStyle = "rgba(0, 0, 0, 0.55)";
    context.strokeRect(...sides);
    context.setLineDash(box.isDashed ? [6, 4] : []);
    context.lineWidth = 2;
    context.strokeStyle = findOverlayColor(desk, box.class_name);
    context.strokeRect(...sides);
  }
}
