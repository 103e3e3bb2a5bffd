// Keys: one table for what they do, for the help and for the titles of the buttons.

import { changeSelected, nudgeSelected } from "./tools_boxes.js";
import { stepSize } from "./tools_paint.js";
import { TOOL_TABLE } from "./tools.js";

const KEY_ARROWS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};
const KEY_BOXES = ["detection"];
const KEY_MASKS = ["segmentation", "anomaly"];
const KEY_GRIDS = ["classification", "anomaly"];

const KEY_ACTIONS = [
  { keys: ["a", "ArrowLeft"], name: "Previous image", run: (desk) => desk.step(-1) },
  { keys: ["d", "ArrowRight"], name: "Next image", run: (desk) => desk.step(1) },
  { keys: ["u"], name: "Next unlabeled", run: (desk) => desk.nextUnlabeled() },
  { keys: ["n"], name: "Nothing here", tasks: [...KEY_BOXES, ...KEY_MASKS],
    run: (desk) => sayNothing(desk) },
  { keys: ["o"], name: "Show labels", run: (desk) => flip(desk, "showLabels") },
  { keys: ["t"], name: "Protect other classes", tasks: KEY_MASKS,
    run: (desk) => flip(desk, "protect") },
  { keys: ["["], name: "Smaller brush", tasks: KEY_MASKS, run: (desk) => resizeBrush(desk, -1) },
  { keys: ["]"], name: "Larger brush", tasks: KEY_MASKS, run: (desk) => resizeBrush(desk, 1) },
  { keys: ["Delete", "Backspace"], name: "Delete box", tasks: KEY_BOXES, run: deleteSelected },
  { keys: ["c"], name: "Copy previous boxes", tasks: KEY_BOXES, run: copyPrevious },
  { keys: ["+", "="], name: "Zoom in", run: (desk, surface) => zoomStep(surface, 1.25) },
  { keys: ["-"], name: "Zoom out", run: (desk, surface) => zoomStep(surface, 0.8) },
  { keys: ["z"], name: "Fit", run: (desk, surface) => surface.viewport.fit() },
  { keys: ["x"], name: "Actual size", run: (desk, surface) => surface.viewport.actual() },
  { keys: ["?", "k"], name: "Help", run: (desk) => flip(desk, "help") },
  { keys: ["Escape"], name: "Let go", run: letGo },
];

/** Return the rows of the help for a project type: {keys, name}. */
export function listKeys(task) {
  const tools = TOOL_TABLE.filter((row) => row.tasks.includes(task));
  const actions = KEY_ACTIONS.filter((row) => !row.tasks || row.tasks.includes(task));
  const boxes = KEY_BOXES.includes(task)
    ? [
      { keys: ["Arrows"], name: "Move the selected box (Shift: 10 pixels)" },
      { keys: ["Shift+D"], name: "Duplicate the selected box" },
    ]
    : [];
  const grid = KEY_GRIDS.includes(task)
    ? [
      { keys: ["Click", "Arrows"], name: "In the grid: select (Shift: to there, Ctrl: one more)" },
      { keys: ["Ctrl+A"], name: "In the grid: select all" },
      { keys: ["Enter"], name: "In the grid: open the image" },
    ]
    : [];
  return [
    ...tools.map((row) => ({ keys: [row.key.toUpperCase()], name: row.title })),
    { keys: ["1 … 9"], name: task === "anomaly" ? "1 normal, 2 abnormal" : "Choose a class" },
    ...actions.map((row) => ({ keys: row.keys.map(nameKey), name: row.name })),
    ...boxes,
    ...grid,
    { keys: ["Ctrl+Delete"], name: "Unlabel" },
    { keys: ["Ctrl+Z"], name: "Undo" },
    { keys: ["Ctrl+Shift+Z", "Ctrl+Y"], name: "Redo" },
    { keys: ["Space"], name: "Hold to pan" },
    { keys: ["Ctrl+wheel"], name: "Zoom at the pointer" },
  ];
}

function nameKey(key) {
  return key.length === 1 ? key.toUpperCase() : key.replace("Arrow", "");
}

