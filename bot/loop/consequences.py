"""What an answer leads to beside the next question: a low rating opens a case, a yes to an interview a call-back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from bot.cases import tasks
from bot.loop import closing
from bot.loop.case_moves import told
from bot.loop.cases import Desk
from bot.loop.effects import Effects
from bot.loop.notices import Notices
from bot.surveys import rules
from bot.surveys.definitions import RATING, Definition
from bot.surveys.rules import Outcome
from bot.surveys.state import Answer, State
from storage import tables
from storage.changes import Insert
from storage.records import Survey

YES = "yes"
task = tables.case_tasks.c


@dataclass(frozen=True, slots=True)
class Consequences:
    """Of anonymous answers there are none: a case would say whose they are."""

    desk: Desk
    notices: Notices

    def low(self, effects: Effects, survey: Survey, definition: Definition, state: State, at: datetime) -> None:
        """A low rating opens a case of its own, once, unless it judges a case that is there."""
        if definition.anonymous or survey.case_id is not None or _case(effects, _low(survey)) is not None:
            return
        shown = rules.recorded(definition, Answer(RATING, str(state.value)), effects.tongue)
        self.desk.open(
            effects,
            title=self.notices.low_rating_title.said(effects.tongue, answer=shown),
            nature=["other"],
            aspect=[],
            urgency="important",
            fields={},
            origin=_low(survey),
            at=at,
        )

    def judge(
        self, effects: Effects, survey: Survey, definition: Definition, given: Answer, outcome: Outcome, at: datetime
    ) -> None:
        """A case's follow-up: the rating closes the case or opens it again; one that came too late is seen there. The
        case that a low rating opened is told where the customer thinks better of it."""
        score = outcome.state.score
        if survey.case_id is None:
            opened = _case(effects, _low(survey))
            if outcome.verdict == "rating_changed" and opened is not None:
                told(effects, opened, "rated", actor="customer", at=at, note=f"{score:g}")
            return
        if outcome.refusal == "expired":
            closing.late(effects, survey.case_id, rules.recorded(definition, given, effects.tongue), at)
        elif outcome.verdict in ("rated", "rating_changed") and score is not None:
            closing.judged(effects, self.desk.house, survey.case_id, score, at)

    def unanswered(
        self, effects: Effects, survey: Survey, progress: dict[str, Any], to: str, reason: str | None
    ) -> None:
        """A case's follow-up ends without a rating."""
        rated = State.from_json(progress).rated_at if progress else None
        if survey.case_id is not None and rated is None:
            closing.unanswered(effects, self.desk.house, survey.case_id, to, reason)

    def answered(self, effects: Effects, survey: Survey, definition: Definition, given: Answer, at: datetime) -> None:
        """What was said after a low rating goes to the case that it opened, or judges; a consent is acted on."""
        if definition.anonymous:
            return
        question = definition.find(given.question)
        words = rules.recorded(definition, given, effects.tongue)
        if question is not None and question.consent is not None:
            self._interview(effects, survey, yes=given.option == YES, at=at)
            return
        case = _case(effects, _low(survey)) if survey.case_id is None else survey.case_id
        if case is not None:
            told(effects, case, "completed", actor="customer", note=words, at=at)

    def words(self, effects: Effects, survey: Survey) -> str:
        """What happens next, told after the thanks for a low rating."""
        case = _case(effects, _low(survey))
        if case is None:
            return ""
        language = effects.tongue
        self.desk.speak_of(effects, case)
        promise = self.desk.promise("important", effects.now, language)
        said = self.notices.low_rating.said(language, number="[[case_number]]", promise=promise)
        return f"\n{said}"

    def _interview(self, effects: Effects, survey: Survey, *, yes: bool, at: datetime) -> None:
        """A call-back task, once for a survey; who thinks better of it is not called."""
        house, required = self.desk.house, self.notices.interview_title.said(effects.tongue)
        mine = (task.contact_id == survey.contact_id, task.made_by == f"interview:{survey.id}")

        def work(connection: Connection) -> None:
            known = connection.execute(select(task.id).where(*mine)).scalar()
            if known is None and yes:
                tasks.add(
                    connection,
                    house,
                    kind="call_back",
                    department=house.departments.hub,
                    required=required,
                    by=f"interview:{survey.id}",
                    at=at,
                    contact_id=survey.contact_id,
                    why="interview",
                )
            elif known is not None:
                old, new = ("cancelled", "waiting") if yes else ("waiting", "cancelled")
                moved = update(tables.case_tasks).where(task.id == known, task.state == old)
                again = {"next_at": task.due_at, "level": 1} if yes else {"next_at": None}
                connection.execute(moved.values(state=new, ended_at=None if yes else at, **again))

        effects.joined.append(work)


def _low(survey: Survey) -> str:
    return f"survey:{survey.id}"


def _case(effects: Effects, origin: str) -> int | Insert | None:
    for change in effects.changes:
        if isinstance(change, Insert) and change.table is tables.cases and change.values["origin"] == origin:
            return change
    return next((case.id for case in effects.state.cases if case.origin == origin), None)
