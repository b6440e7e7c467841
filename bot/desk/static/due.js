// Deadlines that count down: each says how long is left, or by how much it is missed.

import { now, span, t } from "./words.js";

/** Whatever has `data-due` has a part `.left`, which is ours. */
export function deadlines(root) {
  for (const element of root.querySelectorAll("[data-due]")) {
    const left = Date.parse(element.dataset.due) - now();
    const part = element.querySelector(".left");
    const words = t(left < 0 ? "about.late" : "about.left", { time: span(left) });
    if (!part || part.textContent === words) continue;
    part.textContent = words;
    element.classList.toggle("late", left < 0);
    element.classList.toggle("soon", left >= 0 && left < 1800000);
  }
}
