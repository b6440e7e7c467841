// Forms without a page load: the answer's main part takes the place of the one before. Without this script, or where it
// fails, the forms work as forms do.

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-live]") || form.dataset.plain) return;
  event.preventDefault();
  if (form.dataset.sending) return;
  form.dataset.sending = "yes";
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const wait = form.querySelector(".wait");
  if (wait?.dataset.wait) wait.textContent = wait.dataset.wait;
  event.submitter?.setAttribute("aria-pressed", "true");
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = page.getElementById("main");
    if (!main) throw new Error("no page");
    document.getElementById("main").replaceWith(main);
    document.title = page.title;
    history.replaceState(null, "", answer.url);
    scrollTo({ top: 0 });
    main.focus({ preventScroll: true });
  } catch {
    // The line broke, or what came was no page: let the browser do it, and say what it finds.
    form.dataset.plain = "yes";
    for (const button of form.querySelectorAll("button")) button.disabled = false;
    form.requestSubmit(event.submitter);
  }
});
