// Pages: what is urgent stands above everything, and sounds with each call, until somebody takes it.

import { get, post } from "./api.js";
import { h, icon, show } from "./dom.js";
import { notify, sound, toast } from "./menu.js";
import { t } from "./words.js";

const EVERY = 10000;
const SOON = 1000; // of many changes at once
const box = document.getElementById("alarms");
const heard = new Map(); // how often each had called when it was last heard
let waiting = 0;
let calling = new Set(); // those that call just now: the others are not read out again

/** Something changed: look for pages, soon. */
export function stir() {
  if (!waiting) waiting = setTimeout(look, SOON);
}

async function look() {
  clearTimeout(waiting);
  waiting = 0;
  try {
    const { alerts } = await get("alerts", true);
    const fresh = alerts.filter((each) => heard.get(each.id) !== each.repeats);
    for (const each of alerts) heard.set(each.id, each.repeats);
    calling = new Set(fresh.map((each) => each.id));
    if (fresh.length) { sound.play(); notify(fresh[0].words); }
    show(box, alerts, (each) => each.id, line);
    box.hidden = !alerts.length;
  } catch {
    // No connection, or signed out: the page says so elsewhere, and we look again.
  }
}

function line(each) {
  const button = h("button.button", { type: "button", onclick: () => take(each, button) }, t("alarm.take"));
  const words = each.conversation ? h("a", { href: `#/queue/${each.conversation}` }, each.words) : h("span", null, each.words);
  return h("div.alarm", { role: calling.has(each.id) ? "alert" : null }, icon("bang"), h("p", null, words, " ", h("small", null, t("alarm.since", { since: each.since, count: each.repeats }))), button);
}

async function take(each, button) {
  button.disabled = true;
  try {
    await post(`alerts/${each.id}/take`);
    toast(t("alarm.taken"));
    if (each.conversation) location.hash = `#/queue/${each.conversation}`;
  } catch (error) {
    button.disabled = false;
    toast(error.message, true);
  }
  look();
}

setInterval(stir, EVERY);
look();
