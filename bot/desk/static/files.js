// Files at the desk: those of messages shown where they stand, and those that go with the next reply.

import { ended, Failed } from "./api.js";
import { h, icon } from "./dom.js";
import { toast } from "./menu.js";
import { has, t } from "./words.js";

document.head.append(h("link", { rel: "stylesheet", href: "/desk/static/files.css" }));
const MOST = 5;
const address = (file) => `/desk/api/files/${file.key}`;

/** A size as people say it. */
export const size = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} kB`);

/** Put the files of `messages` into their places in `log`, as far as they are not there yet. */
export function fill(log, messages) {
  const known = new Map(messages.map((message) => [String(message.id), message.files || []]));
  for (const place of log.querySelectorAll(".files:empty")) place.append(...(known.get(place.dataset.files) || []).map(shown));
}

function shown(file) {
  if (file.state === "wanted") return h("p.file", null, icon("clock"), t("file.wanted"));
  if (file.state === "lost") return h("p.file.bad", null, icon("bang"), `${t("file.lost")}${has(`lost.${file.reason}`) ? ` · ${t(`lost.${file.reason}`)}` : ""}`);
  const save = h("a.file", { href: `${address(file)}?save`, download: file.name, title: t("file.save", { name: file.name }) }, icon("down"), h("span", { dir: "auto" }, file.name), h("small", null, size(file.size)));
  if (file.family !== "image") return save;
  // A picture opens large in a page of its own, which is sandboxed; its name below it saves it.
  const picture = h("img", { src: address(file), alt: t("file.picture", { name: file.name }), loading: "lazy", decoding: "async" });
  picture.addEventListener("error", () => picture.remove());
  return h("figure", null, picture, h("figcaption", null, save));
}

/** The files that go with the next reply to a conversation. `changed()` once they are others. */
export function makeTray(tray, changed) {
  const kept = new Map(); // by conversation: what was sent up, or is under way
  let id = null;
  let most = 0;
  const here = () => kept.get(id) || [];

  function draw() {
    tray.hidden = !here().length;
    tray.replaceChildren(...here().map((each) => h("span.chip", { "data-up": each.key ? "" : "no" }, icon(each.key ? "note" : "clock"), h("span", { dir: "auto" }, each.key ? each.name : t("file.uploading", { name: each.name })),
      h("button.plain", { type: "button", "aria-label": t("file.remove", { name: each.name }), onclick: () => { kept.set(id, here().filter((other) => other !== each)); draw(); } }, icon("close")))));
    changed();
  }

  async function send(to, file) {
    const each = { name: file.name };
    kept.set(to, [...(kept.get(to) || []), each]);
    if (to === id) draw();
    try {
      Object.assign(each, await up(to, file));
    } catch (error) {
      kept.set(to, (kept.get(to) || []).filter((other) => other !== each));
      toast(error instanceof Failed ? error.message : t("error.offline"), true);
    }
    if (to === id) draw();
  }

  const add = (files) => {
    for (const file of files) {
      if (here().length >= MOST) return toast(t("file.most"), true);
      if (file.size > most) toast(most ? t("error.file_too_large", { most: Math.floor(most / 1e6) || 1 }) : t("file.none_here"), true);
      else send(id, file);
    }
    return undefined;
  };

  return {
    /** Which conversation is open, and how large a file its channel takes. */
    of(conversation, limit) {
      const other = id !== conversation;
      [id, most] = [conversation, limit];
      if (other) draw();
    },
    choose() {
      const field = h("input", { type: "file", multiple: true });
      field.addEventListener("change", () => add(field.files));
      field.click();
    },
    add,
    /** Those that are through, to go with a reply now; false while one is under way. */
    take() {
      if (here().some((each) => !each.key)) return false;
      const files = here();
      kept.delete(id);
      draw();
      return files;
    },
    /** Files of a reply that was taken back. */
    again(to, files) {
      kept.set(to, [...(kept.get(to) || []), ...files]);
      if (to === id) draw();
    },
    get some() { return here().length > 0; },
  };
}

async function up(id, file) {
  let answer;
  try {
    answer = await fetch(`/desk/api/conversations/${id}/files?${new URLSearchParams({ name: file.name })}`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });
  } catch {
    throw new Failed("offline", t("error.offline"));
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body.file;
  if (body.error === "signed_out") ended.tell();
  throw new Failed(body.error || "server", body.message || t("error.server", { number: answer.status }));
}
