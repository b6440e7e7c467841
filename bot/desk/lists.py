"""The lists of conversations: who waits, mine, my colleagues', the bot's. A page at a time, along an index."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from bot.cases.rules import SETTLED
from bot.desk import risk, rows
from bot.loop.effects import HIGH_VALUE
from bot.staff.sessions import Member
from bot.takeover import whispers
from storage.sets import among, other_than
from storage.tables import cases, contacts, conversations, messages
from storage.types import EPOCH

View = Literal["queue", "mine", "team", "bot", "mentions"]
VIEWS: tuple[View, ...] = get_args(View)
PAGE = 40
_RANK = 2_500_000_000_000_000
"""What a rank adds to the microseconds of a place in the queue: more than they are until 2049, and no more than a
browser counts exactly."""

_SEEN = 400
"""Latest messages looked through for a page of the conversations that the bot has."""

_c = conversations.c
_not_bot = other_than(_c.owner, "bot")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list. `before` is where the page before ended: (microseconds since 1970 or 0, id)."""

    view: View
    channel: str | None = None
    language: str | None = None
    reason: str | None = None
    department: str | None = None
    urgent: bool = False
    high_value: bool = False
    risk: bool = False
    longest: bool = False  # those held: the longest silent first, not the last spoken in
    after: tuple[int, int] | None = None


def page(connection: Connection, member: Member, wanted: Wanted) -> dict[str, Any]:
    """`conversations`, and `next`: the `after` of the next page, None at the end."""
    rows_found, following = found(connection, member, wanted)
    return {"conversations": rows.described(connection, member, rows_found), "next": following}


def found(connection: Connection, member: Member, wanted: Wanted) -> tuple[list[Any], tuple[int, int] | None]:
    """The rows of a page, and the `after` of the next."""
    following: tuple[int, int] | None = None
    if wanted.view in ("bot", "mentions"):
        ids, following = _with_bot(connection, wanted) if wanted.view == "bot" else (_called(connection, member), None)
        page_rows = rows.rows(connection, _c.id.in_(ids)) if ids else []
        place = {row: at for at, row in enumerate(ids)}
        page_rows.sort(key=lambda row: place[row.id])
    else:
        page_rows = _owned(connection, member, wanted, PAGE + 1)
        if len(page_rows) > PAGE:
            following = _next(page_rows[PAGE - 1], wanted)
        page_rows = page_rows[:PAGE]
    return (_at_risk(connection, member, page_rows) if wanted.risk else page_rows), following


