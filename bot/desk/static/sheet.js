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
  // What is pressed twice is done once: the second press finds no button.
  else if (event.target.method === "post") setTimeout(() => { if (event.submitter) event.submitter.disabled = true; });
});
addEventListener("pageshow", () => { for (const button of document.querySelectorAll("button:disabled")) button.disabled = false; });

// A filter that is chosen counts at once.
document.addEventListener("change", (event) => { if (event.target.matches("[data-submit]")) event.target.form.requestSubmit(); });

document.querySelector("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
document.querySelector("details.act[open] :is(textarea, input:not([type=hidden]), select)")?.focus();

const main = document.getElementById("main");

/** Whoever has a form open is not disturbed. */
const writing = () => (main.contains(document.activeElement) && document.activeElement !== main) || main.querySelector("details.act[open]");

if (document.getElementById("start")) {
  const { deadlines } = await import("./due.js");
  deadlines(document);
  setInterval(() => deadlines(document), 1000);
}

const seconds = Number(main.dataset.live || 0);
if (seconds) {
  setInterval(async () => {
    if (document.hidden || writing()) return;
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
