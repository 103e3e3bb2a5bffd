// The images of a project at a glance.

import { makeConfirm } from "../dialogs.js";
import { createRows } from "../labelers/rows.js";
import { createPanelDesk } from "../panel.js";
import { makeButton, makeElement, shorten } from "../parts.js";
import { keepKeys } from "../shortcuts.js";

const IMAGES_SIDE = 150; // CSS pixels
const IMAGES_ROW = 158;
const IMAGES_HIGHEST = 8e6;
const IMAGES_STATES = ["", "unlabeled", "labeled", "nothing there"];
const IMAGES_SPLITS = ["", "train", "dev", "test", "none"];

function makeFilter(desk, name, options, key, all) {
  const element = makeElement("select", {
    "aria-label": name,
    onchange: () => desk.filter({ [key]: element.value }),
  });
  const fill = (values) => {
    const shown = element.value;
    element.replaceChildren(...values.map((value) =>
      makeElement("option", { value }, value || all)));
    element.value = values.includes(shown) ? shown : "";
  };
  fill(options);
  return { element, fill };
}

function createImagesDesk(model) {
  const state = {
    name: "", states: {}, splits: {}, classes: [], can_label: false, message: "", code: "",
    selection: new Set(), wanted: {},
  };
  const desk = createPanelDesk(model, state, {
    onMessage({ kind, ...values }) {
      if (kind !== "changed") return;
      desk.set(values);
      desk.rows.invalidate();
    },
    onAnswer({ code, states, splits }) {
      if (code !== undefined) desk.set({ code });
      if (states) desk.set({ states, splits });
    },
  });
  const request = async (name, params) => {
    const answer = await desk.ask(name, params);
    if (!answer) throw new Error("no answer");
    return answer;
  };
  const redraw = () => desk.redraw?.();
  desk.rows = createRows(request, redraw, redraw);
  desk.filter = (values) => {
    desk.set({ wanted: { ...state.wanted, ...values }, selection: new Set() });
    desk.rows.setFilter(state.wanted);
  };
  desk.start = async () => {
    const answer = await desk.ask("start");
    if (answer) desk.set(answer.content);
    desk.rows.setFilter({});
  };
  return desk;
}

/** Return the thumbnails: only those in sight are in the page. */
function createImagesGrid(desk) {
  const inner = makeElement("div", { class: "workbench-images-inner" });
  const scroller = makeElement("div", {
    class: "workbench-images-scroll", tabindex: "0", role: "listbox", "aria-label": "Images",
    "aria-multiselectable": "true",
  }, inner);
  const shown = new Map();
  let anchor = 0;
  const columns = () => Math.max(1, Math.floor(scroller.clientWidth / IMAGES_SIDE));
  const lines = () => Math.ceil(desk.rows.total / columns());
  const height = () => Math.min(lines() * IMAGES_ROW, IMAGES_HIGHEST);
  const ratio = () => (height() ? (lines() * IMAGES_ROW) / height() : 1);

  function update() {
    if (!scroller.clientWidth) return;
    inner.style.height = `${height()}px`;
    const top = scroller.scrollTop * ratio();
    const start = Math.floor(top / IMAGES_ROW) * columns();
    const seen = (Math.ceil(scroller.clientHeight / IMAGES_ROW) + 1) * columns();
    const end = Math.min(start + seen, desk.rows.total);
    for (const [index, element] of shown) {
      if (index >= start && index < end) continue;
      element.remove();
      shown.delete(index);
    }
    for (let index = start; index < end; index += 1) {
      const element = shown.get(index) ?? add(index);
      const y = Math.floor(index / columns()) * IMAGES_ROW + scroller.scrollTop - top;
      element.style.transform = `translate(${(index % columns()) * IMAGES_SIDE}px, ${y}px)`;
      fill(element, index);
    }
  }

  function add(index) {
    const element = makeElement("div", {
      class: "workbench-image", role: "option", onclick: (event) => choose(index, event),
      ondblclick: () => desk.label(desk.rows.get(index)),
    }, makeElement("canvas", { width: "4", height: "3" }),
    makeElement("span", { dir: "auto" }), makeElement("span", { class: "workbench-quiet" }));
    inner.append(element);
    shown.set(index, element);
    return element;
  }

  function fill(element, index) {
    const row = desk.rows.get(index);
    if (!row) return;
    const [canvas, name, words] = element.children;
    element.dataset.image = row.name;
    element.title = row.name;
    element.setAttribute("aria-selected", String(desk.state.selection.has(row.id)));
    name.textContent = shorten(row.name, 19);
    words.textContent = [row.split, row.classes.join(", ") || row.state].filter(Boolean)
      .join(" · ");
    const picture = desk.rows.thumbnail(row.id);
    if (element.picture === picture || !picture) return;
    element.picture = picture;
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.getContext("2d").drawImage(picture, 0, 0);
  }

  function choose(index, event) {
    const isMore = event.ctrlKey || event.metaKey;
    const next = new Set(isMore ? desk.state.selection : []);
    const [from, to] = event.shiftKey ? [Math.min(anchor, index), Math.max(anchor, index)]
      : [index, index];
    for (let i = from; i <= to; i += 1) {
      const id = desk.rows.get(i)?.id;
      if (id === undefined) continue;
      if (isMore && next.has(id)) next.delete(id);
      else next.add(id);
    }
    if (!event.shiftKey) anchor = index;
    desk.set({ selection: next });
  }
  scroller.addEventListener("scroll", update);
  const observer = new ResizeObserver(update);
  observer.observe(scroller);
  return { element: scroller, update, destroy: () => observer.disconnect() };
}

