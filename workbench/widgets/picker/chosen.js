// The chosen project: what it holds, photos to bring in, and the line that labels it.

import { makeButton, makeElement } from "../parts.js";
import { createImporter } from "./importer.js";

/** Return the page of the chosen project. */
export function createChosen(desk) {
  const name = makeElement("h3", { dir: "auto" });
  const facts = makeElement("p", { class: "workbench-quiet" });
  const classes = makeElement("p", { class: "workbench-chips" });
  const importer = createImporter(desk);
  const newest = createNewest(desk);
  const next = makeElement("code", { dir: "ltr" }, "wb.Labeler(picker.project)");
  const copy = makeButton("Copy the line",
    () => navigator.clipboard?.writeText(next.textContent), { text: "Copy" });
  const hint = makeElement("p", {}, "It is chosen: ", makeElement("code", {}, "picker.project"),
    ". Label it in the next cell with ", next, " ",
    copy);
  const element = makeElement("section", { "aria-label": "Chosen project" },
    name, facts, classes, newest.element, importer.element, hint);

  function update(names) {
    const { project } = desk.state;
    if (!project) return;
    name.textContent = project.name;
    facts.textContent = [
      project.title, `${project.images} images, ${project.labeled} labeled`,
      project.run || "no run yet", project.path,
    ].join(" · ");
    classes.replaceChildren(...project.classes.map(({ name: text, color }) =>
      makeElement("span", {
        class: "workbench-chip", dir: "auto", style: `border-color:${color}`,
      }, text)));
    newest.update(project);
    importer.update(names);
  }
  return { element, update, destroy: newest.destroy };
}

/** Return a row of the newest images: whoever brought photos in sees that they came. */
function createNewest(desk) {
  const element = makeElement("div", { class: "workbench-newest", "aria-label": "Newest images" });
  let shown = "", urls = [];
  const destroy = () => urls.forEach((url) => URL.revokeObjectURL(url));

  async function update({ path, images }) {
    if (shown === `${path} ${images}`) return;
    shown = `${path} ${images}`;
    const answer = await desk.ask("newest");
    if (!answer) return;
    destroy();
    urls = answer.buffers.map((buffer) => URL.createObjectURL(new Blob([buffer])));
    element.replaceChildren(...answer.content.images.map((name, i) =>
      makeElement("img", { src: urls[i], alt: name, title: name })));
  }
  return { element, update, destroy };
}
