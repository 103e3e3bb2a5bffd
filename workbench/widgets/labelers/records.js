// Images in the browser: photo, label and mask of the few that are shown or soon will be.

import { inflateMask } from "../surface/inflate.js";
import { applyGesture } from "./gestures.js";

const RECORD_PIXELS = 60e6; // kept at most, the shown image aside
const RECORD_PREVIEW_FROM = 3e6; // pixels: the limit in surface/photo.py

/**
 * Return the store of image records.
 *
 * request(kind, params): asks Python. waitingFor(id): gestures on that image that are not on disk.
 * onLoaded(record, what): "label", "preview" or "bitmap" of a record arrived.
 */
export function createRecords(request, waitingFor, onLoaded) {
  const records = new Map(); // id -> record, the one used last at the end
  const loading = new Map(); // id -> Promise
  const completing = new Map(); // id -> Promise of the whole photo

  /** Return the record of an image, if it is here. */
  function get(id) {
    return records.get(id);
  }

  /** Return a promise of the record, with its label and a photo: a preview where it is large. */
  function load(row) {
    const known = records.get(row.id);
    if (known) {
      records.delete(row.id);
      records.set(row.id, known);
      if (known.bitmap || known.preview || known.error) return Promise.resolve(known);
    }
    if (!loading.has(row.id)) {
      const job = fetchRecord(row).finally(() => loading.delete(row.id));
      loading.set(row.id, job);
    }
    return known ? Promise.resolve(known) : loading.get(row.id);
  }

  async function fetchRecord(row) {
    const isSmall = row.width && row.width * row.height <= RECORD_PREVIEW_FROM;
    const answer = await request("image", { image: row.id, photo: isSmall ? "full" : "preview" });
    const record = makeRecord(answer.content.image);
    await putTruth(record, answer.content.image, answer.buffers[1]);
    records.set(record.id, record);
    await putPhoto(record, answer);
    onLoaded(record, "label");
    return record;
  }

  /** Return a promise that is kept when the whole photo of a record is here. */
  function complete(record) {
    if (record.bitmap || record.error) return Promise.resolve();
    if (!completing.has(record.id)) {
      const job = loadBitmap(record).finally(() => completing.delete(record.id));
      completing.set(record.id, job);
    }
    return completing.get(record.id);
  }

  async function loadBitmap(record) {
    try {
      const answer = await request("image", { image: record.id, photo: "full" });
      await putPhoto(record, answer);
    } catch (error) {
      record.error = error.message;
    }
    onLoaded(record, "bitmap");
    forget(record.id);
  }

  async function putPhoto(record, { content, buffers }) {
    if (content.error) {
      record.error = content.error;
      return;
    }
    const options = { colorSpaceConversion: "none" };
    const bitmap = await createImageBitmap(new Blob([buffers[0]]), options).catch(() => null);
    if (!bitmap) record.error = "This browser cannot decode the image.";
    else if (content.photo === "preview") record.preview = bitmap;
    else record.bitmap = bitmap;
  }

  /** Fetch the label again and lay what still waits on top of it. */
  async function refetch(record) {
    const answer = await request("image", { image: record.id, photo: "none" });
    await putTruth(record, answer.content.image, answer.buffers[1]);
    onLoaded(record, "label");
  }

  async function putTruth(record, content, buffer) {
    record.mask = await inflateMask(buffer);
    takeTruth(record, content);
    replay(record);
  }

  function replay(record) {
    for (const gesture of waitingFor(record.id)) {
      applyGesture(record, gesture.tool, gesture.params, gesture.points16);
    }
  }

  /** Take the answer to a gesture; return the rect of the mask that changed, null for all of it. */
  async function acknowledge(record, content, buffer, wasApplied) {
    const isNext = content.previous === record.revision;
    if (isNext && wasApplied) {
      takeTruth(record, content);
      replay(record);
      return { x: 0, y: 0, width: 0, height: 0 };
    }
    if (!isNext || !content.patch) {
      if (content.revision !== record.revision || content.previous < 0) await refetch(record);
      return null;
    }
    const pixels = await inflateMask(buffer);
    takeTruth(record, content);
    if (pixels) putPatch(record, content.patch, pixels);
    replay(record);
    return content.patch;
  }

  function putPatch(record, rect, pixels) {
    record.mask ??= new Uint8Array(record.width * record.height);
    for (let row = 0; row < rect.height; row += 1) {
      const line = pixels.subarray(row * rect.width, (row + 1) * rect.width);
      record.mask.set(line, (rect.y + row) * record.width + rect.x);
    }
  }

  /** Let go of records that were not used for longest, but never of the one that is shown. */
  function forget(shownId) {
    let pixels = 0;
    for (const [id, record] of [...records].reverse()) {
      pixels += record.width * record.height;
      if (pixels <= RECORD_PIXELS || id === shownId || waitingFor(id).length) continue;
      closeRecord(record);
      records.delete(id);
    }
  }

  function destroy() {
    for (const record of records.values()) closeRecord(record);
    records.clear();
  }
  const all = () => [...records.values()];
  return { get, load, complete, refetch, acknowledge, forget, destroy, all };
}

function makeRecord(content) {
  const { id, name, width, height, split } = content;
  return { id, name, width, height, split, bitmap: null, preview: null, error: null, mask: null };
}

function takeTruth(record, content) {
  record.revision = content.revision;
  record.state = content.state;
  record.split = content.split;
  record.labeled = content.labeled;
  record.can_undo = content.can_undo;
  record.can_redo = content.can_redo;
  record.boxes = content.boxes ?? [];
  record.class_name = content.class_name ?? null;
  record.verdict = content.verdict ?? null;
}

function closeRecord(record) {
  record.bitmap?.close();
  record.preview?.close();
  record.bitmap = null;
  record.preview = null;
}
