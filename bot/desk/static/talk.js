// The middle: everything said, and what to do about it.

import { h, icon, show } from "./dom.js";
import { channelName, departmentName, nameOf, reasonName, tick } from "./list.js";
import { clock, day, dayKey, full, has, language, listed, me, now, t } from "./words.js";

const STATES = { pending: "clock", queued: "clock", sending: "clock", sent: "check", delivered: "checks", read: "checks", failed: "bang", unknown: "unknown", dropped: "held", not_saved: "bang" };
const BAD = ["failed", "unknown", "dropped", "not_saved"];
const NEAR = 60; // pixels from the end that still count as reading the end

/** The conversation pane. `on.act(name)`, `on.again(row, state)`, `on.retry(key)`, `on.undo(message)`, `on.correct(message)`, `on.earlier()`, `composer`. */
export function makeTalk(pane, { composer, on }) {
  const head = h("header.head");
  const earlier = h("button.plain.earlier", { type: "button", onclick: () => on.earlier() }, t("talk.earlier"));
  const start = h("p.start", null, t("talk.beginning"));
  const log = h("ol.log");
  const spoken = h("div", { role: "log", "aria-label": t("talk.log"), "aria-live": "polite" }, log);
  const scroll = h("div.scroll", { tabindex: "0" }, earlier, start, spoken);
  const jump = h("button.button.jump", { type: "button", hidden: true, onclick: () => toEnd() }, icon("down"), t("talk.jump"));
  const middle = h("div.middle", { hidden: true }, head, h("div.stage", null, scroll, jump), composer.element);
  const none = h("div.empty", null, h("span.round", null, icon("chat")), h("h2", null, t("empty.talk")), h("p", null, t("empty.talk_more")));
  pane.append(none, middle);

  const atEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
  const toEnd = () => { scroll.scrollTop = scroll.scrollHeight; jump.hidden = true; };
  scroll.addEventListener("scroll", () => { if (atEnd()) jump.hidden = true; });
  new ResizeObserver(() => { if (follow) toEnd(); }).observe(scroll);
  let follow = true;
  scroll.addEventListener("scroll", () => { follow = atEnd(); }, { passive: true });

  function drawHead(talk) {
    const row = talk.conversation;
    const mine = row.owner === "agent" && row.agent?.id === me.id;
    const may = mine || (row.owner === "agent" && me.supervisor);
    const where = row.owner === "queue"
      ? h("span.where.wait", null, icon("clock"), t("view.queue"), " ", h("time", { "data-since": row.queued_at }))
      : h(`span.where${mine ? ".mine" : ""}`, null, icon(row.owner === "bot" ? "bot" : "person"), row.owner === "bot" ? t("state.bot") : mine ? t("state.mine") : t("state.team", { name: row.agent?.name || "" }));
    const actions = [];
    if (may) {
      actions.push(
        h("div.pop.menu", { id: "more", popover: "auto" },
          h("button", { type: "button", id: "transfer", onclick: () => on.act("transfer") }, icon("give"), t("talk.transfer"), h("kbd", null, "T")),
          h("button", { type: "button", id: "hand-back", onclick: () => on.act("hand_back") }, icon("bot"), t("talk.hand_back"), h("kbd", null, "B")),
          h("button", { type: "button", id: "requeue", onclick: () => on.act("requeue") }, icon("queue"), t("talk.requeue"), h("kbd", null, "Q"))),
        h("button.plain", { type: "button", popovertarget: "more", "aria-label": t("talk.more"), title: t("talk.more") }, icon("more")),
        h("button.button", { type: "button", id: "resolve", title: "E", onclick: () => on.act("resolve") }, icon("done"), t("talk.resolve")));
    }
    return h("div.bar", null,
      h("a.plain.back", { href: `#/${on.view()}`, "aria-label": t("talk.back") }, icon("back")),
      h("div.who", null,
        h("h2", { dir: "auto" }, nameOf(row)),
        h("p", null, h("span.on", null, icon(row.public ? "public" : row.channel), row.public ? t("row.public") : channelName(row.channel)), where,
          row.reason && row.owner !== "bot" ? h("span.on", null, reasonName(row.reason)) : null)),
      h("div.actions", { role: "group", "aria-label": t("talk.actions") }, actions,
        h("button.plain", { type: "button", id: "details", "aria-label": t("talk.details"), title: `${t("talk.details")} (I)`, onclick: () => on.details() }, icon("info"))));
  }

  return {
    /** `talk`: what the service told, with `pending` messages; null for no conversation. `fresh`: another one than before. */
    draw(talk, fresh) {
      none.hidden = Boolean(talk);
      middle.hidden = !talk;
      if (!talk) return;
      show(head, [{ ...talk.conversation, last: null, heard: null, active_at: null }], () => "bar", () => drawHead(talk));
      tick(head);
      composer.draw(talk); // before the scrolling below: it takes its room from the messages
      earlier.hidden = !talk.more;
      start.hidden = talk.more;
      const stay = fresh || follow;
      const height = scroll.scrollHeight - scroll.scrollTop;
      const had = log.lastElementChild?.dataset.key;
      if (fresh) spoken.setAttribute("aria-live", "off");
      show(log, lines(talk), (line) => line.key, drawLine);
      if (fresh) requestAnimationFrame(() => spoken.setAttribute("aria-live", "polite"));
      if (stay) toEnd();
      else if (talk.grown) scroll.scrollTop = scroll.scrollHeight - height;
      else if (had !== log.lastElementChild?.dataset.key) jump.hidden = false;
      follow = stay || atEnd();
    },
    toEnd,
    page: (direction) => scroll.scrollBy({ top: direction * scroll.clientHeight * 0.8 }),
  };

  function drawLine(line) {
    if (line.day) return h("li.day", null, h("span", null, line.day));
    const message = line.message;
    if (message.author === "system") {
      const named = { name: message.name || "", to: message.to || (message.department ? departmentName(message.department) : "") };
      return h("li.event", { title: full(message.at) }, h("span", null, has(`event.${message.text}`) ? t(`event.${message.text}`, named) : message.text, " · ", clock(message.at)), message.summary ? h("p.summary", { dir: "auto" }, message.summary) : null);
    }
    if (message.author === "note") {
      return h("li.message.whisper", { "data-whisper": message.id }, h("p.meta", null, icon("note"), h("b", { dir: "auto" }, line.who), h("span", null, t(message.kind === "transfer" ? "note.transfer" : "note.private")), h("time", { datetime: message.at, title: full(message.at) }, clock(message.at))),
        h("div.said", null, h("div.bubble", { dir: "auto" }, message.text)));
    }
    const state = stateOf(message);
    const classes = ["message", message.author, line.joined ? "joined" : "", state === "dropped" ? "dropped" : "", message.pending ? "pending" : ""].filter(Boolean);
    return h(`li.${classes.join(".")}`, { "data-message": message.id },
      line.joined ? h("span.sr", null, line.who) : h("p.meta", null, message.author === "customer" ? null : icon(message.author === "bot" ? "bot" : "person"), h("b", { dir: "auto" }, line.who),
        message.public ? h("span", null, icon("public"), t("talk.public")) : null, h("time", { datetime: message.at, title: full(message.at) }, clock(message.at))),
      h("div.said", null,
        state && !BAD.includes(state) ? h("span.delivery", { "data-state": state, title: t(`delivery.${state}`) }, icon(STATES[state]), h("span", { class: state === "sent" ? "sr" : "" }, t(`delivery.${state}`))) : null,
        h("div.bubble", { dir: "auto", title: full(message.at) }, words(message),
          message.files ? h("div.files", { "data-files": message.id }) : null,
          message.buttons ? h("p.offer", null, h("span", null, t("talk.offered")), message.buttons.map((title) => h("span.option", null, title))) : null)),
      message.author === "customer" && !message.removed ? understood(message, on.correct) : null,
      held(message, on.undo),
      BAD.includes(state) ? trouble(message, state) : null);
  }

  function words(message) {
    if (message.removed) return h("i", null, t("talk.removed"));
    const parts = [];
    if (message.media && !message.files) parts.push(h("i", null, t("talk.media", { kind: message.media }), " "));
    if (message.tapped) parts.push(h("span.tapped", null, icon("hand"), h("span.sr", null, t("talk.tapped"))), " ");
    const text = message.media && message.text === `[${message.media}]` ? "" : message.text;
    const evidence = message.understood?.evidence || [];
    return [...parts, ...(stateOf(message) === "dropped" ? [h("s", null, text)] : marked(text, evidence))];
  }

  /** What went wrong with a message, why, and what may be done. */
  function trouble(message, state) {
    const reasons = [...new Set((message.sent || []).map((each) => each.reason).filter(Boolean))].map((reason) => (has(`why.${reason}`) ? t(`why.${reason}`) : reason));
    if (reasons.length && message.sent.every((each) => each.reason === "taken_back")) return h("p.delivery", { "data-state": "taken_back" }, icon("again"), t("why.taken_back"));
    const again = (message.sent || []).filter((each) => each.state === "failed" || each.state === "unknown");
    return h("p.delivery.bad", { "data-state": state },
      icon(STATES[state]), h("span", null, t(`delivery.${state}`), reasons.length ? ` · ${listed(reasons)}` : ""),
      again.length && on.mayWrite() ? h("button.link", { type: "button", onclick: () => on.again(again) }, icon("again"), t("delivery.again")) : null,
      state === "not_saved" ? h("button.link", { type: "button", onclick: () => on.retry(message.key) }, icon("again"), t("delivery.retry")) : null);
  }
}

