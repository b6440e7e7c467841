"""The timeline of a case in words: who did what, when, from where to where, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, select

from bot.cases import rules
from bot.content import Content
from bot.desk.moments import stamp
from bot.desk.transcript import without_keys
from bot.desk.words import named, said
from nlu.understanding import Language
from storage.tables import case_events, staff

MOST = 300
"""Lines that are shown, the newest."""

_STAFF = re.compile(r"staff:(\d{1,18})")
_TASK = re.compile(r"^(hand_over|sub_task|call_back) \d+(?:: )?")
_DEADLINE = re.compile(r"^(?:(supervisor|admin): )?(\w+): (\d{4}-\S+)$")
_REMEDY = re.compile(r"^\w+")
_FIELD = re.compile(r"(^|; )(\w+): ")


def lines(
    connection: Connection, case_id: int, content: Content, now: datetime, language: Language, *, after: int = 0
) -> list[dict[str, Any]]:
    """The lines after the event `after`, the oldest first; each with `id`, `at`, `when`, `who`, `what`, `why`, and of a
    move `old` and `new`."""
    statement = (
        select(case_events)
        .where(case_events.c.case_id == case_id, case_events.c.id > after)
        .order_by(case_events.c.id.desc())
        .limit(MOST)
    )
    found = connection.execute(statement).all()[::-1]
    who = names(connection, [each.actor for each in found] + [each.note or "" for each in found])
    return [
        {
            "id": each.id,
            "at": each.at,
            "when": stamp(each.at, now, content.calendar.zone, language),
            "who": actor(each.actor, who, language),
            "kind": each.kind,
            "what": _what(each.kind, language),
            "old": _state(each.from_state, language),
            "new": _state(each.to_state, language) if each.kind != "opened" else None,
            "why": _why(each, who, content, now, language),
        }
        for each in found
    ]


def names(connection: Connection, words: Iterable[str]) -> Mapping[str, str]:
    """The names of those of the staff who are spoken of, as staff:ID."""
    ids = {int(id) for text in words for id in _STAFF.findall(text)}
    found = connection.execute(select(staff.c.id, staff.c.name).where(staff.c.id.in_(sorted(ids)))) if ids else ()
    return {f"staff:{id}": name for id, name in found}


def actor(word: str, who: Mapping[str, str], language: Language) -> str:
    """Who did it."""
    if word in who:
        return who[word]
    kind, _, name = word.partition(":")
    shown = named(f"case_actor.{kind}", language) or kind
    return f"{shown} {name}" if kind == "api" and name else shown


def _what(kind: str, language: Language) -> str:
    return named(f"case_event.{kind}", language) or kind.replace("_", " ")


def _state(state: str | None, language: Language) -> str | None:
    return None if state is None else state_name(state, language)


def state_name(state: str, language: Language) -> str:
    """A state as the desk says it: to those who work on the case, not to its customer."""
    return named(f"case_state.{state}", language) or rules.name(cast(rules.State, state), language)


def _why(event: Any, who: Mapping[str, str], content: Content, now: datetime, language: Language) -> str | None:
    note: str | None = event.note
    if not note:
        return None
    deadline = _DEADLINE.match(note) if event.actor == "system" else None
    if deadline:
        above, kind, at = deadline.groups()
        by = stamp(datetime.fromisoformat(at), now, content.calendar.zone, language)
        words = said("case.due", language, what=named(f"deadline.{kind}", language) or kind, time=by)
        return f"{said(f'role.{above}', language)} · {words}" if above else words
    if event.kind.startswith("task_"):
        note = _task(note, content, language)
    elif event.kind.startswith("remedy_"):
        note = _REMEDY.sub(lambda m: named(f"remedy_kind.{m[0]}", language) or m[0], note)
    elif event.kind in ("completed", "rated", "reclassified"):
        note = _FIELD.sub(lambda m: f"{m[1]}{named(f'field.{m[2]}', language) or m[2]}: ", note)
    return _STAFF.sub(lambda m: who.get(m[0], m[0]), without_keys(note))


def _task(note: str, content: Content, language: Language) -> str:
    key, colon, rest = note.partition(": ")
    department = content.departments.names.get(key)
    if department and colon:
        return f"{department.said(language)}: {rest}"
    return _TASK.sub(lambda m: said(f"task_kind.{m[1]}", language) + (": " if m[0].endswith(": ") else ""), note)


def newer(found: Sequence[Mapping[str, Any]], language: Language) -> str:
    """In one sentence, who did what meanwhile: for somebody whose own act came too late."""
    parts = [
        said("case.did", language, name=each["who"], what=each["new"] or each["what"], time=each["when"])
        for each in found[-3:]
    ]
    return ("；" if language == "zh" else "; ").join(parts)
