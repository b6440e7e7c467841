// The left: which conversations there are.

import { h, icon, show } from "./dom.js";
import { brief, channels, departments, has, language, me, moment, now, span, t, ticking } from "./words.js";

export const VIEWS = ["queue", "mine", "team", "bot"];
const CALLED = "mentions";
export const isView = (name) => VIEWS.includes(name) || name === CALLED;
const ICONS = { queue: "queue", mine: "person", team: "people", bot: "bot", mentions: "at" };
const MARKS = ["urgent", "high_value", "risk", "longest"];
const REASONS = ["asked", "urgent", "anger", "misses", "high_value", "unhelpful", "unsure", "failure", "comment"];

export const nameOf = (row) => row.name || t("row.visitor", { number: row.id });
export const channelName = (channel) => (has(`channel.${channel}`) ? t(`channel.${channel}`) : channel);
export const reasonName = (reason) => (has(`reason.${reason}`) ? t(`reason.${reason}`) : reason);
export const initial = (name) => ([...name.replace(/^(访客|Visitor)\s+(?=\S)/, "")][0] || "?").toUpperCase();
export const shade = (id) => `s${Number(id) % 6}`;

/** What was read of each conversation, kept in this browser. */
export const seen = {
  all: read(),
  unread: (row) => Boolean(row.heard) && row.heard > (seen.all[row.id] || 0),
  mark(id, message) {
    if (!message || seen.all[id] >= message) return;
    delete seen.all[id];
    seen.all[id] = message;
    const kept = Object.entries(seen.all).sort((a, b) => a[1] - b[1]).slice(-600);
    seen.all = Object.fromEntries(kept);
    try {
      localStorage.setItem(`earful.seen.${me.id}`, JSON.stringify(seen.all));
    } catch {
      // A browser that keeps nothing: marks last as long as the page.
    }
  },
};

function read() {
  try {
    return JSON.parse(localStorage.getItem(`earful.seen.${me.id}`)) || {};
  } catch {
    return {};
  }
}

