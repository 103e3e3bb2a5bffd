// Small parts of every panel: elements, buttons, sliders.

/** Return an element with attributes and children; text is text, never markup. */
export function makeElement(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Return a button; key: what a keyboard does instead, shown in the title. */
export function makeButton(name, run, { key = "", text = name, kind = "" } = {}) {
  const title = key ? `${name} (${key})` : name;
  const attributes = {
    type: "button", class: `workbench-button ${kind}`, title, "aria-label": name, onclick: run,
  };
  return makeElement("button", attributes, text);
}

/** Return a labeled slider; onInput(value) while it moves. */
export function makeSlider(name, { min, max, step, value }, onInput) {
  const input = makeElement("input", {
    type: "range", min, max, step, value, "aria-label": name, title: name,
    oninput: () => onInput(Number(input.value)),
  });
  const row = makeElement("label", { class: "workbench-slider" }, name, input);
  return { element: row, input };
}

/** Return a labeled checkbox; onChange(checked). */
export function makeCheck(name, isChecked, onChange) {
  const input = makeElement("input", { type: "checkbox", onchange: () => onChange(input.checked) });
  input.checked = isChecked;
  return { element: makeElement("label", { class: "workbench-check" }, input, name), input };
}

/** Return a text shortened in the middle. */
export function shorten(text, length = 40) {
  if (text.length <= length) return text;
  const half = Math.floor((length - 1) / 2);
  return `${text.slice(0, half)}…${text.slice(-half)}`;
}
