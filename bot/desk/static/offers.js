// What is offered while somebody writes: ready replies after a slash, colleagues after an @, entries of the knowledge base.

import { get } from "./api.js";
import { h, icon } from "./dom.js";
import { open } from "./menu.js";
import { company, me, t } from "./words.js";

document.head.append(h("link", { rel: "stylesheet", href: "/desk/static/dialogs.css" }));
const MOST = 8;
const ready = new Map(); // by language
let team = { at: -Infinity };

/** Offers for `composer`; `talk()` is what is open. `typed(field, noting)`, `choose(event)`, `all()`, `ask()`. */
export function makeOffers(composer, talk) {
  const { field, offers } = composer;
  let found = [];
  let at = 0;
  let from = 0;

  function show(list, start) {
    found = list.slice(0, MOST);
    at = 0;
    from = start;
    offers.hidden = !found.length;
    draw();
  }

  function draw() {
    offers.replaceChildren(...found.map((each, place) => h("button.offered", { type: "button", role: "option", id: `offer-${place}`, "aria-selected": String(place === at), tabindex: -1, onclick: () => take(place) },
      h("b", null, each.name), h("span", { dir: "auto" }, each.words))));
    if (found.length) field.setAttribute("aria-activedescendant", `offer-${at}`);
    else field.removeAttribute("aria-activedescendant");
    offers.children[at]?.scrollIntoView({ block: "nearest" });
  }

  function take(place) {
    const chosen = found[place];
    if (!chosen) return;
    composer.insert(chosen.insert, from);
    show([], 0);
    field.focus();
  }

  return {
    async typed(noting) {
      const before = field.value.slice(0, field.selectionStart);
      const command = noting ? null : /(?:^|\s)\/([^\s/]*)$/.exec(before);
      const called = noting ? /@([^@\n]*)$/.exec(before) : null;
      if (command) {
        const list = await replies(talk());
        const word = command[1].toLowerCase();
        if (!field.value.slice(0, field.selectionStart).endsWith(`/${command[1]}`)) return;
        show(list.filter((each) => each.name.toLowerCase().startsWith(`/${word}`) || each.title.toLowerCase().includes(word)), field.selectionStart - command[1].length - 1);
      } else if (called) {
        const people = await colleagues();
        if (field.value.slice(0, field.selectionStart) !== before) return; // what was typed since asks for itself
        const word = called[1].toLowerCase();
        const list = people.filter((each) => each.id !== me.id && each.name.toLowerCase().startsWith(word) && each.name.length > called[1].length);
        show(list.map((each) => ({ name: `@${each.name}`, words: t(each.here ? "team.here" : "team.gone"), insert: `@${each.name} ` })), field.selectionStart - called[1].length - 1);
      } else show([], 0);
    },
    /** A key while something is offered; true if it was for the offers. */
    choose(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        at = (at + step + found.length) % found.length;
        draw();
      } else if (event.key === "Enter" || event.key === "Tab") take(at);
      else if (event.key === "Escape") show([], 0);
      else return false;
      event.preventDefault();
      return true;
    },
    /** Every ready reply. */
    async all() {
      show(await replies(talk()), field.selectionStart);
      field.focus();
    },
    /** Look something up and put the answer into the reply. */
    ask() {
      const list = h("ul.entries", { "aria-live": "polite" });
      const words = h("input", { type: "search", id: "knowledge-words", "aria-label": t("knowledge.label"), placeholder: t("knowledge.placeholder"), autofocus: true });
      let waiting = 0;
      const dialog = open([h("h2", null, t("knowledge.heading")), words, list, h("form.choose", { method: "dialog" }, h("button.button", null, t("keys.close")))], t("knowledge.heading"));
      const look = async () => {
        const asked = words.value.trim();
        const entries = asked ? (await get(`knowledge?${new URLSearchParams({ q: asked, language: talk().conversation.language })}`)).entries : [];
        if (asked !== words.value.trim()) return;
        list.replaceChildren(...entries.map((entry) => h("li.entry", null, h("b", { dir: "auto" }, entry.question), h("p", { dir: "auto" }, entry.answer),
          h("button.button", { type: "button", onclick: () => { dialog.close(); composer.insert(entry.answer); field.focus(); } }, icon("send"), t("knowledge.insert")))));
        if (asked && !entries.length) list.replaceChildren(h("li.nothing", null, t("knowledge.none")));
      };
      words.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(look, 250); });
      words.addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); look(); } });
      const last = talk().messages.filter((each) => each.author === "customer").at(-1);
      if (last) { words.value = last.text.slice(0, 100); look(); }
      words.select();
    },
  };
}

/** Who works here, and who is here: asked once for all that is typed within a minute. */
async function colleagues() {
  if (Date.now() - team.at > 60000) team = { at: Date.now(), people: get("team").then(({ people }) => people) };
  const asked = team;
  try {
    return await asked.people;
  } catch (error) {
    if (team === asked) team = { at: -Infinity };
    throw error;
  }
}

/** The ready replies for a conversation, filled in; those of its department first. */
async function replies(talk) {
  const { language, department, name } = talk.conversation;
  // What a supervisor changes is there within a minute, without loading the page anew.
  const known = ready.get(language);
  if (!known || Date.now() - known.at > 60000) ready.set(language, { at: Date.now(), replies: (await get(`canned?language=${language}`)).replies });
  const number = talk.customer.cases.find((each) => each.open)?.number || "";
  const values = { customer: name || "", agent: me.called[language], company, case: number };
  const fill = (text) => text.replace(/\{(\w+)\}/g, (whole, word) => values[word] ?? whole).replace(/ +([,，.!])/g, "$1").replace(/^[,，\s]+/, "");
  const here = department || talk.customer.cases.find((each) => each.open)?.department_key;
  const fits = ready.get(language).replies.filter((each) => !each.department || each.department === here || each.department === me.department);
  fits.sort((a, b) => Boolean(b.department) - Boolean(a.department));
  // A department's own stands for that of everybody with the same shortcut.
  return fits.filter((each, place) => fits.findIndex((other) => other.shortcut === each.shortcut) === place)
    .map((each) => ({ name: `/${each.shortcut}`, title: each.title, words: fill(each.text), insert: fill(each.text) }));
}
