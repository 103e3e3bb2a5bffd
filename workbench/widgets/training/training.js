// The entry of the training panel: the plan, the runs, and the selected one.

import { createPanelDesk } from "../panel.js";
import { makeElement } from "../parts.js";
import { keepKeys } from "../shortcuts.js";
import { createCompare } from "./compare.js";
import { createDetails } from "./details.js";
import { createPlan } from "./plan.js";
import { createRuns } from "./runs.js";

/** Return what the parts of one view share. */
function createTrainingDesk(model) {
  const state = {
    name: "", plan: null, runs: [], run: null, message: "", code: "", picture: "", drawing: false,
    links: false, compared: new Set(), comparison: null,
  };
  const desk = createPanelDesk(model, state, { onMessage, onAnswer });

  function onAnswer({ code, runs, run }) {
    if (code !== undefined) desk.set({ code });
    if (runs) desk.set({ runs, run });
  }

  function onMessage(content, buffers) {
    if (content.kind === "runs") {
      desk.set({ runs: content.runs, ...("run" in content ? { run: content.run } : {}) });
    } else if (content.kind === "augmented") takePicture(content, buffers);
  }

  function takePicture({ error }, [buffer]) {
    if (state.picture) URL.revokeObjectURL(state.picture);
    const picture = buffer ? URL.createObjectURL(new Blob([buffer], { type: "image/png" })) : "";
    desk.set({ drawing: false, picture, message: error });
  }

  async function start() {
    const answer = await desk.ask("start");
    if (!answer) return;
    const { plan, name, links } = answer.content;
    desk.set({ plan, name, links });
  }
  return Object.assign(desk, { start });
}

function renderTraining({ model, el }) {
  const desk = createTrainingDesk(model);
  const title = makeElement("h3", { dir: "auto" });
  const message = makeElement("div", { class: "workbench-panel-message", role: "alert" });
  const code = makeElement("code", { dir: "ltr" });
  const foot = makeElement("footer", { class: "workbench-quiet" }, "In Python: ", code);
  const parts = [createPlan(desk), createRuns(desk), createDetails(desk), createCompare(desk)];
  const [plan, runs, details, compare] = parts;
  const root = makeElement("div", { class: "workbench-panel workbench-training-panel" },
    title, message, plan.element,
    makeElement("div", { class: "workbench-runs-and-run" },
      makeElement("div", {}, runs.element, compare.button), details.element),
    compare.element, foot);

  function update(names) {
    title.textContent = desk.state.name && `Train ${desk.state.name}`;
    message.textContent = desk.state.message;
    message.hidden = !desk.state.message;
    code.textContent = desk.state.code;
    foot.hidden = !desk.state.code;
    parts.forEach((part) => part.update(names));
  }
  const off = desk.on(update);
  const letKeysGo = keepKeys(root);
  update(new Set(["run", "runs"]));
  el.append(root);
  desk.start();
  return () => {
    off();
    letKeysGo();
    desk.destroy();
  };
}

export default { render: renderTraining };
