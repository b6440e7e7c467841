"""Surveys in a turn: the question goes out, a tap or typed answer comes in, the next question or thanks goes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from bot.links import Links
from bot.loop import follow_ups
from bot.loop.cases import Desk
from bot.loop.consequences import Consequences
from bot.loop.effects import Effects, TimerSet
from bot.loop.hours import asking_hours
from bot.loop.notices import Notices
from bot.loop.question import worded
from bot.surveys import rules
from bot.surveys.definitions import Definition, Situation, Surveys
from bot.surveys.rules import Outcome, Step
from bot.surveys.state import Answer, State
from bot.surveys.typed import Ambiguous, parse_answer
from channels.base import Tap
from storage import tables
from storage.changes import Insert, Later
from storage.records import Survey

REMINDER_OF_USE = timedelta(days=1)
"""A reminder that could not go out for this long after it was due is not sent any more."""

TOO_OLD: Final = "too_old"
"""Why a survey is not sent that could only be asked when, asked in time, it would have expired."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """The survey whose message somebody quotes, and the question that the message puts, if it puts one."""

    survey: Survey
    question: str | None


@dataclass(frozen=True, slots=True)
class Asking:
    desk: Desk
    links: Links
    notices: Notices
    rating_reader: Callable[[str, int | None], float | None]

    @property
    def surveys(self) -> Surveys:
        """What customers are asked now."""
        return self.desk.surveys

    @property
    def after(self) -> Consequences:
        return Consequences(self.desk, self.notices)

    def hours(self, definition: Definition, at: datetime) -> datetime:
        """When a survey that is due at `at` may go: outside its quiet hours, in office hours if it says so."""
        return asking_hours(self.desk.calendar, definition, at)

    # ---- out ----

    def ask(
        self,
        effects: Effects,
        definition: Definition,
        *,
        episode: int | Insert | None = None,
        case: int | None = None,
        judged: str | None = None,
    ) -> Insert:
        """Send a survey in this conversation. One that awaits its answer at this address is superseded."""
        row = self.open(effects, definition, episode=episode, case=case, judged=judged)
        self._begin(effects, definition, row)
        return row

    def ask_planned(self, effects: Effects, definition: Definition, row: int) -> None:
        """The same for a survey that was planned, and is written already."""
        older = effects.state.awaiting
        if older:
            self._close(effects, older, "superseded", "newer_survey")
        state = rules.begin(definition, effects.now, _whose(effects))
        values = {
            # Later: written after the older one has given way, for one at an address awaits its answer.
            "state": Later(lambda: "awaiting"),
            "progress": state.as_json(),
            "conversation_id": effects.conversation_id,
            "anonymous": definition.anonymous,
            "asked_at": effects.now,
            "expires_at": state.expires_at,
        }
        effects.change(tables.surveys, row, values)
        effects.set_timer(TimerSet(_subject(row), "expire", state.expires_at))
        self._begin(effects, definition, row)

    def open(
        self,
        effects: Effects,
        definition: Definition,
        *,
        episode: int | Insert | None = None,
        case: int | None = None,
        judged: str | None = None,
    ) -> Insert:
        """A survey that awaits its answer, without putting its question here: its page does."""
        older = effects.state.awaiting
        if older:
            self._close(effects, older, "superseded", "case_follow_up" if case else "newer_survey")
        state = rules.begin(definition, effects.now, _whose(effects))
        row = effects.add(
            Insert(
                tables.surveys,
                {
                    "episode_id": episode,
                    "case_id": case,
                    "conversation_id": effects.conversation_id,
                    "contact_id": effects.contact_id,
                    "address_id": effects.address_id,
                    "definition": definition.key,
                    "state": "awaiting",
                    "progress": state.as_json(),
                    "judged": judged,
                    "anonymous": definition.anonymous,
                    "created_at": effects.now,
                    "asked_at": effects.now,
                    "expires_at": state.expires_at,
                },
            )
        )
        effects.set_timer(TimerSet(_subject(row), "expire", state.expires_at))
        return row

    def _begin(self, effects: Effects, definition: Definition, row: int | Insert) -> None:
        """The first question goes out; the reminder will follow it once."""
        state = rules.begin(definition, effects.now, _whose(effects))
        reminder = rules.reminder_at(definition, state)
        if reminder:
            reminder = self.hours(definition, reminder)
            late = reminder + REMINDER_OF_USE
            effects.set_timer(TimerSet(_subject(row), "remind", reminder, late="skip", skip_after=late))
        step = rules.step(definition, state, effects.tongue)
        if step:
            self._put(effects, definition, step, row)

    def suppress(
        self,
        effects: Effects,
        definition: Definition,
        reason: str,
        *,
        episode: int | Insert | None = None,
        judged: str | None = None,
    ) -> Insert:
        """It is not asked, and that is recorded with its reason."""
        row = {
            "episode_id": episode,
            "conversation_id": effects.conversation_id,
            "contact_id": effects.contact_id,
            "address_id": effects.address_id,
            "definition": definition.key,
            "state": "suppressed",
            "reason": reason,
            "judged": judged,
            "created_at": effects.now,
        }
        return effects.add(Insert(tables.surveys, row))

    def speak_of(self, effects: Effects, survey: int | Insert) -> None:
        """What `[[survey_link]]` stands for in this turn."""
        effects.fill("survey_link", lambda: self.links.survey(_id(survey)))

    def _put(self, effects: Effects, definition: Definition, step: Step, survey: int | Insert) -> None:
        """A question, with what the channel has for answering it: buttons, numbers, or the page. What nobody shall be
        shown is only ever answered on the page: a conversation is read by people."""
        language, link = effects.tongue, "[[survey_link]]"
        text, options = worded(definition, step, language, effects.capabilities, self.notices, link)
        if link in text:
            self.speak_of(effects, survey)
        effects.say(text, options, kind="survey", survey=survey)

    # ---- in ----

    def tap(
        self, effects: Effects, survey: Survey, payload: dict[str, Any], tap: Tap, shown: str, at: datetime
    ) -> None:
        """A button of a survey's message was pressed, at `at` as the platform or the inbox tells. `shown` is the text
        of the message that bears it."""
        answer = Answer(str(payload.get("question")), str(payload.get("answer")))
        outcome = self._answer(effects, survey, answer, at, "tap")
        if outcome is None:
            return
        can = effects.capabilities
        toast = can.toasts and tap.handle
        if toast:
            effects.send(outcome.said, kind="notice", form="toast", target=tap.handle)
        if outcome.again and toast:
            return  # the buttons stay, and the toast has said what is chosen
        if can.edits and tap.message and outcome.verdict != "refused" and not outcome.again:
            effects.send(f"{shown}\n✓ {outcome.said}", kind="notice", form="edit", target=tap.message)
        elif outcome.verdict == "refused" and not toast:
            effects.say(outcome.said, kind="notice")
        self._go_on(effects, survey, outcome)
        self._next_follow_up(effects, survey)

    def typed(self, effects: Effects, text: str, at: datetime, quoted: Quoted | None = None) -> bool:
        """Whether these words answer the survey that awaits its answer here, or the one whose message they quote: the
        question of that message, or else the one that is open. If so, it is done."""
        survey = quoted.survey if quoted else effects.state.awaiting
        definition = self.surveys.begun(survey.definition, survey.progress) if survey else None
        if survey is None or definition is None or definition.anonymous:
            return False
        state = State.from_json(self._progress(effects, survey))
        if at < state.sent_at:
            return False  # words that were on their way before we asked answer something else
        questions = dict.fromkeys((quoted.question if quoted else None, state.question))
        found = (parse_answer(definition, each, text, self.rating_reader) for each in questions if each is not None)
        answer = next((each for each in found if each is not None), None)
        if answer is None:
            return False
        if isinstance(answer, Ambiguous):
            asked = rules.ask_back(definition, state, effects.tongue)
            if asked is None:
                return False
            self._keep(effects, survey, asked[0])
            self._put(effects, definition, asked[1], survey.id)
            return True
        outcome = self._answer(effects, survey, answer, at, "text")
        if outcome is None:
            return False
        if outcome.step is None and outcome.thanks is None:
            effects.say(outcome.said, kind="survey")
        self._go_on(effects, survey, outcome)
        self._next_follow_up(effects, survey)
        return True

    def is_low(self, effects: Effects) -> bool:
        """Whether the survey that awaits its answer here has a low rating already."""
        survey = effects.state.awaiting
        progress = self._progress(effects, survey) if survey else None
        return bool(progress) and State.from_json(progress or {}).low

    def page(self, effects: Effects, survey: Survey, answer: Answer) -> Outcome | None:
        """An answer given on the survey's page, which itself shows what comes next."""
        outcome = self._answer(effects, survey, answer, effects.now, "page")
        self._next_follow_up(effects, survey)
        return outcome

    def too_fast(self, effects: Effects, survey: Survey) -> None:
        """A rating came faster than a person reads: it is noted, and counts nowhere."""
        self._keep(effects, survey, rules.too_fast(State.from_json(self._progress(effects, survey))))

    def timer(self, effects: Effects, survey: Survey, kind: str, now: datetime) -> None:
        """The survey's own time has come: it expires, or it reminds once."""
        if survey.state != "awaiting":
            return
        if kind == "expire":
            progress = State.from_json(self._progress(effects, survey))
            self._close(effects, survey, "expired" if progress.rated_at is None else "answered", None)
            self._next_follow_up(effects, survey)
            return
        definition = self.surveys.begun(survey.definition, survey.progress)
        case = effects.state.case(survey.case_id) if survey.case_id is not None else None
        if definition is None or (case is not None and case.state != "following_up"):
            return  # they said it by telephone, or it is worked on again: there is nothing to remind of
        allowed = self.hours(definition, now)
        if allowed > now:
            late = allowed + REMINDER_OF_USE
            effects.set_timer(TimerSet(_subject(survey.id), "remind", allowed, late="skip", skip_after=late))
            return
        reminded = rules.remind(definition, State.from_json(self._progress(effects, survey)), now, effects.tongue)
        if reminded:
            self._keep(effects, survey, reminded[0])
            self._put(effects, definition, reminded[1], survey.id)

    def undelivered(self, effects: Effects, survey: Survey, reason: str) -> None:
        """Its question never reached anybody: it was not asked, and that has its reason."""
        if survey.state == "awaiting" and State.from_json(self._progress(effects, survey)).rated_at is None:
            self._close(effects, survey, "suppressed", reason)

    # ---- within ----

    def _answer(self, effects: Effects, survey: Survey, answer: Answer, at: datetime, source: str) -> Outcome | None:
        definition = self.surveys.begun(survey.definition, survey.progress)
        if definition is None or survey.progress is None:
            return None
        before = State.from_json(self._progress(effects, survey))
        outcome = rules.answer(definition, before, answer, at, effects.tongue)
        self.after.judge(effects, survey, definition, answer, outcome, at)
        if outcome.verdict in ("refused", "unchanged"):
            return outcome
        self._keep(effects, survey, outcome.state)
        effects.mark_heard(survey=survey.id)  # the desk hides it from the agent who is judged
        state = outcome.state
        answers = [given.as_json() for given in state.answers]
        if outcome.verdict == "rated":
            values = {"survey_id": survey.id, "value": state.value, "score": state.score, "source": source}
            effects.add(Insert(tables.ratings, values | {"answers": answers, "received_at": at}))
        else:
            effects.rating_changes.append(
                {
                    "survey": survey.id,
                    "value": state.value,
                    "score": state.score,
                    "answers": answers,
                    "at": at,
                    "source": source,
                    "changed": outcome.verdict == "rating_changed",
                    "old_value": outcome.old_value,
                    "old_score": outcome.old_score,
                }
            )
        if outcome.low and not before.low:  # from low to lower is no other complaint
            self.after.low(effects, survey, definition, state, at)
        given = state.given(answer.question)
        if outcome.verdict in ("answered", "answer_changed") and given is not None and not outcome.again:
            self.after.answered(effects, survey, definition, given, at)
        if state.question is None and survey.state == "awaiting":
            self._close(effects, survey, "answered", None)
        elif state.question and survey.state == "answered" and effects.state.awaiting is None:
            effects.change(tables.surveys, survey.id, {"state": "awaiting"})  # a changed rating asks for its reason
            effects.set_timer(TimerSet(f"survey:{survey.id}", "expire", state.expires_at))
        return outcome

    def _go_on(self, effects: Effects, survey: Survey, outcome: Outcome) -> None:
        definition = self.surveys.begun(survey.definition, survey.progress)
        if outcome.step and definition:
            self._put(effects, definition, outcome.step, survey.id)
        elif outcome.thanks:
            low = outcome.state.low and survey.state == "awaiting"
            more = self.after.words(effects, survey) if low else ""
            effects.say(f"{outcome.thanks}{more}", kind="survey", survey=survey.id)

    def _next_follow_up(self, effects: Effects, survey: Survey) -> None:
        definition = self.surveys.for_trigger("case_resolved")
        if definition is not None:
            follow_ups.ask_next(effects, self.desk.house, survey, lambda case: self.ask(effects, definition, case=case))

    def _progress(self, effects: Effects, survey: Survey) -> dict[str, Any]:
        """Where the survey stands, with what this turn already did to it."""
        return effects.progress.get(survey.id) or survey.progress or {}

    def _keep(self, effects: Effects, survey: Survey, state: State) -> None:
        effects.progress[survey.id] = state.as_json()
        effects.change(tables.surveys, survey.id, {"progress": state.as_json()})

    def _close(self, effects: Effects, survey: Survey, to: str, reason: str | None) -> None:
        self.after.unanswered(effects, survey, self._progress(effects, survey), to, reason)
        values: dict[str, Any] = {"state": to, "reason": reason}
        if to == "answered":
            values["answered_at"] = effects.now
        if to == "suppressed":
            values["asked_at"] = None
        if to == "superseded":
            state = rules.supersede(State.from_json(self._progress(effects, survey)), effects.now)
            effects.progress[survey.id] = values["progress"] = state.as_json()
            if state.rated_at:
                values |= {"state": "answered", "answered_at": effects.now}
        effects.change(tables.surveys, survey.id, values)
        for kind in ("expire", "remind"):
            effects.cancel_timer(f"survey:{survey.id}", kind)
        if effects.state.awaiting and effects.state.awaiting.id == survey.id:
            effects.state.awaiting = None


def _whose(effects: Effects) -> Situation:
    contact = effects.state.contact
    return Situation(contact.segment if contact else None, effects.tongue)


def _subject(survey: int | Insert) -> Later:
    return Later(lambda: f"survey:{_id(survey)}")


def _id(survey: int | Insert) -> int:
    if (found := survey.id if isinstance(survey, Insert) else survey) is None:
        raise AssertionError("a survey is spoken of before it is written")
    return found
