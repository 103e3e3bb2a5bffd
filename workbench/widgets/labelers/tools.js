// The tools of each project type, by the name that desk.state.tool holds.

import { makeBoxTool } from "./tools_boxes.js";
import { makeBrush } from "./tools_paint.js";
import { makeBoxToMask, makeClickTool, makeLasso, makePick, makePolygon } from "./tools_shapes.js";

/** What each tool is called, its key, the project types that have it; in the toolbar's order. */
export const TOOL_TABLE = [
  { name: "box", title: "Box", key: "r", tasks: ["detection"] },
  { name: "select", title: "Select", key: "v", tasks: ["detection"] },
  { name: "brush", title: "Brush", key: "b", tasks: ["segmentation", "anomaly"] },
  { name: "eraser", title: "Eraser", key: "e", tasks: ["segmentation", "anomaly"] },
  { name: "polygon", title: "Polygon", key: "g", tasks: ["segmentation", "anomaly"] },
  { name: "lasso", title: "Lasso", key: "l", tasks: ["segmentation", "anomaly"] },
  { name: "fill", title: "Fill", key: "f", tasks: ["segmentation", "anomaly"] },
  { name: "wand", title: "Magic wand", key: "w", tasks: ["segmentation", "anomaly"] },
  { name: "box_mask", title: "Box to mask", key: "m", tasks: ["segmentation", "anomaly"] },
  { name: "pick", title: "Pick class", key: "p", tasks: ["segmentation", "anomaly"] },
  {
    name: "pan", title: "Pan", key: "h",
    tasks: ["classification", "detection", "segmentation", "anomaly"],
  },
];

/** Return the tools of one view: what the hand is doing belongs to the surface it is on. */
export function makeTools(desk) {
  return {
    box: makeBoxTool(desk, true),
    select: makeBoxTool(desk, false),
    brush: makeBrush(desk, false),
    eraser: makeBrush(desk, true),
    polygon: makePolygon(desk),
    lasso: makeLasso(desk),
    fill: makeClickTool(desk, "fill"),
    wand: makeClickTool(desk, "wand"),
    box_mask: makeBoxToMask(desk),
    pick: makePick(desk),
    pan: { cursor: "grab" },
  };
}
