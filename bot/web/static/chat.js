// The chat page: what the customer sees of the conversation, and what they do with it.

import { bubble, choices, choose, element, reopen, retire } from "./bubbles.js";
import { Connection } from "./connection.js";
import { shownFile, Tray } from "./files.js";

const { language, limit, file_limit: fileLimit, texts } = JSON.parse(document.getElementById("settings").textContent);
const byId = (id) => document.getElementById(id);
const [log, messages, pending, words, send] = ["log", "messages", "pending", "words", "send"].map(byId);
const framed = window.parent !== window;
const title = document.title;
const SIDE_BY_SIDE = 5 * 60_000; // messages of one sender within this stand together

const items = new Map(); // by seq, each with its element
let oldest = Infinity;
let state = { owner: "bot" };
let first = true;
let visible = true; // in the widget: whether its frame is open
let unread = 0;

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name, at) => (name in values ? apart(text, at, whole.length, String(values[name])) : whole));
}

// A value within Chinese words stands apart from them by a space where it is Latin.
function apart(text, at, length, value) {
  if (language !== "zh") return value;
  const before = /[\u3400-\u9fff]$/.test(text.slice(0, at)) && /^[A-Za-z0-9\u00c0-\u024f]/.test(value) ? " " : "";
  const after = /^[\u3400-\u9fff]/.test(text.slice(at + length)) && /[A-Za-z0-9\u00c0-\u024f]$/.test(value) ? " " : "";
  return before + value + after;
}

// ---- scrolling: to the newest, unless the customer reads further up ----

const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 90;
let following = true;

function toEnd() {
  following = true;
  log.scrollTop = log.scrollHeight;
  byId("latest").hidden = true;
}

log.addEventListener("scroll", () => {
  following = atEnd();
  if (following) byId("latest").hidden = true;
}, { passive: true });
new ResizeObserver(() => following && toEnd()).observe(log);
byId("latest").onclick = () => {
  toEnd();
  words.focus();
};

// ---- the transcript ----

function show(item) {
  if (items.has(item.seq)) return;
  oldest = Math.min(oldest, item.seq);
  items.set(item.seq, item);
  if (item.tapped !== undefined && mark(item)) return;
  item.element = drawn(item);
  const after = [...messages.children].reverse().find((each) => Number(each.dataset.seq) < item.seq);
  if (after) after.after(item.element);
  else messages.prepend(item.element);
  together(item.element);
  if (item.element.nextElementSibling) together(item.element.nextElementSibling);
  if (item.buttons) for (const tap of items.values()) if (tap.tapped === item.seq && mark(tap)) tap.element?.remove();
}

function drawn(item) {
  const made = element("li", { className: `message ${item.from}` });
  made.dataset.seq = item.seq;
  made.dataset.from = item.from + (item.name ?? "");
  made.dataset.at = item.at;
  const by = item.from === "you" ? texts.you : item.name ?? (item.from === "agent" ? texts.person : texts.bot);
  made.append(element("span", { className: item.from === "agent" ? "by" : "only-heard", textContent: by }));
  if (item.text || !item.files) made.append(...bubble(item.text, texts));
  if (item.files) made.append(...item.files.map((file) => shownFile(file, connection, texts)));
  if (item.buttons?.length) {
    item.offered = choices(item.buttons, item.text.slice(0, 120) || texts.choices, (index, chosen) => tap(item, index, chosen));
    made.append(item.offered);
  }
  made.append(element("time", { className: "when", dateTime: item.at, textContent: clock(item.at) }));
  return made;
}

// A tap is shown on the button itself. False where its message is not on the page.
function mark(tap) {
  const asked = items.get(tap.tapped);
  const index = asked?.buttons?.indexOf(tap.text) ?? -1;
  if (!asked?.offered || index < 0) return false;
  if (!(asked.chosenBy > tap.seq)) {
    asked.chosenBy = tap.seq;
    choose(asked.offered, index, asked.again, texts.change);
  }
  return true;
}

// Messages of one sender stand together: name and time once, a line for each new day.
function together(made) {
  const before = made.previousElementSibling;
  const at = new Date(made.dataset.at);
  const earlier = before && new Date(before.dataset.at);
  made.querySelector(".day")?.remove();
  if (!earlier || earlier.toDateString() !== at.toDateString()) {
    made.prepend(element("span", { className: "day", textContent: day(at) }));
  }
  const close = earlier && before.dataset.from === made.dataset.from && at - earlier < SIDE_BY_SIDE;
  made.classList.toggle("follows", Boolean(close) && earlier.toDateString() === at.toDateString());
  if (before) before.querySelector(".when").hidden = made.classList.contains("follows");
}

const locale = language === "zh" ? "zh-CN" : "en";
const clock = (at) => new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(at));

function day(at) {
  const now = new Date();
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return texts.today;
  if (days === 1) return texts.yesterday;
  const year = at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return new Intl.DateTimeFormat(locale, { ...year, month: "long", day: "numeric", weekday: "short" }).format(at);
}

