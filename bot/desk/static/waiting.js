// Whoever leaves a customer waiting is reminded, at a third and at two thirds of the time after which the conversation
// goes back to the queue.

import { get } from "./api.js";
import { nameOf } from "./list.js";
import { notify, sound, toast } from "./menu.js";
import { now, patience, t } from "./words.js";

export function remind() {
  const reminded = new Map();
  setInterval(async () => {
    const rows = (await get("conversations?view=mine", true).catch(() => null))?.conversations || [];
    for (const row of rows.filter((each) => each.last?.author === "customer")) {
      const third = Math.min(2, Math.floor((now() - Date.parse(row.active_at)) / (patience * 20000)));
      const key = `${row.last.id}.${third}`;
      if (third < 1 || reminded.get(row.id) === key) continue;
      reminded.set(row.id, key);
      sound.play();
      notify(t("notify.waiting"));
      toast(t("idle.prompt", { name: nameOf(row), minutes: Math.round((now() - Date.parse(row.active_at)) / 60000), left: Math.max(1, Math.round(patience - (now() - Date.parse(row.active_at)) / 60000)) }), true);
    }
  }, 30000);
}
