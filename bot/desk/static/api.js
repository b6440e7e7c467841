// Questions to the service. What fails says what to do.

import { setNow, t } from "./words.js";

export class Failed extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Called once the session has ended. */
export const ended = { tell: () => {} };

async function ask(path, options, background) {
  let answer;
  try {
    const headers = { ...options.headers, ...(background ? { "X-Background": "1" } : {}) };
    answer = await fetch(`/desk/api/${path}`, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(20000) });
  } catch {
    throw new Failed("offline", t("error.offline"));
  }
  let body = {};
  let words = "";
  try {
    words = await answer.text();
    body = JSON.parse(words);
  } catch {
    // Not ours: a proxy, or a fault that has a number.
  }
  if (answer.ok) {
    if (body.now) setNow(body.now);
    return body;
  }
  if (body.error === "signed_out") ended.tell();
  if (body.error === "must_change") location.assign("/desk/password");
  const incident = /Incident (\w+)/.exec(words);
  throw new Failed(body.error || "server", body.message || t("error.server", { number: incident ? incident[1] : answer.status }));
}

export const get = (path, background = false) => ask(path, {}, background);
export const post = (path, body = {}) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }, false);

/** A key of 128 random bits. crypto.randomUUID is missing where a desk is opened over plain http. */
export const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