def one(connection: Connection, member: Member, conversation: int) -> dict[str, Any] | None:
    """A conversation as the lists show it."""
    found = rows.rows(connection, _c.id == conversation)
    return rows.described(connection, member, found)[0] if found else None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many conversations wait, how many each agent has, and in how many each was named and has not looked."""

    waiting: int
    held: dict[int | None, int]
    named: dict[int, int]

    def of(self, member: Member) -> dict[str, int]:
        """As a member sees it: what waits, what is theirs, what their colleagues have, where they were named."""
        mine = self.held.get(member.id, 0)
        return {
            "queue": self.waiting,
            "mine": mine,
            "team": sum(self.held.values()) - mine,
            "mentions": self.named.get(member.id, 0),
        }


def tally(connection: Connection) -> Tally:
    waiting = select(func.count()).select_from(conversations).where(among(_c.owner, "queue"), _not_bot)
    held = select(_c.agent_id, func.count()).where(among(_c.owner, "agent"), _not_bot).group_by(_c.agent_id)
    return Tally(
        connection.execute(waiting).scalar_one(),
        {row[0]: int(row[1]) for row in connection.execute(held)},
        whispers.unseen_by(connection),
    )


# ---- which ----


def _owned(connection: Connection, member: Member, wanted: Wanted, most: int) -> list[Any]:
    """Those that wait, by how much they matter, then longest first; those with people, the last spoken in first."""
    where: list[ColumnElement[bool]] = [_not_bot, *_filters(wanted)]
    if wanted.view == "queue":
        return _waiting(connection, [*where, among(_c.owner, "queue")], wanted.after, most)
    where.append(among(_c.owner, "agent"))
    own = _c.agent_id == member.id
    where.append(own if wanted.view == "mine" else or_(_c.agent_id != member.id, _c.agent_id.is_(None)))
    key, upwards = _c.active_at, wanted.longest
    order: list[ColumnElement[Any]] = [key, _c.id] if upwards else [key.desc(), _c.id.desc()]
    if wanted.after:
        when, last = _moment(wanted.after[0]), wanted.after[1]
        if upwards:
            where.append(and_(key >= when, or_(key > when, _c.id > last)))
        else:
            where.append(and_(key <= when, or_(key < when, _c.id < last)))
    return rows.rows(connection, *where, order=order, limit=most)


def _waiting(
    connection: Connection, where: list[ColumnElement[bool]], after: tuple[int, int] | None, most: int
) -> list[Any]:
    """Urgent ones, then priority customers, then all others; of each the longest waiting first."""
    if after:
        (rank, since), last = divmod(after[0], _RANK), after[1]
        when = _moment(since)
        later = and_(_c.queued_at >= when, or_(_c.queued_at > when, _c.id > last))
        where.append(and_(_c.rank >= rank, or_(_c.rank > rank, later)))
    return rows.rows(connection, *where, order=[_c.rank, _c.queued_at, _c.id], limit=most)


def _at_risk(connection: Connection, member: Member, found: list[Any]) -> list[Any]:
    """Those of whom the member may know it."""
    risky = risk.of(connection, sorted({row.contact_id for row in found}), member.id)
    return [row for row in found if row.contact_id in risky]


def _called(connection: Connection, member: Member) -> list[int]:
    """Where the member was named and has not looked yet."""
    return list(whispers.unseen(connection, member.id))[:PAGE]


def _with_bot(connection: Connection, wanted: Wanted) -> tuple[list[int], tuple[int, int] | None]:
    """Those last spoken in first, found by walking the latest messages: of all conversations most are the bot's, and
    no index orders them by activity. Each is on the page of its last message."""
    before = wanted.after[1] if wanted.after else None
    latest = select(messages.c.id, messages.c.conversation_id).order_by(messages.c.id.desc()).limit(_SEEN)
    if before is not None:
        latest = latest.where(messages.c.id < before)
    seen = connection.execute(latest).all()
    last = {row.conversation_id: row.id for row in reversed(seen)}
    if not last:
        return [], None
    later = select(messages.c.id).where(messages.c.conversation_id == _c.id, messages.c.id >= (before or 0)).limit(1)
    where = [_c.id.in_(sorted(last)), _c.owner == "bot", *_filters(wanted)]
    if before is not None:
        where.append(~later.exists())
    found = {row[0] for row in connection.execute(select(_c.id).where(*where))}
    ordered = sorted(found, key=lambda row: -last[row])
    if len(ordered) > PAGE:
        return ordered[:PAGE], (0, last[ordered[PAGE - 1]])
    return ordered, (0, seen[-1].id) if len(seen) == _SEEN else None


def _filters(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.channel:
        found.append(_c.channel == wanted.channel)
    if wanted.language:
        found.append(_c.language == wanted.language)
    if wanted.reason:
        found.append(_c.reason == wanted.reason)
    if wanted.high_value:
        valued = select(contacts.c.id).where(contacts.c.id == _c.contact_id, contacts.c.segment == HIGH_VALUE)
        found.append(valued.correlate(conversations).exists())
    if wanted.risk:
        risky = select(contacts.c.id).where(contacts.c.id == _c.contact_id, contacts.c.risk.is_not(None))
        found.append(risky.correlate(conversations).exists())
    if wanted.department:
        theirs = select(cases.c.id).where(
            cases.c.conversation_id == _c.id,
            cases.c.department == wanted.department,
            cases.c.state.not_in(sorted(SETTLED)),
        )
        found.append(or_(_c.department == wanted.department, and_(_c.department.is_(None), theirs.exists())))
    if wanted.urgent:
        urgent = select(cases.c.id).where(
            cases.c.contact_id == _c.contact_id, cases.c.urgency == "urgent", cases.c.state.not_in(sorted(SETTLED))
        )
        found.append(or_(_c.reason == "urgent", urgent.exists()))
    return found


def _next(row: Any, wanted: Wanted) -> tuple[int, int]:
    when: datetime = row.queued_at if wanted.view == "queue" else row.active_at
    whole = when - EPOCH
    place = (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds
    return place + (row.rank * _RANK if wanted.view == "queue" else 0), row.id


def _moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