/** Return the key handler of a view: it tells whether it used the key. */
export function makeKeyHandler(desk) {
  return (event, surface) => {
    if (event.altKey) return false;
    if (event.ctrlKey || event.metaKey) return runCommand(desk, event);
    if (event.shiftKey && event.key.toLowerCase() === "d") return duplicateSelected(desk);
    if (KEY_ARROWS[event.key] && desk.state.selectedBox >= 0) return nudge(desk, event);
    if (/^[0-9]$/.test(event.key)) return chooseNumber(desk, Number(event.key));
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const tool = TOOL_TABLE.find((row) => row.key === key && row.tasks.includes(desk.task));
    if (tool) {
      desk.set({ tool: tool.name });
      return true;
    }
    const fits = (row) => row.keys.includes(key) && (!row.tasks || row.tasks.includes(desk.task));
    const action = KEY_ACTIONS.find(fits);
    action?.run(desk, surface);
    return Boolean(action);
  };
}

/** Run what Ctrl and a key stand for; tell whether they stand for something. */
export function runCommand(desk, event) {
  const key = event.key.toLowerCase();
  if (key === "z") desk.act(event.shiftKey ? "redo" : "undo", undoScope(desk));
  else if (key === "y") desk.act("redo", undoScope(desk));
  else if (key === "delete" || key === "backspace") unlabel(desk);
  else return false;
  return true;
}

/** Return what undo works on: the image that is shown, or in the grid the last act of all. */
export function undoScope(desk) {
  return { scope: desk.state.mode === "grid" ? "project" : "image" };
}

/** Choose the class of a number, or give it to what is selected. */
export function chooseNumber(desk, number) {
  if (desk.task === "anomaly") {
    if (number === 1 || number === 2) giveVerdict(desk, number === 1 ? "normal" : "abnormal");
    return true;
  }
  const row = desk.state.classes[number - 1];
  if (row) chooseClass(desk, row.name);
  return true;
}

/** Choose a class: for the tools, for the selected box, or as the label of the images. */
export function chooseClass(desk, name) {
  desk.set({ className: name });
  if (desk.task === "classification") giveClass(desk, name);
  else if (desk.state.selectedBox >= 0) changeSelected(desk, { class_name: name });
}

function giveClass(desk, name) {
  const { mode, selection, image } = desk.state;
  if (mode === "grid") {
    if (selection.size) desk.act("class", { images: [...selection], class_name: name });
  } else if (image) {
    desk.act("class", { class_name: name });
    desk.step(1);
  }
}

/** Say that the images are normal or abnormal. */
export function giveVerdict(desk, verdict) {
  const { mode, selection, image } = desk.state;
  if (mode === "grid") {
    if (selection.size) desk.act("verdict", { images: [...selection], verdict });
  } else if (image) desk.act("verdict", { verdict });
}

/** Take the label away: looked at by nobody, as when the image came. */
export function unlabel(desk) {
  const { mode, selection, image } = desk.state;
  if (mode === "grid") {
    if (selection.size) desk.act("unlabel", { images: [...selection] });
  } else if (image) desk.act("unlabel");
}

/** Say that there is nothing to label on the image. */
export function sayNothing(desk) {
  if (desk.task !== "classification" && desk.state.image) desk.act("nothing");
}

function flip(desk, name) {
  desk.set({ [name]: !desk.state[name] });
}

function resizeBrush(desk, by) {
  desk.set({ size: stepSize(desk.state.size, by) });
}

function zoomStep(surface, factor) {
  const { viewport } = surface;
  viewport.zoomAt(factor, viewport.width / 2, viewport.height / 2);
}

function nudge(desk, event) {
  const [dx, dy] = KEY_ARROWS[event.key];
  const by = event.shiftKey ? 10 : 1;
  return nudgeSelected(desk, dx * by, dy * by);
}

/** Delete the selected box. */
export function deleteSelected(desk) {
  const { image, selectedBox } = desk.state;
  const old = image?.boxes[selectedBox];
  if (!old) return;
  desk.act("delete_box", { index: selectedBox, old: { ...old } });
  desk.set({ selectedBox: -1 });
}

/** Make the selected box again, a little beside it. */
export function duplicateSelected(desk) {
  const { image, selectedBox } = desk.state;
  const old = image?.boxes[selectedBox];
  if (!old) return true;
  desk.act("duplicate_box", { index: selectedBox, old: { ...old } });
  desk.set({ selectedBox: desk.state.image.boxes.length - 1 });
  return true;
}

/** Add the boxes of the image before this one. */
export function copyPrevious(desk) {
  const row = desk.state.index > 0 ? desk.rows.get(desk.state.index - 1) : null;
  if (row) desk.act("copy_previous", { source: row.id });
  else desk.set({ message: "There is no image before this one to copy from." });
}

function letGo(desk, surface) {
  if (desk.state.selectedBox >= 0) desk.set({ selectedBox: -1 });
  else surface.element.blur();
}
