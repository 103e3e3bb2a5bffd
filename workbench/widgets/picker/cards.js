// The projects as cards, and what can be done with each.

import { makeAskName, makeConfirm } from "../dialogs.js";
import { makeButton, makeElement } from "../parts.js";

/** Return the grid of cards. */
export function createCards(desk) {
  const grid = makeElement("div", { class: "workbench-cards" });
  const hint = makeElement("p", { class: "workbench-picker-empty" },
    "There are no projects here yet. Make a new one, or start from a sample: it is drawn in "
    + "seconds, labeled and ready to train.");
  const first = makeButton("Make the first project", () => desk.set({ view: "new" }),
    { kind: "workbench-primary" });
  hint.append(" ", first);
  const element = makeElement("section", { "aria-label": "Projects" }, hint, grid);
  const shown = new Map(); // key -> {card, element}
  const pictures = new Map(); // key -> {modified, url}

  async function loadPictures() {
    const wanted = desk.state.cards.filter((card) =>
      !card.error && pictures.get(card.key)?.modified !== card.modified).slice(0, 60);
    if (!wanted.length) return;
    wanted.forEach(({ key, modified }) =>
      pictures.set(key, { url: pictures.get(key)?.url ?? "", modified }));
    const answer = await desk.ask("thumbnails", { keys: wanted.map((card) => card.key) });
    answer?.content.keys.forEach((key, i) => showPicture(key, answer.buffers[i]));
    if (answer && wanted.length === 60) loadPictures();
  }

  function showPicture(key, buffer) {
    const kept = pictures.get(key);
    if (kept.url) URL.revokeObjectURL(kept.url);
    kept.url = buffer.byteLength ? URL.createObjectURL(new Blob([buffer])) : "";
    const image = shown.get(key)?.element.querySelector("img");
    if (image) setPicture(image, kept.url);
  }

  function update(names) {
    if (!["cards", "view", "ready"].some((name) => names.has(name))) return;
    hint.hidden = desk.state.cards.length > 0 || !desk.state.ready;
    const elements = desk.state.cards.map((card) => {
      const kept = shown.get(card.key);
      if (kept && JSON.stringify(kept.card) === JSON.stringify(card)) return kept.element;
      const made = card.error ? makeBroken(card) : makeCard(desk, card);
      const image = made.querySelector("img");
      if (image) setPicture(image, pictures.get(card.key)?.url ?? "");
      shown.set(card.key, { card, element: made });
      return made;
    });
    grid.replaceChildren(...elements);
    loadPictures();
  }

  function destroy() {
    pictures.forEach(({ url }) => url && URL.revokeObjectURL(url));
  }
  return { element, update, destroy };
}

function setPicture(image, url) {
  image.hidden = !url;
  if (url) image.src = url;
}

function makeBroken(card) {
  return makeElement("article", { class: "workbench-card", "aria-label": card.name },
    makeElement("h3", { dir: "auto" }, card.name),
    makeElement("p", { class: "workbench-card-error" }, card.error));
}

function makeCard(desk, card) {
  const share = card.images ? card.labeled / card.images : 0;
  const labeled = `${card.labeled} of ${card.images} labeled`;
  const open = () => desk.ask("open", { key: card.key });
  const picture = makeElement("button", {
    type: "button", class: "workbench-card-picture", "aria-label": `Open ${card.name}`,
    title: card.path, onclick: open,
  },
  makeElement("img", { alt: "" }), makeElement("span", { class: "workbench-badge" }, card.title));
  return makeElement("article", { class: "workbench-card", "aria-label": card.name },
    picture,
    makeElement("h3", { dir: "auto", title: card.name }, card.name),
    makeElement("div", {
      class: "workbench-bar", role: "progressbar", "aria-label": labeled,
      "aria-valuemin": "0", "aria-valuemax": card.images, "aria-valuenow": card.labeled,
    }, makeElement("i", { style: `width:${100 * share}%` })),
    makeElement("p", { class: "workbench-quiet" }, labeled),
    makeElement("p", { class: "workbench-quiet" }, card.run || "no run yet"),
    ...makeCardActs(desk, card));
}

function makeCardActs(desk, card) {
  const { key, name } = card;
  const outline = makeElement("input", { type: "checkbox" });
  const outlined = makeElement("label", { class: "workbench-row" }, outline,
    "Paint what stands out in each box, not the whole box");
  const rename = makeAskName("New name", (value) => desk.ask("rename", { key, name: value }));
  const copy = makeAskName("Name of the copy", (value) => desk.ask("copy", { key, name: value }));
  const convert = makeAskName("Name of the segmentation project", (value) =>
    desk.ask("copy", { key, name: value, act: "make_segmentation", outline: outline.checked }),
  [outlined]);
  const remove = makeConfirm(
    `Move "${name}" with ${card.images} images and ${card.labeled} labels to the trash? It can be `
    + "restored from there.", "Move to the trash", () => desk.ask("delete", { key }));
  const openFree = async (panel, text) => {
    const answer = await desk.ask("free_name", { name: text });
    if (answer) panel.open(answer.content.name);
  };
  const act = (verb, run) => makeButton(`${verb} ${name}`, run, { text: verb });
  const acts = makeElement("div", { class: "workbench-row workbench-card-acts" },
    act("Rename", () => rename.open(name)),
    act("Copy", () => openFree(copy, name)),
    act("Delete", () => remove.open()));
  if (card.task === "detection") {
    acts.append(makeButton(`Make a segmentation project of ${name}`,
      () => openFree(convert, `${name} masks`), { text: "Boxes to masks" }));
  }
  return [acts, rename.element, copy.element, convert.element, remove.element];
}
