// Keys of the whole page: not while somebody writes, nor under a dialog.

/** `keys` says what each does, letters in lower case. */
export function onKeys(keys) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open], :popover-open")) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (event.key.startsWith("Arrow") && !event.target.closest(".lists")) return;
    const does = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!does) return;
    event.preventDefault();
    does();
  });
}
