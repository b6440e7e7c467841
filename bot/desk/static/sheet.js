// Copying, asking before what is hard to undo, and figures that stay fresh. Without this script every page still works.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = button.parentElement.querySelector("input");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand("copy"); // over plain http there is no clipboard to write to
  }
  button.setAttribute("data-copied", "");
  button.prepend("✓ ");
}, { passive: true });

document.addEventListener("submit", (event) => {
  const words = event.submitter?.dataset.ask;
  if (words && !window.confirm(words)) event.preventDefault();
});

const main = document.getElementById("main");
const seconds = Number(main.dataset.live || 0);
if (seconds) {
  setInterval(async () => {
    if (document.hidden || main.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { "X-Background": "1" }, cache: "no-store" });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
      if (fresh) main.replaceChildren(...document.importNode(fresh, true).childNodes);
    } catch {
      // No connection: what is shown stays.
    }
  }, seconds * 1000);
}
