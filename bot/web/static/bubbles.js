// Messages and choices as elements. Text from people only ever becomes text nodes: nothing here parses HTML.

const LONG = 900; // characters, from which a message is folded
const ADDRESS = /https?:\/\/[^\s<>"'`，。；：、！？（）【】《》“”‘’]+/gi;
const SIGN = /^(\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier}|\u200D\p{Extended_Pictographic})*)\s*(.*)$/u;
const NUMBER = /^(\d{1,2})(?:\s+(.+))?$/u;

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

export function bubble(text, texts) {
  const made = element("div", { className: "bubble", dir: "auto" });
  if (onlySigns(text)) made.classList.add("emoji");
  made.append(...linked(text, texts));
  if (text.length <= LONG && text.split("\n").length <= 18) return [made];
  made.classList.add("long");
  const unfold = element("button", { type: "button", className: "unfold", textContent: texts.more, "aria-expanded": "false" });
  unfold.onclick = () => {
    const folded = made.classList.toggle("long");
    unfold.textContent = folded ? texts.more : texts.less;
    unfold.setAttribute("aria-expanded", String(!folded));
  };
  return [made, unfold];
}

function onlySigns(text) {
  const bare = text.replace(/[\s\u200D\uFE0F\p{Emoji_Modifier}]/gu, "");
  return /^\p{Extended_Pictographic}{1,3}$/u.test(bare);
}

// The text with its web addresses as links. Anything else that looks like one stays text.
function linked(text, texts) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = trimmed(found[0]);
    const link = safe(address);
    if (!link) continue;
    parts.push(text.slice(from, found.index), anchor(link, address, texts));
    from = found.index + address.length;
  }
  parts.push(text.slice(from));
  return parts;
}

function anchor(href, shown, texts) {
  const made = element("a", { href, target: "_blank", rel: "noopener noreferrer nofollow ugc", textContent: shown });
  made.append(element("span", { className: "only-heard", textContent: ` (${texts.new_window})` }));
  return made;
}

// Signs at the end that belong to the sentence, not to the address.
function trimmed(address) {
  let found = address.replace(/[.,;:!?'"*_~]+$/, "");
  while (/[)\]}]$/.test(found)) {
    const open = { ")": "(", "]": "[", "}": "{" }[found.at(-1)];
    if (found.split(open).length >= found.split(found.at(-1)).length) break;
    found = found.slice(0, -1).replace(/[.,;:!?'"*_~]+$/, "");
  }
  return found;
}

function safe(address) {
  try {
    const url = new URL(address);
    // A name before @ makes an address look like another one's.
    return ["http:", "https:"].includes(url.protocol) && !url.username && !url.password ? url.href : null;
  } catch {
    return null;
  }
}

// ---- choices ----

// How a message's buttons are laid out, by what is written on them.
function layout(titles) {
  const numbers = titles.map((title) => NUMBER.exec(title));
  if (titles.length > 2 && numbers.every(Boolean)) {
    return numbers.slice(1, -1).some((found) => found[2]) ? "listed" : "numbers";
  }
  const signs = titles.map((title) => SIGN.exec(title));
  if (signs.every((found) => found && found[2] && !SIGN.test(found[2])) && titles.length <= 7) return "faces";
  if (titles.some((title) => title.length > 24 || SIGN.exec(SIGN.exec(title)?.[2] ?? ""))) return "listed";
  return "words";
}

export function choices(titles, label, ontap) {
  const kind = layout(titles);
  const group = element("div", { className: `choices ${kind}`, role: "group", "aria-label": label });
  titles.forEach((title, index) => {
    const button = element("button", { type: "button", className: "choice", "aria-pressed": "false" });
    if (kind === "faces") {
      const [, sign, words] = SIGN.exec(title);
      button.append(element("span", { className: "sign", textContent: sign }), element("span", { textContent: words }));
    } else if (kind === "numbers") {
      button.textContent = NUMBER.exec(title)[1];
      button.setAttribute("aria-label", title);
    } else {
      button.textContent = title;
    }
    button.onclick = () => ontap(index, title);
    group.append(button);
  });
  const made = element("div", { className: "offered" }, group);
  if (kind === "numbers") {
    const ends = [titles[0], titles.at(-1)].map((title) => NUMBER.exec(title)[2] ?? "");
    if (ends.some(Boolean)) {
      made.append(element("p", { className: "ends", "aria-hidden": "true" }, ...ends.map((end) => element("span", { textContent: end }))));
    }
  }
  return made;
}

// Shows what was chosen; the others can no longer be. A rating may still be changed by tapping another.
export function choose(offered, index, again, hint) {
  const group = offered.querySelector(".choices");
  group.classList.add("answered");
  [...group.children].forEach((button, place) => {
    button.setAttribute("aria-pressed", String(place === index));
    button.disabled = !again && place !== index;
  });
  if (again && hint && !offered.querySelector(".hint")) offered.append(element("p", { className: "hint", textContent: hint }));
}

// Something newer is offered: what was chosen here stays marked, and nothing more can be.
export function retire(offered) {
  for (const button of offered.querySelectorAll(".choice")) button.disabled = true;
}

// As before anything was chosen.
export function reopen(offered) {
  const group = offered.querySelector(".choices");
  group.classList.remove("answered");
  offered.querySelector(".hint")?.remove();
  for (const button of group.children) {
    button.setAttribute("aria-pressed", "false");
    button.disabled = false;
  }
}
