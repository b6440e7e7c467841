// The desk: what is shown, and what happens when something is pressed, or changes elsewhere.

import { makeAbout, deadlines } from "./about.js";
import { ended, Failed, get, newKey, post } from "./api.js";
import { makeComposer } from "./composer.js";
import { h, icon } from "./dom.js";
import { makeList, seen, tick, VIEWS } from "./list.js";
import { watch } from "./live.js";
import { confirm, makeMenu, sheet, signedOut, sound, toast } from "./menu.js";
import { makeTalk } from "./talk.js";
import { me, now, t } from "./words.js";

const desk = document.getElementById("desk");
const state = { view: "queue", id: null, rows: [], counts: {}, next: null, pages: 1, loaded: false, stirred: new Set(), talk: null, pending: new Map() };
const live = h("span.live", { role: "status" });

ended.tell = signedOut;

const composer = makeComposer({ send, act });
const talk = makeTalk(document.getElementById("talk"), {
  composer,
  on: { act, again, retry, earlier, details: () => pane(desk.dataset.pane === "about" ? "talk" : "about"), view: () => state.view, mayWrite },
});
const about = makeAbout(document.getElementById("about"), { close: () => pane("talk") });
const list = makeList(document.getElementById("lists"), {
  menu: makeMenu(), live,
  on: { filter: () => { state.pages = 1; state.loaded = false; state.rows = []; draw(); loadList(); }, more: () => { state.pages += 1; loadList(); } },
});

// ---- what is shown ----

const rowsOf = () => ({ ...state, stirred: state.stirred.size });

function draw() {
  list.draw(rowsOf());
  const waiting = state.counts.queue;
  document.title = `${waiting ? `(${waiting}) ` : ""}${t("page.title")}`;
}

function drawTalk(fresh = false) {
  const data = state.talk && { ...state.talk, pending: state.pending.get(state.id) || [] };
  talk.draw(data, fresh);
  if (state.talk) state.talk.grown = false;
  about.draw(data);
}

function pane(name) {
  desk.dataset.pane = name;
}

const wide = () => matchMedia("(min-width: 1180px)").matches;

function route() {
  const [, view, id] = location.hash.split("/");
  const wanted = VIEWS.includes(view) ? view : "queue";
  const number = /^\d+$/.test(id || "") ? Number(id) : null;
  if (wanted !== state.view || !state.loaded) {
    Object.assign(state, { view: wanted, rows: [], next: null, pages: 1, loaded: false });
    loadList();
  }
  if (number !== state.id) {
    Object.assign(state, { id: number, talk: null });
    if (number) loadTalk(number, true);
    else drawTalk();
  }
  pane(number ? "talk" : "list");
  draw();
  list.reveal();
}

// ---- reading ----

let listing = 0;

/** Read the pages of the list that are shown. Of two readings under way the later one counts. */
async function loadList(background = false) {
  const mine = ++listing;
  const { view } = state;
  const query = new URLSearchParams({ view, ...Object.fromEntries(Object.entries(list.filters).filter(([, value]) => value)) });
  const rows = new Map();
  let found = null;
  try {
    for (let page = 0; page < state.pages && (page === 0 || found.next); page += 1) {
      if (found) query.set("after", found.next);
      found = await get(`conversations?${query}`, background);
      if (mine !== listing) return;
      for (const row of found.conversations) rows.set(row.id, row);
    }
  } catch (error) {
    if (mine === listing) failed(error, background);
    return;
  }
  Object.assign(state, { rows: [...rows.values()], next: found.next, counts: found.counts, opens: found.opens_at, loaded: true });
  for (const row of state.rows) if (row.owner === "queue") queued.add(row.id);
  tellLive(link);
  draw();
}

/** Read the open conversation. What was paged in before its last messages is kept. */
async function loadTalk(id, fresh = false, background = false) {
  try {
    const found = await get(`conversations/${id}`, background);
    if (id !== state.id) return;
    const kept = !fresh && state.talk ? state.talk.messages.filter((message) => message.id < found.from) : [];
    const more = kept.length ? state.talk.more : found.more;
    state.talk = { ...found, messages: [...kept, ...found.messages], more };
    const there = new Set(found.messages.map((message) => message.id));
    state.pending.set(id, (state.pending.get(id) || []).filter((message) => !there.has(message.stored)));
    if (!document.hidden) read();
    drawTalk(fresh);
  } catch (error) {
    if (id !== state.id) return;
    failed(error, background);
    if (error.code === "no_conversation") location.hash = `#/${state.view}`;
  }
}

function read() {
  if (!state.talk) return;
  state.stirred.delete(state.id);
  seen.mark(state.id, state.talk.messages.at(-1)?.id);
  draw();
}

async function earlier() {
  const { id, talk: shown } = state;
  const first = shown.first ?? shown.from;
  try {
    const found = await get(`conversations/${id}/messages?before=${first}`);
    if (id !== state.id) return;
    state.talk = { ...state.talk, messages: [...found.messages, ...state.talk.messages], more: found.more, first: found.from, grown: true };
    drawTalk();
  } catch (error) {
    failed(error);
  }
}

function failed(error, background = false) {
  if (!(error instanceof Failed)) throw error;
  if (error.code === "signed_out" || error.code === "must_change") return;
  if (background) tellLive("away");
  else toast(error.message, true);
}

// ---- acting ----

/** The open conversation as far as it is known: a key may be faster than the service. */
function current() {
  return state.talk?.conversation || state.rows.find((row) => row.id === state.id);
}

function owned() {
  return current()?.owner === "agent" && current().agent?.id === me.id;
}

