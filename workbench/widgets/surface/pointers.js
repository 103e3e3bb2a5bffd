// Hands on the surface: mouse, pen and touch, wheel and pinch, turned into calls of the tool.

/**
 * Listen on an element. host: {viewport, tool(), isPanning(), blocked(), redraw()}; a tool has
 * down, move, up, cancel and hover. Returns {cancel, isBusy, destroy}.
 */
export function createPointers(element, desk, host) {
  const touches = new Map(); // pointerId -> [cx, cy]
  const aborter = new AbortController();
  let active = null; // {id, kind: "tool" | "pan", tool, last}
  let pinch = null; // {distance, middle}

  const on = (type, listener, options = {}) =>
    element.addEventListener(type, listener, { signal: aborter.signal, ...options });

  function locate(event) {
    const box = element.getBoundingClientRect();
    return [
      event.clientX - box.left - element.clientLeft,
      event.clientY - box.top - element.clientTop,
    ];
  }

  function describe(event) {
    const [cx, cy] = locate(event);
    const [x, y] = host.viewport.toImage(cx, cy);
    const events = event.type === "pointermove" ? event.getCoalescedEvents?.() ?? [] : [];
    const points = (events.length ? events : [event]).flatMap((each) =>
      host.viewport.toImage(...locate(each)));
    return { x, y, cx, cy, event, points };
  }

  function onDown(event) {
    if (event.target.closest("button, input, select, a")) return;
    event.preventDefault();
    event.stopPropagation();
    element.focus({ preventScroll: true });
    capture(event.pointerId);
    if (event.pointerType === "touch") touches.set(event.pointerId, locate(event));
    if (touches.size === 2) startPinch();
    if (active || pinch) return;
    const isPan = event.button === 1 || host.isPanning();
    if (host.blocked() && !isPan) return;
    if (!isPan && event.button !== 0 && event.button !== 2) return;
    const tool = host.tool();
    active = { id: event.pointerId, kind: isPan ? "pan" : "tool", tool, last: locate(event) };
    if (!isPan) tool?.down?.(describe(event), host.surface);
    host.redraw();
  }

  function capture(pointerId) {
    try {
      element.setPointerCapture(pointerId);
    } catch {
      // A synthetic event without a real pointer: it works without capture.
    }
  }

  function onMove(event) {
    if (touches.has(event.pointerId)) touches.set(event.pointerId, locate(event));
    if (pinch) movePinch();
    else if (!active) host.tool()?.hover?.(describe(event), host.surface);
    else if (event.pointerId !== active.id) return;
    else if (active.kind === "pan") {
      const [cx, cy] = locate(event);
      host.viewport.panBy(cx - active.last[0], cy - active.last[1]);
      active.last = [cx, cy];
    } else active.tool?.move?.(describe(event), host.surface);
    host.redraw();
  }

  function onUp(event) {
    touches.delete(event.pointerId);
    if (touches.size < 2) pinch = null;
    if (!active || event.pointerId !== active.id) return;
    const { kind, tool } = active;
    active = null;
    if (kind === "tool") tool?.up?.(describe(event), host.surface);
    host.redraw();
  }

  /** End what the hand began without doing it. Returns whether there was anything. */
  function cancel() {
    if (!active) return false;
    const { kind, tool } = active;
    active = null;
    if (kind === "tool") tool?.cancel?.(host.surface);
    host.redraw();
    return true;
  }

  function onCancel(event) {
    touches.delete(event.pointerId);
    if (active?.id === event.pointerId) cancel();
  }

  function measurePinch() {
    const [[ax, ay], [bx, by]] = [...touches.values()];
    return { distance: Math.hypot(bx - ax, by - ay) || 1, middle: [(ax + bx) / 2, (ay + by) / 2] };
  }

  function startPinch() {
    cancel();
    pinch = measurePinch();
  }

  function movePinch() {
    if (touches.size < 2) return;
    const next = measurePinch();
    const [dx, dy] = [next.middle[0] - pinch.middle[0], next.middle[1] - pinch.middle[1]];
    host.viewport.panBy(dx, dy);
    host.viewport.zoomAt(next.distance / pinch.distance, ...next.middle);
    pinch = next;
  }

  function onWheel(event) {
    if (event.altKey && host.tool()?.wheel?.(event)) {
      event.preventDefault();
      return;
    }
    if (!event.ctrlKey && !event.metaKey && !desk.state.wheelZooms) return; // the page scrolls
    event.preventDefault();
    event.stopPropagation();
    const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    host.viewport.zoomAt(Math.exp(-step * 0.0018), ...locate(event));
    host.redraw();
  }

  on("pointerdown", onDown);
  on("pointermove", onMove);
  on("pointerup", onUp);
  on("lostpointercapture", onUp);
  on("pointercancel", onCancel);
  on("pointerleave", () => {
    if (!active) host.leave();
  });
  on("wheel", onWheel, { passive: false });
  on("contextmenu", (event) => event.preventDefault());
  on("dblclick", (event) => host.tool()?.double?.(describe(event), host.surface));
  return { cancel, isBusy: () => Boolean(active), destroy: () => aborter.abort() };
}
