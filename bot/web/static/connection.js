// The line to the server: a socket, or plain HTTP where no socket gets through. What the customer sends waits here, in
// order and one at a time, until the server has acknowledged it and it stands on the transcript; it outlives a reload,
// and the server takes the same id only once.

const BEAT = 25_000; // between two signs of life
const SILENCE = 40_000; // after which a line that says nothing is taken for dead
const ACKNOWLEDGED_WITHIN = 15_000;
const LONGEST_PAUSE = 30_000;
const TOO_OLD = 7 * 24 * 3600_000; // the customer decides whether something this old is still to be sent
const PREFIX = "earful.chat.";

const memory = new Map(); // where a browser gives no storage, as in some frames

export const store = {
  get(key) {
    try {
      return localStorage.getItem(PREFIX + key);
    } catch {
      return memory.get(key) ?? null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(PREFIX + key, value);
    } catch {
      memory.set(key, value);
    }
  },
  remove(key) {
    memory.delete(key);
    try {
      localStorage.removeItem(PREFIX + key);
    } catch {
      // it was in memory only
    }
  },
  keys() {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
    } catch {
      return [...memory.keys()];
    }
  },
};

export class Connection {
  // `heard` is told { view }, { entries }, { line: "up" | "down" } and { forgotten: true }.
  constructor(language, heard) {
    this.language = language;
    this.heard = heard;
    this.token = store.get("token");
    this.entries = kept();
    this.upto = 0;
    this.tries = 0;
    this.opened = false; // whether a socket ever got through
    this.polling = typeof WebSocket === "undefined";
    this.up = false;
    this.round = 0; // what belongs to an earlier round is not listened to any more
    this.flying = null;
    this.holdUntil = 0;
  }

  start() {
    addEventListener("online", () => this.connect());
    addEventListener("offline", () => this.lost());
    document.addEventListener("visibilitychange", () => document.hidden || this.up || this.connect());
    this.heard({ entries: this.entries });
    this.connect();
  }

  // ---- what the customer sends ----

  say(what) {
    const entry = { id: newId(), at: Date.now(), acked: false, failed: null, held: false, ...what };
    this.entries.push(entry);
    keep(entry);
    this.heard({ entries: this.entries });
    this.pump();
    return entry;
  }

  drop(ids) {
    for (const id of ids) store.remove("entry." + id);
    this.entries = this.entries.filter((entry) => !ids.includes(entry.id));
    this.heard({ entries: this.entries });
  }

  pump() {
    if (!this.up || this.flying) return;
    const entry = this.entries.find((each) => !each.acked && each.failed === null);
    if (!entry) return;
    const pause = this.holdUntil - Date.now();
    if (pause > 0) {
      clearTimeout(this.held);
      this.held = setTimeout(() => this.pump(), pause);
      return;
    }
    this.flying = entry;
    this.patience = setTimeout(() => this.lost(), ACKNOWLEDGED_WITHIN);
    const body = "text" in entry ? { id: entry.id, text: entry.text, file: entry.file?.key } : { id: entry.id, seq: entry.seq, index: entry.index };
    this.transmit("text" in entry ? "text" : "tap", body);
  }

  landed() {
    clearTimeout(this.patience);
    const entry = this.flying;
    this.flying = null;
    return entry;
  }

  acknowledged(id) {
    const entry = this.entries.find((each) => each.id === id);
    if (this.flying?.id === id) this.landed();
    if (entry) {
      entry.acked = true;
      entry.held = false;
      keep(entry);
      this.heard({ entries: this.entries });
    }
    this.looking?.abort(); // a poll under way does not know that this one is waited for
    this.pump();
  }

  refused({ id, reason, said, seconds }) {
    const entry = this.entries.find((each) => each.id === id) ?? this.flying;
    this.landed();
    if (entry) {
      if (reason === "slow_down" || reason === "busy") {
        entry.held = true; // nothing is lost: it goes out by itself
        this.holdUntil = Date.now() + 1000 * Math.max(1, seconds);
      } else {
        entry.failed = said;
      }
      keep(entry);
      this.heard({ entries: this.entries });
    }
    this.pump();
  }

  // ---- what the server tells ----

  welcomed({ token, new: fresh }) {
    const before = this.token;
    this.token = token;
    store.set("token", token);
    this.tries = 0;
    this.up = true;
    if (fresh) {
      this.upto = 0;
      // What was acknowledged belongs to the conversation that is gone; the rest is sent in the new one.
      this.drop(this.entries.filter((entry) => entry.acked).map((entry) => entry.id));
      if (before) this.heard({ forgotten: true });
    }
    this.heard({ line: "up" });
    this.pump();
  }

  seen(view) {
    this.upto = view.upto;
    this.heard({ view });
    if (view.done.length) this.drop(view.done);
  }

  lost() {
    this.round += 1;
    this.up = false;
    this.landed();
    clearTimeout(this.retry);
    clearInterval(this.beat);
    clearTimeout(this.silence);
    this.ws?.close();
    this.ws = null;
    this.aborter?.abort();
    this.heard({ line: "down" });
    this.tries += 1;
    const pause = Math.min(LONGEST_PAUSE, 500 * 2 ** Math.min(this.tries - 1, 10));
    this.retry = setTimeout(() => this.connect(), pause * (0.5 + Math.random() / 2));
  }

