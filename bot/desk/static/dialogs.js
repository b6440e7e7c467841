// Questions with more than one answer: whom to pass a conversation to, what was settled, what a message meant, and what
// was said before.

import { get, post } from "./api.js";
import { h, icon } from "./dom.js";
import { channelName } from "./list.js";
import { open } from "./menu.js";
import { brief, departments, full, has, me, t } from "./words.js";

document.head.append(h("link", { rel: "stylesheet", href: "/desk/static/dialogs.css" }));
const cancel = () => h("button.button", { type: "button", onclick: (event) => event.target.closest("dialog").close() }, t("ask.cancel"));
export const option = (value, words, chosen = false) => h("option", { value, selected: chosen }, words);
export const choice = (name, words, options) => h("p.choice-of", null, h("label", { for: `choose-${name}` }, words), h("select", { id: `choose-${name}`, name }, options));

/** A form in a dialog. What was given, or null. */
export function ask(heading, parts, yes) {
  return new Promise((resolve) => {
    let given = null;
    const form = h("form", { method: "dialog", onsubmit: () => { given = Object.fromEntries(new FormData(form)); } }, h("h2", null, heading), parts,
      h("p.choose", null, cancel(), h("button.primary", { type: "submit", id: "yes" }, yes)));
    open(form, heading).addEventListener("close", () => resolve(given));
  });
}

/** Whom to pass it to: `{to}` or `{department}`, with a note; null to leave it. */
export async function whither(row) {
  const { people } = await get("team");
  const others = people.filter((each) => each.id !== me.id && each.id !== row.agent?.id).sort((a, b) => Number(b.here) - Number(a.here) || a.load - b.load);
  const person = (each) => option(`p${each.id}`, `${each.name} · ${t(each.here ? (each.away ? "team.away" : "team.here") : "team.gone")} · ${t("team.load", { count: each.load })}`);
  const given = await ask(t("transfer.heading"), [
    choice("whom", t("transfer.whom"), [others.length ? h("optgroup", { label: t("transfer.people") }, others.map(person)) : null, h("optgroup", { label: t("transfer.departments") }, departments.map((each) => option(`d${each.key}`, each.name)))].filter(Boolean)),
    h("p.choice-of", null, h("label", { for: "transfer-note" }, t("transfer.note")), h("textarea", { id: "transfer-note", name: "note", rows: 3, maxlength: 4000, placeholder: t("transfer.note_hint") })),
  ], t("talk.transfer"));
  if (!given) return null;
  const [kind, whom] = [given.whom[0], given.whom.slice(1)];
  return { ...(kind === "p" ? { to: Number(whom) } : { department: whom }), note: given.note };
}

/** What was settled, before a hand-back: `{summary}`, or null. */
export const settled = () => ask(t("ask.hand_back"), [h("p", null, t("ask.hand_back_more")),
  h("p.choice-of", null, h("label", { for: "summary" }, t("summary.label")), h("textarea", { id: "summary", name: "summary", rows: 3, maxlength: 1000, placeholder: t("summary.hint") }))], t("talk.hand_back"));

const INTENTS = ["complain", "ask_human", "ask_question", "ask_queue_position", "give_rating", "ask_case_status", "provide_contact", "out_of_scope", "cancel"];
const NATURES = ["product", "service", "price", "logistics", "suggestion", "praise", "complaint", "other"];

/** What a message meant. True if it was put right. */
export async function correct(conversation, message) {
  const known = message.corrected || message.understood || {};
  const none = option("", t("correct.unsaid"));
  const given = await ask(t("correct.heading"), [
    h("blockquote", { dir: "auto" }, message.text), h("p", null, t("correct.why")),
    choice("intent", t("correct.intent"), [none, INTENTS.filter((each) => has(`intent.${each}`)).map((each) => option(each, t(`intent.${each}`), each === known.intent))].flat()),
    choice("nature", t("correct.nature"), [option("", t("correct.unsaid")), ...NATURES.map((each) => option(each, t(`nature.${each}`), each === known.nature?.[0]))]),
    choice("sentiment", t("correct.sentiment"), [option("neutral", t("correct.neutral")), ...["positive", "negative"].map((each) => option(each, t(`sentiment.${each}`), each === known.sentiment))]),
    choice("urgency", t("correct.urgency"), ["normal", "important", "urgent"].map((each) => option(each, t(`urgency.${each}`), each === known.urgency))),
    message.corrected ? h("p.choice-of", null, h("label", { for: "take-back" }, h("input", { type: "checkbox", id: "take-back", name: "back" }), " ", t("correct.back"))) : null,
  ].filter(Boolean), t("correct.save"));
  if (!given) return false;
  const at = `conversations/${conversation}/messages/${message.id}/correction`;
  if (given.back) {
    await post(`${at}/undo`);
    return true;
  }
  const rest = (known.nature || []).slice(1).filter((each) => each !== given.nature && NATURES.includes(each)).slice(0, 2);
  const nature = given.nature ? [given.nature, ...rest] : [];
  await post(at, { ...given, intent: given.intent || null, nature });
  return true;
}

/** Everything the customer said before, on every channel. */
export async function before(conversation) {
  const list = h("ol.before");
  const more = h("button.button.wide", { type: "button", hidden: true }, t("talk.earlier"));
  open([h("h2", null, t("history.heading")), more, list, h("form.choose", { method: "dialog" }, h("button.primary", { autofocus: true }, t("keys.close")))], t("history.heading"));
  let first = null;
  const load = async () => {
    const found = await get(`conversations/${conversation}/before${first ? `?before=${first}` : ""}`);
    first = found.messages[0]?.id ?? first;
    more.hidden = !found.more;
    list.prepend(...found.messages.map((each) => h(`li.${each.author}`, { title: full(each.at) },
      h("p.meta", null, icon(each.channel), h("b", null, channelName(each.channel)), h("span", null, t(`row.${each.author === "customer" ? "customer" : each.author}`)), h("time", { datetime: each.at }, brief(each.at))),
      h("p", { dir: "auto" }, each.removed ? t("talk.removed") : each.text))));
    if (!list.children.length) list.append(h("li.nothing", null, t("history.none")));
  };
  more.addEventListener("click", load);
  await load();
}