function mayAct() {
  return owned() || (me.supervisor && current()?.owner === "agent");
}

function mayWrite() {
  return mayAct() || (Boolean(current()) && current().owner !== "agent");
}

let acting = false;

async function act(name) {
  const { id } = state;
  const row = current();
  if (!row || acting) return;
  const claiming = name === "claim";
  if (claiming ? owned() : !mayAct()) return;
  if (!claiming) {
    const closing = name === "resolve" && row.public ? "resolve_public" : `${name}_more`;
    if (!(await confirm(t(`ask.${name}`), t(`ask.${closing}`), t(`talk.${name}`)))) return;
  }
  acting = true;
  try {
    await post(`conversations/${id}/${name.replace("_", "-")}`);
    if (!claiming) toast(t(`done.${name === "resolve" ? (row.public ? "resolved_public" : "resolved") : name}`));
    if (claiming) {
      location.hash = `#/mine/${id}`;
      await loadTalk(id);
      composer.focus();
    } else {
      location.hash = `#/${state.view}`;
      list.focus();
    }
  } catch (error) {
    failed(error);
    if (id === state.id) loadTalk(id);
  } finally {
    acting = false;
  }
  loadList();
}

/** A reply is shown at once, and sent under a key of its own: however often it is tried, it is one message. */
function send(text) {
  const message = { key: newKey(), author: "agent", staff: me.id, text, at: new Date(now()).toISOString(), pending: "pending" };
  const id = state.id;
  state.pending.set(id, [...(state.pending.get(id) || []), message]);
  drawTalk();
  talk.toEnd();
  deliver(id, message);
}

async function deliver(id, message) {
  try {
    const { id: stored } = await post(`conversations/${id}/messages`, { text: message.text, client_key: message.key });
    Object.assign(message, { stored });
    if (id === state.id) await loadTalk(id);
  } catch (error) {
    message.pending = "not_saved";
    failed(error);
    if (id === state.id) await loadTalk(id, false, true);
  }
}

function retry(key) {
  const message = (state.pending.get(state.id) || []).find((each) => each.key === key);
  if (!message) return;
  message.pending = "pending";
  drawTalk();
  deliver(state.id, message);
}

// What was not sent when the page is left, to sign in again perhaps, is a draft when it comes back.
addEventListener("pagehide", () => {
  for (const [id, messages] of state.pending) {
    const words = messages.filter((message) => message.pending === "not_saved").map((message) => message.text).join("\n");
    if (words) composer.save(id, words);
    state.pending.set(id, messages.filter((message) => message.pending !== "not_saved"));
  }
});

async function again(parts) {
  const { id } = state;
  if (parts.some((part) => part.state === "unknown") && !(await confirm(t("delivery.unknown"), t("delivery.again_unknown"), t("delivery.again")))) return;
  try {
    for (const part of parts) await post(`conversations/${id}/outbox/${part.id}/again`);
    toast(t("done.again"));
  } catch (error) {
    failed(error);
  }
  if (id === state.id) loadTalk(id);
}

// ---- what changes elsewhere ----

let soon = 0;
let link = "off";
const queued = new Set();

function refresh() {
  clearTimeout(soon);
  soon = setTimeout(() => loadList(true), 300);
}

watch({
  changed(conversations, all) {
    if (all) {
      refresh();
      if (state.id) loadTalk(state.id, false, true);
      return;
    }
    for (const each of conversations) {
      const own = each.owner === "agent" && each.agent === me.id;
      if (own && (each.id !== state.id || document.hidden)) {
        if (!state.stirred.has(each.id)) sound.play();
        state.stirred.add(each.id);
      }
      if (each.owner !== "queue") queued.delete(each.id);
      else if (!queued.has(each.id)) {
        queued.add(each.id);
        sound.play();
      }
      if (each.id === state.id) loadTalk(each.id, false, true);
    }
    const listed = new Set(state.rows.map((row) => row.id));
    if (state.view === "bot" || conversations.some((each) => each.owner !== "bot" || listed.has(each.id))) refresh();
    else draw();
  },
  state: (how) => { link = how; tellLive(how); },
  gone: signedOut,
});

function tellLive(how) {
  if (live.dataset.state === how) return;
  live.dataset.state = how;
  live.title = t(`live.${how}`);
  live.replaceChildren(h("i"), h("span", { class: how === "on" ? "sr" : "" }, t(`live.${how}`)));
}

setInterval(() => { tick(document); deadlines(document); }, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) read(); });

// ---- keys ----

function step(by) {
  const at = state.rows.findIndex((row) => row.id === state.id);
  const row = state.rows[at < 0 ? (by > 0 ? 0 : state.rows.length - 1) : at + by];
  if (row) location.hash = `#/${state.view}/${row.id}`;
  else if (by > 0 && state.next) { state.pages += 1; loadList(); }
}

const KEYS = {
  j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1),
  c: () => act("claim"), e: () => act("resolve"), b: () => act("hand_back"), q: () => act("requeue"),
  r: () => composer.focus(), i: () => pane(desk.dataset.pane === "about" ? "talk" : "about"),
  f: () => document.getElementById("filters").togglePopover(), "?": sheet,
  Escape: () => { if (desk.dataset.pane === "about" && !wide()) pane("talk"); else if (state.id) location.hash = `#/${state.view}`; },
};
VIEWS.forEach((view, at) => { KEYS[at + 1] = () => { location.hash = `#/${view}`; }; });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open], :popover-open")) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key.startsWith("Arrow") && !event.target.closest(".lists")) return;
  const does = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!does) return;
  event.preventDefault();
  does();
});

addEventListener("hashchange", route);
tellLive("off");
route();
