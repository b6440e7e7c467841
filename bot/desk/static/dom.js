// Elements are made, never written as markup: what people say can only ever become text.

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  back: "M15 5l-7 7 7 7", close: "M6 6l12 12M18 6L6 18", send: "M4 12l16-7-5 16-3.5-6z M11.5 15L20 5",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2", bang: "M12 8v5M12 16.5v.1M12 3l9.5 17h-19z",
  check: "M5 13l4 4L19 7", checks: "M2 13l4 4L14 8M11 15.5l1.5 1.5L22 7", cross: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9 9l6 6M15 9l-6 6",
  unknown: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.6.3-1 .8-1 1.7M12 17v.1",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l4.5 4.5", pen: "M4 20l1-4L16.5 4.5l3 3L8 19z", at: "M15.5 12a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0zM15.5 8.5V13a2.5 2.5 0 0 0 5 0v-1a8.5 8.5 0 1 0-3.3 6.7",
  note: "M5 4h14v10l-5 6H5zM19 14h-5v6", give: "M4 12h14M13 7l5 5-5 5M4 5v14", book: "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11", bolt: "M13 3L5 14h6l-1 7 8-11h-6z", bell: "M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5h4",
  gear: "M12 15.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.1 2.1M16.3 16.3l2.1 2.1M18.4 5.6l-2.1 2.1M7.7 16.3l-2.1 2.1",
  held: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM6 6l12 12", hand: "M7 12V6.5a1.5 1.5 0 0 1 3 0V11 4.5a1.5 1.5 0 0 1 3 0V11 6a1.5 1.5 0 0 1 3 0v6-3.5a1.5 1.5 0 0 1 3 0V15a6 6 0 0 1-6 6h-1.5a6 6 0 0 1-4.7-2.3L4 15.5c-.6-.8-.5-1.8.2-2.4s1.7-.5 2.3.2z",
  bot: "M6 9h12a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-6a2 2 0 0 1 2-2zM12 9V5M12 4.5v.1M9 13.5v1M15 13.5v1",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5a7.5 7.5 0 0 1 15 0", people: "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5a6.5 6.5 0 0 1 13 0M16 5a3.3 3.3 0 0 1 0 6.3M18 14.2a6.4 6.4 0 0 1 3.5 5.3",
  queue: "M4 6h16M4 12h16M4 18h9", filter: "M4 6h16M7 12h10M10 18h4", info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5M12 8v.1",
  more: "M5.5 11a1 1 0 1 0 0 2 1 1 0 1 0 0-2zM12 11a1 1 0 1 0 0 2 1 1 0 1 0 0-2zM18.5 11a1 1 0 1 0 0 2 1 1 0 1 0 0-2z", star: "M12 4l2.4 5 5.6.7-4.1 3.8 1.1 5.5-5-2.8-5 2.8 1.1-5.5L4 9.7 9.6 9z",
  heart: "M12 19.5S4.5 15 4.5 9.6A3.9 3.9 0 0 1 12 8a3.9 3.9 0 0 1 7.5 1.6C19.5 15 12 19.5 12 19.5z",
  web: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3 12h18M12 3c5 5.5 5 12.5 0 18M12 3c-5 5.5-5 12.5 0 18",
  telegram: "M3.5 11.5L20.5 5l-3 14.5-5.5-4-3 3-.7-5zM8.3 13.5l8.2-5.5", twilio: "M8 3.5h8a1.5 1.5 0 0 1 1.5 1.5v14a1.5 1.5 0 0 1-1.5 1.5H8A1.5 1.5 0 0 1 6.5 19V5A1.5 1.5 0 0 1 8 3.5zM11 17.5h2",
  public: "M4 10v4h3l6 4V6L7 10zM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11", chat: "M4 5.5h16v11H9.5L5 20v-3.5H4z",
  clip: "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.4 8.4a1.7 1.7 0 0 1-2.4-2.4l7.8-7.8", done: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8 12.5l2.7 2.7L16 9.5", down: "M12 5v14M6 13l6 6 6-6", again: "M20 12a8 8 0 1 1-2.5-5.8L20 8.5M20 4v4.5h-4.5",
  out: "M14 4H5v16h9M10 12h10M16 8l4 4-4 4", lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3M12 15v1.5", keys: "M3 7h18v10H3zM7 11v.1M11 11v.1M15 11v.1M8.5 14h7",
  sound: "M4 10v4h3l5 4V6L7 10zM16 9a4 4 0 0 1 0 6", smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.5 14a4 4 0 0 0 7 0M9 9.5v.1M15 9.5v.1", frown: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.5 16a4 4 0 0 1 7 0M9 9.5v.1M15 9.5v.1",
};

/** An icon. It says nothing: words stand beside it, or in the label of what bears it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name] || PATHS.chat);
  svg.append(path);
  return svg;
}

/** An element: h("button.primary", { onclick, aria-label }, "text", child, [children]). */
export function h(tag, properties, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "disabled") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((child) => child !== undefined && child !== null && child !== false && child !== ""));
  return element;
}

/** Make `parent` show `items` in order; an element is kept as long as what it shows is the same. */
export function show(parent, items, key, make) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    const state = JSON.stringify(item);
    let element = known.get(name);
    known.delete(name);
    if (!element || element.state !== state) {
      const made = make(item);
      made.dataset.key = name;
      made.state = state;
      if (element) {
        if (element === place) place = made;
        // Whoever stands on it with the keyboard stays there.
        const focused = element.contains(document.activeElement);
        element.replaceWith(made);
        if (focused) (made.matches("a,button") ? made : made.querySelector("a,button"))?.focus();
      }
      element = made;
    }
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const left of known.values()) left.remove();
}
