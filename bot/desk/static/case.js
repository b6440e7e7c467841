// A case beside its conversation: the same page that stands at /desk/cases, in a dialog; opening a new one, and
// linking the conversation to one that there is.

import { ended, Failed, post } from "./api.js";
import { ask, choice, option } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { deadlines } from "./due.js";
import { confirm, open, toast } from "./menu.js";
import { t } from "./words.js";

const NATURES = ["product", "service", "price", "logistics", "suggestion", "complaint", "other"];
const FRESH = 10000; // milliseconds after which it is read again

/** What stands on a page of ours: its <main>. Raises Failed. */
async function read(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(20000), ...options });
  } catch {
    throw new Failed("offline", t("error.offline"));
  }
  if (new URL(answer.url).pathname === "/desk/sign-in") {
    ended.tell();
    throw new Failed("signed_out", t("error.signed_out"));
  }
  const words = await answer.text();
  const found = new DOMParser().parseFromString(words, "text/html").getElementById("main");
  if (!found?.querySelector("#case")) throw new Failed("server", answer.status < 500 && !words.startsWith("<") ? words : t("error.server", { number: answer.status }));
  return [...document.importNode(found, true).childNodes];
}

/** Open the case of this number; `changed()` after something was done. */
export async function openCase(number, changed) {
  if (!document.getElementById("case-style")) document.head.append(h("link", { id: "case-style", rel: "stylesheet", href: "/desk/static/case.css" }));
  const first = await read(`/desk/cases/${number}`);
  const box = h("div", null, first);
  let at = `/desk/cases/${number}`;
  const dialog = open([h("button.plain.shut", { type: "button", "aria-label": t("keys.close"), onclick: () => dialog.close() }, icon("close")), box], `#${number}`);
  dialog.className = "case";
  const draw = (nodes) => {
    box.replaceChildren(...nodes);
    deadlines(box);
    const wrong = box.querySelector("details[open] :is(textarea, input:not([type=hidden]), select)");
    wrong?.focus();
  };
  const writing = () => box.querySelector("details.act[open]") || box.contains(document.activeElement);
  deadlines(box);

  box.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const button = event.submitter;
    if (button?.disabled) return;
    if (button) button.disabled = true;
    try {
      draw(await read(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }));
      dialog.scrollTop = 0;
      changed();
    } catch (error) {
      if (button) button.disabled = false;
      if (!(error instanceof Failed)) throw error;
      toast(error.message, true);
    }
  });
  box.addEventListener("click", async (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    if (link.hasAttribute("data-leave")) return dialog.close();
    if (!/^\/desk\/cases\/\d+$/.test(link.getAttribute("href"))) return;
    event.preventDefault();
    try {
      draw(await read(link.href));
      at = link.getAttribute("href");
    } catch (error) {
      toast(error.message, true);
    }
  });
  const timer = setInterval(async () => {
    if (document.hidden || writing()) return;
    try {
      const fresh = await read(at, { headers: { "X-Background": "1" } });
      if (!writing()) draw(fresh);
    } catch {
      // What is shown stays.
    }
  }, FRESH);
  dialog.addEventListener("close", () => clearInterval(timer));
}

/** A new case in this conversation: its number, or null. */
export async function newCase(conversation) {
  const given = await ask(t("beside.new_heading"), [
    h("p.choice-of", null, h("label", { for: "case-title" }, t("beside.title")), h("textarea", { id: "case-title", name: "title", rows: 2, maxlength: 120, required: true, placeholder: t("beside.title_hint") })),
    choice("nature", t("beside.nature"), NATURES.map((each) => option(each, t(`nature.${each}`), each === "complaint"))),
    choice("urgency", t("correct.urgency"), ["normal", "important", "urgent"].map((each) => option(each, t(`urgency.${each}`), each === "important"))),
    h("p.choice-of", null, h("label", { for: "case-order" }, t("beside.order")), h("input", { id: "case-order", name: "order_number", maxlength: 60, autocomplete: "off" })),
    h("p.choice-of", null, h("label.check", null, h("input", { type: "checkbox", name: "tell", checked: true }), t("beside.tell"))),
  ], t("beside.new"));
  if (!given) return null;
  return (await post(`conversations/${conversation}/cases`, { ...given, tell: "tell" in given })).number;
}

/** This conversation is about a case that there is already: its number, or null. */
export async function linkCase(talk) {
  const known = talk.customer.cases.filter((each) => each.open && !each.here);
  const last = talk.messages.findLast((each) => each.author === "customer" && !each.removed);
  const other = h("input", { id: "link-number", name: "number", maxlength: 20, inputmode: "numeric", autocomplete: "off", placeholder: "#" });
  const typed = h("p.choice-of", null, h("label", { for: "link-number" }, t(known.length ? "beside.link_other" : "beside.link_number")), other);
  const pick = choice("which", t("beside.link_number"), [...known.map((each) => option(each.number, `#${each.number} · ${each.title}`.slice(0, 90))), option("", t("beside.link_other"))]);
  const shown = () => { typed.hidden = known.length > 0 && pick.querySelector("select").value !== ""; other.required = !typed.hidden; };
  if (known.length) pick.addEventListener("change", shown);
  shown();
  const given = await ask(t("beside.link_heading"), [
    known.length ? pick : null, typed,
    h("p.choice-of", null, h("label", { for: "link-words" }, t("beside.link_words")), h("textarea", { id: "link-words", name: "words", rows: 3, maxlength: 300, value: (last?.text || "").slice(0, 300), dir: "auto" })),
    h("p.soft", null, t("beside.link_more")),
  ].filter(Boolean), t("beside.link"));
  if (!given) return null;
  const body = { number: given.which || given.number, words: given.words };
  const at = `conversations/${talk.conversation.id}/cases/link`;
  try {
    return (await post(at, body)).number;
  } catch (error) {
    if (error.code !== "other_customer" || !(await confirm(t("beside.link"), error.message, t("beside.link_anyway")))) throw error;
    return (await post(at, { ...body, sure: true })).number;
  }
}
