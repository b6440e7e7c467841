"""The lists of conversations: who waits, mine, my colleagues', the bot's. A page at a time, along an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, or_, select

from bot.cases import numbers
from bot.cases.rules import SETTLED
from bot.desk import transcript
from bot.desk.transcript import Judging
from bot.staff.sessions import Member
from storage.tables import cases, contacts, conversations, messages, staff
from storage.types import EPOCH

View = Literal["queue", "mine", "team", "bot"]
VIEWS: tuple[View, ...] = get_args(View)
PAGE = 40
_SEEN = 400
"""Latest messages looked through for a page of the conversations that the bot has."""

_PREVIEW = 140
_URGENCIES = ("urgent", "important")
_c = conversations.c
_not_bot = _c.owner != literal_column("'bot'")
"""Said in the index's own words: SQLite uses a partial index only for a condition that it can read off the query."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list. `before` is where the page before ended: (microseconds since 1970 or 0, id)."""

    view: View
    channel: str | None = None
    language: str | None = None
    reason: str | None = None
    urgent: bool = False
    after: tuple[int, int] | None = None


def page(connection: Connection, member: Member, wanted: Wanted) -> dict[str, Any]:
    """`conversations`, and `next`: the `after` of the next page, None at the end."""
    if wanted.view == "bot":
        ids, following = _with_bot(connection, wanted)
        rows = _rows(connection, _c.id.in_(ids)) if ids else []
        place = {row: at for at, row in enumerate(ids)}
        rows.sort(key=lambda row: place[row.id])
    else:
        rows = _owned(connection, member, wanted)
        following = _next(rows[PAGE - 1], wanted) if len(rows) > PAGE else None
        rows = rows[:PAGE]
    return {"conversations": _described(connection, member, rows), "next": following}


def one(connection: Connection, member: Member, conversation: int) -> dict[str, Any] | None:
    """A conversation as the lists show it."""
    rows = _rows(connection, _c.id == conversation)
    return _described(connection, member, rows)[0] if rows else None


def counts(connection: Connection, member: Member) -> dict[str, int]:
    """How many wait, are mine, are with my colleagues."""
    waiting = select(func.count()).select_from(conversations).where(_c.owner == literal_column("'queue'"), _not_bot)
    held = (
        select(_c.agent_id, func.count()).where(_c.owner == literal_column("'agent'"), _not_bot).group_by(_c.agent_id)
    )
    by_agent = {row[0]: int(row[1]) for row in connection.execute(held)}
    mine = by_agent.pop(member.id, 0)
    return {"queue": connection.execute(waiting).scalar_one(), "mine": mine, "team": sum(by_agent.values())}


# ---- which ----


def _owned(connection: Connection, member: Member, wanted: Wanted) -> list[Any]:
    """Those that wait, longest first; those with people, the last spoken in first. One more than a page."""
    where: list[ColumnElement[bool]] = [_not_bot, *_filters(wanted)]
    if wanted.view == "queue":
        where.append(_c.owner == literal_column("'queue'"))
        order: list[ColumnElement[Any]] = [_c.queued_at, _c.id]
    else:
        where.append(_c.owner == literal_column("'agent'"))
        own = _c.agent_id == member.id
        where.append(own if wanted.view == "mine" else or_(_c.agent_id != member.id, _c.agent_id.is_(None)))
        order = [_c.active_at.desc(), _c.id.desc()]
    if wanted.after:
        when, last = _moment(wanted.after[0]), wanted.after[1]
        if wanted.view == "queue":
            where.append(and_(_c.queued_at >= when, or_(_c.queued_at > when, _c.id > last)))
        else:
            where.append(and_(_c.active_at <= when, or_(_c.active_at < when, _c.id < last)))
    return _rows(connection, *where, order=order, limit=PAGE + 1)


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
    if wanted.urgent:
        urgent = select(cases.c.id).where(
            cases.c.contact_id == _c.contact_id, cases.c.urgency == "urgent", cases.c.state.not_in(sorted(SETTLED))
        )
        found.append(or_(_c.reason == "urgent", urgent.exists()))
    return found


def _next(row: Any, wanted: Wanted) -> tuple[int, int]:
    when: datetime = row.queued_at if wanted.view == "queue" else row.active_at
    whole = when - EPOCH
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds, row.id


