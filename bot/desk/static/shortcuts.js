// The sheet of shortcuts.

import { h } from "./dom.js";
import { open } from "./menu.js";
import { t } from "./words.js";

const KEYS = [[["J", "K"], "move"], [["1", "2", "3", "4"], "views"], [["C"], "claim"], [["R"], "reply"], [["E"], "resolve"], [["B"], "back"], [["Q"], "requeue"], [["I"], "details"], [["O"], "case"], [["F"], "filter"], [["/"], "search"], [["N"], "note"], [["T"], "transfer"], [["H"], "history"], [["Z"], "undo"], [["Enter"], "send"], [["Ctrl", "Enter"], "line"], [["/"], "canned"], [["Ctrl", "K"], "knowledge"], [["Esc"], "escape"], [["?"], "sheet"]];

export function shortcuts() {
  open([h("h2", null, t("keys.heading")),
    h("dl.keys", null, KEYS.map(([keys, what]) => h("div", null, h("dt", null, keys.map((key) => h("kbd", null, key))), h("dd", null, t(`keys.${what}`))))),
    h("form.choose", { method: "dialog" }, h("button.primary", { autofocus: true }, t("keys.close")))], t("keys.heading"));
}
