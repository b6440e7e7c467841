// Where a reply is written. Enter sends, but not while an input method is choosing characters.

import { h, icon } from "./dom.js";
import { me, t } from "./words.js";

const LIMIT = 4000;

/** `on.send(text)`, `on.act("claim")`. A draft is kept for each conversation as long as the tab lives. */
export function makeComposer(on) {
  let id = null;
  const count = h("span.count", { role: "status" });
  const field = h("textarea", { id: "reply", rows: 1, placeholder: t("compose.placeholder"), "aria-label": t("compose.label"), "aria-describedby": "hint", enterkeyhint: "send" });
  const button = h("button.primary", { type: "submit", id: "send" }, icon("send"), t("compose.send"));
  const form = h("form.compose", { hidden: true, onsubmit: (event) => { event.preventDefault(); send(); } },
    field, h("div.under", null, h("span.hint", { id: "hint" }, t("compose.hint")), count, button));
  const note = h("div.note", { hidden: true });
  const element = h("div.composer", null, form, note);

  field.addEventListener("input", () => { keep(); fit(); });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return field.blur();
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return undefined;
    if (event.shiftKey) return undefined; // a new line, as everywhere
    event.preventDefault();
    if (event.ctrlKey || event.metaKey || event.altKey) {
      field.setRangeText("\n", field.selectionStart, field.selectionEnd, "end");
      keep();
      fit();
    } else send();
    return undefined;
  });

  const length = () => [...field.value.trim()].length;

  function fit() {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 2, 220)}px`;
    const over = length() - LIMIT;
    count.textContent = over > 0 ? t("compose.too_long", { count: over }) : "";
    button.disabled = length() === 0 || over > 0;
  }

  function keep() {
    try {
      if (field.value) sessionStorage.setItem(`earful.draft.${me.id}.${id}`, field.value);
      else sessionStorage.removeItem(`earful.draft.${me.id}.${id}`);
    } catch {
      // A browser that keeps nothing: the draft lives in the field.
    }
  }

  function kept(of) {
    try {
      return sessionStorage.getItem(`earful.draft.${me.id}.${of}`) || "";
    } catch {
      return "";
    }
  }

  function send() {
    if (button.disabled || form.hidden) return;
    const text = field.value.trim();
    field.value = "";
    keep();
    fit();
    on.send(text);
    field.focus();
  }

  function tell(talk) {
    const row = talk.conversation;
    if (row.public && row.owner === "agent" && row.agent?.id === me.id) return [icon("public"), h("span", null, t("compose.public"))];
    if (row.owner === "agent") return [icon("person"), h("span", null, t("compose.with_other", { name: row.agent?.name || "" }))];
    const words = row.public ? "public_claim" : row.owner === "bot" ? "with_bot" : "claim_first";
    return [icon(row.public ? "public" : row.owner === "bot" ? "bot" : "hand"), h("span", null, t(`compose.${words}`)),
      h(row.owner === "bot" ? "button.button" : "button.primary", { type: "button", id: "claim", onclick: () => on.act("claim") }, t(row.owner === "bot" ? "talk.claim_again" : "talk.claim"), h("kbd", null, "C"))];
  }

  return {
    element,
    draw(talk) {
      const row = talk.conversation;
      const mine = row.owner === "agent" && row.agent?.id === me.id && !row.public;
      form.hidden = !mine;
      note.hidden = mine;
      const state = mine ? "" : JSON.stringify([row.owner, row.agent, row.public]);
      if (!mine && note.dataset.state !== state) {
        note.dataset.state = state;
        note.replaceChildren(...tell(talk));
      }
      if (id === row.id) return;
      id = row.id;
      field.value = kept(id);
      fit();
    },
    /** Keep words that were not sent as the draft of a conversation, before what is being written. */
    save(of, words) {
      const draft = of === id ? field.value : kept(of);
      try {
        sessionStorage.setItem(`earful.draft.${me.id}.${of}`, [words, draft].filter(Boolean).join("\n"));
      } catch {
        // A browser that keeps nothing.
      }
    },
    focus() {
      if (!form.hidden) field.focus();
    },
  };
}
