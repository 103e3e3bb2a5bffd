// The desk: what all views of one labeler share in a page, and its talk with Python.

import { createAsker } from "../asking.js";
import { encodePoints, quantize } from "../surface/raster.js";
import { applyGesture } from "./gestures.js";
import { createQueue, makeGestureId } from "./queue.js";
import { createRecords } from "./records.js";
import { createRows } from "./rows.js";

const DESK_PROJECT_MS = 600; // after a gesture, until the counts of the classes are asked for
const DESK_REST_MS = 60; // without a new choice, until more than what is shown is fetched

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function makeDeskState(task) {
  return {
    tool: { detection: "box", segmentation: "brush", anomaly: "brush" }[task] ?? "pan",
    size: 12, shape: "round", className: null, opacity: 0.5, showLabels: true, protect: false,
    tolerance: 24, brightness: 1, contrast: 1, wheelZooms: false,
    mode: task === "classification" ? "grid" : "single",
    selectedBox: -1, selection: new Set(), waiting: 0, online: true, message: "", busy: false,
    classes: [], counts: { images: 0, labeled: 0, nothing: 0, unlabeled: 0 },
    filter: {}, total: 0, index: 0, image: null, can_undo: false, can_redo: false, name: "",
    help: false, code: false, instructions: "",
  };
}