function makeImagesActs(desk) {
  const ids = () => [...desk.state.selection];
  const count = makeElement("span", { "aria-live": "polite" });
  const split = makeElement("select", {
    "aria-label": "Split of the selected images",
    onchange: () => {
      desk.ask("set_split", { ids: ids(), split: split.value }).then(() => desk.rows.invalidate());
      split.value = "";
    },
  }, ...[["", "Set split…"], ["train", "train"], ["dev", "dev"], ["test", "test"],
    ["none", "no split"]].map(([value, text]) => makeElement("option", { value }, text)));
  const remove = makeConfirm("Take the selected images out of the project? Snapshots keep them.",
    "Remove them", async () => {
      await desk.ask("remove", { ids: ids() });
      desk.set({ selection: new Set() });
      desk.rows.invalidate();
    });
  const label = makeButton("Label it", () => desk.label({ id: ids()[0] }));
  const row = makeElement("div", { class: "workbench-row" }, count, split, label,
    makeButton("Remove", () => remove.open(), { kind: "workbench-danger" }));
  const element = makeElement("div", {}, row, remove.element);
  function update() {
    const { size } = desk.state.selection;
    row.hidden = !size;
    if (!size) remove.close();
    count.textContent = `${size} selected`;
    label.hidden = size !== 1 || !desk.state.can_label;
  }
  return { element, update };
}

function renderImages({ model, el }) {
  const desk = createImagesDesk(model);
  desk.label = (row) => row && desk.state.can_label && desk.ask("label", { image: row.id });
  const title = makeElement("h3", { dir: "auto" });
  const counts = makeElement("p", { "aria-live": "polite" });
  const message = makeElement("div", { class: "workbench-panel-message", role: "alert" });
  const split = makeFilter(desk, "Split", IMAGES_SPLITS, "split", "All splits");
  const state = makeFilter(desk, "State", IMAGES_STATES, "state", "All states");
  const classes = makeFilter(desk, "Class", [""], "class_name", "All classes");
  const text = makeElement("input", {
    type: "text", "aria-label": "Name", placeholder: "Name", dir: "auto",
    onchange: () => desk.filter({ text: text.value }),
  });
  const divide = makeButton("Split the rest 70 / 15 / 15", () =>
    desk.ask("split").then(() => desk.rows.invalidate()));
  const acts = makeImagesActs(desk);
  const grid = createImagesGrid(desk);
  const code = makeElement("code", { dir: "ltr" });
  const foot = makeElement("footer", { class: "workbench-quiet" }, "In Python: ", code);
  const root = makeElement("div", { class: "workbench-panel workbench-images" }, title, message,
    counts, makeElement("div", { class: "workbench-row" }, split.element, state.element,
      classes.element, text, divide), acts.element, grid.element, foot);

  function update(names) {
    const { state: now } = desk;
    title.textContent = now.name && `Images of ${now.name}`;
    message.textContent = now.message;
    message.hidden = !now.message;
    const tell = (values) => Object.entries(values).map(([name, n]) => `${n} ${name}`).join(", ");
    counts.textContent = `${tell(now.states)}. Splits: ${tell(now.splits)}.`;
    divide.hidden = !now.splits.none;
    if (names.has("classes")) classes.fill(["", ...now.classes]);
    code.textContent = now.code;
    foot.hidden = !now.code;
    acts.update();
    grid.update();
  }
  desk.redraw = grid.update;
  const off = desk.on(update);
  const letKeysGo = keepKeys(root);
  update(new Set());
  el.append(root);
  desk.start();
  return () => {
    off();
    letKeysGo();
    grid.destroy();
    desk.destroy();
  };
}

export default { render: renderImages };