def _moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


# ---- what of each ----


def _rows(
    connection: Connection,
    *where: ColumnElement[bool],
    order: Sequence[Any] = (),
    limit: int | None = None,
) -> list[Any]:
    last = (
        select(messages.c.id)
        .where(messages.c.conversation_id == _c.id, messages.c.author != "system")
        .order_by(messages.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    heard = (
        select(messages.c.id)
        .where(messages.c.conversation_id == _c.id, messages.c.author == "customer")
        .order_by(messages.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = (
        select(
            _c.id,
            _c.channel,
            _c.account,
            _c.thread,
            _c.owner,
            _c.agent_id,
            _c.reason,
            _c.queued_at,
            _c.active_at,
            _c.language,
            _c.contact_id,
            contacts.c.name,
            contacts.c.segment,
            staff.c.name.label("agent_name"),
            last.label("last"),
            heard.label("heard"),
        )
        .select_from(conversations)
        .join(contacts, contacts.c.id == _c.contact_id)
        .outerjoin(staff, staff.c.id == _c.agent_id)
        .where(*where)
        .order_by(*order)
    )
    return list(connection.execute(statement if limit is None else statement.limit(limit)))


def _described(connection: Connection, member: Member, rows: Sequence[Any]) -> list[dict[str, Any]]:
    if not rows:
        return []
    customers = sorted({row.contact_id for row in rows})
    judged = transcript.judging(connection, member, customers)
    # Of those who wait the question is what they want, not that the bot told them to wait.
    latest = {row.id: row.heard if row.owner == "queue" and row.heard else row.last for row in rows}
    said = select(messages.c.id, messages.c.author, messages.c.text).where(
        messages.c.id.in_([message for message in latest.values() if message is not None])
    )
    words = {row.id: {"id": row.id, "author": row.author, "text": row.text} for row in connection.execute(said)}
    urgent = _urgencies(connection, customers, judged)
    found = []
    for row in rows:
        last, heard = words.get(latest[row.id]), row.heard
        if row.contact_id in judged:
            last, heard = _unblinded(connection, row.id, judged[row.contact_id])
        found.append(
            {
                "id": row.id,
                "channel": row.channel,
                "public": row.thread.startswith("comment:"),
                "name": row.name,
                "contact": row.contact_id,
                "high_value": row.segment == "high_value",
                "owner": row.owner,
                "agent": None if row.agent_id is None else {"id": row.agent_id, "name": row.agent_name},
                "reason": row.reason,
                "queued_at": row.queued_at,
                "active_at": row.active_at,
                "language": row.language,
                "urgency": urgent.get(row.contact_id),
                "last": last and last | {"text": _brief(str(last["text"]))},
                "heard": heard,
            }
        )
    return found


def _urgencies(
    connection: Connection, customers: Sequence[int], judged: dict[int, Judging]
) -> dict[int, dict[str, str]]:
    """The most urgent open case of each customer."""
    hidden = {origin for each in judged.values() for origin in each.origins}
    statement = (
        select(cases.c.id, cases.c.contact_id, cases.c.urgency, cases.c.origin)
        .where(
            cases.c.contact_id.in_(customers),
            cases.c.state.not_in(sorted(SETTLED)),
            cases.c.urgency.in_(_URGENCIES),
        )
        .order_by(cases.c.urgency == "urgent", cases.c.id)
    )
    return {
        row.contact_id: {"level": row.urgency, "case": numbers.number(row.id)}
        for row in connection.execute(statement)
        if row.origin not in hidden
    }


def _unblinded(connection: Connection, conversation: int, judged: Judging) -> tuple[dict[str, Any] | None, int | None]:
    """The last words that this member may see, and the last of the customer's."""
    tail = transcript.page(connection, conversation, judged, size=20)["messages"]
    said = [each for each in tail if each["author"] != "system"]
    last = {name: said[-1][name] for name in ("id", "author", "text")} if said else None
    return last, next((each["id"] for each in reversed(said) if each["author"] == "customer"), None)


def _brief(text: str) -> str:
    """The beginning, on one line."""
    line = " ".join(transcript.without_keys(text)[: 2 * _PREVIEW].split())
    return line if len(line) <= _PREVIEW else f"{line[:_PREVIEW]}…"
