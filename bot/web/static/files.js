// Files in the chat: one that goes with the next message, and those of messages, fetched with the customer's own token.

import { element } from "./bubbles.js";

const PICTURES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

const said = (texts, key, name) => texts[key].replace("{name}", name);

// A file of a message: a picture where it stands, anything else by its name; both can be saved.
export function shownFile(file, connection, texts) {
  const made = element("div", { className: "file" });
  const save = element("button", { type: "button", className: "save", textContent: file.name, title: said(texts, "save_file", file.name) });
  save.onclick = async () => {
    try {
      const link = element("a", { href: URL.createObjectURL(await connection.bytes(file.key)), download: file.name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch {
      save.textContent = `${file.name} · ${texts.file_gone}`;
    }
  };
  made.append(save);
  if (file.family === "image") picture(made, file, connection, texts);
  return made;
}

async function picture(made, file, connection, texts) {
  try {
    const bytes = await connection.bytes(file.key);
    if (!PICTURES.includes(bytes.type)) return;
    const image = element("img", { alt: said(texts, "picture", file.name), src: URL.createObjectURL(bytes) });
    image.onerror = () => image.remove();
    made.prepend(image);
  } catch {
    // Its name stands there, and can be tried.
  }
}

// What goes with the next message. `changed` is told whenever it is another; `meant` is done once it is here.
export class Tray {
  constructor(connection, page, changed) {
    Object.assign(this, { connection, page, changed, file: null, busy: false, meant: null });
    page.button.onclick = () => page.field.click();
    page.field.onchange = () => {
      this.add(page.field.files[0]);
      page.field.value = "";
    };
    page.words.addEventListener("paste", (event) => {
      const file = event.clipboardData?.files[0];
      if (!file) return;
      event.preventDefault();
      this.add(file);
    });
  }

  async add(file) {
    if (!file || this.busy) return;
    const { texts, filled, limit } = this.page;
    if (file.size > limit) {
      this.tell(filled(texts.file_large, { most: Math.floor(limit / 1e6) || 1 }));
      return;
    }
    this.busy = true;
    this.tell(filled(texts.uploading, { name: file.name }));
    this.changed();
    try {
      this.file = await this.connection.sendUp(file);
      this.tell(this.file.name, filled(texts.remove_file, { name: this.file.name }));
    } catch (error) {
      this.file = null;
      this.tell(error.message && !(error instanceof TypeError) ? error.message : texts.offline);
    }
    this.busy = false;
    this.changed();
    this.page.words.focus();
    if (this.file && this.meant) this.meant();
    this.meant = null;
  }

  take() {
    const { file } = this;
    this.file = null;
    if (file) this.tell("");
    return file;
  }

  tell(words, remove) {
    const { tray } = this.page;
    tray.hidden = !words;
    tray.replaceChildren(words);
    if (!remove) return;
    const button = element("button", { type: "button", textContent: "✕", "aria-label": remove });
    button.onclick = () => {
      this.take();
      this.changed();
    };
    tray.append(" ", button);
  }
}