/** The state of a message: that of its worst part; of one that arrived, how far. */
function stateOf(message) {
  if (message.pending) return message.pending;
  if (!message.sent || !message.sent.length) return "";
  const states = message.sent.map((each) => each.state);
  const worst = ["failed", "unknown", "dropped", "queued", "sending"].find((each) => states.includes(each));
  if (worst) return worst;
  const receipts = message.sent.map((each) => each.receipt);
  return receipts.includes("failed") ? "failed" : receipts.every((each) => each === "read") ? "read" : receipts.every((each) => each === "delivered" || each === "read") ? "delivered" : "sent";
}

/** The text, with the words that decided marked. */
function marked(text, evidence) {
  const found = evidence.filter((word) => word && text.includes(word)).sort((a, b) => b.length - a.length);
  if (!found.length) return [text];
  const escaped = found.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.split(new RegExp(`(${escaped.join("|")})`)).filter(Boolean).map((part) => (found.includes(part) ? h("mark", null, part) : part));
}

/** What the bot understood, as words: never by colour alone. */
function understood(message, correct) {
  const corrected = message.corrected;
  const found = corrected ? { ...corrected, evidence: [] } : message.understood;
  const change = h("button.link.fix", { type: "button", "aria-label": t("correct.open"), title: t("correct.open"), onclick: () => correct(message) }, icon("pen"));
  const bare = message.tapped ? null : h("p.understood.bare", null, change);
  if (!found) return bare;
  const natures = found.nature || [];
  const said = [];
  if (has(`intent.${found.intent}`) && !(found.intent === "complain" && natures.includes("complaint"))) said.push(h("span.tag", null, t(`intent.${found.intent}`)));
  said.push(...natures.filter((nature) => nature !== "other" || natures.length === 1).map((nature) => h("span.tag", null, t(`nature.${nature}`))));
  if (has(`sentiment.${found.sentiment}`)) said.push(h("span.tag", null, icon(found.sentiment === "negative" ? "frown" : "smile"), t(`sentiment.${found.sentiment}`)));
  if (found.urgency && found.urgency !== "normal") said.push(h(`span.tag.${found.urgency}`, null, icon("bang"), t(`urgency.${found.urgency}`)));
  if (message.unanswered) said.push(h("span.tag", null, icon("unknown"), t("talk.unanswered")));
  if (corrected) said.push(h("span.tag.fixed", null, icon("done"), t("correct.done")));
  if (!said.length) return bare;
  const quote = (word) => (language === "zh" ? `“${word}”` : `“${word}”`);
  return h("p.understood", null, said, found.evidence?.length ? h("span.why", null, `${t("talk.evidence")} ${listed(found.evidence.map(quote))}`) : null, message.tapped ? null : change);
}

