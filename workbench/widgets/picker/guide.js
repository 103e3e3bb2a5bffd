// The guide: a few questions that lead to a project type.

import { makeButton, makeElement } from "../parts.js";

/** Return the guide; onType(task) when it has led to one. */
export function createGuide(onType) {
  const element = makeElement("div", { class: "workbench-guide", role: "group" });
  element.setAttribute("aria-label", "Guide to a project type");
  element.hidden = true;
  let guide = null, titles = {}, isWanted = false;

  function showQuestion(name, path) {
    const { question, answers } = guide[name];
    const further = [...path, name];
    const follow = (answer) =>
      (answer.next ? showQuestion(answer.next, further) : showType(answer, further));
    const buttons = answers.map((answer) => makeButton(answer.text, () => follow(answer)));
    element.replaceChildren(
      makeElement("p", {}, makeElement("strong", {}, `${path.length + 1}. ${question}`)),
      makeElement("div", { class: "workbench-guide-answers" }, ...buttons), makeBack(path));
    buttons[0].focus();
  }

  function showType({ type, why }, path) {
    onType(type);
    element.replaceChildren(makeElement("p", { "aria-live": "polite" },
      makeElement("strong", {}, `${titles[type]}. `), why), makeBack(path));
  }

  function makeBack(path) {
    const back = makeButton("Back", () => showQuestion(path.at(-1), path.slice(0, -1)));
    back.hidden = !path.length;
    const close = makeButton("Close the guide", () => { element.hidden = true; });
    return makeElement("span", { class: "workbench-row" }, back, close);
  }

  function open() {
    isWanted = !guide; // the questions may still be on their way
    if (!guide) return;
    element.hidden = false;
    showQuestion("examples", []);
  }

  return {
    element,
    close: () => { element.hidden = true; },
    setGuide: (questions, names) => {
      guide = questions;
      titles = names;
      if (isWanted) open();
    },
    open,
  };
}
