"""Every route of the desk. `bot.app` adds these to the application; nothing else is needed."""

from __future__ import annotations

from pathlib import Path

from bot.desk import answering, api, corrections, history, notes, pages, search, socket, team  # each adds its own
from bot.desk.table import routes
from bot.web.server import static

static(routes, "/desk/static", Path(__file__).parent / "static")

__all__ = ["answering", "api", "corrections", "history", "notes", "pages", "routes", "search", "socket", "team"]
