// The agent's own menu, the sheet of shortcuts, questions before what cannot be undone, and words that come and go.

import { h, icon } from "./dom.js";
import { initial, shade } from "./list.js";
import { language, me, t } from "./words.js";

const THEMES = ["auto", "light", "dark"];

export const sound = {
  on: stored("earful.sound") === "on",
  context: null,
  set(on) {
    sound.on = on;
    store("earful.sound", on ? "on" : "off");
    if (on) sound.play(); // lets the browser allow it, and lets people hear what they chose
  },
  /** Two soft tones. */
  play() {
    if (!sound.on) return;
    sound.context ||= new AudioContext();
    const begin = sound.context.currentTime;
    for (const [at, pitch] of [[0, 660], [0.14, 880]]) {
      const tone = sound.context.createOscillator();
      const volume = sound.context.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, begin + at);
      volume.gain.exponentialRampToValueAtTime(0.08, begin + at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, begin + at + 0.22);
      tone.connect(volume).connect(sound.context.destination);
      tone.start(begin + at);
      tone.stop(begin + at + 0.25);
    }
  },
};

/** What an agent chose for this browser: `true` unless it says otherwise. */
export const choices = {
  undo: stored("earful.undo") !== "off",
  enter: stored("earful.enter") !== "off",
  notify: stored("earful.notify") === "on",
};

function choose(name, on) {
  choices[name] = on;
  store(`earful.${name}`, on ? "on" : "off");
}

/** Tell through the system, where the agent allowed it and is looking elsewhere. Never what was said. */
export function notify(words) {
  if (!choices.notify || !document.hidden || !("Notification" in window) || Notification.permission !== "granted") return;
  const note = new Notification(t("page.title"), { body: words, tag: "earful", icon: "/web/static/mark.svg" });
  note.onclick = () => { window.focus(); note.close(); };
}

async function askToNotify(box) {
  const allowed = "Notification" in window && (await Notification.requestPermission()) === "granted";
  box.checked = box.checked && allowed;
  choose("notify", box.checked);
  if (!allowed) toast(t("menu.notify_blocked"), true);
}

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function store(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Kept for as long as the page.
  }
}

/** The button with the agent's initial, and what it opens. */
export function makeMenu({ away }) {
  const chosen = document.documentElement.dataset.theme || "auto";
  const themes = h("fieldset", null, h("legend", null, t("menu.theme")), h("div.choice", null, THEMES.map((name) =>
    h("label", null, h("input", { type: "radio", name: "theme", value: name, checked: name === chosen, onchange: () => setTheme(name) }), h("span", null, t(`menu.${name}`))))));
  const other = language === "zh" ? "en" : "zh";
  const check = (name, shown, on, change) => h("label.check", null, icon(shown), t(`menu.${name}`), h("input", { type: "checkbox", id: name, checked: on, onchange: change }));
  const box = h("div.pop.menu.own", { id: "own", popover: "auto" },
    h("p.me", null, h("b", { dir: "auto" }, me.name), h("span", null, t(`role.${me.role}`))),
    themes,
    check("sound", "sound", sound.on, (event) => sound.set(event.target.checked)),
    check("notify", "bell", choices.notify, (event) => askToNotify(event.target)),
    check("undo", "again", choices.undo, (event) => choose("undo", event.target.checked)),
    check("enter", "send", choices.enter, (event) => { choose("enter", event.target.checked); dispatchEvent(new Event("chosen")); }),
    check("away", "clock", me.away, (event) => away(event.target.checked)),
    h("a", { href: "/desk/cases" }, icon("queue"), t("menu.cases")),
    h("a", { href: "/desk/call-backs" }, icon("bell"), t("menu.calls")),
    h("a", { href: "/desk/entry" }, icon("pen"), t("menu.entry")),
    me.supervisor ? h("a", { href: "/desk/team" }, icon("people"), t("menu.team")) : h("a", { href: "/desk/figures" }, icon("people"), t("menu.figures")),
    me.role === "admin" ? h("a", { href: "/desk/admin" }, icon("gear"), t("menu.admin")) : null,
    h("button", { type: "button", onclick: () => { location.search = `?lang=${other}`; }, lang: other }, icon("web"), t("page.other_language")),
    h("button", { type: "button", onclick: () => { box.hidePopover(); sheet(); } }, icon("keys"), t("menu.keys"), h("kbd", null, "?")),
    h("a", { href: "/desk/name" }, icon("person"), t("menu.name")),
    h("a", { href: "/desk/password" }, icon("lock"), t("menu.password")),
    h("form", { method: "post", action: "/desk/sign-out" }, h("button", { type: "submit", id: "sign-out" }, icon("out"), t("menu.sign_out"))));
  return [h(`button.face.${shade(me.id)}`, { type: "button", id: "me", popovertarget: "own", "aria-label": t("menu.open", { name: me.name }) }, initial(me.name)), box];
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  document.cookie = `earful_theme=${name}; path=/; max-age=31536000; samesite=lax`;
}

let dialog = null;

export function open(content, label) {
  dialog?.close();
  dialog = h("dialog", { "aria-label": label, onclose: (event) => event.target.remove() }, content);
  dialog.addEventListener("click", (event) => { if (event.target === event.currentTarget) event.currentTarget.close(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** The sheet of shortcuts. */
export const sheet = () => import("./shortcuts.js").then(({ shortcuts }) => shortcuts(), () => toast(t("error.reload"), true));

/** Ask before something that the customer notices. True if the agent means it. */
export function confirm(heading, words, yes) {
  return new Promise((resolve) => {
    let meant = false;
    const asked = open([h("h2", null, heading), h("p", null, words),
      h("form.choose", { method: "dialog" }, h("button.button", { type: "submit" }, t("ask.cancel")), h("button.primary", { type: "submit", id: "yes", autofocus: true, onclick: () => { meant = true; } }, yes))], heading);
    asked.addEventListener("close", () => resolve(meant));
  });
}

/** The session has ended: nothing works until they sign in again, and nothing they wrote is lost. It comes by itself, so
 * an Enter that was under way must press nothing: the words are focused, not the link. */
export function signedOut() {
  if (document.getElementById("signed-out")) return;
  const asked = open([h("h2", { id: "signed-out", tabindex: "-1", autofocus: true }, t("sign_in.title")), h("p", null, t("error.signed_out")), h("p.choose", null, h("a.primary", { href: "/desk/sign-in" }, t("sign_in.submit")))], t("sign_in.title"));
  asked.addEventListener("cancel", (event) => event.preventDefault());
}

/** Words that stay for a few seconds; a problem stays until it is closed. */
export function toast(words, problem = false) {
  const box = document.getElementById("toasts");
  const element = h(`div.toast${problem ? ".problem" : ""}`, { role: problem ? "alert" : "status" }, icon(problem ? "bang" : "done"), h("span", null, words),
    problem ? h("button.plain", { type: "button", "aria-label": t("keys.close"), onclick: () => element.remove() }, icon("close")) : null);
  for (const old of box.querySelectorAll(problem ? ".problem" : ".toast:not(.problem)")) old.remove();
  box.append(element);
  setTimeout(() => element.remove(), problem ? 12000 : 3500);
}
