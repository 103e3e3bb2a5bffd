// The entry of the labeler: one desk for each widget of a page, a view for each place it is in.

import { createSurface } from "../surface/surface.js";
import { createBoxes } from "./boxes.js";
import { createClasses } from "./classes.js";
import { createDesk } from "./desk.js";
import { createDrawers } from "./drawers.js";
import { createFilters } from "./filters.js";
import { createGrid } from "./grid.js";
import { createHelp } from "./help.js";
import { makeKeyHandler } from "./keys.js";
import { createLayout } from "./layout.js";
import { createStatus } from "./status.js";
import { createStrip } from "./strip.js";
import { createToolbar } from "./toolbar.js";
import { makeTools } from "./tools.js";

const LABELER_DESKS = new Map(); // desk_key -> {desk, views}

/** Return the desk of a model, made when its first view is; the last view takes it down. */
function openDesk(model) {
  const key = model.get("desk_key");
  const found = LABELER_DESKS.get(key) ?? { desk: createDesk(model), views: 0 };
  found.views += 1;
  LABELER_DESKS.set(key, found);
  return found.desk;
}

function closeDesk(model) {
  const key = model.get("desk_key");
  const found = LABELER_DESKS.get(key);
  found.views -= 1;
  if (found.views) return;
  found.desk.destroy();
  LABELER_DESKS.delete(key);
}

/** Draw one view of the labeler into el, and return what takes it down. */
function renderLabeler({ model, el }) {
  const desk = openDesk(model);
  const surface = createSurface(desk, makeTools(desk), { onKey: makeKeyHandler(desk) });
  const parts = {
    surface,
    toolbar: createToolbar(desk, surface),
    classes: createClasses(desk),
    boxes: createBoxes(desk),
    status: createStatus(desk),
    filters: createFilters(desk),
    strip: createStrip(desk),
    grid: createGrid(desk),
    drawers: createDrawers(desk),
    help: createHelp(desk),
  };
  const layout = createLayout(desk, parts);
  el.append(layout.element);
  return () => {
    layout.destroy();
    for (const part of Object.values(parts)) part.destroy();
    closeDesk(model);
  };
}

export default { render: renderLabeler };
