// Gestures on their way: kept in the page's storage until Python has them on disk.

const QUEUE_RETRY_MS = 15000;
const QUEUE_LONGEST_MS = 60000;

/** Return a number for a gesture that nobody else has, in the order of making. */
export function makeGestureId() {
  const random = crypto.getRandomValues(new Uint32Array(2));
  return `${Date.now().toString(36)}-${[...random].map((n) => n.toString(36)).join("")}`;
}

/**
 * Return the queue of one project's gestures, with those that an earlier page or kernel left.
 *
 * key: names the project. send(gesture): hands one to the kernel, throws when there is none.
 * onChange(): the queue became longer or shorter, or the kernel was lost or found.
 */
export function createQueue(key, send, onChange) {
  const prefix = `workbench:${key}:`;
  const waiting = readQueueStore(prefix);
  const queue = { waiting, online: true, add, settle, resend, destroy, last: Date.now() };
  let pause = QUEUE_RETRY_MS;
  let timer = setTimeout(retry, pause);

  function add(gesture) {
    waiting.push(gesture);
    writeQueueStore(prefix, gesture);
    post(gesture);
    onChange();
  }

  function post(gesture) {
    try {
      send(gesture);
      queue.online = true;
    } catch {
      queue.online = false; // the kernel was restarted: the cell that is run again takes over
    }
  }

  function settle(id) {
    const index = waiting.findIndex((gesture) => gesture.id === id);
    if (index < 0) return null;
    const [gesture] = waiting.splice(index, 1);
    removeQueueStore(prefix, gesture);
    queue.online = true;
    queue.last = Date.now();
    pause = QUEUE_RETRY_MS;
    onChange();
    return gesture;
  }

  /** Send all that waits once more, in order: Python applies each once. */
  function resend() {
    for (const gesture of waiting) post(gesture);
    onChange();
  }

  function retry() {
    if (waiting.length && Date.now() - queue.last >= pause) {
      pause = Math.min(pause * 2, QUEUE_LONGEST_MS);
      resend();
    }
    timer = setTimeout(retry, QUEUE_RETRY_MS / 3);
  }

  function warn(event) {
    if (waiting.length) event.preventDefault(); // the browser asks whether to leave
  }
  window.addEventListener("beforeunload", warn);

  function destroy() {
    clearTimeout(timer);
    window.removeEventListener("beforeunload", warn);
  }
  return queue;
}

function writeQueueStore(prefix, gesture) {
  try {
    sessionStorage.setItem(prefix + gesture.id, JSON.stringify(packQueued(gesture)));
  } catch {
    // A full or forbidden storage: the gesture still waits in memory.
  }
}

function removeQueueStore(prefix, gesture) {
  try {
    sessionStorage.removeItem(prefix + gesture.id);
  } catch {
    // As above.
  }
}

function readQueueStore(prefix) {
  const found = [];
  try {
    for (let i = 0; i < sessionStorage.length; i += 1) {
      const name = sessionStorage.key(i);
      if (name.startsWith(prefix)) found.push(unpackQueued(sessionStorage.getItem(name)));
    }
  } catch {
    return [];
  }
  return found.filter(Boolean).sort((a, b) => a.order - b.order);
}

let queueOrder = 0;

function packQueued(gesture) {
  gesture.order ??= Date.now() * 1000 + (queueOrder++ % 1000);
  const points = gesture.points16 ? [...gesture.points16] : null;
  return { ...gesture, points16: points };
}

function unpackQueued(text) {
  try {
    const gesture = JSON.parse(text);
    if (gesture.points16) gesture.points16 = Int32Array.from(gesture.points16);
    return gesture;
  } catch {
    return null;
  }
}