/** What is still held here says so, and may be taken back. */
function held(message, undo) {
  const until = (message.sent || []).map((part) => part.held_until).find(Boolean);
  if (!until || message.staff !== me.id || Date.parse(until) <= now()) return null;
  return h("p.delivery.held", { "data-held": until }, h("span", null, t("undo.held")), h("button.link", { type: "button", onclick: () => undo(message) }, icon("again"), t("undo.undo"), h("kbd", null, "Z")));
}

/** Messages and the notes among them, in the order of their time. Notes older than what is shown wait with it. */
function everything(talk) {
  const first = talk.messages[0]?.at;
  const notes = (talk.whispers || []).filter((note) => !talk.more || !first || note.at >= first).map((note) => ({ ...note, author: "note" }));
  const all = [...talk.messages, ...notes];
  if (notes.length) all.sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || (a.author === "note") - (b.author === "note") || a.id - b.id);
  return [...all, ...talk.pending];
}

/** Messages as lines: with a line where a day begins, and those of one person in a row joined. */
function lines(talk) {
  const found = [];
  let before = null;
  for (const message of everything(talk)) {
    const first = !before || dayKey(before.at) !== dayKey(message.at);
    if (first) found.push({ key: `day-${dayKey(message.at)}`, day: day(message.at) });
    const who = message.author === "customer" ? nameOf(talk.conversation) : message.author === "bot" ? t("row.bot") : message.author === "note" && message.staff !== me.id ? message.name || t("row.agent") : message.staff === me.id || message.pending ? t("row.you") : message.name || t("row.agent");
    const joined = !first && before.author === message.author && before.staff === message.staff && Date.parse(message.at) - Date.parse(before.at) < 180000 && !before.public && !message.public;
    found.push({ key: message.pending ? `p-${message.key}` : `${message.author === "note" ? "n" : "m"}-${message.id}`, message, who, joined });
    before = message;
  }
  return found;
}
