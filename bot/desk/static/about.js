// The right: who this is, what is open, how they rated us.

import { h, icon, show } from "./dom.js";
import { deadlines } from "./due.js";
import { channelName, initial, nameOf, shade, tick } from "./list.js";
import { brief, date, full, has, moment, t } from "./words.js";

export { deadlines };

/** The customer pane. `on.close()`, `on.before()`: what was said before, `on.case(number, link)`: that one, a new one, or one to link this to. */
export function makeAbout(pane, on) {
  document.head.append(h("link", { rel: "stylesheet", href: "/desk/static/about.css" }));
  const body = h("div.scroll", { tabindex: "0" });
  body.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-case], #new-case, #link-case");
    if (pressed) on.case(pressed.dataset.case, pressed.id === "link-case");
  });
  pane.append(h("header.top", null, h("button.plain.back", { type: "button", "aria-label": t("about.close"), onclick: () => on.close() }, icon("back")), h("h2", null, t("about.heading"))), body);

  return {
    draw(talk) {
      pane.classList.toggle("none", !talk);
      if (!talk) return body.replaceChildren();
      show(body, [{ row: { name: talk.conversation.name, id: talk.conversation.id }, customer: talk.customer }], () => "all", ({ row, customer }) =>
        h("div", null, person(row, customer), section("cases", cases(customer)), section("ratings", ratings(customer)), others(customer, on.before)));
      tick(body);
      return deadlines(body);
    },
  };
}

const section = (name, content) => h(`section.${name}`, null, h("h3", null, t(`about.${name}`)), content);
const nothing = (words) => h("p.nothing", null, words);
const fact = (name, value, dir) => (value ? h("div", null, h("dt", null, name), h("dd", { dir }, value)) : null);

function person(row, customer) {
  const name = nameOf(row);
  const segment = customer.segment && (has(`segment.${customer.segment}`) ? t(`segment.${customer.segment}`) : customer.segment);
  const ways = customer.addresses.map((each) => h("li", null, icon(each.channel), h("span", { dir: "auto" }, each.address || (each.channel === "web" ? t("about.visitor") : channelName(each.channel))), h("span.sr", null, channelName(each.channel)),
    each.stopped ? h("span.tag.important", null, icon("held"), t("about.stopped")) : null, each.blocked ? h("span.tag.important", null, icon("cross"), t("about.blocked")) : null));
  return h("section.person", null,
    h(`span.face.big.${shade(customer.id)}`, { "aria-hidden": "true" }, initial(name)),
    h("h3.name", { dir: "auto" }, name),
    segment ? h("p.segment", null, customer.segment === "high_value" ? icon("star") : null, segment) : null,
    row.risk ? h("p.segment", null, icon("frown"), t("row.risk"), ": ", t(`risk.${row.risk}`)) : null,
    h("ul.ways", { "aria-label": t("about.contact") }, ways),
    h("dl", null, fact(t("about.phone"), customer.phone, "ltr"), fact(t("about.email"), customer.email, "ltr"), fact(t("about.external_id"), customer.external_id, "auto"),
      fact(t("about.language"), customer.language && t(`language.${customer.language}`)), fact(t("about.since"), date(customer.since))));
}

function cases(customer) {
  const more = [h("button.button.wide", { type: "button", id: "new-case" }, icon("pen"), t("beside.new")), h("button.button.wide", { type: "button", id: "link-case" }, icon("queue"), t("beside.link"))];
  if (!customer.cases.length) return [nothing(t("about.no_cases")), ...more];
  const open = customer.cases.filter((each) => each.open);
  const settled = customer.cases.filter((each) => !each.open);
  const first = open.length > 1 ? Math.min(...open.map((each) => Date.parse(each.since))) : 0;
  return [h("ul", null, open.map((each) => drawCase(each, Date.parse(each.since) === first))), settled.length ? h("details", null, h("summary", null, `${t("about.settled")} (${settled.length})`), h("ul", null, settled.map((each) => drawCase(each, false)))) : null, ...more];
}

/** Pressed, it opens: what happened, and what may be done. */
function drawCase(each, longest) {
  const fields = Object.entries(each.fields || {}).map(([name, value]) => fact(has(`field.${name}`) ? t(`field.${name}`) : name, String(value), "auto"));
  const due = each.asked ? h("p.due", null, icon("clock"), t("beside.frozen")) : each.due ? h("p.due", null, icon("clock"), h("span", null, `${t(`deadline.${each.due.kind}`)} `, h("b.left"), h("small", null, ` ${moment(each.due.at)}`))) : null;
  if (due && each.due && !each.asked) due.dataset.due = each.due.at;
  return h("li.case", null, h("button.open", { type: "button", "data-case": each.number, "aria-label": t("beside.open", { number: each.number, title: each.title }) },
    h("span.line", null, h("b", null, `#${each.number}`), h(`span.tag.${each.urgency}`, null, each.urgency === "normal" ? null : icon("bang"), t(`urgency.${each.urgency}`)), h("span.tag", null, each.state_name)),
    h("span.what", { dir: "auto" }, each.title)), due,
    h("dl", null, fact(t("about.department"), each.department), fact(t("about.owner"), each.open ? each.owner || t("beside.nobody") : each.owner, "auto"),
      each.open ? h("div", null, h("dt", null, t("beside.waiting")), h("dd", null, h("time", { "data-since": each.since, datetime: each.since }), longest ? h("span.tag.important", null, t("beside.longest")) : null)) : null, fields));
}

function ratings(customer) {
  if (!customer.ratings.length) return nothing(t("about.no_ratings"));
  return h("ul", null, customer.ratings.map((each) => h("li.rating", { title: full(each.at) },
    h("p.line", null, h("b", null, each.label || `${Math.round(each.score)} / 100`), each.low ? h("span.tag.important", null, icon("frown"), t("about.low")) : null, h("time", null, brief(each.at))),
    h("p.soft", null, [each.about ? t(`rated.${each.about}`) : "", each.touchpoint || ""].filter(Boolean).join(" · ")),
    each.answers.filter(Boolean).map((answer) => h("p.answer", { dir: "auto" }, answer)))));
}

function others(customer, before) {
  if (!customer.conversations.length) return null;
  return section("others", [h("button.button.wide", { type: "button", id: "before", onclick: before }, icon("clock"), t("about.before")), h("ul", null, customer.conversations.map((each) =>
    h("li", null, h("a", { href: `#/${each.owner === "queue" ? "queue" : each.owner === "bot" ? "bot" : "team"}/${each.id}` }, icon(each.channel), channelName(each.channel), h("time", null, brief(each.active_at))))))]);
}