// When the office opens, by the customer's own clock: 明天 09:00, "tomorrow at 09:00", "on Monday at 09:00".
function opening(iso) {
  const at = new Date(iso);
  const days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86_400_000);
  const near = { 0: texts.opens_today, 1: texts.opens_tomorrow }[days];
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(iso) ?? [];
  const here = sign && -at.getTimezoneOffset() === Number(`${sign}1`) * (60 * hours + Number(minutes));
  const shown = here ? clock(iso) : filled(texts.local_clock, { clock: clock(iso) });
  return filled(near ?? texts.opens_on, { clock: shown, day: new Intl.DateTimeFormat(locale, { weekday: "long" }).format(at) });
}

// Choices stay until newer ones take their place, whatever is written meanwhile; a rating may be changed even then.
function calm() {
  const offering = [...items.values()].filter((item) => item.offered).sort((a, b) => a.seq - b.seq);
  for (const item of offering.slice(0, -1)) if (!item.again) retire(item.offered);
}

function clear() {
  items.clear();
  messages.replaceChildren();
  oldest = Infinity;
}

function viewed(view) {
  const stay = !following;
  if (view.fresh) {
    clear();
    byId("earlier").hidden = !view.more;
  }
  const known = items.size;
  // What came twice is neither unread again nor the end of somebody's writing.
  const fromOthers = view.items.filter((item) => item.from !== "you" && !items.has(item.seq)).length;
  view.items.forEach(show);
  settle(view.state);
  byId("welcome").hidden = items.size > 0;
  calm();
  if (fromOthers) writing(null);
  else if (view.done.length) setTimeout(() => { if (writer === "bot") writing(null); }, 1500);
  if (first || !stay) toEnd();
  else if (items.size > known && fromOthers) byId("latest").hidden = false;
  if (first) {
    first = false;
    // From here on a screen reader tells what comes in; what was there before it is not read out.
    setTimeout(() => {
      log.setAttribute("aria-live", "polite");
      messages.classList.add("live");
    });
  } else if (fromOthers && (document.hidden || !visible)) {
    count(unread + fromOthers);
  }
  document.body.dataset.ready = "";
}

byId("earlier").onclick = async () => {
  const button = byId("earlier");
  button.disabled = true;
  try {
    const older = await connection.earlier(oldest);
    const below = log.scrollHeight - log.scrollTop;
    messages.classList.remove("live");
    log.setAttribute("aria-live", "off");
    older.items.forEach(show);
    calm();
    button.hidden = !older.more;
    log.scrollTop = log.scrollHeight - below;
    setTimeout(() => log.setAttribute("aria-live", "polite"));
  } catch {
    // The button stays: they may try again.
  }
  button.disabled = false;
};

// ---- who is at the other end ----

function settle(next) {
  state = next;
  const queue = byId("queue");
  queue.hidden = state.owner !== "queue";
  if (state.owner === "queue") {
    const said =
      state.urgent ? texts.queue_urgent
      : state.opens_at ? filled(texts.queue_closed, { time: opening(state.opens_at) })
      : state.position > 1 ? filled(texts.queue_place, state)
      : texts.queue_first;
    if (queue.textContent !== said) queue.textContent = said;
  }
  const presence = byId("presence");
  presence.dataset.usual ??= presence.textContent;
  const now =
    state.owner === "agent" ? filled(texts.with_person, { name: state.name ?? texts.person })
    : state.owner === "queue" ? (state.opens_at && !state.urgent ? texts.in_queue_closed : texts.in_queue)
    : presence.dataset.usual;
  if (presence.textContent !== now) presence.textContent = now;
}

let soon;
let writer = null;
/** Dots while `who` writes, "bot" or "agent"; null: nobody does. */
function writing(who) {
  writer = who;
  clearTimeout(soon);
  if (!who) {
    byId("typing").hidden = true;
    return;
  }
  soon = setTimeout(() => {
    const stay = following;
    byId("typing").hidden = false;
    if (stay) toEnd();
    soon = setTimeout(writing, 8000, null);
  }, 400);
}

// ---- what is on its way ----

function tap(item, index, chosen) {
  if (item.offered.querySelectorAll(".choice")[index].getAttribute("aria-pressed") === "true") return;
  choose(item.offered, index, item.again, texts.change);
  byId("spoken").textContent = filled(texts.chosen, { title: chosen });
  connection.say({ seq: item.seq, index, title: chosen });
}

function waiting(entries) {
  pending.replaceChildren(...entries.filter((entry) => "text" in entry).map(onItsWay));
  for (const entry of entries.filter((each) => "seq" in each)) {
    const offered = items.get(entry.seq)?.offered;
    if (entry.failed === null) {
      if (offered) choose(offered, entry.index, items.get(entry.seq).again, texts.change);
    } else {
      if (offered) reopen(offered);
      byId("spoken").textContent = entry.failed;
      setTimeout(() => connection.drop([entry.id]));
    }
  }
  if (entries.some((entry) => entry.acked) && state.owner === "bot") writing("bot");
}

