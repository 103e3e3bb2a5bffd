// Photos into the chosen project: dropped, chosen, or from a path of the kernel's machine.

import { makeButton, makeElement } from "../parts.js";
import { listDropped, listChosen, sendFiles } from "./upload.js";

const IMPORT_LABELS = {
  none: "without labels", folders: "folder names are the classes",
  files: "label files are among them (VOC, COCO, YOLO, masks, CSV)",
};

/** Return the panel. */
export function createImporter(desk) {
  const options = makeOptions(desk);
  const path = makeElement("input", {
    type: "text", dir: "ltr", "aria-label": "Path to import from",
    placeholder: "photos/, a glob, or photos.zip, on the kernel's machine",
  });
  const importPath = () => {
    desk.set({ report: null });
    return desk.ask("import", { path: path.value, ...options.read() });
  };
  path.addEventListener("keydown", (event) => event.key === "Enter" && importPath());
  const drop = makeDropZone((files) => upload(files));
  const report = makeReport();
  const element = makeElement("div", { class: "workbench-importer" },
    makeElement("strong", {}, "Add photos"), drop.element, options.element,
    makeElement("span", { class: "workbench-row workbench-path" }, "or from a path:", path,
      makeButton("Import", importPath)),
    report.element);

  async function upload(files) {
    const found = await files;
    if (!found.length) return;
    desk.set({ report: null });
    await sendFiles(desk, found, options.read());
  }

  function update(names) {
    if (names.has("project") || names.has("view")) options.update(desk.state.project.task);
    report.update(desk.state.report);
  }
  return { element, update };
}

function makeDropZone(onFiles) {
  const files = makeElement("input", { type: "file", multiple: "", "aria-label": "Files" });
  const folder = makeElement("input", {
    type: "file", webkitdirectory: "", "aria-label": "Folder",
  });
  for (const input of [files, folder]) {
    input.hidden = true;
    input.addEventListener("change", () => {
      onFiles(Promise.resolve(listChosen(input.files)));
      input.value = "";
    });
  }
  const element = makeElement("div", {
    class: "workbench-drop", role: "group", "aria-label": "Drop photos here",
    ondragover: (event) => {
      event.preventDefault();
      event.stopPropagation();
      element.classList.add("workbench-over");
    },
    ondragleave: () => element.classList.remove("workbench-over"),
    ondrop: (event) => {
      event.preventDefault();
      event.stopPropagation();
      element.classList.remove("workbench-over");
      onFiles(listDropped(event.dataTransfer));
    },
  }, "Drop photos, folders or a .zip here, or ",
  makeButton("Choose files", () => files.click()),
  makeButton("Choose a folder", () => folder.click()), files, folder);
  return { element };
}

function makeOptions() {
  const split = makeElement("select", { "aria-label": "Split" },
    ...[["", "no split yet"], ["train", "train"], ["dev", "dev"], ["test", "test"]].map(
      ([value, text]) => makeElement("option", { value }, text)));
  const labels = makeElement("select", { "aria-label": "Labels" });
  const element = makeElement("span", { class: "workbench-row" },
    makeElement("label", {}, "Labels ", labels), makeElement("label", {}, "Split ", split));
  let shownTask = "";

  function update(task) {
    if (task === shownTask) return;
    shownTask = task;
    const hasFolders = ["classification", "anomaly"].includes(task);
    const kinds = hasFolders ? ["folders", "none", "files"] : ["none", "files"];
    labels.replaceChildren(...kinds.map((value) =>
      makeElement("option", { value }, IMPORT_LABELS[value])));
  }
  return { element, update, read: () => ({ split: split.value, labels: labels.value }) };
}

function makeReport() {
  const element = makeElement("div", { class: "workbench-report-box", role: "status" });
  function update(report) {
    element.hidden = !report;
    if (!report) return;
    const rows = report.rejected.map(([name, reason]) => makeElement("li", {},
      makeElement("b", { dir: "auto" }, name), ` ${reason}`));
    const more = report.hidden ? `… and ${report.hidden} more` : "";
    element.replaceChildren(makeElement("p", {}, report.summary),
      makeElement("ul", {}, ...rows), more);
  }
  return { element, update };
}
