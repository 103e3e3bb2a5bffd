// What is typed in a widget is for the widget, not for JupyterLab's shortcuts.

/** Keep plain keys in an element from the page's shortcuts; Ctrl+S and its like go through. */
export function keepKeys(root) {
  // Lumino asks the target for it first, whichever way it listens.
  const name = "data-lm-suppress-shortcuts";
  const onKey = (event) => {
    if (!root.contains(event.target)) return;
    event.target.toggleAttribute(name, !(event.ctrlKey || event.metaKey));
  };
  window.addEventListener("keydown", onKey, true);
  return () => window.removeEventListener("keydown", onKey, true);
}
