// Deleted projects: bring one back, or delete its files for good.

import { makeConfirm } from "../dialogs.js";
import { makeButton, makeElement } from "../parts.js";

/** Return the list of deleted projects. */
export function createTrash(desk) {
  const list = makeElement("ul", { class: "workbench-trash-list" });
  const empty = makeElement("p", {}, "The trash is empty.");
  const element = makeElement("section", { "aria-label": "Deleted projects" }, list, empty);

  async function load() {
    const answer = await desk.ask("deleted");
    if (!answer) return;
    const { rows } = answer.content;
    list.replaceChildren(...rows.map(makeTrashRow));
    empty.hidden = rows.length > 0;
  }

  async function act(name, key) {
    if (await desk.ask(name, { key })) load();
  }

  function makeTrashRow(row) {
    const when = new Date(1000 * row.deleted).toLocaleString();
    const ask = makeConfirm(
      `Delete the ${row.images} images and all labels of "${row.name}" for good? Nothing brings `
      + "them back.", "Delete for good", () => act("delete_for_good", row.key));
    const buttons = makeElement("span", { class: "workbench-row" },
      makeButton(`Restore ${row.name}`, () => act("restore", row.key), { text: "Restore" }),
      makeButton(`Delete ${row.name} for good`, () => ask.open(), { text: "Delete for good…" }));
    return makeElement("li", {},
      makeElement("span", { dir: "auto", class: "workbench-trash-name" }, row.name),
      makeElement("span", { class: "workbench-quiet" },
        `${row.title} · ${row.labeled} of ${row.images} labeled · deleted ${when}`),
      buttons, ask.element);
  }

  const update = (names) => {
    if (names.has("view") || names.has("deleted")) load();
  };
  return { element, update };
}
