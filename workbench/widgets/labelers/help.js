// The keys, over everything else until it is closed.

import { listKeys } from "./keys.js";
import { makeButton, makeElement } from "../parts.js";

/** Return the help overlay. */
export function createHelp(desk) {
  const close = makeButton("Close help", () => desk.set({ help: false }), { text: "×" });
  const rows = listKeys(desk.task).map(({ keys, name }) => makeElement("li", {},
    makeElement("span", {}, ...keys.flatMap((key) => [makeElement("kbd", {}, key), " "])),
    makeElement("span", {}, name)));
  const element = makeElement("div", {
    class: "workbench-overlay", role: "dialog", "aria-label": "Keys", "aria-modal": "true",
    tabindex: "-1",
    onkeydown: (event) => {
      if (event.key === "Escape" || event.key === "?") desk.set({ help: false });
      event.stopPropagation();
    },
  }, close, makeElement("h3", {}, "Keys, while the image has the focus"),
  makeElement("ul", { class: "workbench-keys" }, ...rows));
  let before = null;

  function update() {
    const isOpen = desk.state.help;
    if (element.hidden !== isOpen) return;
    element.hidden = !isOpen;
    if (isOpen) {
      before = document.activeElement;
      close.focus({ preventScroll: true });
    } else before?.focus?.({ preventScroll: true });
  }
  element.hidden = true;
  const off = desk.on("change", update);
  return { element, destroy: off };
}
