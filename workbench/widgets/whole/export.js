// Take labels and models away.

import { makeJobBar } from "../job_bar.js";
import { createPanelDesk } from "../panel.js";
import { makeButton, makeElement } from "../parts.js";
import { keepKeys } from "../shortcuts.js";

function makeOptions(values) {
  return values.map(([value, text]) => makeElement("option", { value, dir: "auto" }, text));
}

function renderExport({ model, el }) {
  const state = {
    name: "", formats: [], runs: [], folder: "", job: null, message: "", code: "",
  };
  const desk = createPanelDesk(model, state, {
    onMessage: ({ kind, ...values }) => kind === "job" && desk.set(values),
    onAnswer: ({ code }) => code !== undefined && desk.set({ code }),
  });
  const field = (name) => makeElement("input", { type: "text", "aria-label": name, dir: "ltr" });
  const folder = field("Folder for the labels");
  const modelFolder = field("Folder for the model");
  const format = makeElement("select", { "aria-label": "Format" });
  const runs = makeElement("select", { "aria-label": "Run" });
  const overwrite = makeElement("input", { type: "checkbox" });
  const labels = makeButton("Export labels", () => desk.ask("labels", {
    folder: folder.value, format: format.value, overwrite: overwrite.checked,
  }), { kind: "workbench-primary" });
  const network = makeButton("Export model", () => desk.ask("model", {
    folder: modelFolder.value, run: runs.value,
  }), { kind: "workbench-primary" });
  const bar = makeJobBar("Export", () => desk.ask("stop"));
  const done = makeElement("pre", { "aria-live": "polite", dir: "auto" });
  const title = makeElement("h3", { dir: "auto" });
  const message = makeElement("div", { class: "workbench-panel-message", role: "alert" });
  const none = makeElement("p", { class: "workbench-quiet" },
    "No run has a model yet: train one first.");
  const code = makeElement("code", { dir: "ltr" });
  const foot = makeElement("footer", { class: "workbench-quiet" }, "In Python: ", code);
  const row = (...parts) => makeElement("div", { class: "workbench-row" }, ...parts);
  const root = makeElement("div", { class: "workbench-panel workbench-export" }, title, message,
    makeElement("section", { "aria-label": "Labels" },
      makeElement("strong", {}, "Labels, with their images and splits"),
      row(format, folder, makeElement("label", { class: "workbench-row" }, overwrite,
        "replace an earlier export"), labels)),
    makeElement("section", { "aria-label": "Model" },
      makeElement("strong", {}, "A model: model.onnx and model.json, which run without torch"),
      none, row(runs, modelFolder, network)), bar.element, done, foot);

  function update(names) {
    title.textContent = state.name && `Export ${state.name}`;
    message.textContent = state.message;
    message.hidden = !state.message;
    if (names.has("formats")) {
      format.replaceChildren(...makeOptions(state.formats.map((each) => [each, each])));
    }
    if (names.has("runs")) {
      runs.replaceChildren(...makeOptions(state.runs.map(({ id, name }) => [id, name])));
    }
    if (names.has("folder")) {
      folder.value = `${state.folder}-labels`;
      modelFolder.value = `${state.folder}-model`;
    }
    none.hidden = state.runs.length > 0;
    network.disabled = !state.runs.length;
    bar.update(state.job?.state === "running" ? state.job : null);
    done.textContent = state.job?.words ?? "";
    done.hidden = !done.textContent;
    code.textContent = state.code;
    foot.hidden = !state.code;
  }
  const off = desk.on(update);
  const letKeysGo = keepKeys(root);
  update(new Set());
  el.append(root);
  desk.ask("start").then((answer) => answer && desk.set(answer.content));
  return () => {
    off();
    letKeysGo();
    desk.destroy();
  };
}

export default { render: renderExport };
