// Earful on any website: <script src="https://your.earful/chat/widget.js" async></script>
// Attributes of the tag: data-lang="zh|en" (else the page's language), data-side="left", data-color="#1d6b59".
// One global, `Earful`, with open(), close() and toggle().
(() => {
  "use strict";
  const tag = document.currentScript;
  if (!tag || window.Earful) return;
  const texts = JSON.parse(`{{texts}}`);
  const origin = new URL(tag.src).origin;
  const spoken = (tag.dataset.lang || document.documentElement.lang || navigator.language || "").toLowerCase();
  const language = spoken.startsWith("zh") ? "zh" : spoken ? "en" : "{{language}}";
  const said = texts[language];
  const side = tag.dataset.side === "left" ? "left" : "right";
  const color = CSS.supports("color", tag.dataset.color || "") ? tag.dataset.color : "#1d6b59";

  const style = new CSSStyleSheet();
  style.replaceSync(`
    :host { all: initial; }
    button {
      all: unset; box-sizing: border-box; position: fixed; z-index: 2147483000; bottom: max(1.25rem, env(safe-area-inset-bottom));
      ${side}: 1.25rem; width: 3.75rem; height: 3.75rem; border-radius: 50%; background: ${color}; color: #fff; cursor: pointer;
      display: grid; place-items: center; box-shadow: 0 4px 18px rgb(0 0 0 / 22%); transition: transform .15s;
    }
    button:hover { transform: scale(1.05); }
    button:focus-visible { outline: 3px solid ${color}; outline-offset: 3px; }
    svg { width: 1.75rem; height: 1.75rem; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
    .badge {
      position: absolute; top: -.2rem; right: -.2rem; min-width: 1.3rem; height: 1.3rem; padding: 0 .3rem; box-sizing: border-box;
      border-radius: .65rem; background: #c2410c; color: #fff; font: 600 .75rem/1.3rem system-ui, sans-serif; text-align: center;
    }
    iframe {
      position: fixed; z-index: 2147483001; bottom: 5.75rem; ${side}: 1.25rem; width: min(25rem, calc(100vw - 2.5rem));
      height: min(42rem, calc(100vh - 7.5rem)); border: 0; border-radius: 1.1rem; background: #f5f4f0; color-scheme: normal;
      box-shadow: 0 12px 44px rgb(0 0 0 / 24%);
    }
    [hidden] { display: none !important; }
    @media (max-width: 30rem), (max-height: 28rem) {
      iframe { inset: 0; width: 100%; height: 100%; border-radius: 0; }
    }
    @media (prefers-reduced-motion: reduce) { button { transition: none; } }
  `);

  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "closed" });
  root.adoptedStyleSheets = [style];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M4 5.5h16v11h-9L6.5 20v-3.5H4z");
  svg.append(path);
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  const badge = document.createElement("span");
  badge.className = "badge";
  badge.hidden = true;
  button.append(svg, badge);
  root.append(button);

  let frame = null;
  let loaded = false;
  const isOpen = () => frame !== null && !frame.hidden;
  const tell = (what) => loaded && frame.contentWindow.postMessage({ earful: what }, origin);

  function label(count) {
    badge.hidden = !count;
    badge.textContent = count > 9 ? "9+" : String(count);
    const words = isOpen() ? said.close : count ? said.unread.replace("{count}", count) : said.open;
    button.setAttribute("aria-label", words);
    button.title = words;
    button.setAttribute("aria-expanded", String(isOpen()));
  }

  // A page that the customer goes on to in the same tab finds the chat as they left it.
  function remember(how) {
    try {
      sessionStorage.setItem("earful.widget", how);
    } catch {
      // no storage: the next page starts with the button
    }
  }

  function load() {
    frame = document.createElement("iframe");
    frame.title = said.frame;
    frame.src = `${origin}/chat?lang=${language}`;
    frame.allow = "";
    frame.hidden = true;
    frame.onload = () => {
      loaded = true;
      tell(isOpen() ? "shown" : "hidden");
    };
    root.append(frame);
  }

  function open() {
    if (isOpen()) return;
    if (!frame) load();
    frame.hidden = false;
    frame.focus();
    tell("shown");
    label(0);
    remember("open");
  }

  function close() {
    if (!isOpen()) return;
    frame.hidden = true;
    tell("hidden");
    label(0);
    button.focus();
    remember("closed");
  }

  button.onclick = () => (isOpen() ? close() : open());
  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== origin) return;
    if (event.data?.earful === "close") close();
    if (event.data?.earful === "unread" && !isOpen()) label(Math.max(0, Math.trunc(Number(event.data.count)) || 0));
  });

  window.Earful = Object.freeze({ open, close, toggle: () => button.click() });
  function begin() {
    document.body.append(host);
    label(0);
    let before = null;
    try {
      before = sessionStorage.getItem("earful.widget");
    } catch {
      // as above
    }
    if (before) load();
    if (before === "open") {
      frame.hidden = false;
      label(0);
    }
  }
  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin);
})();
