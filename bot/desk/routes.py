"""Every route of the desk. `bot.app` adds these to the application; nothing else is needed."""

from __future__ import annotations

from pathlib import Path

from bot.desk import (  # each adds its own
    admin,
    alerts,
    answering,
    api,
    calls,
    case_list,
    case_opening,
    case_page,
    corrections,
    customers,
    dead,
    files,
    history,
    house,
    improvements,
    knowledge,
    notes,
    offline_page,
    outgoing,
    pages,
    rulebook,
    rules,
    search,
    socket,
    supervision,
    surveys,
    team,
    typing,
)
from bot.desk.table import routes
from bot.web.server import static

static(routes, "/desk/static", Path(__file__).parent / "static")

__all__ = [
    "admin",
    "alerts",
    "answering",
    "api",
    "calls",
    "case_list",
    "case_opening",
    "case_page",
    "corrections",
    "customers",
    "dead",
    "files",
    "history",
    "house",
    "improvements",
    "knowledge",
    "notes",
    "offline_page",
    "outgoing",
    "pages",
    "routes",
    "rulebook",
    "rules",
    "search",
    "socket",
    "supervision",
    "surveys",
    "team",
    "typing",
]
