// Work in progress: a bar with a button to stop it.

import { makeButton, makeElement } from "../parts.js";

/** Return the bar. */
export function createJobBar(desk) {
  const text = makeElement("span", { "aria-live": "polite" });
  const fill = makeElement("i");
  const bar = makeElement("div", {
    class: "workbench-bar", role: "progressbar", "aria-label": "Progress",
    "aria-valuemin": "0", "aria-valuemax": "100",
  }, fill);
  const stop = makeButton("Stop", () => desk.state.job?.stop?.() ?? desk.ask("stop"));
  const element = makeElement("div", { class: "workbench-picker-job" }, text, bar, stop);

  function update() {
    const { job } = desk.state;
    element.hidden = !job;
    if (!job) return;
    const { title, done, total } = job;
    const unit = job.unit ?? "";
    text.textContent = total ? `${title}: ${done} of ${total}${unit}` : `${title}: ${done}${unit}`;
    const percent = total ? Math.min(100, Math.round((100 * done) / total)) : 0;
    bar.classList.toggle("workbench-unknown", !total);
    bar.setAttribute("aria-valuenow", percent);
    fill.style.width = `${percent}%`;
  }
  return { element, update };
}
