// Curves of a run: loss and figure, round by round, as vectors that follow the theme.

const CURVE_SIZE = { width: 320, height: 150, left: 38, right: 8, top: 20, bottom: 20 };

function makeSvg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Return a chart of points [x, y]; span: the least and highest y, or null for those there are. */
export function drawCurve(title, points, span = null) {
  const { width, height, left, right, top, bottom } = CURVE_SIZE;
  const ys = points.map(([, y]) => y);
  const [low, high] = span ?? [Math.min(0, ...ys), Math.max(...ys, 1e-9)];
  const last = Math.max(points.at(-1)?.[0] ?? 1, 1);
  const place = ([x, y]) => [
    left + ((width - left - right) * x) / last,
    height - bottom - ((height - top - bottom) * (y - low)) / (high - low || 1),
  ];
  const line = points.map((point) => place(point).map((value) => value.toFixed(1)).join(","));
  const svg = makeSvg("svg", {
    viewBox: `0 0 ${width} ${height}`, class: "workbench-curve", role: "img",
    "aria-label": points.length ? `${title}: ${ys.at(-1).toFixed(3)} now` : title,
  });
  svg.append(
    makeSvg("text", { x: left, y: 13, class: "workbench-curve-title" }, title),
    ...[low, high].map((value) => makeSvg("text", {
      x: left - 4, y: place([0, value])[1] + 4, "text-anchor": "end",
    }, formatTick(value))),
    ...[0, last].map((value) => makeSvg("text", {
      x: place([value, low])[0], y: height - 6, "text-anchor": value ? "end" : "start",
    }, String(value))),
    makeSvg("path", {
      class: "workbench-curve-axes",
      d: `M${left},${top}V${height - bottom}H${width - right}`,
    }),
    makeSvg("polyline", { class: "workbench-curve-line", points: line.join(" ") }),
    ...points.slice(-1).map((point) => makeSvg("circle", {
      cx: place(point)[0], cy: place(point)[1], r: 3, class: "workbench-curve-dot",
    })),
  );
  return svg;
}

function formatTick(value) {
  return value === 0 ? "0" : value.toPrecision(value < 0.1 ? 1 : 2);
}
