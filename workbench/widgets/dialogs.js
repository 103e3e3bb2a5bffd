// Questions in place, below what they are about: no pop-up covers it.

import { makeButton, makeElement } from "./parts.js";

/** Return a question with two buttons, hidden until it is opened. */
export function makeConfirm(question, name, run) {
  const element = makeElement("div", { class: "workbench-confirm", role: "group" });
  const close = () => { element.hidden = true; };
  const yes = makeButton(name, () => { close(); run(); }, { kind: "workbench-danger" });
  element.append(makeElement("p", { dir: "auto" }, question),
    makeElement("span", { class: "workbench-row" }, yes, makeButton("Keep it", close)));
  element.hidden = true;
  const open = () => { element.hidden = false; yes.focus(); };
  return { element, open, close };
}

/** Return a field with a button, hidden until it is opened; extra: elements below the field. */
export function makeAskName(label, run, extra = []) {
  const input = makeElement("input", { type: "text", "aria-label": label, dir: "auto" });
  const element = makeElement("div", { class: "workbench-confirm", role: "group" });
  const close = () => { element.hidden = true; };
  const done = () => { close(); run(input.value); };
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") done();
    if (event.key === "Escape") close();
  });
  element.append(makeElement("label", {}, label, input), ...extra,
    makeElement("span", { class: "workbench-row" },
      makeButton("OK", done, { kind: "workbench-primary" }), makeButton("Cancel", close)));
  element.hidden = true;
  const open = (value) => {
    element.hidden = false;
    input.value = value;
    input.focus();
    input.select();
  };
  return { element, open };
}
