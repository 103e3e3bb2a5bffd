// The boxes of the image as a list: a canvas says nothing to a screen reader.

import { deleteSelected, duplicateSelected } from "./keys.js";
import { makeButton, makeElement } from "../parts.js";

/** Return the list of boxes; empty for other project types. */
export function createBoxes(desk) {
  const list = makeElement("ul", { class: "workbench-box-list", "aria-label": "Boxes" });
  const element = makeElement("section", { class: "workbench-boxes", "aria-label": "Boxes" }, list);
  element.append(makeElement("div", { class: "workbench-group" },
    makeButton("Duplicate box", () => duplicateSelected(desk), { key: "Shift+D" }),
    makeButton("Delete box", () => deleteSelected(desk), { key: "Delete" })));
  element.hidden = desk.task !== "detection";
  let shown = "";

  function makeItem(box, index) {
    const size = `${Math.round(box.x1 - box.x0)} × ${Math.round(box.y1 - box.y0)}`;
    const button = makeElement("button", {
      type: "button", class: "workbench-class-name", dir: "auto",
      "aria-pressed": String(index === desk.state.selectedBox),
      onclick: () => desk.set({ selectedBox: index, className: box.class_name }),
    }, `${index + 1}. ${box.class_name}, ${size}`);
    button.style.borderInlineStart = `6px solid ${desk.color(box.class_name)}`;
    return makeElement("li", {}, button);
  }

  function update() {
    if (element.hidden) return;
    const { image, selectedBox, classes } = desk.state;
    const next = JSON.stringify([image?.boxes, selectedBox, classes.map((row) => row.color)]);
    if (next === shown) return;
    shown = next;
    list.replaceChildren(...(image?.boxes ?? []).map(makeItem));
  }
  const offs = ["change", "image", "label"].map((event) => desk.on(event, update));
  update();
  return { element, destroy: () => offs.forEach((off) => off()) };
}
