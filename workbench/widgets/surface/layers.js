// The layers of the surface, bottom to top: photo, mask, vectors (boxes), ink (what the hand does).

const LAYER_NAMES = ["photo", "mask", "vectors", "ink"];
const LAYER_TINY = 14; // CSS pixels: a smaller box shows no handles
const LAYER_HANDLE = 7; // CSS pixels

/** Return the layers, drawn for one viewport. */
export function createLayers(desk, viewport) {
  const canvases = {};
  const contexts = {};
  for (const name of LAYER_NAMES) {
    canvases[name] = document.createElement("canvas");
    canvases[name].className = `workbench-surface-${name}`;
    contexts[name] = canvases[name].getContext("2d", { willReadFrequently: name === "mask" });
  }
  let ratio = 1; // device pixels for each CSS pixel
  let shown = null; // the record whose mask is in maskCanvas
  const maskCanvas = document.createElement("canvas"); // at the image's own size
  let maskContext = null;

  function resize(width, height) {
    ratio = window.devicePixelRatio || 1;
    for (const name of LAYER_NAMES) {
      const canvas = canvases[name];
      canvas.width = Math.max(Math.round(width * ratio), 1);
      canvas.height = Math.max(Math.round(height * ratio), 1);
      canvas.style.width = `${canvas.width / ratio}px`;
      canvas.style.height = `${canvas.height / ratio}px`;
    }
  }

  /** Set a context so that it draws in image pixels, exactly where data-scale, -left, -top say. */
  function toImagePixels(context) {
    const scale = viewport.scale * ratio;
    context.setTransform(scale, 0, 0, scale, viewport.left * ratio, viewport.top * ratio);
    context.imageSmoothingEnabled = scale < 1;
    context.imageSmoothingQuality = "medium";
  }

  function clear(name) {
    const context = contexts[name];
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvases[name].width, canvases[name].height);
    return context;
  }

  function drawPhoto() {
    const context = clear("photo");
    const record = desk.state.image;
    if (!record) return;
    const bitmap = choosePhoto(record);
    if (!bitmap) return;
    toImagePixels(context);
    context.drawImage(bitmap, 0, 0, record.width, record.height);
  }

  /** Take the preview where the screen shows no more than it holds: it is drawn far quicker. */
  function choosePhoto(record) {
    const { bitmap, preview } = record;
    const wanted = record.width * viewport.scale * ratio;
    if (preview && (!bitmap || preview.width >= wanted)) return preview;
    return bitmap ?? preview;
  }

  /** Bring the mask's pixels up to date, in a rect of the image or everywhere, and show them. */
  function drawMask(rect) {
    const record = desk.state.image;
    if (!record || !record.mask) {
      shown = null;
      clear("mask");
      drawOverlay(record);
      return;
    }
    if (shown !== record) {
      maskCanvas.width = record.width;
      maskCanvas.height = record.height;
      maskContext = maskCanvas.getContext("2d", { willReadFrequently: true });
      shown = record;
      rect = null;
    }
    const whole = { x: 0, y: 0, width: record.width, height: record.height };
    const area = rect ?? whole;
    if (area.width && area.height) paintMask(record, area);
    blitMask(rect);
  }

  function paintMask(record, area) {
    const image = maskContext.createImageData(area.width, area.height);
    const pixels = new Uint32Array(image.data.buffer);
    const table = makeLayerColors(desk);
    for (let row = 0; row < area.height; row += 1) {
      const from = (area.y + row) * record.width + area.x;
      const to = row * area.width;
      for (let column = 0; column < area.width; column += 1) {
        pixels[to + column] = table[record.mask[from + column]];
      }
    }
    maskContext.putImageData(image, area.x, area.y);
  }

  /** Copy the mask to the screen; a rect, in image pixels, alone where one is given. */
  function blitMask(rect = null) {
    const context = contexts.mask;
    if (!shown) {
      clear("mask");
      drawOverlay(desk.state.image);
      return;
    }
    if (!rect) {
      clear("mask");
      drawOverlay(shown);
    }
    context.save();
    toImagePixels(context);
    context.imageSmoothingEnabled = false;
    if (rect) clipTo(context, rect);
    context.drawImage(maskCanvas, 0, 0);
    context.restore();
  }

  /** Draw a map that lies over the whole image, such as heat; it may be far coarser. */
  function drawOverlay(record) {
    if (!record?.overlay) return;
    const context = contexts.mask;
    context.save();
    toImagePixels(context);
    context.imageSmoothingEnabled = true;
    context.drawImage(record.overlay, 0, 0, record.width, record.height);
    context.restore();
  }

  /** Clip to whole device pixels around a rect and clear them, so that no seam stays. */
  function clipTo(context, rect) {
    const scale = viewport.scale * ratio;
    const x0 = Math.floor(viewport.left * ratio + rect.x * scale) - 1;
    const y0 = Math.floor(viewport.top * ratio + rect.y * scale) - 1;
    const x1 = Math.ceil(viewport.left * ratio + (rect.x + rect.width) * scale) + 1;
    const y1 = Math.ceil(viewport.top * ratio + (rect.y + rect.height) * scale) + 1;
    const matrix = context.getTransform();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.beginPath();
    context.rect(x0, y0, x1 - x0, y1 - y0);
    context.clip();
    context.clearRect(x0, y0, x1 - x0, y1 - y0);
    context.setTransform(matrix);
  }

  function drawVectors() {
    const context = clear("vectors");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { image, selectedBox } = desk.state;
    (image?.boxes ?? []).forEach((box, index) => {
      drawLayerBox(context, viewport, box, desk.color(box.class_name), index === selectedBox);
    });
  }

  function drawInk(draw) {
    const context = clear("ink");
    context.setTransform(ratio, 0, 0, ratio, 0, 0); // CSS pixels
    if (draw) draw(context);
  }

  function drawAll(draw) {
    drawPhoto();
    if (shown === desk.state.image) blitMask();
    else drawMask(null);
    drawVectors();
    drawInk(draw);
  }

  function style() {
    const { brightness, contrast, opacity, showLabels } = desk.state;
    canvases.photo.style.filter = `brightness(${brightness}) contrast(${contrast})`;
    canvases.mask.style.opacity = showLabels ? String(opacity) : "0";
    canvases.vectors.style.opacity = showLabels ? "1" : "0";
  }

  function destroy() {
    for (const canvas of [...Object.values(canvases), maskCanvas]) canvas.width = 0;
  }
  const elements = LAYER_NAMES.map((name) => canvases[name]);
  return { elements, resize, drawAll, drawPhoto, drawMask, drawVectors, drawInk, style, destroy };
}