function onItsWay(entry) {
  const made = element("li", { className: "message you" }, ...bubble(entry.text || entry.file.name, texts));
  const when = element("span", { className: "when" });
  made.append(when);
  if (entry.failed !== null) {
    made.classList.add("refused");
    const edit = element("button", { type: "button", textContent: texts.edit });
    edit.onclick = () => {
      words.value = [entry.text, words.value].filter(Boolean).join("\n");
      connection.drop([entry.id]);
      written();
      words.focus();
    };
    when.append([texts.failed, entry.failed].filter(Boolean).join(" · "), " ", edit);
  } else if (entry.acked) {
    when.append(element("span", { className: "tick", textContent: "✓ ", "aria-hidden": "true" }), texts.sent);
  } else {
    made.classList.add("coming");
    when.textContent = entry.held ? texts.held : connection.up ? texts.sending : texts.waiting;
  }
  return made;
}

let quietly;
let known = "up";
function lined(line) {
  const banner = byId("line");
  const before = known;
  known = line;
  if (line === "down") {
    const tell = () => {
      banner.textContent = navigator.onLine === false ? texts.offline : texts.reconnecting;
      banner.className = "shown";
    };
    waiting(connection.entries);
    if (navigator.onLine === false) tell();
    if (before === "down") return; // tried again, in vain
    clearTimeout(quietly);
    quietly = setTimeout(tell, 2000); // a moment without a line is nothing to worry anybody with
    return;
  }
  clearTimeout(quietly);
  if (banner.classList.contains("shown")) {
    banner.textContent = texts.back;
    banner.className = "shown good";
    quietly = setTimeout(() => (banner.className = ""), 2500);
  }
}

// ---- the composer ----

const length = () => [...words.value.trim()].length;

function written() {
  words.style.height = "auto";
  words.style.height = `${words.scrollHeight}px`;
  const size = length();
  const room = byId("room");
  room.hidden = size < limit * 0.9;
  room.className = size > limit ? "over" : "";
  room.textContent = size > limit ? filled(texts.over, { over: size - limit, most: limit }) : filled(texts.left, { left: limit - size });
  send.disabled = (!size && !tray.file) || tray.busy || size > limit;
  try {
    sessionStorage.setItem("earful.draft", words.value);
  } catch {
    // a draft that is not kept is no loss
  }
}

function say(text) {
  // What the server cannot keep is replaced here already, so that both mean the same.
  const clean = (text.toWellFormed?.() ?? text).replaceAll("\0", "\uFFFD").trim();
  const file = tray.take();
  if (!clean && !file) return;
  connection.say(file ? { text: clean, file: { key: file.key, name: file.name } } : { text: clean });
  byId("welcome").hidden = true;
  toEnd();
}

byId("composer").onsubmit = (event) => {
  event.preventDefault();
  if (tray.busy) tray.meant = () => byId("composer").requestSubmit();
  if (send.disabled) return;
  say(words.value);
  words.value = "";
  written();
  words.focus();
};
words.addEventListener("input", () => {
  written();
  if (state.owner === "agent" && words.value.trim()) connection.typing();
});
words.addEventListener("keydown", (event) => {
  // Enter that ends the choice of a Chinese word does not send.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    byId("composer").requestSubmit();
  }
});
for (const suggestion of byId("welcome").querySelectorAll(".choice")) {
  suggestion.onclick = () => say(suggestion.textContent);
}

// ---- the window, or the widget's frame ----

function count(now) {
  unread = now;
  document.title = (unread ? filled(texts.unread, { count: unread }) : "") + title;
  if (framed) parent.postMessage({ earful: "unread", count: unread }, "*");
}

document.addEventListener("visibilitychange", () => !document.hidden && visible && count(0));
if (framed) {
  const close = () => parent.postMessage({ earful: "close" }, "*");
  byId("close").hidden = false;
  byId("close").onclick = close;
  addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && close());
  addEventListener("message", (event) => {
    if (event.source !== parent) return;
    visible = event.data?.earful !== "hidden";
    if (visible) count(0);
    if (event.data?.earful === "shown") words.focus();
  });
}

const connection = new Connection(language, (told) => {
  if (told.view) viewed(told.view);
  if (told.entries) {
    waiting(told.entries);
    if (following) toEnd();
  }
  if (told.line) lined(told.line);
  if (told.typing) writing("agent");
  if (told.forgotten) {
    clear();
    byId("spoken").textContent = texts.forgotten;
  }
});
const tray = new Tray(connection, { tray: byId("tray"), field: byId("file"), button: byId("attach"), words, texts, filled, limit: fileLimit }, () => written());
words.disabled = false;
try {
  words.value = sessionStorage.getItem("earful.draft") ?? "";
} catch {
  // no draft
}
written();
connection.start();
if (!framed && matchMedia("(pointer: fine)").matches) words.focus();
