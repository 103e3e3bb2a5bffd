// Which images are shown: split, class, state, words; and how many those are.

import { makeButton, makeElement } from "../parts.js";

const FILTER_PAUSE_MS = 250; // after the last key, until the search begins

/** Return the filters. */
export function createFilters(desk) {
  const split = makeSelect("Split", [
    ["", "all splits"], ["train", "train"], ["dev", "dev"], ["test", "test"], ["none", "no split"],
  ], change);
  const state = makeSelect("State", [
    ["", "all states"], ["unlabeled", "unlabeled"], ["labeled", "labeled"],
    ["nothing there", "nothing there"],
  ], change);
  const className = makeSelect("Class", [["", "all classes"]], change);
  const text = makeElement("input", {
    type: "search", placeholder: "Search names", "aria-label": "Search names", dir: "auto",
    oninput: later,
  });
  const total = makeElement("span", { class: "workbench-total", "aria-live": "polite" });
  const clear = makeButton("Clear filters", () => {
    for (const field of [split, state, className, text]) field.value = "";
    change();
  });
  const element = makeElement("div", { class: "workbench-filters" },
    split, state, className, text, clear, total);
  let timer = null;
  let shownClasses = "";

  function later() {
    clearTimeout(timer);
    timer = setTimeout(change, FILTER_PAUSE_MS);
  }

  function change() {
    const wanted = {
      split: split.value, state: state.value, class_name: className.value, text: text.value.trim(),
    };
    desk.set({ filter: Object.fromEntries(Object.entries(wanted).filter(([, value]) => value)) });
  }

  function update() {
    const names = desk.state.classes.map((row) => row.name);
    if (JSON.stringify(names) !== shownClasses) {
      shownClasses = JSON.stringify(names);
      const kept = className.value;
      const options = [["", "all classes"], ...names.map((name) => [name, name])];
      className.replaceChildren(...options.map(makeOption));
      className.value = names.includes(kept) ? kept : "";
    }
    const isFiltered = Object.keys(desk.state.filter).length > 0;
    clear.hidden = !isFiltered;
    const shown = desk.state.total;
    const all = desk.state.counts.images;
    if (isFiltered && !shown) total.textContent = "No image fits these filters.";
    else total.textContent = isFiltered ? `${shown} of ${all} images` : `${shown} images`;
  }
  const off = desk.on("change", update);
  update();
  const destroy = () => {
    off();
    clearTimeout(timer);
  };
  return { element, destroy };
}

function makeOption([value, name]) {
  return makeElement("option", { value, dir: "auto" }, name);
}

function makeSelect(name, options, onchange) {
  return makeElement("select", { "aria-label": name, title: name, onchange },
    ...options.map(makeOption));
}
