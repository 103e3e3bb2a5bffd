// What is saved, what waits, how far the labeling is, and what went wrong last.

import { makeButton, makeElement } from "../parts.js";

const STATUS_SLOW_MS = 1500; // of waiting, until the kernel is named as the reason

/** Return the status line. */
export function createStatus(desk) {
  const saved = makeElement("span", { class: "workbench-saved", "aria-live": "polite" });
  const bar = makeElement("div", {
    class: "workbench-progress", role: "progressbar", "aria-valuemin": "0",
    "aria-label": "Labeled images",
  }, makeElement("i"));
  const text = makeElement("span", { class: "workbench-progress-text" });
  const message = makeElement("span", { class: "workbench-message", role: "status", dir: "auto" });
  const close = makeButton("Dismiss message", () => desk.set({ message: "" }), { text: "×" });
  const help = makeButton("Help", () => desk.set({ help: true }), { key: "?", text: "?" });
  const code = makeButton("Show code", () => desk.set({ code: true }));
  const busy = makeElement("span", { class: "workbench-busy" }, "Working…");
  const element = makeElement("div", { class: "workbench-status" },
    saved, bar, text, busy, message, close, code, help);
  let since = 0;
  let timer = null;

  function describeSaved() {
    const { waiting, online } = desk.state;
    if (!online) {
      const kept = waiting ? ` ${waiting} changes are kept until then.` : "";
      return `The kernel is gone: run the cell again.${kept}`;
    }
    if (!waiting) return "Saved";
    return performance.now() - since > STATUS_SLOW_MS
      ? `Not saved yet: ${waiting} waiting for the kernel`
      : `Saving ${waiting}…`;
  }

  function update() {
    const { waiting, online, counts, message: words } = desk.state;
    if (!waiting) since = performance.now();
    clearTimeout(timer);
    if (waiting) timer = setTimeout(update, STATUS_SLOW_MS + 50);
    setText(saved, describeSaved());
    saved.dataset.kind = !online ? "offline" : waiting ? "waiting" : "saved";
    bar.setAttribute("aria-valuemax", String(counts.images));
    bar.setAttribute("aria-valuenow", String(counts.labeled));
    bar.setAttribute("aria-valuetext", `${counts.labeled} of ${counts.images}`);
    bar.firstChild.style.width = `${counts.images ? (100 * counts.labeled) / counts.images : 0}%`;
    setText(text, `${counts.labeled} of ${counts.images}`);
    setText(message, words);
    close.hidden = !words;
    busy.hidden = !desk.state.busy || !waiting;
  }
  const off = desk.on("change", update);
  update();
  const destroy = () => {
    off();
    clearTimeout(timer);
  };
  return { element, destroy };
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
