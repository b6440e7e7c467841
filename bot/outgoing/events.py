"""What happens, as others are told of it: an event each, kept for every webhook that listens to its kind.

`note` belongs to the unit of work that makes it happen: what was committed is told, what was rolled back is not. Where
nobody listens it costs one look at a table that is empty then. What people wrote is never in an event: whoever may
read it asks the API for it.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Select, insert, select

from bot.cases import numbers
from storage.prepared import as_prepared
from storage.sets import among
from storage.tables import (
    alerts,
    cases,
    contacts,
    conversations,
    episodes,
    posts,
    ratings,
    staff,
    surveys,
    webhook_kinds,
    webhooks,
)

Subject = Literal["case", "rating", "survey", "conversation", "alert"]

CASE_STATES = {
    "acknowledged": "acknowledged",
    "assigned": "assigned",
    "planned": "planned",
    "in_progress": "started",
    "resolved": "resolved",
    "following_up": "following_up",
    "closed": "closed",
    "closed_unconfirmed": "closed_unconfirmed",
    "returned": "returned",
    "reopened": "reopened",
    "merged": "merged",
    "withdrawn": "withdrawn",
    "duplicate": "duplicate",
}
"""What an event is called after the state that the case moved to."""
CASE_LINES = {
    "opened": "created",
    "responded": "responded",
    "response_taken_back": "response_taken_back",
    "waiting": "waiting",
    "answered": "answered",
    "completed": "completed",
    "joined": "joined",
    "reported": "joined",
    "linked": "joined",
    "split": "split",
    "remedy_proposed": "remedy_proposed",
    "remedy_approved": "remedy_approved",
    "remedy_refused": "remedy_refused",
    "remedy_done": "remedy_done",
    "remedy_cancelled": "remedy_cancelled",
    "grouped": "grouped",
    "rated": "rated",
    "rated_late": "rated_late",
    "undelivered": "unreachable",
    "reclassified": "reclassified",
    "deadline_warned": "deadline_warned",
    "deadline_breached": "deadline_breached",
    "escalated": "escalated",
}
"""And after any other line of its timeline; what is not here is case.updated, with the line's kind."""
SURVEY_STATES = ("sent", "answered", "expired", "superseded", "suppressed")
KINDS: tuple[str, ...] = (
    *(f"case.{name}" for name in dict.fromkeys((*CASE_LINES.values(), *CASE_STATES.values()))),
    "case.updated",
    "rating.received",
    "rating.changed",
    *(f"survey.{name}" for name in SURVEY_STATES),
    "conversation.queued",
    "conversation.handed_over",
    "conversation.returned",
    "alert.paged",
    "alert.taken",
)
"""Every kind of event."""
EVERYTHING = "*"
TEST = "webhook.test"


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a subject; `told` is what is known of it beside the subject's own facts."""

    kind: str
    at: datetime
    subject: Subject
    id: int
    told: Mapping[str, Any] = field(default_factory=dict)


def of_line(line: Mapping[str, Any]) -> Event:
    """The event of a line of a case's timeline. Its note is what people wrote, and stays here."""
    kind, told = str(line["kind"]), {"by": line["actor"]}
    if kind == "moved":
        name = CASE_STATES.get(str(line["to_state"]), "updated")
        told |= {"from_state": line.get("from_state"), "to_state": line["to_state"]}
    else:
        name = CASE_LINES.get(kind, "updated")
    if name == "updated":
        told |= {"what": kind}
    return Event(f"case.{name}", line["at"], "case", int(line["case_id"]), told)


def note(connection: Connection, found: Iterable[Event]) -> None:
    """Keep a post of each event for every webhook that is on and listens to it. Where nobody listens no more than the
    first of them is worked out."""
    rest = iter(found)
    first = next(rest, None)
    if first is None:
        return
    listening: dict[str, list[int]] = defaultdict(list)
    for webhook, kind in as_prepared(_LISTENING, connection.dialect).all(connection, {}):
        listening[kind].append(webhook)
    if not listening:
        return
    heard = [(event, sorted({*listening[event.kind], *listening[EVERYTHING]})) for event in (first, *rest)]
    heard = [(event, who) for event, who in heard if who]
    facts = {
        subject: _FACTS[subject](connection, {event.id for event, _ in heard if event.subject == subject})
        for subject in {event.subject for event, _ in heard}
    }
    rows = [
        post(webhook, event.kind, event.at, dict(event.told) | facts[event.subject].get(event.id, {}), key)
        for event, who in heard
        for key in [new_key()]
        for webhook in who
    ]
    if rows:
        connection.execute(insert(posts), rows)