  connect() {
    if (this.up) return;
    clearTimeout(this.retry);
    this.round += 1;
    this.ws?.close();
    this.aborter?.abort();
    if (navigator.onLine === false) {
      this.heard({ line: "down" });
      return; // "online" calls again
    }
    if (!this.opened && this.tries >= 2) this.polling = !this.polling || typeof WebSocket === "undefined"; // by turns
    if (this.polling) this.poll(this.round);
    else this.open(this.round);
  }

  get waiting() {
    return this.entries.filter((entry) => entry.acked).map((entry) => entry.id);
  }

  transmit(type, body) {
    if (this.polling) this.post(this.round, body);
    else this.ws.send(JSON.stringify({ type, ...body }));
  }

  // ---- by socket ----

  open(round) {
    const address = new URL("/chat/ws", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const ws = (this.ws = new WebSocket(address));
    const alive = () => {
      clearTimeout(this.silence);
      this.silence = setTimeout(() => this.lost(), this.up ? SILENCE : ACKNOWLEDGED_WITHIN);
    };
    alive();
    ws.onopen = () => {
      this.opened = true;
      ws.send(
        JSON.stringify({
          type: "hello", token: this.token, after: this.upto, waiting: this.waiting, language: this.language,
        }),
      );
      this.beat = setInterval(() => ws.readyState === 1 && ws.send('{"type":"ping"}'), BEAT);
    };
    ws.onmessage = (event) => {
      if (round !== this.round) return;
      alive();
      const told = JSON.parse(event.data);
      if (told.type === "welcome") this.welcomed(told);
      else if (told.type === "messages") this.seen(told);
      else if (told.type === "ack") this.acknowledged(told.id);
      else if (told.type === "refused") this.refused(told);
      else if (told.type === "typing") this.heard({ typing: true });
      else if (told.type === "token") store.set("token", (this.token = told.token));
    };
    ws.onclose = () => round === this.round && this.lost();
  }

  // ---- by HTTP ----

  async fetch(path, options = {}) {
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${this.token}` };
    return fetch(path, { headers, signal: this.aborter.signal, cache: "no-store", ...options });
  }

  async poll(round) {
    this.aborter = new AbortController();
    try {
      const session = await this.fetch("/chat/session", { method: "POST", body: JSON.stringify({ token: this.token }) });
      if (!session.ok) throw new Error(session.status);
      const welcome = await session.json();
      if (round !== this.round) return;
      this.welcomed(welcome);
      let mark = "";
      while (round === this.round) {
        const told = await this.look(mark);
        if (round !== this.round) return;
        if (!told) continue;
        if (told.mark !== mark) this.seen(told);
        mark = told.done.length || told.items.length ? "" : told.mark; // the next question is another one
      }
    } catch {
      if (round === this.round) this.lost();
    }
  }

  async look(mark) {
    this.looking = new AbortController();
    const query = new URLSearchParams({ after: this.upto, waiting: this.waiting.join(), mark });
    try {
      const signal = AbortSignal.any([this.looking.signal, this.aborter.signal]);
      const answer = await this.fetch(`/chat/messages?${query}`, { signal });
      if (!answer.ok) throw new Error(answer.status);
      return await answer.json();
    } catch (error) {
      if (this.looking.signal.aborted) return null;
      throw error;
    }
  }

  async post(round, body) {
    try {
      const answer = await this.fetch(`/chat/messages?lang=${this.language}`, { method: "POST", body: JSON.stringify(body) });
      if (round !== this.round) return;
      if (answer.status === 202) {
        this.acknowledged(body.id);
        return;
      }
      const told = await answer.json().catch(() => null);
      if (!told) throw new Error(answer.status);
      this.refused(told);
    } catch {
      if (round === this.round) this.lost();
    }
  }

  // They write: told at most every three seconds, and only while a person is with them.
  typing() {
    if (this.polling || !this.up || Date.now() - (this.typedAt ?? 0) < 3000) return;
    this.typedAt = Date.now();
    this.ws.send('{"type":"typing"}');
  }

  // A file, sent up: what the server calls it. Raises with what is to be said.
  async sendUp(file) {
    const headers = { Authorization: `Bearer ${this.token}`, "Content-Type": "application/octet-stream" };
    const answer = await fetch(`/chat/files?${new URLSearchParams({ name: file.name, lang: this.language })}`, { method: "POST", headers, body: file });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.said ?? "");
    return told.file;
  }

  // The bytes of a file: an <img> could not say whose it is.
  async bytes(key) {
    const answer = await fetch(`/chat/files/${key}`, { headers: { Authorization: `Bearer ${this.token}` } });
    if (!answer.ok) throw new Error(answer.status);
    return answer.blob();
  }

  // The page of messages before `seq`, whatever the line.
  async earlier(seq) {
    const headers = { Authorization: `Bearer ${this.token}` };
    const answer = await fetch(`/chat/messages?before=${seq}`, { headers, cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
  }
}

function newId() {
  const random = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function keep(entry) {
  store.set("entry." + entry.id, JSON.stringify(entry));
}

function kept() {
  const found = [];
  for (const key of store.keys()) {
    if (!key.startsWith("entry.")) continue;
    try {
      const entry = JSON.parse(store.get(key));
      if (!entry.acked && Date.now() - entry.at > TOO_OLD) entry.failed ??= "";
      found.push({ ...entry, held: false });
    } catch {
      store.remove(key);
    }
  }
  return found.sort((one, other) => one.at - other.at);
}
