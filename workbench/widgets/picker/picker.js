// The entry of the project picker: one view shows the projects, the trash, a new one or the chosen.

import { createPanelDesk } from "../panel.js";
import { makeButton, makeElement } from "../parts.js";
import { keepKeys } from "../shortcuts.js";
import { createCards } from "./cards.js";
import { createChosen } from "./chosen.js";
import { createJobBar } from "./job.js";
import { createNewProject } from "./new_project.js";
import { createTrash } from "./trash.js";

/** Return what the panels of one view share. */
function createPickerDesk(model) {
  const state = {
    view: "list", home: "", cards: [], deleted: 0, project: null, job: null, report: null,
    message: "", code: "", ready: false,
  };
  const desk = createPanelDesk(model, state, { onMessage, onAnswer });

  function onAnswer({ code, home, cards, deleted }) {
    if (code !== undefined) desk.set({ code });
    if (cards) desk.set({ home, cards, deleted });
  }

  function onMessage(content) {
    if (content.kind === "home") takeHome(content);
    else if (content.kind === "chosen") {
      desk.set({ project: content.project, view: "project", report: null, message: "" });
    } else if (content.kind === "job") takeJob(content);
  }

  function takeHome({ home, cards, deleted, project }) {
    desk.set({ home, cards, deleted, project });
    if (!project && state.view === "project") desk.set({ view: "list" });
  }

  function takeJob({ job, report }) {
    const isOver = job.state !== "running";
    desk.set({ job: isOver ? null : job });
    if (report) desk.set({ report });
    if (job.state === "failed") desk.set({ message: job.error });
    const stopped = `${job.title}: stopped. What came in is kept.`;
    if (job.state === "stopped") desk.set({ message: stopped });
  }

  async function start() {
    const answer = await desk.ask("start");
    if (!answer) return;
    const { project, job } = answer.content;
    desk.set({ project, job, view: project ? "project" : "list", ready: true });
  }
  return Object.assign(desk, { start });
}

function makeHead(desk) {
  const home = makeElement("span", { class: "workbench-picker-home", dir: "ltr" });
  const path = makeElement("input", {
    type: "text", "aria-label": "Path of a project", placeholder: "a project's folder", dir: "ltr",
  });
  const openPath = async () => {
    if (path.value.trim() && await desk.ask("open", { path: path.value.trim() })) path.value = "";
  };
  path.addEventListener("keydown", (event) => event.key === "Enter" && openPath());
  const views = {
    list: makeButton("All projects", () => desk.set({ view: "list" })),
    new: makeButton("New project", () => desk.set({ view: "new" }), { kind: "workbench-primary" }),
    trash: makeButton("Deleted projects", () => desk.set({ view: "trash" })),
  };
  const element = makeElement("header", { class: "workbench-picker-head" },
    makeElement("strong", {}, "Projects"), home, makeElement("span", { class: "workbench-gap" }),
    views.list, views.new,
    makeElement("span", { class: "workbench-picker-path" }, path,
      makeButton("Open a path", openPath, { text: "Open" })), views.trash);
  function update() {
    const { view, deleted } = desk.state;
    home.textContent = desk.state.home;
    home.title = desk.state.home;
    views.trash.textContent = `Deleted projects (${deleted})`;
    views.trash.hidden = !deleted && view !== "trash";
    views.list.hidden = view === "list";
  }
  return { element, update };
}

function makeFoot(desk) {
  const code = makeElement("code", { dir: "ltr" });
  const copy = makeButton("Copy code", () => navigator.clipboard?.writeText(desk.state.code),
    { text: "Copy" });
  const foot = { class: "workbench-picker-foot" };
  const element = makeElement("footer", foot, "In Python: ", code, " ", copy);
  function update() {
    element.hidden = !desk.state.code;
    code.textContent = desk.state.code;
  }
  return { element, update };
}

function renderPicker({ model, el }) {
  const desk = createPickerDesk(model);
  const message = makeElement("div", { class: "workbench-panel-message", role: "alert" });
  const head = makeHead(desk), foot = makeFoot(desk), job = createJobBar(desk);
  const views = {
    list: createCards(desk), new: createNewProject(desk), trash: createTrash(desk),
    project: createChosen(desk),
  };
  const root = makeElement("div", {
    class: "workbench-panel workbench-project-picker",
  },
    head.element, message, job.element,
    ...Object.values(views).map((view) => view.element), foot.element);

  function update(names) {
    message.textContent = desk.state.message;
    message.hidden = !desk.state.message;
    [head, foot, job].forEach((part) => part.update(names));
    for (const [name, view] of Object.entries(views)) {
      view.element.hidden = name !== desk.state.view;
      if (!view.element.hidden) view.update(names);
    }
  }

  const letKeysGo = keepKeys(root);
  const off = desk.on(update);
  update(new Set(["view"]));
  el.append(root);
  desk.start();
  return () => {
    off();
    letKeysGo();
    desk.destroy();
    Object.values(views).forEach((view) => view.destroy?.());
  };
}

export default { render: renderPicker };