/** Return the desk of a widget's model. */
export function createDesk(model) {
  const state = makeDeskState(model.get("task"));
  const listeners = { change: new Set(), label: new Set(), image: new Set(), rows: new Set() };
  listeners.thumbnails = new Set();
  const asker = createAsker(model);
  let wanted = 0; // the image that was chosen last, shown as soon as it is here
  let projectTimer = null;
  let answers = Promise.resolve(); // acknowledgements are taken strictly in order

  const queue = createQueue(model.get("project_key"), sendGesture, onQueue);
  const waitingFor = (id) => queue.waiting.filter((gesture) => touches(gesture, id));
  const records = createRecords(request, waitingFor, onLoaded);
  const rows = createRows(request, onRows, (ids) => emit("thumbnails", ids));

  function emit(event, value) {
    for (const listener of [...listeners[event]]) listener(value);
  }

  function on(event, listener) {
    listeners[event].add(listener);
    return () => listeners[event].delete(listener);
  }

  function set(values) {
    const names = Object.keys(values).filter((name) => state[name] !== values[name]);
    Object.assign(state, values);
    if (!names.length) return;
    if (names.includes("filter")) rows.setFilter(state.filter);
    emit("change", new Set(names));
    if (names.includes("filter")) place();
  }

  // Talk with Python.

  function request(kind, params = {}) {
    return asker.request(kind, params).catch((error) => {
      if (error.isGone) {
        queue.online = false;
        onQueue();
      }
      throw error;
    });
  }

  function sendGesture({ id, image, tool, params, points16 }) {
    const buffers = points16 ? [encodePoints(points16)] : [];
    model.send({ kind: "gesture", id, image, tool, params }, undefined, buffers);
  }

  function onMessage(content, buffers = []) {
    if (asker.take(content, buffers)) return;
    if (content.kind === "ack") answers = answers.then(() => takeAck(content, buffers), () => {});
    else if (content.kind === "goto") show(content.image, false);
    else if (content.kind === "changed") answers = answers.then(() => takeChange(content.images));
    else if (content.kind === "project") takeProject(content);
    else if (content.kind === "error") set({ message: content.error });
  }

  async function takeAck(content, buffers) {
    const gesture = queue.settle(content.gesture);
    if (content.error) await refuse(content);
    let used = 0;
    for (const image of content.images) {
      const buffer = image.patch ? buffers[used++] : null;
      rows.patch(image);
      const record = records.get(image.id);
      if (!record) continue;
      const rect = await records.acknowledge(record, image, buffer, Boolean(gesture?.applied));
      if (record === state.image) afterLabel(rect);
    }
    if (content.counts) set({ counts: content.counts });
    set({ busy: queue.waiting.some((waiting) => !waiting.applied) });
    askProjectSoon();
  }

  async function refuse(content) {
    set({ message: content.error });
    const record = records.get(content.image);
    if (record) await records.refetch(record);
  }

  async function takeChange(ids) {
    rows.invalidate();
    for (const id of ids) {
      const record = records.get(id);
      if (record) await records.refetch(record).catch(() => {});
    }
  }

  function takeProject(content) {
    const names = content.classes.map((row) => row.name);
    const className = names.includes(state.className) ? state.className : names[0] ?? null;
    set({ classes: content.classes, counts: content.counts, name: content.name, className });
    emit("label", null); // colors may be others
  }

  function askProjectSoon() {
    clearTimeout(projectTimer);
    projectTimer = setTimeout(askProject, DESK_PROJECT_MS);
  }

  function askProject() {
    return request("project").then(({ content }) => takeProject(content)).catch(() => {});
  }

  function onQueue() {
    set({ waiting: queue.waiting.length, online: queue.online });
  }

  // Images.

  function onLoaded(record, what) {
    if (record.id !== state.image?.id) return;
    if (what === "label") afterLabel(null);
    else emit("image", record);
  }

  function afterLabel(rect) {
    const { boxes, can_undo, can_redo } = state.image;
    const selectedBox = state.selectedBox < (boxes?.length ?? 0) ? state.selectedBox : -1;
    set({ can_undo, can_redo, selectedBox });
    emit("label", rect);
  }

  function onRows() {
    set({ total: rows.total });
    emit("rows");
  }

  /** Show an image; tell: whether Python is to follow, which it need not where it asked for it. */
  async function show(id, tell = true) {
    wanted = id;
    const row = rowOf(id);
    if (tell) sendShow(id);
    const known = records.get(id);
    if (known) putOnDesk(known);
    try {
      const record = await records.load(row);
      if (wanted !== id) return;
      putOnDesk(record);
      await complete(record);
    } catch (error) {
      set({ message: error.message });
    }
  }

  function rowOf(id) {
    const index = rows.indexOf(id);
    return (index >= 0 && rows.get(index)) || { id };
  }

  function sendShow(id) {
    try {
      model.send({ kind: "show", image: id });
    } catch {
      queue.online = false;
      onQueue();
    }
  }

  function putOnDesk(record) {
    const isNew = state.image?.id !== record.id;
    const { can_undo, can_redo } = record;
    set({ image: record, can_undo, can_redo, ...(isNew ? { selectedBox: -1 } : {}) });
    emit("image", record);
    if (isNew) place();
  }

  /** Find out where the shown image stands in the list. */
  async function place() {
    const id = state.image?.id;
    if (id === undefined) return;
    const index = rows.indexOf(id);
    if (index >= 0) {
      set({ index });
      return;
    }
    const answer = await request("position", { image: id, filter: state.filter }).catch(() => null);
    if (answer && state.image?.id === id) set({ index: answer.content.index ?? -1 });
  }

  /** Fetch the whole photo and then the neighbours, as long as the image is the wanted one. */
  async function complete(record) {
    await pause(DESK_REST_MS);
    if (wanted !== record.id) return;
    await records.complete(record);
    for (const by of [1, -1]) {
      await pause(DESK_REST_MS);
      const row = rows.get(state.index + by);
      if (wanted !== record.id) return;
      if (row) await records.load(row).then(records.complete).catch(() => {});
    }
    records.forget(record.id);
  }

  async function step(by) {
    const index = state.index + by;
    if (index < 0 || index >= rows.total) return;
    const row = rows.get(index) ?? (await rowsArrive(index));
    if (row) {
      set({ index });
      show(row.id);
    }
  }

  function rowsArrive(index) {
    return new Promise((resolve) => {
      const off = on("rows", () => {
        const row = rows.get(index);
        if (!row) return;
        off();
        resolve(row);
      });
    });
  }

  async function nextUnlabeled() {
    const params = { after: state.image?.id ?? 0, filter: state.filter };
    try {
      const { content } = await request("next_unlabeled", params);
      if (content.image === null) set({ message: "Every image here has a label." });
      else show(content.image);
    } catch (error) {
      set({ message: error.message });
    }
  }

  // Gestures.

  function act(tool, params = {}, points = null) {
    const named = nameClass(params);
    const image = params.images ? null : state.image?.id ?? null;
    const points16 = points ? quantize(points) : null;
    const gesture = { id: makeGestureId(), image, tool, params: named, points16, applied: false };
    const rects = targets(gesture).map((id) => applyToRecord(id, gesture));
    gesture.applied = rects.every((rect) => rect !== undefined);
    if (!gesture.applied) set({ busy: true });
    patchRows(gesture);
    queue.add(gesture);
  }

  function applyToRecord(id, { tool, params, points16 }) {
    const record = records.get(id);
    if (!record) return null;
    const rect = applyGesture(record, tool, params, points16);
    if (rect !== undefined && record === state.image) {
      record.can_undo = true;
      record.can_redo = false;
      afterLabel(rect);
    }
    return rect;
  }

  function targets(gesture) {
    return gesture.params.images ?? (gesture.image === null ? [] : [gesture.image]);
  }

  function touches(gesture, id) {
    return targets(gesture).includes(id);
  }

  /** Put the class's name beside its index: classes may change while a gesture waits. */
  function nameClass(params) {
    const name = state.classes[params.class_index - 1]?.name;
    if (name === undefined || state.task === "anomaly") return params;
    return { ...params, class_name: name };
  }

  function patchRows({ tool, params, image }) {
    if (!["class", "verdict", "unlabel"].includes(tool)) return;
    const name = params.class_name ?? params.verdict ?? null;
    for (const id of params.images ?? [image]) {
      rows.patch({ id, classes: name ? [name] : [], state: name ? "labeled" : "unlabeled" });
    }
    emit("rows");
  }

  /** Say that a stroke in the making changed a record's mask; null: everywhere. */
  function emitLabel(record, rect) {
    if (record === state.image) emit("label", rect);
  }

  const color = (name) => state.classes.find((row) => row.name === name)?.color ?? "#888888";
  const classIndex = (name) => state.classes.findIndex((row) => row.name === name) + 1;

  function destroy() {
    model.off("msg:custom", onMessage);
    clearTimeout(projectTimer);
    queue.destroy();
    records.destroy();
  }

  model.on("msg:custom", onMessage);
  const task = model.get("task");
  const desk = {
    task, number: model.get("desk_key"), state, set, on, act, show, step, nextUnlabeled, request,
    rows, color,
  };
  Object.assign(desk, { classIndex, destroy, emitLabel, refresh: askProject });
  onQueue();
  rows.setFilter({});
  askProject();
  if (queue.waiting.length) queue.resend();
  if (model.get("first_image")) show(model.get("first_image"), false);
  return desk;
}
