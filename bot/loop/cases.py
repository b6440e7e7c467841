"""Cases as a turn opens and completes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from bot.cases import clocks, departments, groups, numbers, sameness
from bot.cases import deadlines as rules
from bot.cases.calendar import Calendar
from bot.cases.clocks import House
from bot.cases.deadlines import Deadlines
from bot.cases.departments import Departments
from bot.cases.rules import SETTLED
from bot.links import Links
from bot.loop import joining
from bot.loop.case_moves import IllegalMove, go_on, move, page, state_now, told, values_now
from bot.loop.effects import Effects
from bot.surveys.definitions import Surveys
from nlu.understanding import Language, Nature, Urgency
from storage import tables
from storage.changes import Insert
from storage.records import Case, Report

TITLE_LIMIT = sameness.CUT


@dataclass(frozen=True, slots=True)
class Desk:
    """What a turn needs to know of the house: its departments, deadlines, hours and surveys."""

    house: House
    links: Links

    @property
    def departments(self) -> Departments:
        return self.house.departments

    @property
    def deadlines(self) -> Deadlines:
        return self.house.deadlines

    @property
    def calendar(self) -> Calendar:
        return self.house.calendar

    @property
    def surveys(self) -> Surveys:
        return self.house.surveys

    def promise(self, urgency: Urgency, now: datetime, language: Language) -> str:
        """By when somebody will answer, in words: the deadline that is kept."""
        return rules.promise(self.deadlines, self.calendar, urgency, now, language)

    def open(
        self,
        effects: Effects,
        *,
        title: str,
        nature: Sequence[Nature],
        aspect: Sequence[str],
        urgency: Urgency,
        fields: dict[str, str],
        origin: str,
        at: datetime,
        actor: str = "bot",
    ) -> Insert:
        """A new case of this conversation; `[[case_number]]` and `[[case_link]]` may be spoken of in the same turn.
        What is told twice in one turn is one case."""
        twice = joining.opened_now(effects, title, nature, aspect, urgency, fields)
        if twice is not None:
            joining.told_again(effects, twice, title, nature, aspect, urgency, fields, at)
            self.speak_of(effects, twice)
            return twice
        lead = departments.assign(self.departments, nature).lead
        about = groups.topic(nature, aspect)
        response = clocks.values(self.house, "first_response", at, lead, urgency=urgency)
        row = effects.add(
            Insert(
                tables.cases,
                {
                    "contact_id": effects.contact_id,
                    "conversation_id": effects.conversation_id,
                    "origin": origin,
                    "state": "acknowledged",  # the customer is told its number in the same turn
                    "title": title[:TITLE_LIMIT],
                    "nature": list(nature),
                    "aspect": list(aspect),
                    "urgency": urgency,
                    "department": lead,
                    "topic": about,
                    "fields": fields,
                    "language": effects.language,
                    "opened_at": at,
                    "handed_at": at,
                    "respond_by": response["due_at"],
                },
            )
        )
        effects.add(Insert(tables.deadlines, {"case_id": row, **response}))
        joining.watch(effects, row)
        if about is not None:
            effects.told.append(lambda: groups.Told(_id(row), about, lead, at))
        if urgency == "urgent":
            page(effects, row, lead, "urgent", at)
        told(effects, row, "opened", actor=actor, to="received", at=at)
        told(effects, row, "moved", actor=actor, old="received", to="acknowledged", at=at)
        self.speak_of(effects, row)
        return row

    def speak_of(self, effects: Effects, case: int | Insert) -> None:
        """What `[[case_number]]` and `[[case_link]]` stand for in this turn."""
        effects.fill("case_number", lambda: numbers.number(_id(case)))
        effects.fill("case_link", lambda: self.links.case(_id(case)))

    def current(self, effects: Effects) -> Case | None:
        """The open case that this conversation is about: its newest, else the customer's newest."""
        talk, cases = effects.state.conversation, effects.state.cases
        mine = (each for each in cases if talk and each.conversation_id == talk.id)
        return next(mine, next(iter(cases), None))

    def join(self, effects: Effects, number: str, at: datetime, **matter: Any) -> bool:
        """The same matter, told again: it joins the customer's open case of this number, which is worked on again
        where we held it for settled. False where that is open no more."""
        case = next((case for case in effects.state.cases if numbers.number(case.id) == number), None)
        if case is None or state_now(effects, case) in SETTLED:
            return False
        joining.join(effects, self.house, case, at, **matter)
        self.speak_of(effects, case.id)
        return True

    def apart(self, effects: Effects, report: Report, at: datetime, *, actor: str, reason: str = "") -> Insert:
        """What joined a case is another matter: it is a case of its own from now on."""
        row = self.open(
            effects,
            title=report.text,
            nature=cast("list[Nature]", report.nature),
            aspect=report.aspect,
            urgency=cast(Urgency, report.urgency),
            fields=report.fields,
            origin=f"report:{report.id}",
            at=at,
            actor=actor,
        )
        joining.part(effects, report, row, at, actor=actor, reason=reason)
        return row

    def complete(self, effects: Effects, fields: dict[str, str], note: str | None, at: datetime) -> None:
        """What the customer added to the case that this conversation is about, of this turn or before. An order number
        that the case has already stays: another one is noted."""
        made = [c for c in effects.changes if isinstance(c, Insert) and c.table is tables.cases]
        if made:
            made[-1].values["fields"] = joining.completed(made[-1].values["fields"], fields)
            told(effects, made[-1], "completed", actor="customer", note=_noted(fields, note), at=at)
            return
        case = self.current(effects)
        if case is None:
            return
        self.speak_of(effects, case.id)
        known = values_now(effects, case).get("fields", case.fields)
        values = {"fields": joining.completed(known, fields)}
        effects.change_guarded(tables.cases, case.id, case.version, values)
        told(effects, case.id, "completed", actor="customer", note=_noted(fields, note), at=at)

    def withdraw(self, effects: Effects, number: str, reason: str, at: datetime) -> bool:
        """The customer takes the open case of this number back, for good. False, and a note on its timeline, where it
        has come too far for that."""
        case = next((case for case in effects.state.cases if numbers.number(case.id) == number), None)
        if case is None:
            return False
        try:
            move(effects, self.house, case, "withdrawn", "customer", actor="customer", reason=reason, at=at)
        except IllegalMove:
            told(effects, case.id, "completed", actor="customer", note=reason, at=at)
            return False
        return True

    def heard(self, effects: Effects) -> None:
        """The customer said something: what waited for them goes on."""
        for case in effects.state.cases:
            if values_now(effects, case).get("waiting_since", case.waiting_since) is not None:
                go_on(effects, self.house, case)


def _id(case: int | Insert) -> int:
    found = case.id if isinstance(case, Insert) else case
    if found is None:
        raise AssertionError("a case is spoken of before it is written")
    return found


def _noted(fields: dict[str, str], note: str | None) -> str:
    return "; ".join([*(f"{name}: {value}" for name, value in fields.items()), *([note] if note else [])])
