"""Lists that are the same for everybody, read once for all desks that ask at the same time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from bot.desk import lists, rows
from bot.desk.lists import Tally, Wanted
from bot.desk.together import Together
from bot.staff.sessions import Member
from storage.database import Database
from storage.sets import one_of
from storage.tables import surveys

_ANYBODY = Member(0, "", "", "agent", False)
"""Whom no survey judges."""

_STAFF = "staff:"


@dataclass(frozen=True, slots=True)
class _Page:
    rows: Sequence[Any]
    shown: Sequence[dict[str, Any]]  # as somebody sees them whom none of these customers has judged
    next: tuple[int, int] | None
    tally: Tally
    judging: Mapping[int, frozenset[int]]  # by member, the customers who were asked about them


class CommonLists:
    """Pages as `lists.page` finds them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pages = Together[Wanted, _Page](lambda wanted: database.read(lambda c: _read(c, wanted)))

    async def page(self, member: Member, wanted: Wanted) -> dict[str, Any]:
        """`conversations`, `next` and `counts`. What a member may not see is made anew for them alone: agents are not
        shown who judged them."""
        if wanted.view not in ("queue", "bot") or wanted.risk:
            return await self._database.read(lambda connection: _own(connection, member, wanted))
        found = await self._pages.get(wanted)
        shown = found.shown
        if customers := found.judging.get(member.id):
            theirs = [row for row in found.rows if row.contact_id in customers]
            anew = await self._database.read(lambda connection: rows.described(connection, member, theirs))
            own = {row["id"]: row for row in anew}
            shown = [own.get(row["id"], row) for row in shown]
        return {"conversations": shown, "next": found.next, "counts": found.tally.of(member)}


def _own(connection: Connection, member: Member, wanted: Wanted) -> dict[str, Any]:
    return lists.page(connection, member, wanted) | {"counts": lists.tally(connection).of(member)}


def _read(connection: Connection, wanted: Wanted) -> _Page:
    found, following = lists.found(connection, _ANYBODY, wanted)
    shown = rows.described(connection, _ANYBODY, found)
    judging = _judging(connection, {row.contact_id for row in found})
    return _Page(found, shown, following, lists.tally(connection), judging)


def _judging(connection: Connection, customers: set[int]) -> dict[int, frozenset[int]]:
    judged = select(surveys.c.judged, surveys.c.contact_id).where(
        one_of(surveys.c.contact_id, "customers"), surveys.c.judged.is_not(None)
    )
    found: dict[int, set[int]] = defaultdict(set)
    for row in connection.execute(judged, {"customers": sorted(customers)}) if customers else ():
        if row.judged.startswith(_STAFF):
            found[int(row.judged.removeprefix(_STAFF))].add(row.contact_id)
    return {member: frozenset(theirs) for member, theirs in found.items()}
