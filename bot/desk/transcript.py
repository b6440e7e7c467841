"""A conversation as the desk shows it: everything said, what was understood, what became of each message."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from bot.attachments import store
from bot.attachments.store import File
from bot.desk.blindness import Line, hidden
from bot.staff.sessions import Member
from storage.records import Message
from storage.sets import one_of
from storage.tables import corrections, messages, outbox, surveys

PAGE = 60
_BEFORE = 40
"""Messages looked at before a page, to know what those at its beginning belong to."""

_OUTGOING = 400
"""Outgoing rows read for a page: a message may have gone out in several parts."""


_SIGNED = re.compile(r"(/[rc]/)[A-Za-z0-9_-]{16,}")


def without_keys(text: str) -> str:
    """The text without the signed part of links: it is the customer's own key to a rating or a case, and whoever holds
    it may answer for them."""
    return _SIGNED.sub(r"\1…", text)


@dataclass(frozen=True, slots=True)
class Judging:
    """The surveys of one customer that judge the member who is looking."""

    surveys: frozenset[int] = frozenset()

    @property
    def origins(self) -> list[str]:
        """What the cases that they opened say of where they come from."""
        return [f"survey:{survey}" for survey in sorted(self.surveys)]


def judging(connection: Connection, member: Member, contacts: Sequence[int]) -> dict[int, Judging]:
    """By customer, where there are any."""
    statement = select(surveys.c.contact_id, surveys.c.id).where(
        surveys.c.contact_id.in_(sorted(set(contacts))), surveys.c.judged == f"staff:{member.id}"
    )
    found: dict[int, set[int]] = defaultdict(set)
    for contact, survey in connection.execute(statement):
        found[contact].add(survey)
    return {contact: Judging(frozenset(ids)) for contact, ids in found.items()}


def page(
    connection: Connection, conversation: int, judged: Judging, *, before: int | None = None, size: int = PAGE
) -> dict[str, Any]:
    """The last `size` messages, or those before the message `before`: `messages` in order, `more` if there are
    earlier ones."""
    statement = Message.select().where(messages.c.conversation_id == conversation)
    if before is not None:
        statement = statement.where(messages.c.id < before)
    rows = connection.execute(statement.order_by(messages.c.id.desc()).limit(size + _BEFORE + 1))
    found = [Message(*row) for row in rows][::-1]
    more = len(found) > size
    shown = found[-size:]
    if not shown:
        return {"messages": [], "more": False}
    sent = _outgoing(connection, conversation, found[0].id, found[-1].id)
    left_out = _hidden(connection, found, sent, judged)
    meant = _corrected(connection, [row.id for row in shown])
    files = store.find(connection, store.keys_of(row.data for row in shown))
    return {
        "messages": [
            _shown(row, sent.get(row.id, ()), files) | meant.get(row.id, {}) for row in shown if row.id not in left_out
        ],
        "more": more,
        "from": shown[0].id,
    }


def _corrected(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What agents said that messages meant."""
    rows = connection.execute(select(corrections).where(one_of(corrections.c.message_id, "ids")), {"ids": list(ids)})
    return {
        row.message_id: {
            "corrected": {
                "intent": row.intent,
                "nature": row.nature,
                "sentiment": row.sentiment,
                "urgency": row.urgency,
            }
        }
        for row in rows
    }


def _outgoing(connection: Connection, conversation: int, first: int, last: int) -> dict[int, list[Any]]:
    rows = connection.execute(
        select(
            outbox.c.id,
            outbox.c.message_id,
            outbox.c.kind,
            outbox.c.form,
            outbox.c.state,
            outbox.c.reason,
            outbox.c.receipt,
            outbox.c.attempts,
            outbox.c.not_before,
            outbox.c.created_at,
        )
        .where(outbox.c.conversation_id == conversation, outbox.c.message_id.between(first, last))
        .order_by(outbox.c.id.desc())
        .limit(_OUTGOING)
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for row in reversed(rows.all()):
        found[row.message_id].append(row)
    return found


def _hidden(connection: Connection, rows: Sequence[Message], sent: dict[int, list[Any]], judged: Judging) -> set[int]:
    if not judged.surveys:
        return set()
    known = {row.id for row in rows}
    tapped = {tap for row in rows if (tap := (row.data or {}).get("tapped")) and tap not in known}
    asked: dict[int, int] = {}
    if tapped:
        statement = Message.select().where(messages.c.id.in_(sorted(tapped)))
        for found in (Message(*row) for row in connection.execute(statement)):
            if survey := (found.data or {}).get("survey"):
                asked[found.id] = survey
    return hidden([_line(row, sent.get(row.id, ())) for row in rows], judged.surveys, asked)


def _line(row: Message, sent: Sequence[Any]) -> Line:
    data = row.data or {}
    return Line(
        row.id,
        row.author,
        kind=sent[0].kind if sent else None,
        survey=data.get("survey"),
        tapped=data.get("tapped"),
        event=row.text if row.author == "system" else None,
    )


def _shown(row: Message, sent: Sequence[Any], files: Mapping[str, File]) -> dict[str, Any]:
    """A message for the browser. Only the titles of buttons leave the house, never their payloads."""
    data = row.data or {}
    shown: dict[str, Any] = {"id": row.id, "author": row.author, "text": without_keys(row.text), "at": row.created_at}
    if name := data.get("name") or data.get("staff"):
        shown["name"] = name
    if row.staff_id is not None:
        shown["staff"] = row.staff_id
    if buttons := data.get("buttons"):
        shown["buttons"] = [str(button.get("title", "")) for button in buttons]
    if understood := data.get("understood"):
        shown["understood"] = _understood(understood)
    for mark in ("media", "removed", "unanswered", "to", "department", "summary"):
        if data.get(mark):
            shown[mark] = data[mark]
    if data.get("files"):
        shown["files"] = [files[key].as_json() for key in data["files"] if key in files]
    if data.get("tapped"):
        shown["tapped"] = True
    if "comment" in data or (sent and sent[0].form == "public_reply"):
        shown["public"] = True
    if sent:
        shown["kind"] = sent[0].kind
        shown["sent"] = [_delivery(each) for each in sent]
    return shown


def _delivery(row: Any) -> dict[str, Any]:
    found = {"id": row.id, "state": row.state}
    if row.state == "queued" and row.attempts == 0 and row.kind == "agent" and row.not_before > row.created_at:
        found["held_until"] = row.not_before
    if row.reason and row.state != "sent":
        found["reason"] = row.reason
    if row.receipt:
        found["receipt"] = row.receipt
    return found


def _understood(understood: dict[str, Any]) -> dict[str, Any]:
    return {
        "intent": (understood.get("intent") or {}).get("name"),
        "sentiment": (understood.get("sentiment") or {}).get("label"),
        "nature": [nature for nature in understood.get("nature") or () if nature != "none"],
        "urgency": understood.get("urgency"),
        "evidence": [str(word) for word in understood.get("evidence") or ()][:8],
    }
