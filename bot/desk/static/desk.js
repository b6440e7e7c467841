// The desk: what is shown, and what happens when something is pressed, or changes elsewhere.

import { ended, Failed, get, post } from "./api.js";
import { makeComposer } from "./composer.js";
import { h } from "./dom.js";
import { isView, makeList, seen, tick, VIEWS } from "./list.js";
import { onKeys } from "./keys.js";
import { watch } from "./live.js";
import { confirm, makeMenu, notify, sheet, signedOut, sound, toast } from "./menu.js";
import { makeReplies } from "./replies.js";
import { makeTalk } from "./talk.js";
import { me, now, patience, t, version } from "./words.js";

const desk = document.getElementById("desk");
const state = { view: "queue", found: "", id: null, rows: [], counts: {}, next: null, pages: 1, loaded: false, stirred: new Set(), talk: null, pending: new Map() };
const live = h("span.live", { role: "status" });

ended.tell = signedOut;

// What is not needed at once comes when it is.
let offering = null;
const offers = async () => { const { makeOffers } = await import("./offers.js"); return (offering ||= makeOffers(composer, () => state.talk)); };
let stir = () => {};
let first = () => { // once the list stands there
  first = () => {};
  setTimeout(() => quietly(async () => {
    ({ stir } = await import("./alarm.js"));
    if (patience) (await import("./waiting.js")).remind();
  }), 1000);
};
let tray = null;
const files = async () => {
  const { fill, makeTray } = await import("./files.js");
  tray ||= makeTray(composer.tray, composer.fit);
  if (state.talk) tray.of(state.id, state.talk.channel.files);
  return { fill, tray };
};
const dialogs = () => import("./dialogs.js");
const composer = makeComposer({
  act, send: (text) => replies.send(text), note: (text) => replies.note(text),
  typed: async (noting) => { if (offering || /[/@]/.test(composer.field.value)) await quietly(async () => (await offers()).typed(noting)); },
  choose: (event) => offering?.choose(event),
  ready: () => quietly(async () => (await offers()).all()),
  knowledge: () => quietly(async () => (await offers()).ask()),
  typing: (id) => { post(`conversations/${id}/typing`).catch(() => {}); },
  attach: () => quietly(async () => (await files()).tray.choose()),
  through: () => replies.with(tray.take()),
});
const talk = makeTalk(document.getElementById("talk"), {
  composer,
  on: { act, again: (parts) => replies.again(parts), retry: (key) => replies.retry(key), undo: (message) => replies.undo(message), correct, earlier, details: () => pane(desk.dataset.pane === "about" ? "talk" : "about"), view: () => state.view, mayWrite },
});
const replies = makeReplies(state, { composer, talk, drawTalk, loadTalk, failed, tray: async () => (await files()).tray });
let beside = null; // the customer, once a conversation is open
let coming = false; // while it is fetched
let about = null;
const list = makeList(document.getElementById("lists"), {
  menu: makeMenu({ away }), live,
  on: { search: (text) => { state.found = text; state.pages = 1; state.loaded = false; loadList(); }, filter: () => { state.pages = 1; state.loaded = false; state.rows = []; draw(); loadList(); }, more: () => { state.pages += 1; loadList(); } },
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
  tray?.of(state.id, data?.channel.files || 0);
  if (data?.messages.some((message) => message.files)) quietly(async () => (await files()).fill(document, data.messages));
  if (about) about.draw(data);
  else {
    document.getElementById("about").classList.toggle("none", !data);
    if (data && !coming) quietly(async () => {
      coming = true;
      try {
        beside = await import("./about.js");
        about = beside.makeAbout(document.getElementById("about"), { close: () => pane("talk"), before, case: openCase });
      } finally {
        coming = false;
      }
      drawTalk();
    });
  }
}

function pane(name) {
  desk.dataset.pane = name;
}

const wide = () => matchMedia("(min-width: 1180px)").matches;

function route() {
  const [, view, id] = location.hash.split("/");
  const wanted = isView(view) ? view : "queue";
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
      if (state.found) {
        // What was searched for is looked up when somebody asks, not whenever something changes.
        const told = background && state.loaded ? state.rows : (await get(`search?${new URLSearchParams({ q: state.found })}`, background)).conversations;
        found = { ...found, conversations: told, next: null };
      }
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
  first();
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
  if (state.counts.mentions) post(`conversations/${state.id}/seen`).then(({ seen: some }) => { if (some) loadList(true); }, () => {});
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
  const passing = name === "transfer" && me.supervisor && row.owner === "queue";
  if (claiming ? owned() : !mayAct() && !passing) return;
  let given = {};
  if (name === "transfer" || name === "hand_back") {
    given = await quietly(async () => { const ask = await dialogs(); return name === "transfer" ? ask.whither(row) : ask.settled(); });
    if (!given) return;
  } else if (!claiming) {
    const closing = name === "resolve" && row.public ? "resolve_public" : `${name}_more`;
    if (!(await confirm(t(`ask.${name}`), t(`ask.${closing}`), t(`talk.${name}`)))) return;
  }
  acting = true;
  try {
    await post(`conversations/${id}/${name.replace("_", "-")}`, given);
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

function correct(message) {
  const { id } = state;
  return quietly(async () => {
    if (!(await (await dialogs()).correct(id, message))) return;
    toast(t("correct.thanks"));
    if (id === state.id) loadTalk(id);
  });
}

function before() {
  return quietly(async () => { if (state.id) await (await dialogs()).before(state.id); });
}

/** A case of this customer's, as the house sees it; without a number one is opened, or (`link`) this joins one. */
function openCase(number, link = false) {
  const { id } = state;
  const changed = () => { if (id === state.id) loadTalk(id, false, true); loadList(true); };
  return quietly(async () => {
    const cases = await import("./case.js");
    if (number) return cases.openCase(number, changed);
    const made = await (link ? cases.linkCase(state.talk) : cases.newCase(id));
    if (!made) return null;
    changed();
    toast(t(link ? "beside.linked" : "beside.opened", { number: made }));
    return null;
  });
}

/** The customer's most pressing case, or a new one. */
const pressing = () => { if (state.talk) openCase(state.talk.customer.cases.find((each) => each.open)?.number); };

async function away(wanted) {
  await quietly(async () => { await post("away", { away: wanted }); toast(t(wanted ? "done.away" : "done.back")); });
}

/** Do it; what fails is told. A file that is gone with an older version of this page says: load it anew. */
async function quietly(work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TypeError || error instanceof SyntaxError) toast(t("error.reload"), true);
    else failed(error);
    return null;
  }
}

// ---- what changes elsewhere ----

let soon = 0;
let soonAt = 0;
let link = "off";
const queued = new Set();

/** Read the list again: soon after what concerns this agent; at leisure, each desk at a time of its own, after what only
 * changes how many wait. With hundreds of desks everybody's every change would otherwise be read by everybody. */
function refresh(leisure = false) {
  const at = Date.now() + (leisure ? 3000 + Math.random() * 3000 : 300);
  if (soonAt && soonAt <= at) return;
  clearTimeout(soon);
  soonAt = at;
  soon = setTimeout(() => { soonAt = 0; loadList(true); }, at - Date.now());
}

watch({
  changed(conversations, all) {
    stir();
    if (all) {
      refresh();
      if (state.id) loadTalk(state.id, false, true);
      return;
    }
    for (const each of conversations) {
      const own = each.owner === "agent" && each.agent === me.id;
      if (own && (each.id !== state.id || document.hidden)) {
        if (!state.stirred.has(each.id)) { sound.play(); notify(t("notify.mine")); }
        state.stirred.add(each.id);
      }
      if (each.owner !== "queue") queued.delete(each.id);
      else if (!queued.has(each.id)) {
        queued.add(each.id);
        sound.play();
        notify(t("notify.queue"));
      }
      if (each.id === state.id) loadTalk(each.id, false, true);
    }
    const listed = new Set(state.rows.map((row) => row.id));
    const own = (each) => listed.has(each.id) || each.agent === me.id || (each.owner === "queue" && state.view === "queue" && !state.next);
    if (state.view === "bot" || state.view === "mentions" || conversations.some(own)) refresh();
    else if (conversations.some((each) => each.owner !== "bot")) refresh(true);
    else draw();
  },
  renamed: (own) => Object.assign(me, own),
  typing: (id) => { if (id === state.id) composer.typing(); },
  state: (how) => { link = how; tellLive(how); },
  gone: signedOut,
  hello: (told) => { if (told !== version) toast(t("error.reload"), true); },
});

function tellLive(how) {
  if (live.dataset.state === how) return;
  live.dataset.state = how;
  live.title = t(`live.${how}`);
  live.replaceChildren(h("i"), h("span", { class: how === "on" ? "sr" : "" }, t(`live.${how}`)));
}

setInterval(() => {
  tick(document);
  beside?.deadlines(document);
  for (const each of document.querySelectorAll("[data-held]")) if (Date.parse(each.dataset.held) <= now()) each.remove();
}, 1000);

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
  r: () => composer.focus(), n: () => composer.note(), t: () => act("transfer"), h: () => before(), z: () => replies.undo(), "/": () => list.search(), i: () => pane(desk.dataset.pane === "about" ? "talk" : "about"),
  o: () => pressing(), f: () => document.getElementById("filters").togglePopover(), "?": sheet,
  Escape: () => { if (desk.dataset.pane === "about" && !wide()) pane("talk"); else if (state.id) location.hash = `#/${state.view}`; },
};
VIEWS.forEach((view, at) => { KEYS[at + 1] = () => { location.hash = `#/${view}`; }; });

onKeys(KEYS);
addEventListener("hashchange", route);
tellLive("off");
route();
