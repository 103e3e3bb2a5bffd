// A bar for work that goes on in Python.

import { makeButton, makeElement } from "./parts.js";

/** Return the bar; update(job or null). stop: what the button does, null for no button. */
export function makeJobBar(name, stop = null) {
  const fill = makeElement("i");
  const bar = makeElement("div", {
    class: "workbench-bar", role: "progressbar", "aria-label": name, "aria-valuemin": "0",
  }, fill);
  const text = makeElement("span", { "aria-live": "polite" });
  const element = makeElement("div", { class: "workbench-row" }, bar, text,
    ...(stop ? [makeButton("Stop", stop)] : []));
  element.hidden = true;
  function update(job) {
    element.hidden = !job;
    if (!job) return;
    const share = job.total ? job.done / job.total : 0;
    bar.classList.toggle("workbench-unknown", !job.total);
    bar.setAttribute("aria-valuenow", String(job.done));
    if (job.total) bar.setAttribute("aria-valuemax", String(job.total));
    fill.style.width = `${100 * share}%`;
    text.textContent = job.state === "failed" ? job.error
      : `${job.title}: ${job.done} of ${job.total ?? "?"}`;
  }
  return { element, update };
}
