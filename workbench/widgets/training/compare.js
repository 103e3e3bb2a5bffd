// Runs beside each other: figures on the same images, and the images on which they differ.

import { makeButton, makeElement } from "../parts.js";

/** Return the button that compares the chosen runs, and what it shows. */
export function createCompare(desk) {
  const button = makeButton("Compare the chosen runs", compare);
  const headline = makeElement("p", { dir: "auto", class: "workbench-compare-headline" });
  const table = makeElement("table", { class: "workbench-plan-table" });
  const only = makeElement("div");
  const element = makeElement("section", { "aria-label": "Comparison" },
    makeElement("strong", {}, "Comparison on the test images"), headline, table, only);
  let pictures = []; // addresses that are let go of

  async function compare() {
    button.disabled = true;
    const answer = await desk.ask("compare", { runs: [...desk.state.compared] });
    button.disabled = false;
    if (!answer) return;
    pictures.forEach((address) => URL.revokeObjectURL(address));
    pictures = answer.buffers.map((buffer) =>
      URL.createObjectURL(new Blob([buffer], { type: "image/jpeg" })));
    desk.set({ comparison: answer.content.comparison });
  }

  function drawOnly(groups) {
    let used = 0;
    only.replaceChildren(...groups.map(({ right, wrong, count, names }) => {
      const tiles = names.map((name) => {
        const image = makeElement("img", { src: pictures[used], title: name });
        used += 1;
        image.alt = name;
        return image;
      });
      return makeElement("div", { class: "workbench-only" },
        makeElement("p", { dir: "auto" }, `${right} is right and ${wrong} wrong: ${count}`),
        ...tiles);
    }));
  }

  function update(names) {
    const { compared, comparison, runs } = desk.state;
    const finished = runs.filter(({ status }) => status === "finished");
    button.hidden = finished.length < 2;
    button.disabled = compared.size < 2;
    element.hidden = !comparison;
    if (!comparison || !names.has("comparison")) return;
    headline.textContent = comparison.headline;
    table.replaceChildren(...comparison.table.map((row, i) => makeElement("tr", {},
      ...row.map((text) => makeElement(i ? "td" : "th", { dir: "auto" }, text)))));
    drawOnly(comparison.only);
  }
  return { element, button, update };
}
