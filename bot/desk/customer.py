"""What is known of the customer, beside the conversation: who they are, what is open, how they rated us."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, case, or_, select

from bot.cases import numbers
from bot.cases.rules import SETTLED
from bot.content import Content
from bot.desk.case_dues import upcoming
from bot.desk.case_timeline import state_name
from bot.desk.transcript import Judging, without_keys
from bot.surveys.definitions import Definition
from bot.surveys.scales import LOW_BELOW
from nlu.understanding import Language
from storage.tables import addresses, case_reports, cases, contacts, conversations, episodes, ratings, staff, surveys

_CASES = 10
_RATINGS = 8
_CONVERSATIONS = 8
_PRIVATE = frozenset({"web"})
"""Channels whose addresses say nothing to a person, and are a key to somebody's chat."""

_SCOPED = ("author:", "comment:")
"""How the addresses begin that only the platform can read: commenters'."""


def about(
    connection: Connection, contact: int, conversation: int, judged: Judging, content: Content, language: Language
) -> dict[str, Any]:
    """The customer in the words of `language`. Ratings that judge whoever is looking, and the cases that they opened,
    are left out."""
    row = connection.execute(select(contacts).where(contacts.c.id == contact)).one()
    return {
        "id": row.id,
        "name": row.name,
        "external_id": row.external_id,
        "language": row.language,
        "segment": row.segment,
        "phone": row.phone,
        "email": row.email,
        "since": row.created_at,
        "addresses": _addresses(connection, contact),
        "cases": _cases(connection, contact, conversation, judged, content, language),
        "ratings": _ratings(connection, contact, judged, content, language),
        "conversations": _conversations(connection, contact, conversation),
    }


def _addresses(connection: Connection, contact: int) -> list[dict[str, Any]]:
    found = connection.execute(
        select(addresses).where(addresses.c.contact_id == contact).order_by(addresses.c.id.desc()).limit(12)
    )
    return [
        {
            "channel": row.channel,
            "address": None if row.channel in _PRIVATE or row.address.startswith(_SCOPED) else row.address,
            "stopped": row.stopped_at is not None,
            "blocked": row.blocked_at is not None,
        }
        for row in found
    ]


def _cases(
    connection: Connection, contact: int, conversation: int, judged: Judging, content: Content, language: Language
) -> list[dict[str, Any]]:
    """Theirs, and those that this conversation was linked to. `here`: it is spoken of in this conversation."""
    reports = case_reports.c
    linked = set(
        connection.execute(
            select(reports.case_id).where(reports.conversation_id == conversation, reports.split_into.is_(None))
        ).scalars()
    )
    settled = case((cases.c.state.in_(sorted(SETTLED)), 1), else_=0)
    statement = (
        select(cases, staff.c.name.label("owner_name"))
        .outerjoin(staff, staff.c.id == cases.c.owner_id)
        .where(or_(cases.c.contact_id == contact, cases.c.id.in_(sorted(linked))))
        .where(cases.c.origin.not_in(judged.origins))
        .order_by(settled, cases.c.id.desc())
        .limit(_CASES)
    )
    found, rows = [], connection.execute(statement).all()
    coming = upcoming(connection, [row.id for row in rows])
    for row in rows:
        next_due, department = coming.get(row.id), content.departments.names.get(row.department or "")
        found.append(
            {
                "number": numbers.number(row.id),
                "title": without_keys(row.title),
                "state": row.state,
                "state_name": state_name(row.state, language),
                "open": row.state not in SETTLED,
                "here": row.conversation_id == conversation or row.id in linked,
                "urgency": row.urgency,
                "department": department.said(language) if department else None,
                "department_key": row.department,
                "owner": row.owner_name,
                "fields": row.fields,
                "opened_at": row.opened_at,
                "since": row.handed_at or row.opened_at,
                "asked": row.waiting_since is not None,
                "due": None if next_due is None else {"kind": next_due.kind, "at": next_due.due_at},
            }
        )
    return found


def _ratings(
    connection: Connection, contact: int, judged: Judging, content: Content, language: Language
) -> list[dict[str, Any]]:
    statement = (
        select(
            surveys.c.id,
            surveys.c.definition,
            ratings.c.value,
            ratings.c.score,
            ratings.c.answers,
            ratings.c.received_at,
            ratings.c.changed_at,
            episodes.c.touchpoint,
        )
        .select_from(surveys)
        .join(ratings, ratings.c.survey_id == surveys.c.id)
        .outerjoin(episodes, episodes.c.id == surveys.c.episode_id)
        .where(surveys.c.contact_id == contact, surveys.c.id.not_in(sorted(judged.surveys)), ~surveys.c.anonymous)
        .order_by(ratings.c.received_at.desc(), surveys.c.id.desc())
        .limit(_RATINGS)
    )
    found = []
    for row in connection.execute(statement):
        definition = content.surveys.get(row.definition)
        label = definition.scale.labels.get(int(row.value)) if definition else None
        found.append(
            {
                "survey": row.id,
                "about": definition.trigger if definition else None,
                "touchpoint": row.touchpoint,
                "label": label.said(language) if label else None,
                "score": row.score,
                "low": row.score < LOW_BELOW,
                "answers": [_answer(given, definition, language) for given in row.answers or ()],
                "at": row.received_at,
                "changed_at": row.changed_at,
            }
        )
    return found


def _answer(given: dict[str, Any], definition: Definition | None, language: Language) -> str:
    """An answer in words: the option that was chosen, or what was written."""
    questions: Sequence[Any] = definition.ask if definition else ()
    asked = next((question for question in questions if question.key == given.get("question")), None)
    picked = [given["option"]] if given.get("option") else given.get("options") or []
    titles = [choice.title.said(language) for key in picked if asked and (choice := asked.choice(str(key)))]
    said = [*titles, *([str(given["text"])] if given.get("text") else [])]
    return ("、" if language == "zh" else ", ").join(said) or str(given.get("option") or "")


def _conversations(connection: Connection, contact: int, but: int) -> list[dict[str, Any]]:
    """Their other conversations: the same person on another channel, or under another comment."""
    found = connection.execute(
        select(conversations.c.id, conversations.c.channel, conversations.c.owner, conversations.c.active_at)
        .where(conversations.c.contact_id == contact, conversations.c.id != but)
        .order_by(conversations.c.active_at.desc())
        .limit(_CONVERSATIONS)
    )
    return [{"id": row.id, "channel": row.channel, "owner": row.owner, "active_at": row.active_at} for row in found]
