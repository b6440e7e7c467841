// Where a reply, or a note among colleagues, is written. Nothing sends while an input method is choosing characters.

import { h, icon } from "./dom.js";
import { choices } from "./menu.js";
import { me, moment, now, span, t } from "./words.js";

const LONGEST = 4000;
const NEAR = 0.7; // of what one message carries: from here on its length is shown

/** `on.send(text)`, `on.note(text)`, `on.act("claim")`, `on.typed(noting)`: to offer what fits. A draft is kept for each
 * conversation, of a reply and of a note, as long as the tab lives. */
export function makeComposer(on) {
  let id = null;
  let mode = "reply";
  let mine = false;
  let allowed = {};
  const count = h("span.count", { role: "status" });
  const field = h("textarea", { id: "reply", rows: 1, "aria-describedby": "hint", "aria-controls": "offers", "aria-autocomplete": "list" });
  const hint = h("span.hint", { id: "hint" });
  const button = h("button.primary", { type: "submit", id: "send" });
  const modes = h("div.modes", { role: "group", "aria-label": t("compose.modes") }, ["reply", "note"].map((name) =>
    h("button.mode", { type: "button", id: `mode-${name}`, onclick: () => { setMode(name); field.focus(); } }, icon(name === "note" ? "note" : "send"), t(`compose.mode_${name}`))));
  const offers = h("div.offers", { id: "offers", hidden: true, role: "listbox", "aria-label": t("canned.offers") });
  const tools = h("div.tools", null,
    h("button.plain", { type: "button", id: "canned", "aria-label": t("canned.open"), title: `${t("canned.open")} (/)`, onclick: () => on.ready() }, icon("bolt")),
    h("button.plain", { type: "button", id: "knowledge", "aria-label": t("knowledge.open"), title: `${t("knowledge.open")} (Ctrl+K)`, onclick: () => on.knowledge() }, icon("book")));
  const clip = h("button.plain", { type: "button", id: "attach", onclick: () => on.attach() }, icon("clip"));
  tools.append(clip);
  const tray = h("div.tray", { hidden: true });
  const limit = h("p.limit", { role: "note", hidden: true });
  const form = h("form.compose", { hidden: true, onsubmit: (event) => { event.preventDefault(); send(); } },
    modes, offers, field, tray, limit, h("div.under", null, tools, hint, count, button));
  const note = h("div.note", { hidden: true });
  const writes = h("p.hint.writes", { role: "status" });
  const element = h("div.composer", null, writes, note, form);
  let quiet = 0;
  let told = 0;

  field.addEventListener("input", () => {
    keep(); fit(); on.typed(mode === "note");
    if (mode === "reply" && length() && Date.now() - told > 4500) { told = Date.now(); on.typing(id); }
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (!offers.hidden && on.choose(event)) return;
    const control = event.ctrlKey || event.metaKey;
    if (control && event.key.toLowerCase() === "k") { event.preventDefault(); on.knowledge(); return; }
    if (event.key === "Escape") {
      if (mode === "note" && !mine) setMode("reply");
      field.blur();
      return;
    }
    if (event.key !== "Enter" || event.shiftKey) return; // with Shift a new line, as everywhere
    event.preventDefault();
    if (control || event.altKey ? choices.enter : !choices.enter) insert("\n");
    else send();
  });
  addEventListener("chosen", () => tellMode());

  const length = () => [...field.value.trim()].length;
  const weight = () => (allowed.bytes ? new TextEncoder().encode(field.value.trim()).length : length());
  const closed = () => Boolean(allowed.stopped || allowed.blocked || allowed.gone || allowed.entered || (allowed.closes_at && Date.parse(allowed.closes_at) <= now()));

  function insert(words, from = field.selectionStart) {
    field.setRangeText(words, from, field.selectionEnd, "end");
    keep();
    fit();
  }

  function fit() {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 2, 220)}px`;
    const over = length() - LONGEST;
    const parts = mode === "reply" && allowed.limit ? Math.ceil(weight() / allowed.limit) : 1;
    count.classList.toggle("over", over > 0);
    count.textContent = over > 0 ? t("compose.too_long", { count: over })
      : parts > 1 ? t("compose.parts", { count: parts })
        : mode === "reply" && allowed.limit && weight() > allowed.limit * NEAR ? t("compose.room", { count: allowed.limit - weight() }) : "";
    button.disabled = (length() === 0 && !(mode === "reply" && !tray.hidden)) || over > 0 || (mode === "reply" && closed());
  }

  function tellLimit() {
    const shut = mode === "reply" && (allowed.gone ? "gone" : allowed.entered ? "entered" : allowed.stopped ? "stopped" : allowed.blocked ? "blocked" : closed() ? "window" : "");
    const left = allowed.closes_at ? Date.parse(allowed.closes_at) - now() : 0;
    limit.hidden = mode !== "reply" || (!shut && !allowed.closes_at);
    limit.classList.toggle("shut", Boolean(shut));
    const words = limit.hidden ? "" : shut ? t(`limit.${shut}`) : t("limit.closes", { time: span(left), at: moment(allowed.closes_at) });
    if (limit.dataset.words !== words) { limit.dataset.words = words; limit.replaceChildren(icon(shut ? "bang" : "clock"), words); }
    fit();
  }

  function setMode(name) {
    if (name === mode && !form.hidden) return;
    keep();
    mode = name;
    field.value = kept(id);
    form.hidden = !mine && mode === "reply";
    note.hidden = !form.hidden;
    tellMode();
  }

  function tellMode() {
    const noting = mode === "note";
    form.classList.toggle("noting", noting);
    for (const each of modes.children) each.setAttribute("aria-pressed", String(each.id === `mode-${mode}`));
    modes.firstElementChild.hidden = !mine;
    field.placeholder = t(noting ? "note.placeholder" : "compose.placeholder");
    field.setAttribute("aria-label", t(noting ? "note.label" : "compose.label"));
    tools.hidden = noting;
    clip.disabled = !allowed.files;
    clip.title = t(allowed.files ? "file.attach" : "file.none_here");
    clip.setAttribute("aria-label", clip.title);
    hint.textContent = t(choices.enter ? "compose.hint" : "compose.hint_other");
    button.replaceChildren(icon(noting ? "note" : "send"), t(noting ? "note.send" : "compose.send"));
    tellLimit();
  }

  const draft = (of) => `earful.draft.${me.id}.${of}${mode === "note" ? ".note" : ""}`;

  function keep() {
    try {
      if (field.value) sessionStorage.setItem(draft(id), field.value);
      else sessionStorage.removeItem(draft(id));
    } catch {
      // A browser that keeps nothing: the draft lives in the field.
    }
  }

  function kept(of) {
    try {
      return sessionStorage.getItem(draft(of)) || "";
    } catch {
      return "";
    }
  }

  function send() {
    if (button.disabled || form.hidden) return;
    const text = field.value.trim();
    if (mode === "reply" && !tray.hidden && !on.through()) return;
    field.value = "";
    keep();
    if (mode === "note") on.note(text);
    else on.send(text);
    fit();
    field.focus();
  }

  function tell(talk) {
    const row = talk.conversation;
    const whisper = h("button.button", { type: "button", id: "whisper", onclick: () => { setMode("note"); field.focus(); } }, icon("note"), t("note.open"), h("kbd", null, "N"));
    if (row.public && row.owner === "agent" && row.agent?.id === me.id) return [icon("public"), h("span", null, t("compose.public")), whisper];
    if (row.owner === "agent") return [icon("person"), h("span", null, t("compose.with_other", { name: row.agent?.name || "" })), whisper];
    const words = row.public ? "public_claim" : row.owner === "bot" ? "with_bot" : "claim_first";
    return [icon(row.public ? "public" : row.owner === "bot" ? "bot" : "hand"), h("span", null, t(`compose.${words}`)), whisper,
      h(row.owner === "bot" ? "button.button" : "button.primary", { type: "button", id: "claim", onclick: () => on.act("claim") }, t(row.owner === "bot" ? "talk.claim_again" : "talk.claim"), h("kbd", null, "C"))];
  }

  setInterval(() => { if (allowed.closes_at && !form.hidden) tellLimit(); }, 10000);

  return {
    element, field, offers, tray, insert, fit,
    draw(talk) {
      const row = talk.conversation;
      const other = id !== row.id;
      const had = mine;
      mine = row.owner === "agent" && row.agent?.id === me.id && !row.public;
      allowed = talk.channel || {};
      if (other || (mine && !had)) mode = "reply";
      form.hidden = !mine && mode === "reply";
      note.hidden = !form.hidden;
      const state = mine ? "" : JSON.stringify([row.owner, row.agent, row.public]);
      if (!mine && note.dataset.state !== state) {
        note.dataset.state = state;
        note.replaceChildren(...tell(talk));
      }
      if (other) {
        id = row.id;
        writes.textContent = "";
        told = 0;
        offers.hidden = true;
        field.value = kept(id);
      }
      tellMode();
    },
    /** Keep words that were not sent as the draft of a conversation, before what is being written. */
    save(of, words) {
      const before = of === id && mode === "reply" ? field.value : kept(of);
      try {
        sessionStorage.setItem(`earful.draft.${me.id}.${of}`, [words, before].filter(Boolean).join("\n"));
      } catch {
        // A browser that keeps nothing.
      }
    },
    /** Words that were taken back, to be written anew. */
    restore(words) {
      setMode("reply");
      field.value = [words, field.value].filter(Boolean).join("\n");
      keep();
      fit();
      field.focus();
    },
    /** The customer writes: said for some seconds. */
    typing() {
      writes.textContent = t("compose.writes");
      clearTimeout(quiet);
      quiet = setTimeout(() => { writes.textContent = ""; }, 5000);
    },
    note() {
      setMode("note");
      field.focus();
    },
    focus() {
      if (mine) setMode("reply");
      if (!form.hidden) field.focus();
    },
  };
}
