"""The loop closes on the customer's own word: what their rating, or their silence, does to a case.

What each means in a state where it was not expected is defined here, too: a rating after "closed, unconfirmed", one
changed after it closed the case, one of a case that was merged into another.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import cast

from sqlalchemy import Connection

from bot.cases import alerts, rules, tasks
from bot.cases.clocks import House
from bot.cases.rules import State
from bot.loop.case_moves import move, state_now, told, values_now
from bot.loop.effects import Effects
from bot.yamlfile import Words, tongue
from nlu.understanding import Urgency
from storage import tables
from storage.records import Case

_JUDGED: frozenset[State] = frozenset({"resolved", "following_up", "closed", "closed_unconfirmed", "reopened"})
"""States in which a rating decides something; elsewhere people are at work, and it is only noted."""


def judged(
    effects: Effects, house: House, case_id: int, score: float, at: datetime, *, note: str = "", actor: str = "customer"
) -> None:
    """The customer has rated the result, of 0 to 100: the case closes, or opens again, one step more urgent."""
    case, merged = _surviving(effects, case_id)
    if case is None:
        return
    line = f"{score:g}" + (f" ({note})" if note else "")
    told(effects, case_id, "rated", actor=actor, at=at, note=line)
    if merged:  # it was asked about the other one: kept there, told here; the survivor has a follow-up of its own
        told(effects, case.id, "rated", actor=actor, at=at, note=line)
    old = state_now(effects, case)
    good = score >= house.deadlines.close_from
    if old in _JUDGED and good and old != "closed" and not merged:
        move(effects, house, case, "closed", "customer", actor=actor, reason=line, at=at, score=score)
    elif old in _JUDGED and not good and old != "reopened":
        verdict = rules.judged(score, cast(Urgency, case.urgency), house.deadlines.close_from)
        values = {"score": score, "urgency": verdict.urgency}
        move(effects, house, case, "reopened", "customer", actor=actor, reason=line, at=at, **values)
        effects.joined.append(call_again(case, verdict.urgency, at))
    elif not merged:
        effects.change_guarded(tables.cases, case.id, case.version, {"score": score})


def unanswered(effects: Effects, house: House, case_id: int, how: str, reason: str | None) -> None:
    """The follow-up expired (closed, unconfirmed, which is counted apart), or never reached anybody (then somebody
    shall ask by telephone). One that gave way did so to the next one about the same case."""
    case = effects.state.case(case_id)
    if case is None or state_now(effects, case) != "following_up":
        return
    if how == "expired":
        note = "no answer to the follow-up"
        move(effects, house, case, "closed_unconfirmed", "system", actor="system", reason=note)
    elif how == "suppressed":
        told(effects, case.id, "undelivered", actor="system", at=effects.now, note=reason)
        call_back(effects, house, case)


def late(effects: Effects, case_id: int, said: str, at: datetime) -> None:
    """A rating after the follow-up expired counts nothing; whoever looks at the case sees it."""
    if effects.state.case(case_id) is not None:
        told(effects, case_id, "rated_late", actor="customer", at=at, note=said)


def call_back(effects: Effects, house: House, case: Case) -> None:
    """Nobody can be asked in writing: a person calls."""
    at, now = effects.now, values_now(effects, case)
    department = now.get("department", case.department) or house.departments.hub
    owner = now.get("owner_id", case.owner_id)
    required = _CALL.said(tongue(case.language))

    def work(connection: Connection) -> None:
        tasks.add(
            connection,
            house,
            kind="call_back",
            department=department,
            required=required,
            by="system",
            at=at,
            case_id=case.id,
            contact_id=case.contact_id,
            owner_id=owner,
            why="unreachable",
        )

    effects.joined.append(work)


def _surviving(effects: Effects, case_id: int) -> tuple[Case | None, bool]:
    """The case itself, or the one that it was merged into, however often; and whether it was."""
    case, merged, seen = effects.state.case(case_id), False, {case_id}
    while case is not None and case.merged_into is not None and case.merged_into not in seen:
        seen.add(case.merged_into)
        case, merged = effects.state.case(case.merged_into), True
    return case, merged


def call_again(case: Case, urgency: Urgency, at: datetime) -> Callable[[Connection], None]:
    """Whoever had it is told that it is theirs again; where it is urgent now, people are called."""
    who = f"staff:{case.owner_id}" if case.owner_id else f"department:{case.department}"
    subject = f"case:{case.id}:reopened:{case.attempt + 1}"
    found = [alerts.Alert("escalated", subject, who, at, case.id, detail={"reopened": True})]
    if urgency == "urgent":
        found = [
            alerts.Alert("urgent", subject, each, at, case.id, pages=True)
            for each in dict.fromkeys((who, "supervisor"))
        ]
    return lambda connection: alerts.raise_all(connection, found)


_CALL = Words(
    "客户无法通过消息联系到，请打电话回访：问题解决得怎么样？",
    "The customer cannot be reached in writing. Please call: is it settled for them?",
)
