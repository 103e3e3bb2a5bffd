// What the parts of one view of a panel share: its state, and its talk with Python.

import { createAsker } from "./asking.js";

/**
 * Return {state, set, on, ask, destroy}.
 *
 * onMessage(content, buffers): takes what Python tells unasked. onAnswer(content): sees answers.
 */
export function createPanelDesk(model, state, { onMessage, onAnswer = () => {} }) {
  const asker = createAsker(model);
  const listeners = new Set();

  function set(values) {
    const names = Object.keys(values).filter((name) => state[name] !== values[name]);
    Object.assign(state, values);
    if (names.length) [...listeners].forEach((listener) => listener(new Set(names)));
  }

  /** Ask, show what went wrong, and return the answer or null. */
  async function ask(name, params, buffers) {
    try {
      const answer = await asker.request(name, params, buffers);
      set({ message: "" });
      onAnswer(answer.content);
      return answer;
    } catch (error) {
      set({ message: error.message });
      return null;
    }
  }

  function take(content, buffers) {
    if (!asker.take(content, buffers)) onMessage(content, buffers);
  }

  function on(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  model.on("msg:custom", take);
  return { state, set, on, ask, destroy: () => model.off("msg:custom", take) };
}