def post(webhook: int, kind: str, at: datetime, data: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A row of posts for a webhook."""
    return {"webhook_id": webhook, "key": key, "kind": kind, "data": data, "at": at, "since": at, "next_at": at}


def new_key() -> str:
    """The webhook-id of an event: the same for everybody who is told of it, and however often."""
    return f"msg_{uuid.uuid4().hex}"


_LISTENING = (
    select(webhook_kinds.c.webhook_id, webhook_kinds.c.kind)
    .join(webhooks, webhooks.c.id == webhook_kinds.c.webhook_id)
    .where(among(webhooks.c.state, "on"))
)

Facts = dict[int, dict[str, Any]]


def _rows(connection: Connection, statement: Select[Any]) -> Iterable[Any]:
    return connection.execute(statement).mappings()


def _cases(connection: Connection, ids: Collection[int]) -> Facts:
    names = ("state", "urgency", "nature", "aspect", "department", "origin", "language", "attempt", "reports")
    statement = (
        select(
            cases.c.id,
            *(cases.c[name] for name in names),
            cases.c.conversation_id.label("conversation"),
            cases.c.opened_at,
            cases.c.score,
            cases.c.version,
            cases.c.merged_into,
            cases.c.group_id.label("group"),
            staff.c.login.label("owner"),
            contacts.c.external_id.label("customer"),
        )
        .join(contacts, contacts.c.id == cases.c.contact_id)
        .outerjoin(staff, staff.c.id == cases.c.owner_id)
        .where(cases.c.id.in_(sorted(ids)))
    )
    found: Facts = {}
    for row in _rows(connection, statement):
        told = {name: value for name, value in row.items() if name != "id"}
        told["opened_at"] = row["opened_at"].isoformat()
        told["merged_into"] = numbers.number(row["merged_into"]) if row["merged_into"] is not None else None
        found[row["id"]] = {"case": {"number": numbers.number(row["id"])} | told}
    return found


def _surveys(connection: Connection, ids: Collection[int]) -> Facts:
    statement = (
        select(
            surveys.c.id,
            surveys.c.definition,
            surveys.c.state,
            surveys.c.reason,
            surveys.c.anonymous,
            surveys.c.case_id,
            surveys.c.conversation_id,
            episodes.c.external_id.label("episode"),
            episodes.c.touchpoint,
            contacts.c.external_id.label("customer"),
        )
        .join(contacts, contacts.c.id == surveys.c.contact_id)
        .outerjoin(episodes, episodes.c.id == surveys.c.episode_id)
        .where(surveys.c.id.in_(sorted(ids)))
    )
    found: Facts = {}
    for row in _rows(connection, statement):
        told = {name: row[name] for name in ("id", "definition", "state", "reason", "anonymous", "touchpoint")}
        if not row["anonymous"]:  # what is said without a name is told without anything that leads to one
            told |= {
                "case": numbers.number(row["case_id"]) if row["case_id"] is not None else None,
                "conversation": row["conversation_id"],
                "episode": row["episode"],
                "customer": row["customer"],
            }
        found[row["id"]] = {"survey": told}
    return found


def _ratings(connection: Connection, ids: Collection[int]) -> Facts:
    """By the survey: one has one rating."""
    found = _surveys(connection, ids)
    names = ("value", "score", "source")
    statement = select(ratings.c.survey_id, ratings.c.id, *(ratings.c[name] for name in names))
    for row in _rows(connection, statement.where(ratings.c.survey_id.in_(sorted(ids)))):
        own = {name: row[name] for name in ("id", *names)}
        found[row["survey_id"]] = found.get(row["survey_id"], {}) | {"rating": own}
    return found


def _conversations(connection: Connection, ids: Collection[int]) -> Facts:
    statement = (
        select(
            conversations.c.id,
            conversations.c.channel,
            conversations.c.account,
            conversations.c.owner,
            conversations.c.reason,
            conversations.c.department,
            conversations.c.language,
            staff.c.login.label("agent"),
            contacts.c.external_id.label("customer"),
        )
        .join(contacts, contacts.c.id == conversations.c.contact_id)
        .outerjoin(staff, staff.c.id == conversations.c.agent_id)
        .where(conversations.c.id.in_(sorted(ids)))
    )
    return {row["id"]: {"conversation": dict(row)} for row in _rows(connection, statement)}


def _alerts(connection: Connection, ids: Collection[int]) -> Facts:
    names = ("id", "kind", "audience", "pages", "repeats", "taken_by", "case_id")
    statement = select(*(alerts.c[name] for name in names), alerts.c.at).where(alerts.c.id.in_(sorted(ids)))
    rows = list(_rows(connection, statement))
    about = _cases(connection, {row["case_id"] for row in rows if row["case_id"] is not None})
    return {
        row["id"]: {
            "alert": {name: row[name] for name in names if name != "case_id"} | {"at": row["at"].isoformat()},
            **about.get(row["case_id"], {}),
        }
        for row in rows
    }


_FACTS = {
    "case": _cases,
    "rating": _ratings,
    "survey": _surveys,
    "conversation": _conversations,
    "alert": _alerts,
}
