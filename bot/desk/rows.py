"""What the lists show of a conversation: who, since when, their last words, how urgent, by when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from bot.cases import numbers
from bot.cases.rules import SETTLED
from bot.desk import risk, transcript
from bot.desk.transcript import Judging
from bot.staff.sessions import Member
from bot.takeover.undone import taken_back
from storage.tables import cases, contacts, conversations, messages, staff

_PREVIEW = 140
_URGENCIES = ("urgent", "important")
_c = conversations.c


def rows(
    connection: Connection,
    *where: ColumnElement[bool],
    order: Sequence[Any] = (),
    limit: int | None = None,
) -> list[Any]:
    """Conversations that match, for `described`."""
    last = (
        select(messages.c.id)
        .where(messages.c.conversation_id == _c.id, messages.c.author != "system", ~taken_back(messages))
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
            _c.rank,
            _c.active_at,
            _c.language,
            _c.department,
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


def described(connection: Connection, member: Member, found_rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows for the browser, in the same order."""
    if not found_rows:
        return []
    customers = sorted({row.contact_id for row in found_rows})
    judged = transcript.judging(connection, member, customers)
    # Of those who wait the question is what they want, not that the bot told them to wait.
    latest = {row.id: row.heard if row.owner == "queue" and row.heard else row.last for row in found_rows}
    said = select(messages.c.id, messages.c.author, messages.c.text).where(
        messages.c.id.in_([message for message in latest.values() if message is not None])
    )
    words = {row.id: {"id": row.id, "author": row.author, "text": row.text} for row in connection.execute(said)}
    urgent, due = _open_cases(connection, customers, judged)
    risky = risk.of(connection, customers, member.id)
    found = []
    for row in found_rows:
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
                "rank": row.rank,
                "active_at": row.active_at,
                "language": row.language,
                "department": row.department,
                "urgency": urgent.get(row.contact_id),
                "due": due.get(row.contact_id),
                "risk": risky.get(row.contact_id),
                "last": last and last | {"text": _brief(str(last["text"]))},
                "heard": heard,
            }
        )
    return found


def _open_cases(
    connection: Connection, customers: Sequence[int], judged: dict[int, Judging]
) -> tuple[dict[int, dict[str, str]], dict[int, dict[str, Any]]]:
    """Of each customer the most urgent open case, and the one that must be answered next."""
    hidden = {origin for each in judged.values() for origin in each.origins}
    statement = (
        select(cases.c.id, cases.c.contact_id, cases.c.urgency, cases.c.origin)
        .add_columns(cases.c.respond_by, cases.c.responded_at)
        .where(cases.c.contact_id.in_(customers), cases.c.state.not_in(sorted(SETTLED)))
        .order_by(cases.c.id)
    )
    urgent: dict[int, dict[str, str]] = {}
    due: dict[int, dict[str, Any]] = {}
    for row in connection.execute(statement):
        if row.origin in hidden:
            continue
        number, level = numbers.number(row.id), row.urgency
        known = urgent.get(row.contact_id)
        if level in _URGENCIES and not (known and known["level"] == "urgent" and level != "urgent"):
            urgent[row.contact_id] = {"level": level, "case": number}
        first = due.get(row.contact_id)
        if row.responded_at is None and (first is None or row.respond_by < first["at"]):
            due[row.contact_id] = {"at": row.respond_by, "case": number}
    return urgent, due


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
