// The list of classes: choose, count, add, rename, recolor, remove; and how labels are shown.

import { chooseClass } from "./keys.js";
import { makeButton, makeCheck, makeElement, makeSlider } from "../parts.js";

/** Return the panel of classes and view settings. */
export function createClasses(desk) {
  const list = makeElement("ul", { class: "workbench-class-list", "aria-label": "Classes" });
  const input = makeElement("input", {
    type: "text", placeholder: "New class", "aria-label": "Name of the new class", dir: "auto",
    onkeydown: (event) => {
      if (event.key === "Enter") add();
    },
  });
  const canEdit = desk.task !== "anomaly";
  const adder = makeElement("div", { class: "workbench-class-add" }, input,
    makeButton("Add class", add, { text: "Add class" }));
  adder.hidden = !canEdit;
  const view = makeViewSettings(desk);
  const element = makeElement("section", { class: "workbench-classes", "aria-label": "Classes" },
    list, adder, view.element);
  let shown = "";

  function ask(params) {
    return desk.request("classes", params).catch((error) => {
      desk.set({ message: error.message });
      return null;
    }).finally(() => desk.refresh());
  }

  function add() {
    const name = input.value.trim();
    if (!name) return;
    ask({ act: "add", name }).then((answer) => {
      if (!answer) return;
      input.value = "";
      desk.set({ className: name });
    });
  }

  /** Ask before a class goes that labels hold; then it goes out of them as well. */
  function remove(row) {
    const text = row.images
      ? `"${row.name}" is used by ${row.images} labels. Take it out of them too?`
      : `Remove the class "${row.name}"?`;
    if (window.confirm(text)) ask({ act: "remove", name: row.name, remove_labels: row.images > 0 });
  }

  function rename(row, item) {
    const field = makeElement("input", {
      type: "text", "aria-label": `New name of class ${row.name}`, dir: "auto",
    });
    field.value = row.name;
    let isDone = false;
    const finish = (keep) => {
      if (isDone) return;
      isDone = true;
      const name = field.value.trim();
      shown = "";
      if (keep && name && name !== row.name) ask({ act: "rename", name: row.name, new: name });
      else update();
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") finish(true);
      if (event.key === "Escape") finish(false);
      event.stopPropagation();
    });
    field.addEventListener("blur", () => finish(true));
    item.replaceChildren(field);
    field.focus();
    field.select();
  }

  function makeItem(row) {
    const color = makeElement("input", {
      type: "color", value: row.color, "aria-label": `Colour of class ${row.name}`,
      onchange: () => ask({ act: "color", name: row.name, color: color.value }),
    });
    const choose = makeElement("button", {
      type: "button", class: "workbench-class-name", dir: "auto", title: row.name,
      "aria-pressed": String(row.name === desk.state.className),
      onclick: () => chooseClass(desk, row.name),
    }, row.name);
    const count = makeElement("span", { class: "workbench-class-count" }, String(row.images));
    count.title = `${row.images} images`;
    const key = makeElement("kbd", {}, row.key);
    const info = makeButton(`Instructions for class ${row.name}`, () =>
      desk.set({ instructions: row.name }), { text: "i", kind: "workbench-small" });
    const item = makeElement("li", {}, color, choose, count, key, info);
    if (canEdit) {
      item.append(
        makeButton(`Rename class ${row.name}`, () => rename(row, item),
          { text: "✎", kind: "workbench-small" }),
        makeButton(`Remove class ${row.name}`, () => remove(row),
          { text: "×", kind: "workbench-small" }),
      );
    }
    return item;
  }

  function update() {
    const { classes, className } = desk.state;
    const next = JSON.stringify([classes, className]);
    if (next === shown) return;
    shown = next;
    list.replaceChildren(...classes.map(makeItem));
  }
  const offs = [desk.on("change", () => {
    update();
    view.update();
  })];
  update();
  return { element, destroy: () => offs.forEach((off) => off()) };
}

function makeViewSettings(desk) {
  const { opacity, brightness, contrast } = desk.state;
  const slide = (name, key, range) =>
    makeSlider(name, range, (value) => desk.set({ [key]: value }));
  const sliders = [
    slide("Brightness", "brightness", { min: 0.2, max: 3, step: 0.05, value: brightness }),
    slide("Contrast", "contrast", { min: 0.2, max: 3, step: 0.05, value: contrast }),
  ];
  const paints = ["segmentation", "anomaly"].includes(desk.task);
  if (paints) {
    sliders.unshift(slide("Opacity", "opacity", { min: 0.1, max: 1, step: 0.05, value: opacity }));
  }
  const labels = makeCheck("Show labels", true, (on) => desk.set({ showLabels: on }));
  const protect = makeCheck("Protect other classes", false, (on) => desk.set({ protect: on }));
  const wheel = makeCheck("Wheel zooms", false, (on) => desk.set({ wheelZooms: on }));
  protect.element.hidden = !paints;
  const reset = makeButton("Reset the view", () => {
    desk.set({ brightness: 1, contrast: 1, opacity: 0.5 });
    sliders.forEach(({ input }) => {
      input.value = input.getAttribute("value");
    });
  }, { text: "Reset" });
  const element = makeElement("div", { class: "workbench-view-settings" },
    ...sliders.map((slider) => slider.element), labels.element, protect.element, wheel.element,
    reset);
  const update = () => {
    labels.input.checked = desk.state.showLabels;
    protect.input.checked = desk.state.protect;
  };
  return { element, update };
}
