// The list of runs: newest first, one of them selected.

import { makeElement } from "../parts.js";

/** Return seconds in words: 45 s, 3 min, 1 h 20 min. */
export function tellSeconds(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Return a progress bar and what sets it. */
export function makeRunBar(name) {
  const fill = makeElement("i");
  const element = makeElement("div", {
    class: "workbench-bar", role: "progressbar", "aria-label": name, "aria-valuemin": "0",
    "aria-valuemax": "100",
  }, fill);
  const set = (fraction, isActive = false) => {
    element.classList.toggle("workbench-unknown", isActive && !fraction); // it is starting
    fill.style.width = `${100 * fraction}%`;
    element.setAttribute("aria-valuenow", String(Math.round(100 * fraction)));
  };
  return { element, set };
}

/** Return the list. */
export function createRuns(desk) {
  const list = makeElement("ul", { class: "workbench-runs" });
  const empty = makeElement("p", { class: "workbench-quiet" }, "No run yet.");
  const element = makeElement("section", { "aria-label": "Runs" },
    makeElement("strong", {}, "Runs"), empty, list);
  const shown = new Map(); // id -> {button, bar, text}

  function makeRow(row) {
    const bar = makeRunBar(`Progress of ${row.name}`);
    const name = makeElement("span", { class: "workbench-run-name", dir: "auto" });
    const text = makeElement("span", { class: "workbench-quiet" });
    const button = makeElement("button", {
      type: "button", class: "workbench-run", onclick: () => desk.ask("select", { run: row.id }),
    }, name, bar.element, text);
    const check = makeElement("input", {
      type: "checkbox", "aria-label": `Compare ${row.name}`, title: "Compare",
      onchange: () => compareRun(row.id, check.checked),
    });
    const item = makeElement("li", { class: "workbench-run-item" }, check, button);
    return { item, button, bar, name, text, check };
  }

  function compareRun(id, isChosen) {
    const next = new Set(desk.state.compared);
    if (isChosen) next.add(id);
    else next.delete(id);
    desk.set({ compared: next });
  }

  function update(names) {
    if (!names.has("runs") && !names.has("run")) return;
    const { runs, run } = desk.state;
    empty.hidden = runs.length > 0;
    const items = runs.map((row) => {
      const parts = shown.get(row.id) ?? makeRow(row);
      shown.set(row.id, parts);
      parts.name.textContent = row.name;
      parts.bar.set(row.status === "finished" ? 1 : row.progress, row.is_active);
      parts.bar.element.hidden = !row.is_active;
      parts.text.textContent = tellRow(row);
      parts.button.setAttribute("aria-pressed", String(row.id === run?.id));
      parts.button.dataset.status = row.status;
      parts.check.hidden = runs.length < 2 || row.status !== "finished";
      return parts.item;
    });
    const isSame = items.length === list.children.length
      && items.every((item, i) => item === list.children[i]);
    if (!isSame) list.replaceChildren(...items); // else the focus stays where it is
  }
  return { element, update };
}

function tellRow(row) {
  const figure = row.figure === null ? "" : `${row.figure_name} ${row.figure.toFixed(3)}`;
  const time = row.seconds ? tellSeconds(row.seconds) : "";
  const when = new Date(1000 * row.created).toLocaleString();
  return [row.status, figure, time, when].filter(Boolean).join(" · ");
}