/** The list pane. `on.filter(filters)`, `on.more()`, `on.search(text)`, `menu`: the element at the top right. */
export function makeList(pane, { menu, live, on }) {
  const filters = { channel: "", department: "", language: "", reason: "", urgent: "", high_value: "", risk: "", longest: "" };
  const field = h("input", { id: "search", type: "search", placeholder: t("search.placeholder"), "aria-label": t("search.label"), autocomplete: "off", maxlength: 100 });
  const called = h("a.called", { href: "#/mentions", hidden: true });
  let waiting = 0;
  field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => on.search(field.value.trim()), 250); });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) { field.value = ""; on.search(""); field.blur(); event.preventDefault(); }
    if (event.key === "ArrowDown") rows.querySelector("a.row")?.focus();
  });
  const tabs = h("div.tabs");
  const rows = h("ol.rows", { id: "rows" });
  const more = h("button.button.wide", { type: "button", hidden: true, onclick: () => on.more() }, t("view.more"));
  const empty = h("div.empty", { hidden: true });
  const chips = h("div.chips", { hidden: true });
  const closed = h("p.closed", { role: "note", hidden: true });
  const body = h("div.scroll", { tabindex: "-1" }, rows, empty, h("div.more", null, more));
  pane.append(
    h("header.top", null, h("img.mark", { src: "/web/static/mark.svg", alt: "", width: 26, height: 26 }), h("h1", null, t("page.title")), live, h("a.plain", { href: "/desk/cases", "aria-label": t("menu.cases"), title: t("menu.cases") }, icon("note")), filterButton(), menu),
    h("div.find", { role: "search" }, icon("search"), field), tabs, called, chips, closed, body,
  );

  function filterButton() {
    const select = (name, options) => {
      const id = `filter-${name}`;
      const choose = h("select", { id, onchange: (event) => set(name, event.target.value) },
        h("option", { value: "" }, t("filter.any")), options.map(([value, words]) => h("option", { value }, words)));
      return [h("label", { for: id }, t(`filter.${name}`)), choose];
    };
    const box = h("div.pop.filters", { id: "filters", popover: "auto" },
      select("channel", channels.map((channel) => [channel, channelName(channel)])),
      select("department", departments.map((each) => [each.key, each.name])),
      select("language", [["zh", t("language.zh")], ["en", t("language.en")]]),
      select("reason", REASONS.map((reason) => [reason, reasonName(reason)])),
      MARKS.map((name) => h("label.check", null, h("input", { type: "checkbox", id: `filter-${name}`, onchange: (event) => set(name, event.target.checked ? "1" : "") }), t(`filter.${name}`))));
    pane.append(box);
    return h("button.plain", { type: "button", id: "filter", popovertarget: "filters", "aria-label": t("filter.open"), title: `${t("filter.open")} (F)` }, icon("filter"));
  }

  function set(name, value) {
    filters[name] = value;
    const choice = pane.querySelector(`#filter-${name}`);
    if (choice.type === "checkbox") choice.checked = Boolean(value);
    else choice.value = value;
    const words = { channel: channelName, department: departmentName, language: (l) => t(`language.${l}`), reason: reasonName, ...Object.fromEntries(MARKS.map((mark) => [mark, () => t(`filter.${mark}`)])) };
    const used = Object.keys(filters).filter((each) => filters[each]);
    chips.replaceChildren(...used.map((each) => {
      const label = words[each](filters[each]);
      return h("button.chip", { type: "button", "aria-label": t("filter.remove", { name: label }), onclick: () => set(each, "") }, label, icon("close"));
    }));
    chips.hidden = !used.length;
    on.filter(filters);
  }

  function drawTabs(state) {
    show(tabs, VIEWS.map((view) => ({ view, on: view === state.view, count: state.counts[view], stirred: view === "mine" && state.stirred > 0 })), (tab) => tab.view, (tab) => {
      const name = t(`view.${tab.view}`);
      const label = tab.count === undefined ? name : t("view.count", { name, count: tab.count });
      return h("a.tab", { href: `#/${tab.view}`, "aria-current": tab.on ? "page" : undefined, "aria-label": tab.stirred ? `${label}, ${t("view.stirred")}` : label },
        icon(ICONS[tab.view]), h("span", null, name), tab.count ? h("b.count", null, tab.count > 999 ? "999+" : tab.count) : null, tab.stirred ? h("i.dot") : null);
    });
  }

  function drawRow(row) {
    const name = nameOf(row);
    const since = row.owner === "queue" ? row.queued_at : row.owner === "agent" && row.last?.author === "customer" ? row.active_at : null;
    const tags = [];
    if (row.urgency) tags.push(h(`span.tag.${row.urgency.level}`, { title: t("row.case", { number: row.urgency.case }) }, icon("bang"), t(`urgency.${row.urgency.level}`)));
    if (row.due) tags.push(h("span.tag.due-tag", { "data-by": row.due.at, "data-of": row.urgency && row.urgency.case !== row.due.case ? `#${row.due.case} · ` : "", title: t("row.case", { number: row.due.case }) }));
    if (row.risk) tags.push(h("span.tag.important", { title: t(`risk.${row.risk}`) }, icon("frown"), t("row.risk")));
    if (row.department) tags.push(h("span.tag", null, icon("people"), departmentName(row.department)));
    if (row.reason && row.owner !== "bot") tags.push(h("span.tag", null, reasonName(row.reason)));
    if (row.public) tags.push(h("span.tag", null, icon("public"), t("row.public")));
    if (row.view === "team" && row.agent) tags.push(h("span.tag", null, icon("person"), t("row.with", { name: row.agent.name })));
    if (row.language !== language) tags.push(h("span.tag", null, t(`language.${row.language}`)));
    const who = row.last && row.last.author !== "customer" ? t(row.last.author === "bot" ? "row.bot" : row.view === "mine" ? "row.you" : "row.agent") : "";
    return h("li", null, h("a.row", { href: `#/${row.view}/${row.id}`, "aria-current": row.open ? "true" : undefined, "data-id": row.id },
      h(`span.face.${shade(row.contact)}`, { "aria-hidden": "true" }, initial(name), h("span.badge", null, icon(row.public ? "public" : row.channel))),
      h("span.lines", null,
        h("span.first", null,
          h("b", { dir: "auto" }, name), row.high_value ? h("span.vip", { title: t("row.high_value") }, icon("star"), h("span.sr", null, t("row.high_value"))) : null,
          h("span.sr", null, `${channelName(row.channel)} `),
          since ? h("time.wait", { "data-since": since, datetime: since }) : h("time", { datetime: row.active_at }, brief(row.active_at))),
        h("span.second", null, who ? h("em", null, who, language === "zh" ? "：" : ": ") : null, h("span", { dir: "auto" }, row.last ? row.last.text : "")),
        tags.length ? h("span.tags", null, tags) : null),
      row.unread ? h("i.dot", null, h("span.sr", null, t("row.unread"))) : null));
  }

  return {
    filters,
    search: () => { field.focus(); field.select(); },
    clear: () => Object.keys(filters).forEach((name) => filters[name] && set(name, "")),
    draw(state) {
      drawTabs(state);
      closed.hidden = !state.opens || state.view !== "queue";
      closed.textContent = closed.hidden ? "" : t("view.closed", { time: moment(state.opens) });
      called.hidden = !state.counts.mentions;
      if (!called.hidden) called.replaceChildren(icon("at"), t("view.called", { count: state.counts.mentions }));
      if (state.view === CALLED) called.setAttribute("aria-current", "page");
      else called.removeAttribute("aria-current");
      const marked = state.view === "queue" || state.view === "mine";
      show(rows, state.rows.map((row) => ({ ...row, view: state.view, open: row.id === state.id, unread: marked && row.id !== state.id && seen.unread(row) })), (row) => row.id, drawRow);
      more.hidden = !state.next;
      const filtered = Object.values(filters).some(Boolean);
      const kind = state.loaded ? (state.found ? "found" : filtered ? "filtered" : state.view) : "";
      empty.hidden = state.rows.length > 0;
      if (!empty.hidden && empty.dataset.kind !== kind) {
        empty.dataset.kind = kind;
        empty.replaceChildren(...(kind
          ? [h("span.round", null, icon(state.found ? "search" : filtered ? "filter" : ICONS[state.view])), h("h2", null, t(`empty.${kind}`)), h("p", null, t(`empty.${kind}_more`)),
            filtered && !state.found ? h("button.button", { type: "button", onclick: () => this.clear() }, t("filter.clear")) : null].filter(Boolean)
          : [h("p", null, t("view.loading"))]));
      }
      tick(rows);
    },
    focus: () => (rows.querySelector("[aria-current]") || rows.querySelector("a.row") || body).focus(),
    reveal: () => rows.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" }),
  };
}

export const departmentName = (key) => departments.find((each) => each.key === key)?.name || key;

/** Every clock under `root` shows the time since its moment. */
export function tick(root) {
  for (const element of root.querySelectorAll("[data-since]")) {
    const waited = now() - Date.parse(element.dataset.since);
    element.textContent = ticking(waited);
    element.classList.toggle("long", waited > 300000);
    element.setAttribute("aria-label", t("row.waiting", { time: ticking(waited) }));
  }
  for (const element of root.querySelectorAll("[data-by]")) {
    const left = Date.parse(element.dataset.by) - now();
    const words = (element.dataset.of || "") + t(left < 0 ? "about.late" : "about.left", { time: span(left) });
    if (element.dataset.words === words) continue;
    element.dataset.words = words;
    element.className = `tag due-tag ${left < 0 ? "urgent" : left < 1800000 ? "important" : ""}`;
    element.replaceChildren(icon(left < 0 ? "bang" : "clock"), words);
  }
}
