"""Cases as a turn opens and completes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.cases import clocks, departments, groups, numbers
from bot.cases import deadlines as rules
from bot.cases.calendar import Calendar
from bot.cases.clocks import House
from bot.cases.deadlines import Deadlines
from bot.cases.departments import Departments
from bot.links import Links
from bot.loop.case_moves import IllegalMove, go_on, move, page, told, values_now
from bot.loop.effects import Effects
from nlu.understanding import Language, Nature, Urgency
from storage import tables
from storage.changes import Insert, Update

TITLE_LIMIT = 120


@dataclass(frozen=True, slots=True)
class Desk:
    """What opening a case needs to know of the house: its departments, deadlines and hours."""

    departments: Departments
    deadlines: Deadlines
    calendar: Calendar
    links: Links

    @property
    def house(self) -> House:
        return House(self.deadlines, self.calendar, self.departments)

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
        """A new case of this conversation; `[[case_number]]` and `[[case_link]]` may be spoken of in the same turn."""
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

    def complete(self, effects: Effects, fields: dict[str, str], note: str | None, at: datetime) -> None:
        """What the customer added to the conversation's newest open case, of this turn or before."""
        made = [c for c in effects.changes if isinstance(c, Insert) and c.table is tables.cases]
        if made:
            made[-1].values["fields"] = made[-1].values["fields"] | fields
            told(effects, made[-1], "completed", actor="customer", note=_noted(fields, note), at=at)
            return
        talk = effects.state.conversation
        case = next((each for each in effects.state.cases if talk and each.conversation_id == talk.id), None)
        if case is None:
            return
        self.speak_of(effects, case.id)
        earlier = [c for c in effects.changes if isinstance(c, Update) and c.table is tables.cases and c.id == case.id]
        known = earlier[0].values.get("fields", case.fields) if earlier else case.fields
        effects.change_guarded(tables.cases, case.id, case.version, {"fields": known | fields})
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
