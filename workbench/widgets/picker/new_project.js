// A new project: its type from four tiles or by the guide, its name and classes; or a sample.

import { makeButton, makeElement } from "../parts.js";
import { createGuide } from "./guide.js";

/** Return the page that makes a project. */
export function createNewProject(desk) {
  const tiles = makeElement("div", {
    class: "workbench-tiles", role: "radiogroup", "aria-label": "Project type",
  });
  const form = makeForm(desk);
  const guide = createGuide((task) => choose(task));
  const help = makeButton("Help me choose", () => guide.open());
  const element = makeElement("section", { "aria-label": "New project" },
    makeElement("p", { class: "workbench-row" },
      makeElement("strong", {}, "Which type of project?"), help),
    guide.element, tiles, form.element);
  const buttons = new Map(); // task -> tile
  let isLoaded = false;

  function choose(task) {
    buttons.forEach(({ button }, name) => {
      button.setAttribute("aria-checked", String(name === task));
      button.tabIndex = name === task ? 0 : -1;
    });
    form.show(buttons.get(task).tile);
  }

  async function load() {
    const answer = await desk.ask("types");
    if (!answer) return;
    isLoaded = true;
    const { tiles: found, guide: questions } = answer.content;
    found.forEach((tile, i) =>
      buttons.set(tile.task, { tile, button: makeTile(tile, answer.buffers[i]) }));
    tiles.replaceChildren(...[...buttons.values()].map(({ button }) => button));
    guide.setGuide(questions, Object.fromEntries(found.map((tile) => [tile.task, tile.title])));
    buttons.values().next().value.button.tabIndex = 0;
  }

  function makeTile(tile, picture) {
    const button = makeElement("button", {
      type: "button", class: "workbench-type", role: "radio", "aria-checked": "false",
      "aria-label": tile.title, tabindex: "-1",
      onclick: () => choose(tile.task), onkeydown: moveFocus,
    },
    makeElement("img", { alt: `Example: ${tile.sample_title}`, src: makeUrl(picture) }),
    makeElement("strong", {}, tile.title), makeElement("span", {}, tile.when),
    makeElement("span", { class: "workbench-quiet" }, tile.label));
    return button;
  }

  function moveFocus(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const all = [...buttons.keys()];
    const at = [...buttons.values()].findIndex(({ button }) => button === event.currentTarget);
    const task = all[(at + by + all.length) % all.length];
    choose(task);
    buttons.get(task).button.focus();
  }

  const update = (names) => {
    if (!names.has("view")) return;
    guide.close();
    if (!isLoaded) load();
  };
  return { element, update };
}

function makeUrl(buffer) {
  return URL.createObjectURL(new Blob([buffer], { type: "image/jpeg" }));
}

function makeForm(desk) {
  const name = makeElement("input", { type: "text", "aria-label": "Name", dir: "auto" });
  const classes = makeElement("input", {
    type: "text", "aria-label": "Classes", dir: "auto", placeholder: "scratch, dent, stain",
  });
  const classRow = makeElement("label", {}, "Classes", classes,
    makeElement("span", { class: "workbench-quiet" },
      "separated by commas; more can be added at any time, and folder names bring theirs"));
  const create = makeButton("Create project", () => run(), { kind: "workbench-primary" });
  const sample = makeButton("Start from the sample",
    () => desk.ask("sample", { sample: tile.sample }));
  const about = makeElement("span", { class: "workbench-quiet" });
  const element = makeElement("div", { class: "workbench-form" },
    makeElement("label", {}, "Name", name), classRow,
    makeElement("span", { class: "workbench-row" }, create, "or", sample, about));
  element.hidden = true;
  let tile = null;

  async function run() {
    const given = classes.value.split(",").map((text) => text.trim()).filter(Boolean);
    const params = { name: name.value, task: tile.task, classes: tile.has_classes ? given : [] };
    if (!await desk.ask("create", params)) return;
    name.value = "";
    classes.value = "";
  }
  name.addEventListener("keydown", (event) => event.key === "Enter" && run());

  function show(chosen) {
    tile = chosen;
    element.hidden = false;
    classRow.hidden = !tile.has_classes;
    sample.textContent = `Start from the sample "${tile.sample_title}"`;
    about.textContent = tile.sample_summary;
    if (!element.contains(document.activeElement)) name.placeholder = "for example: line 3, lids";
  }
  return { element, show };
}