/** Return the color of each mask value as one number, alpha on top (little-endian RGBA). */
function makeLayerColors(desk) {
  const table = new Uint32Array(256);
  const names = desk.task === "anomaly" ? ["abnormal"] : desk.state.classes.map((row) => row.name);
  names.forEach((name, index) => {
    const color = parseInt(desk.color(name).slice(1), 16);
    const [red, green, blue] = [color >> 16, (color >> 8) & 255, color & 255];
    table[index + 1] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
  return table;
}

/** Return the eight handles of a box, in CSS pixels: [name, x, y]. */
export function findHandles(viewport, box) {
  const [x0, y0] = viewport.toView(box.x0, box.y0);
  const [x1, y1] = viewport.toView(box.x1, box.y1);
  if (Math.min(x1 - x0, y1 - y0) < LAYER_TINY) return [];
  const [mx, my] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return [
    ["nw", x0, y0], ["n", mx, y0], ["ne", x1, y0], ["e", x1, my],
    ["se", x1, y1], ["s", mx, y1], ["sw", x0, y1], ["w", x0, my],
  ];
}

/** Draw a box in CSS pixels: a line of its color on a dark one, its name, handles if selected. */
export function drawLayerBox(context, viewport, box, color, isSelected) {
  const [x0, y0] = viewport.toView(box.x0, box.y0);
  const [x1, y1] = viewport.toView(box.x1, box.y1);
  context.lineJoin = "miter";
  context.lineWidth = isSelected ? 5 : 4;
  context.strokeStyle = "rgba(0, 0, 0, 0.55)";
  context.setLineDash(box.isDashed ? [7, 5] : []);
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.lineWidth = isSelected ? 3 : 2;
  context.strokeStyle = color;
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.setLineDash([]);
  const name = box.text ?? box.class_name;
  if (name) drawLayerName(context, name, color, x0, y0);
  if (!isSelected) return;
  for (const [, x, y] of findHandles(viewport, box)) {
    context.fillStyle = "#ffffff";
    context.strokeStyle = "#000000";
    context.lineWidth = 1;
    const half = LAYER_HANDLE / 2;
    context.fillRect(x - half, y - half, LAYER_HANDLE, LAYER_HANDLE);
    context.strokeRect(x - half, y - half, LAYER_HANDLE, LAYER_HANDLE);
  }
}

function drawLayerName(context, name, color, x, y) {
  const text = name.length > 24 ? `${name.slice(0, 11)}…${name.slice(-11)}` : name;
  context.font = "12px sans-serif";
  const width = context.measureText(text).width + 8;
  const top = y >= 18 ? y - 18 : y;
  context.fillStyle = color;
  context.fillRect(x - 1, top, width, 17);
  context.fillStyle = isLayerLight(color) ? "#000000" : "#ffffff";
  context.fillText(text, x + 3, top + 13);
}

function isLayerLight(color) {
  const value = parseInt(color.slice(1), 16);
  const [red, green, blue] = [value >> 16, (value >> 8) & 255, value & 255];
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}
