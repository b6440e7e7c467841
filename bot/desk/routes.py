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
    dead,
    history,
    house,
    knowledge,
    notes,
    offline_page,
    outgoing,
    pages,
    search,
    socket,
    supervision,
    surveys,
    team,
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
    "dead",
    "history",
    "house",
    "knowledge",
    "notes",
    "offline_page",
    "outgoing",
    "pages",
    "routes",
    "search",
    "socket",
    "supervision",
    "surveys",
    "team",
]
