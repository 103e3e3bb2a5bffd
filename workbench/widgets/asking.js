// Questions to Python: each gets its own answer, whatever else comes in between.

/** Return {request, take}: request(name, params, buffers) promises {content, buffers}. */
export function createAsker(model) {
  const questions = new Map(); // id -> {resolve, reject}
  const page = Math.random().toString(36).slice(2);
  let number = 0;

  function request(name, params = {}, buffers = []) {
    number += 1;
    const id = `${page}-${number}`;
    return new Promise((resolve, reject) => {
      questions.set(id, { resolve, reject });
      try {
        model.send({ kind: "request", request: id, name, params }, undefined, buffers);
      } catch {
        questions.delete(id);
        reject(Object.assign(new Error("The kernel is gone: run the cell again."),
          { isGone: true }));
      }
    });
  }

  /** Take a message; tell whether it was an answer. */
  function take(content, buffers) {
    if (content.kind !== "answer") return false;
    const question = questions.get(content.request);
    questions.delete(content.request);
    if (!question) return true; // of another view
    if (content.ok) question.resolve({ content, buffers });
    else question.reject(new Error(content.error));
    return true;
  }

  return { request, take };
}
