// Where the image lies in the surface: scale and the place of its origin, in CSS pixels.

const VIEWPORT_DEEPEST = 64; // CSS pixels for each image pixel
const VIEWPORT_MARGIN = 8;

/** Return the viewport. onChange(): scale or place changed. */
export function createViewport(onChange) {
  const viewport = {
    scale: 1, left: 0, top: 0, width: 0, height: 0, imageWidth: 1, imageHeight: 1, isFitted: true,
    fit, actual, zoomAt, zoomTo, panBy, toImage, toView, resize, setImage, fitScale,
  };

  function fitScale() {
    const { width, height, imageWidth, imageHeight } = viewport;
    const room = (side) => Math.max(side - 2 * VIEWPORT_MARGIN, 1);
    return Math.min(room(width) / imageWidth, room(height) / imageHeight, VIEWPORT_DEEPEST);
  }

  function place(scale) {
    viewport.scale = scale;
    viewport.left = (viewport.width - viewport.imageWidth * scale) / 2;
    viewport.top = (viewport.height - viewport.imageHeight * scale) / 2;
  }

  /** Show the whole image, and keep doing so when the surface changes its size. */
  function fit() {
    place(fitScale());
    viewport.isFitted = true;
    onChange();
  }

  /** Show one image pixel as one pixel of the screen. */
  function actual() {
    zoomTo(1 / (window.devicePixelRatio || 1));
  }

  /** Zoom by a factor; the image point under (cx, cy), in CSS pixels, stays where it is. */
  function zoomAt(factor, cx, cy) {
    const least = Math.min(fitScale() / 4, 1);
    const scale = Math.min(Math.max(viewport.scale * factor, least), VIEWPORT_DEEPEST);
    const ratio = scale / viewport.scale;
    viewport.left = cx - (cx - viewport.left) * ratio;
    viewport.top = cy - (cy - viewport.top) * ratio;
    viewport.scale = scale;
    viewport.isFitted = false;
    keepInSight();
    onChange();
  }

  function zoomTo(scale) {
    zoomAt(scale / viewport.scale, viewport.width / 2, viewport.height / 2);
  }

  function panBy(dx, dy) {
    viewport.left += dx;
    viewport.top += dy;
    viewport.isFitted = false;
    keepInSight();
    onChange();
  }

  /** Never let the image leave the surface as a whole. */
  function keepInSight() {
    const rest = 40;
    const { width, height, imageWidth, imageHeight, scale } = viewport;
    const low = (size) => rest - size * scale;
    viewport.left = Math.min(Math.max(viewport.left, low(imageWidth)), width - rest);
    viewport.top = Math.min(Math.max(viewport.top, low(imageHeight)), height - rest);
  }

  function toImage(cx, cy) {
    return [(cx - viewport.left) / viewport.scale, (cy - viewport.top) / viewport.scale];
  }

  function toView(x, y) {
    return [viewport.left + x * viewport.scale, viewport.top + y * viewport.scale];
  }

  function resize(width, height) {
    viewport.width = width;
    viewport.height = height;
    if (viewport.isFitted) fit();
    else onChange();
  }

  function setImage(width, height) {
    const isSame = width === viewport.imageWidth && height === viewport.imageHeight;
    viewport.imageWidth = width;
    viewport.imageHeight = height;
    if (!isSame || viewport.isFitted) fit();
  }
  return viewport;
}
