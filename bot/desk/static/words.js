// What the page says, and how it tells time: in the agent's language and the operator's zone, by the service's clock.

const start = JSON.parse(document.getElementById("start").textContent);
export const { me, zone, company, channels, departments, patience, version } = start;
export const language = start.language;
const locale = language === "zh" ? "zh-CN" : "en-GB";

/** A text, its {placeholders} filled. A text that is not there is its last part, so that nothing new breaks a page. */
export function t(key, values = {}) {
  const text = start.texts[key];
  if (text === undefined) return key.slice(key.indexOf(".") + 1);
  return text.replace(/\{(\w+)\}/g, (whole, name, at) => (name in values ? apart(text, at, whole.length, String(values[name])) : whole));
}

/** A value within Chinese words stands apart from them by a space where it is Latin. */
function apart(text, at, length, value) {
  if (language !== "zh") return value;
  const before = /[\u3400-\u9fff]$/.test(text.slice(0, at)) && /^[A-Za-z0-9\u00c0-\u024f]/.test(value) ? " " : "";
  const after = /^[\u3400-\u9fff]/.test(text.slice(at + length)) && /[A-Za-z0-9\u00c0-\u024f]$/.test(value) ? " " : "";
  return before + value + after;
}

export const has = (key) => key in start.texts;
export const listed = (parts) => parts.join(language === "zh" ? "、" : ", ");

let ahead = 0;
/** The service's time, in milliseconds: a browser's clock may be wrong. */
export const now = () => Date.now() + ahead;
export const setNow = (iso) => { ahead = Date.parse(iso) - Date.now(); };
setNow(start.now);

const clockFormat = new Intl.DateTimeFormat(locale, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat(locale, { timeZone: zone, month: "long", day: "numeric", weekday: "short" });
const dateFormat = new Intl.DateTimeFormat(locale, { timeZone: zone, year: "numeric", month: "long", day: "numeric" });
const fullFormat = new Intl.DateTimeFormat(locale, { timeZone: zone, dateStyle: "full", timeStyle: "medium" });
const keyFormat = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });

export const clock = (iso) => clockFormat.format(new Date(iso));
export const full = (iso) => fullFormat.format(new Date(iso));
export const date = (iso) => dateFormat.format(new Date(iso));
export const dayKey = (iso) => keyFormat.format(new Date(iso));

export function day(iso) {
  const key = dayKey(iso);
  const near = [["time.yesterday", -1], ["time.today", 0], ["time.tomorrow", 1]];
  const found = near.find(([, off]) => keyFormat.format(new Date(now() + off * 86400000)) === key);
  if (found) return t(found[0]);
  return key.slice(0, 4) === keyFormat.format(new Date(now())).slice(0, 4) ? dayFormat.format(new Date(iso)) : date(iso);
}

/** A moment in a sentence: 今天 18:00, "18:00 today", "18:00 on Fri 6 March". */
export function moment(iso) {
  const name = day(iso);
  if (language === "zh") return `${name} ${clock(iso)}`;
  return /\d/.test(name) ? `${clock(iso)} on ${name}` : `${clock(iso)} ${name.toLowerCase()}`;
}

/** A short time for a list: the hour today, otherwise the day. */
export const brief = (iso) => (dayKey(iso) === keyFormat.format(new Date(now())) ? clock(iso) : day(iso));

/** A length of time in words. */
export function span(milliseconds) {
  const minutes = Math.floor(Math.abs(milliseconds) / 60000);
  if (minutes < 1) return t("time.seconds", { count: Math.floor(Math.abs(milliseconds) / 1000) });
  if (minutes < 60) return t("time.minutes", { count: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? t("time.hours_minutes", { hours, minutes: minutes % 60 }) : t("time.hours", { count: hours });
  const days = Math.floor(hours / 24);
  return hours % 24 ? t("time.days_hours", { days, hours: hours % 24 }) : t("time.days", { count: days });
}

/** A length of time as a clock that ticks: 3:07, 1:02:45. Longer than a day in words. */
export function ticking(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds >= 86400) return span(milliseconds);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
