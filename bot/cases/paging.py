"""Pages: what is urgent calls people at once, again and again, until somebody takes it.

A page is due in the database. One unit of work writes what goes to mail and webhooks and when it is due again, so a
page is neither lost nor doubled by whoever dies; of several processes each takes other pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from bot.cases import alerts, numbers
from bot.cases.alerts import REPEAT
from bot.cases.clocks import House
from bot.clock import Clock
from bot.outgoing import events, posts
from bot.outgoing.events import Event
from bot.yamlfile import tongue
from storage.database import Database
from storage.tables import cases, conversations, pagers


@dataclass(frozen=True, slots=True)
class Paging:
    """`changed` is told the lanes of the cases, after the commit: open desks show it."""

    database: Database
    clock: Clock
    house: House
    changed: Callable[[Iterable[str]], None] = lambda _: None

    async def page(self) -> int:
        """Call for everything that is due; the number of pages."""
        now = self.clock.now()
        if not await self.database.read(lambda connection: alerts.any_due(connection, now)):
            return 0
        count, lanes = await self.database.write(lambda connection: self._page(connection, now))
        self.changed(lanes)
        return count

    def _page(self, connection: Connection, now: datetime) -> tuple[int, list[str]]:
        found = alerts.due(connection, now)
        if not found:
            return 0, []
        about = self._cases(connection, {row.case_id for row in found if row.case_id is not None})
        reached = _reached(connection, {row.audience for row in found})
        posts.put(
            connection,
            [
                posts.mail(
                    pager.address,
                    row.id,
                    row.kind,
                    self._data(row, about, pager.language) | {"thread": _key(row, pager, 1)},
                    _key(row, pager, row.repeats + 1),
                    now,
                )
                for row in found
                for pager in reached.get(row.audience, ())
            ],
        )
        events.note(connection, [Event("alert.paged", now, "alert", row.id) for row in found])
        return len(found), sorted({str(each.lane) for each in about.values()})

    def _data(self, row: Any, about: Mapping[int, Any], language: str) -> dict[str, Any]:
        """What a mail may say: numbers and names of the house."""
        case, detail = about.get(row.case_id), row.detail or {}
        department = self.house.departments.names.get(case.department) if case is not None else None
        return {
            "language": language,
            "number": numbers.number(row.case_id) if row.case_id is not None else None,
            "department": department.said(tongue(language)) if department else None,
            "customers": detail.get("customers"),
            "since": row.at.isoformat(),
            "repeat": row.repeats + 1,
            "every": int(REPEAT.total_seconds()) // 60,
        }

    def _cases(self, connection: Connection, ids: set[int]) -> dict[int, Any]:
        statement = (
            select(cases.c.id, cases.c.department, conversations.c.lane)
            .join(conversations, conversations.c.id == cases.c.conversation_id)
            .where(cases.c.id.in_(sorted(ids)))
        )
        return {row.id: row for row in connection.execute(statement)} if ids else {}


def _reached(connection: Connection, audiences: set[str]) -> dict[str, list[Any]]:
    statement = select(pagers).where(pagers.c.audience.in_(sorted(audiences))).order_by(pagers.c.id)
    found: dict[str, list[Any]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.audience, []).append(row)
    return found


def _key(alert: Any, pager: Any, repeat: int) -> str:
    """Of a page's mail; those of one alert to one address differ by their number alone, so that repeats name the
    first."""
    return f"page-{alert.id}-{int(alert.at.timestamp())}-{pager.id}-{repeat}"
