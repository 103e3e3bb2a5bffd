// Drawers: what is written about a class, and the code that repeats what was clicked.

import { makeButton, makeElement } from "../parts.js";

/** Return the two drawers. */
export function createDrawers(desk) {
  const drawers = [makeInstructions(desk), makeCode(desk)];
  const element = makeElement("div", {}, ...drawers.map((drawer) => drawer.element));
  const off = desk.on("change", (names) => drawers.forEach((drawer) => drawer.update(names)));
  return { element, destroy: off };
}

function makeDrawer(title, onClose, ...children) {
  const head = makeElement("h3", { dir: "auto" }, title);
  const element = makeElement("section", {
    class: "workbench-drawer", "aria-label": title,
    onkeydown: (event) => {
      if (event.key === "Escape") onClose();
      event.stopPropagation();
    },
  }, makeButton(`Close ${title.toLowerCase()}`, onClose, { text: "×" }), head, ...children);
  element.hidden = true;
  return { element, head };
}

function makeInstructions(desk) {
  const text = makeElement("textarea", {
    rows: "4", dir: "auto", "aria-label": "Instructions",
    placeholder: "What belongs to this class, what does not, and how to outline it.",
  });
  const examples = makeElement("div", { class: "workbench-examples" });
  const close = () => desk.set({ instructions: "" });
  const save = makeButton("Save instructions", () => {
    const params = { class_name: desk.state.instructions, text: text.value };
    desk.request("set_instructions", params).then(close)
      .catch((error) => desk.set({ message: error.message }));
  });
  const { element, head } = makeDrawer("Instructions", close, text, save, examples);
  let urls = [];

  async function open(name) {
    head.textContent = `Instructions: ${name}`;
    text.value = "";
    examples.replaceChildren();
    urls.forEach((url) => URL.revokeObjectURL(url));
    try {
      const { content, buffers } = await desk.request("instructions", { class_name: name });
      text.value = content.text;
      urls = buffers.map((buffer) => URL.createObjectURL(new Blob([buffer])));
      examples.replaceChildren(...content.examples.map(({ name: image }, i) =>
        makeElement("img", { src: urls[i], alt: image, title: image })));
    } catch (error) {
      desk.set({ message: error.message });
    }
  }

  function update(names) {
    if (!names.has("instructions")) return;
    element.hidden = !desk.state.instructions;
    if (desk.state.instructions) open(desk.state.instructions);
  }
  return { element, update };
}

function makeCode(desk) {
  const code = makeElement("pre", { tabindex: "0", "aria-label": "Code" });
  const close = () => desk.set({ code: false });
  const copy = makeButton("Copy code", () => navigator.clipboard?.writeText(code.textContent));
  const { element } = makeDrawer("Code", close,
    makeElement("p", {}, "These calls repeat what was done with this labeler."), code, copy);

  function update(names) {
    if (!names.has("code")) return;
    element.hidden = !desk.state.code;
    if (!desk.state.code) return;
    desk.request("code").then(({ content }) => {
      code.textContent = content.text;
    }).catch((error) => desk.set({ message: error.message }));
  }
  return { element, update };
}
