"""What is kept of one customer: where it stands, what of it is theirs to have, and what becomes of it when they are
erased. `bot.contacts.privacy` gives out and erases by it, and sees itself to what is found by other ways: files, the
inbox, timers, deadlines, what webhooks wait for. tests/test_privacy.py asks of every table where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, String, Table, cast, literal, select, union

from storage import tables as t

THEIR_OWN = ("external_id", "name", "revenue", "phone", "email", "birthday", "risk", "care_agreed_at")
"""What the row of a customer itself says of them."""
HOLLOW = "erased-"
"""What stands where an address stood begins so."""
GONE = "—"
"""Stands where pages show words that were erased."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """Rows of `table` that belong to a customer: those for which `owned` holds. `shown` are the columns that are given
    out, `gone` what columns become when they are erased; None: the rows go."""

    table: Table
    owned: Any
    shown: Sequence[str]
    gone: Mapping[str, Any] | None = field(default_factory=dict)


def hollow(table: Table) -> ColumnElement[str]:
    """What stands where an address or a name of somebody stood that must be no other row's."""
    return literal(f"{HOLLOW}{table.name[0]}").concat(cast(table.c.id, String))


def is_hollow(thread: str) -> bool:
    """Whether whoever was reached there was erased."""
    return thread.startswith(HOLLOW)


def _either(table: Table, one: ColumnElement[bool], other: ColumnElement[bool]) -> Any:
    """Ids of the rows for which one of two holds, each found by its own index: no index serves an OR of subqueries."""
    return union(select(table.c.id).where(one), select(table.c.id).where(other))


def belongings(contact: int) -> Iterator[Belonging]:
    who = t.contacts.c.id == contact
    talks = select(t.conversations.c.id).where(t.conversations.c.contact_id == contact)
    theirs = select(t.cases.c.id).where(t.cases.c.contact_id == contact)
    tasks = _either(t.case_tasks, t.case_tasks.c.contact_id == contact, t.case_tasks.c.case_id.in_(theirs))
    named = select(t.surveys.c.id).where(t.surveys.c.contact_id == contact, ~t.surveys.c.anonymous)
    yield Belonging(
        t.contacts,
        who,
        _OF_THEM,
        dict.fromkeys((*THEIR_OWN, "manager_id")),
    )
    yield Belonging(
        t.addresses,
        t.addresses.c.contact_id == contact,
        ("channel", "account", "address", "stopped_at", "blocked_at", "heard_at", "created_at"),
        {"address": hollow(t.addresses)},
    )
    yield Belonging(
        t.conversations,
        t.conversations.c.contact_id == contact,
        ("channel", "account", "language", "created_at", "active_at"),
        {"lane": _LANE, "thread": hollow(t.conversations), "tracker": None, "owner": "bot"}
        | {"agent_id": None, "queued_at": None, "reason": None, "department": None}
        | {"owner_epoch": t.conversations.c.owner_epoch + 1, "version": t.conversations.c.version + 1},
    )
    yield Belonging(
        t.episodes,
        t.episodes.c.contact_id == contact,
        ("external_id", "touchpoint", "ended_at", "product", "region", "business_line"),
        {"external_id": hollow(t.episodes)},
    )
    # What was answered without a name is not given out: whoever gives it out would read whose it is.
    yield Belonging(
        t.surveys,
        (t.surveys.c.contact_id == contact) & ~t.surveys.c.anonymous,
        ("definition", "state", "reason", "created_at", "asked_at", "answered_at"),
    )
    yield Belonging(t.surveys, t.surveys.c.contact_id == contact, (), {"progress": None})
    yield Belonging(
        t.ratings,
        t.ratings.c.survey_id.in_(named),
        ("value", "score", "source", "answers", "received_at", "changed_at"),
    )
    yield Belonging(
        t.rating_history,
        t.rating_history.c.rating_id.in_(select(t.ratings.c.id).where(t.ratings.c.survey_id.in_(named))),
        ("value", "score", "source", "at"),
    )
    yield Belonging(
        t.cases,
        t.cases.c.contact_id == contact,
        _OF_A_CASE,
        {"title": GONE, "fields": {}, "plan": None, "cause": None, "countermeasure": None, "result": None}
        | {"owner_id": None, "version": t.cases.c.version + 1},
    )
    yield Belonging(
        t.case_events,
        t.case_events.c.case_id.in_(theirs),
        ("at", "kind", "from_state", "to_state", "note"),
        {"note": None},
    )
    yield Belonging(
        t.case_reports,
        t.case_reports.c.id.in_(
            _either(t.case_reports, t.case_reports.c.case_id.in_(theirs), t.case_reports.c.conversation_id.in_(talks))
        ),
        ("at", "text", "nature", "aspect", "urgency", "fields"),
        {"text": GONE, "fields": {}},
    )
    yield Belonging(t.call_tries, t.call_tries.c.task_id.in_(tasks), ("at", "result", "note"), {"note": None})
    yield Belonging(
        t.case_tasks,
        t.case_tasks.c.id.in_(tasks),
        ("kind", "department", "required", "outcome", "state", "made_at", "ended_at"),
        {"required": GONE, "outcome": None},
    )
    yield Belonging(
        t.case_remedies,
        t.case_remedies.c.case_id.in_(theirs),
        ("kind", "amount", "note", "state", "reason", "made_at", "done_at"),
        {"note": None, "reason": None},
    )
    yield Belonging(
        t.alerts,
        t.alerts.c.id.in_(_either(t.alerts, t.alerts.c.case_id.in_(theirs), t.alerts.c.contact_id == contact)),
        (),
        {"detail": None, "next_at": None},
    )
    yield Belonging(
        t.messages,
        t.messages.c.conversation_id.in_(talks),
        ("author", "text", "created_at"),
        {"text": "", "data": {"removed": True}, "client_key": None},
    )
    sent = select(t.outbox.c.id).where(t.outbox.c.conversation_id.in_(talks))
    yield Belonging(t.attempts, t.attempts.c.outbox_id.in_(sent), (), {"detail": None})
    yield Belonging(
        t.outbox,
        t.outbox.c.conversation_id.in_(talks),
        (),
        {"address": hollow(t.outbox), "place": hollow(t.outbox), "text": "", "buttons": None, "target": None}
        | {"reference": None, "reason": None},
    )
    notes = select(t.whispers.c.id).where(t.whispers.c.conversation_id.in_(talks))
    yield Belonging(t.mentions, t.mentions.c.whisper_id.in_(notes), (), None)
    yield Belonging(t.whispers, t.whispers.c.conversation_id.in_(talks), ("kind", "text", "created_at"), None)
    said = select(t.messages.c.id).where(t.messages.c.conversation_id.in_(talks))
    yield Belonging(t.corrections, t.corrections.c.message_id.in_(said), (), None)
    yield Belonging(t.care_watches, t.care_watches.c.contact_id == contact, ("reason", "since"), None)
    yield Belonging(
        t.care_messages, t.care_messages.c.contact_id == contact, ("key", "state", "due_at", "sent_at"), None
    )


_OF_THEM = (*THEIR_OWN, "language", "segment", "created_at")
_OF_A_CASE = (
    *("state", "title", "nature", "aspect", "urgency", "fields", "language", "opened_at", "resolved_at", "closed_at"),
    *("plan", "cause", "countermeasure", "result", "score"),
)
_LANE = (
    (literal("chat:").concat(t.conversations.c.channel).concat(":").concat(t.conversations.c.account))
    .concat(":")
    .concat(hollow(t.conversations))
)
