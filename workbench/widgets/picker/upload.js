// Files from a drop or a dialog, sent to Python in chunks.

const CHUNK_BYTES = 1 << 20;
const FLYING = 3; // chunks on their way at once: a slow network is kept busy

/** Return [{name, file}] of a drop, folders gone through; names are paths below it. */
export async function listDropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return listChosen(transfer.files);
  const found = [];
  for (const entry of entries) await walkEntry(entry, "", found);
  return stripTop(found);
}

async function walkEntry(entry, above, found) {
  const name = above + entry.name;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ name, file });
    return;
  }
  const reader = entry.createReader();
  while (true) { // a reader gives 100 entries at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const inner of some) await walkEntry(inner, `${name}/`, found);
  }
}

/** Return [{name, file}] of a dialog's files. */
export function listChosen(files) {
  return stripTop([...files].map((file) => ({ name: file.webkitRelativePath || file.name, file })));
}

/** Leave out the folder that was dropped itself, where there are folders in it. */
function stripTop(found) {
  const tops = new Set(found.map(({ name }) => name.split("/")[0]));
  const isDeep = found.some(({ name }) => name.split("/").length > 2);
  if (tops.size !== 1 || !isDeep) return found;
  return found.map(({ name, file }) => ({ name: name.split("/").slice(1).join("/"), file }));
}

/** Send files, and have them imported when all are there. */
export async function sendFiles(desk, found, options) {
  const upload = Math.random().toString(36).slice(2) + Date.now().toString(36);
  const total = found.reduce((sum, { file }) => sum + file.size, 0);
  let sent = 0, isStopped = false;
  const megabytes = (bytes) => Math.round(bytes / 1e5) / 10;
  const stop = () => { isStopped = true; return true; };
  const show = () => desk.set({
    job: {
      title: `Sending ${found.length} files`, done: megabytes(sent), total: megabytes(total),
      unit: " MB", state: "running", stop,
    },
  });
  show();
  const onSent = (bytes) => { sent += bytes; show(); };
  const isWhole = await sendAll(desk, upload, found, onSent, () => isStopped);
  desk.set({ job: null });
  if (isWhole) await desk.ask("import_upload", { upload, ...options });
  else {
    const { message } = desk.state;
    await desk.ask("drop_upload", { upload });
    desk.set({ message: isStopped ? "Sending was stopped; nothing was imported." : message });
  }
}

async function sendAll(desk, upload, found, onSent, isStopped) {
  let next = 0, isWhole = true;
  async function sendSome() {
    while (next < found.length && isWhole && !isStopped()) {
      const number = next;
      next += 1;
      const { name, file } = found[number];
      const params = { upload, number, file: name };
      if (!await sendFile(desk, params, file, onSent, isStopped)) isWhole = false;
    }
  }
  await Promise.all(Array.from({ length: FLYING }, sendSome));
  return isWhole && !isStopped();
}

async function sendFile(desk, params, file, onSent, isStopped) {
  let offset = 0;
  do {
    if (isStopped()) return false;
    let data;
    try {
      data = await file.slice(offset, offset + CHUNK_BYTES).arrayBuffer();
    } catch {
      desk.set({ message: `${params.file} cannot be read any more: was it moved?` });
      return false;
    }
    const answer = await desk.ask("upload", { ...params, offset }, [data]);
    if (!answer) return false;
    onSent(data.byteLength);
    offset += data.byteLength;
    if (!answer.content.taken) { // its name may not come in: the report will say so
      onSent(file.size - offset);
      return true;
    }
  } while (offset < file.size);
  return true;
}
