// Replies and notes on their way out: shown at once, tried again, taken back while they are held.

import { newKey, post } from "./api.js";
import { choices, confirm, toast } from "./menu.js";
import { me, now, t } from "./words.js";

const HOLD = 5; // seconds in which a reply may be taken back

/** `state` is the desk's, `on` what shows it: composer, talk, drawTalk, loadTalk, failed, tray. */
export function makeReplies(state, on) {
  let sending = []; // the files of the reply that is being sent

  /** A reply is shown at once, and sent under a key of its own: however often it is tried, it is one message. */
  function send(text) {
    const message = { key: newKey(), author: "agent", staff: me.id, text: text || sending.map((file) => file.name).join(", "), words: text, sending, at: new Date(now()).toISOString(), pending: "pending" };
    sending = [];
    const id = state.id;
    state.pending.set(id, [...(state.pending.get(id) || []), message]);
    on.drawTalk();
    on.talk.toEnd();
    deliver(id, message);
  }

  async function deliver(id, message) {
    try {
      const { id: stored } = await post(`conversations/${id}/messages`, { text: message.words, files: message.sending.map((file) => file.key), client_key: message.key, hold: choices.undo ? HOLD : 0 });
      Object.assign(message, { stored });
      if (id === state.id) await on.loadTalk(id);
    } catch (error) {
      message.pending = "not_saved";
      on.failed(error);
      if (id === state.id) await on.loadTalk(id, false, true);
    }
  }

  /** A note among colleagues. Not saved, it is a draft again. */
  async function note(text) {
    const { id } = state;
    try {
      await post(`conversations/${id}/whispers`, { text, client_key: newKey() });
      if (id === state.id) await on.loadTalk(id);
      on.talk.toEnd();
    } catch (error) {
      on.failed(error);
      if (id === state.id && !on.composer.field.value) on.composer.insert(text);
    }
  }

  /** The last reply that is still held here, or the one given, does not go out: its words are in the field again. */
  async function undo(message = state.talk?.messages.findLast((each) => each.staff === me.id && each.sent?.some((part) => Date.parse(part.held_until) > now()))) {
    const { id } = state;
    if (!message) return;
    try {
      const { text } = await post(`conversations/${id}/messages/${message.id}/take-back`);
      if (message.files?.length) (await on.tray()).again(id, message.files);
      if (id === state.id) on.composer.restore(message.media && text === `[${message.media}]` ? "" : text);
      else on.composer.save(id, text);
      toast(t("undo.done"));
    } catch (error) {
      on.failed(error);
    }
    if (id === state.id) on.loadTalk(id);
  }

  function retry(key) {
    const message = (state.pending.get(state.id) || []).find((each) => each.key === key);
    if (!message) return;
    message.pending = "pending";
    on.drawTalk();
    deliver(state.id, message);
  }

  async function again(parts) {
    const { id } = state;
    if (parts.some((part) => part.state === "unknown") && !(await confirm(t("delivery.unknown"), t("delivery.again_unknown"), t("delivery.again")))) return;
    try {
      for (const part of parts) await post(`conversations/${id}/outbox/${part.id}/again`);
      toast(t("done.again"));
    } catch (error) {
      on.failed(error);
    }
    if (id === state.id) on.loadTalk(id);
  }

  // What was not sent when the page is left, to sign in again perhaps, is a draft when it comes back.
  addEventListener("pagehide", () => {
    for (const [id, messages] of state.pending) {
      const words = messages.filter((message) => message.pending === "not_saved").map((message) => message.text).join("\n");
      if (words) on.composer.save(id, words);
      state.pending.set(id, messages.filter((message) => message.pending !== "not_saved"));
    }
  });

  return { send, note, undo, retry, again, with: (files) => { sending = files; return files; } };
}
