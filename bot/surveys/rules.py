"""The life of one survey: it is sent, rated, perhaps changed, perhaps asks a little more, and says thanks.

Pure: `now` is when the answer was received, never when it is worked on, so that a tap counts if it came before the
expiry whatever a timer did meanwhile. Unanswered is None, never zero, and no answer is preselected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from bot.surveys.definitions import DONE, NOBODY, RATING, Definition, Question, Situation
from bot.surveys.scales import Scale, nearest, score
from bot.surveys.state import Answer, State
from nlu.understanding import Language

__all__ = [
    "Answer",
    "Option",
    "Outcome",
    "Refusal",
    "State",
    "Step",
    "Verdict",
    "answer",
    "ask_back",
    "begin",
    "nearest",
    "options",
    "recorded",
    "remind",
    "reminder_at",
    "score",
    "step",
    "supersede",
    "too_fast",
]

Refusal = Literal["expired", "already_counted", "superseded", "not_asked", "not_an_option"]
Verdict = Literal["rated", "rating_changed", "answered", "answer_changed", "unchanged", "refused"]
FREE_TEXT_LIMIT = 2000  # characters kept of a free-text answer


@dataclass(frozen=True, slots=True)
class Option:
    """A button: `title` to read, `value` for Answer.option, `typed` the digits that stand for it where there are no
    buttons."""

    title: str
    value: str
    typed: str


@dataclass(frozen=True, slots=True)
class Step:
    """One question put to the customer. Without options it wants free text; with `several` as many as apply, of which
    `picked` are chosen already."""

    question: str
    text: str
    options: tuple[Option, ...] = ()
    free_text: bool = False
    several: bool = False
    picked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an answer did. `said` tells the customer (a toast, the edited message); `step` is put next, else `thanks` is
    said, else nothing more is due. `again`: the step is the same question, to which more may be chosen. `old_value` and
    `old_score` go to the history when a rating changed. `low` is set with the verdicts `rated` and `rating_changed`
    only."""

    state: State
    verdict: Verdict
    said: str
    refusal: Refusal | None = None
    old_value: int | None = None
    old_score: float | None = None
    low: bool = False
    step: Step | None = None
    thanks: str | None = None
    again: bool = False


def begin(definition: Definition, now: datetime, whose: Situation = NOBODY) -> State:
    """A survey sent `now`, nothing answered."""
    return State(
        definition=definition.key,
        version=definition.version,
        sent_at=now,
        expires_at=now + definition.expires,
        segment=whose.segment,
        language=whose.language,
    )


def step(definition: Definition, state: State, language: Language) -> Step | None:
    """The question that awaits its answer, to be sent or shown again; None when no more is asked."""
    if state.question is None or state.superseded_at is not None:
        return None
    if state.question == RATING:
        return Step(RATING, definition.question.said(language), options(definition.scale, language))
    question = definition.find(state.question)
    return None if question is None else _put(definition, question, state, language)


def options(asked: Scale | Question, language: Language) -> tuple[Option, ...]:
    """The buttons of a rating or of a question, in the order in which they are shown."""
    if isinstance(asked, Scale):
        # A thumb has no number of its own: it is typed by its place in the list.
        return tuple(
            Option(asked.labels[value].said(language), str(value), str(place if asked.by_place else value))
            for place, value in enumerate(asked.values, start=1)
        )
    return tuple(
        Option(choice.title.said(language), choice.key, str(place))
        for place, choice in enumerate(asked.choices, start=1)
    )


def answer(definition: Definition, state: State, given: Answer, now: datetime, language: Language) -> Outcome:
    """What `given`, received at `now`, does to the survey.

    A rating may be changed within the window, counted from the first one; afterwards it is already counted. A survey
    superseded before it was rated counts nothing; one rated before keeps its rating and asks no more.
    """
    superseded = state.superseded_at is not None and now >= state.superseded_at
    if state.rated_at is None and superseded:
        return _refused(definition, state, "superseded", language)
    if state.rated_at is None and now >= state.expires_at:
        return _refused(definition, state, "expired", language)
    outcome = (
        _rate(definition, state, given, now, language)
        if given.question == RATING
        else _reply(definition, state, given, now, language)
    )
    # A newer survey awaits its answer by now: this one asks no more, however early its answer came.
    return outcome if state.superseded_at is None else replace(outcome, step=None)


def recorded(definition: Definition, given: Answer, language: Language) -> str:
    """An answer as the customer reads it: the button's words, or what they wrote."""
    if given.question == RATING:
        label = definition.scale.labels[int(given.option or "")].said(language)
        if given.stated is None or given.stated == score(definition.scale, int(given.option or "")):
            return label
        return f"{given.stated:g} / 100"
    question = definition.find(given.question)
    if question is None:
        return given.text
    titles = [choice.title.said(language) for choice in question.choices if choice.key in given.chosen]
    said = [*titles, *([given.text] if given.text else [])]
    return ("、" if language == "zh" else ", ").join(said) or definition.phrases.none.said(language)


def supersede(state: State, now: datetime) -> State:
    """The survey when a newer one has taken its place at `now`."""
    return state if state.superseded_at is not None else replace(state, superseded_at=now)


def too_fast(state: State) -> State:
    """The survey after an answer that came faster than a person reads: a mail scanner's click, not a rating."""
    return replace(state, too_fast=state.too_fast + 1)


def ask_back(definition: Definition, state: State, language: Language) -> tuple[State, Step] | None:
    """The pending question once more, with its buttons, after an answer that could mean several; never twice."""
    pending = step(definition, state, language)
    if pending is None or state.asked_back:
        return None
    return replace(state, asked_back=True), replace(pending, text=definition.phrases.unclear.said(language))


def reminder_at(definition: Definition, state: State) -> datetime | None:
    """When the one reminder is due; None if there is none (any more)."""
    if definition.reminder is None or state.reminded or state.rated_at or state.superseded_at:
        return None
    due = state.sent_at + definition.reminder.after
    return due if due < state.expires_at else None


def remind(definition: Definition, state: State, now: datetime, language: Language) -> tuple[State, Step] | None:
    """The reminder, with the rating's buttons, if it is due and still of use at `now`."""
    due = reminder_at(definition, state)
    if due is None or definition.reminder is None or not due <= now < state.expires_at:
        return None
    text = definition.reminder.text.said(language)
    return replace(state, reminded=True), Step(RATING, text, options(definition.scale, language))


# ---- within ----


def _rate(definition: Definition, state: State, given: Answer, now: datetime, language: Language) -> Outcome:
    scale = definition.scale
    if given.option not in {str(value) for value in scale.values}:
        return _refused(definition, state, "not_an_option", language)
    value = int(given.option)
    rated = score(scale, value) if given.stated is None else min(100.0, max(0.0, given.stated))
    shown = recorded(definition, replace(given, stated=rated), language)
    if state.rated_at is None:
        new = replace(state, value=value, score=rated, rated_at=now)
        return _go_on(
            definition, state, new, "rated", definition.phrases.recorded.said(language, answer=shown), language
        )
    if now >= state.expires_at or now >= state.rated_at + definition.change_window:
        return _refused(definition, state, "already_counted", language)
    if (value, rated) == (state.value, state.score):
        return Outcome(state=state, verdict="unchanged", said=definition.phrases.recorded.said(language, answer=shown))
    new = replace(state, value=value, score=rated)
    new = replace(new, answers=_still_asked(definition, new))
    said = definition.phrases.changed.said(language, answer=shown)
    return _go_on(definition, state, new, "rating_changed", said, language)


def _reply(definition: Definition, state: State, given: Answer, now: datetime, language: Language) -> Outcome:
    question = definition.find(given.question)
    if question is None or state.score is None or state.rated_at is None:
        return _refused(definition, state, "not_asked", language)
    earlier = state.given(question.key)
    if earlier is None and now >= state.expires_at:
        return _refused(definition, state, "expired", language)
    pending = question.key == state.question
    if earlier is None and not pending:
        return _refused(definition, state, "not_asked", language)
    clean = _clean(question, earlier, given)
    if clean is None:
        return _refused(definition, state, "not_an_option", language)
    going_on = question.multiple and given.option is not None and given.option != DONE and pending
    said = definition.phrases.recorded.said(language, answer=recorded(definition, clean, language))
    if earlier is None:
        new = replace(state, answers=(*state.answers, clean))
    elif earlier == clean and not (pending and question.multiple):
        return Outcome(state=state, verdict="unchanged", said=said)
    else:
        if not pending and (now >= state.expires_at or now >= state.rated_at + definition.change_window):
            return _refused(definition, state, "already_counted", language)
        new = replace(state, answers=tuple(clean if known is earlier else known for known in state.answers))
        new = replace(new, answers=_still_asked(definition, new))
        if not pending:
            said = definition.phrases.changed.said(language, answer=recorded(definition, clean, language))
    verdict: Verdict = "answered" if earlier is None else "answer_changed"
    if going_on:
        again = _put(definition, question, new, language)
        return Outcome(state=new, verdict=verdict, said=said, step=again, again=True)
    return _go_on(definition, state, new, verdict, said, language)


def _clean(question: Question, earlier: Answer | None, given: Answer) -> Answer | None:
    """The answer as it is kept; None if it is none to this question. Of several choices each tap takes or gives back
    one, and DONE leaves them as they are."""
    text = given.text.strip()[:FREE_TEXT_LIMIT]
    if not question.multiple:
        if given.option is not None:
            return Answer(question.key, given.option) if question.choice(given.option) else None
        return Answer(question.key, None, text) if question.free_text and text and not given.options else None
    so_far = set(earlier.options) if earlier else set()
    if given.option is not None and given.option != DONE:
        so_far ^= {given.option}
    elif given.option is None:
        if (text and not question.free_text) or not (text or given.options):
            return None
        so_far = set(given.options) or so_far
    known = [choice.key for choice in question.choices]
    if not so_far <= set(known):
        return None
    return Answer(question.key, None, text, options=tuple(key for key in known if key in so_far))


def _still_asked(definition: Definition, state: State) -> tuple[Answer, ...]:
    """The answers to those questions that the changed rating or answer still leads to."""
    kept: dict[str, Answer] = {}
    for question in definition.ask:
        given = state.given(question.key)
        chosen = {key: known.chosen for key, known in kept.items()}
        if given is not None and state.score is not None and question.when.holds(state.score, chosen, state.whose):
            kept[question.key] = given
    return tuple(kept.values())


def _go_on(definition: Definition, old: State, new: State, verdict: Verdict, said: str, language: Language) -> Outcome:
    """Put the next question, or thank; what stands before the customer already is not said twice."""
    following = definition.next_question(new.score or 0.0, new.chosen, new.whose)
    new = replace(new, question=None if following is None else following.key)
    shown = following is None or following.key == old.question
    new_step = None if following is None or shown else _put(definition, following, new, language)
    thanks = definition.thanks.said(new.score or 0.0, language) if following is None else None
    if thanks is not None and old.question is None and thanks == definition.thanks.said(old.score or 0.0, language):
        thanks = None
    rated = verdict in ("rated", "rating_changed")
    return Outcome(
        state=new,
        verdict=verdict,
        said=said,
        old_value=old.value if verdict == "rating_changed" else None,
        old_score=old.score if verdict == "rating_changed" else None,
        low=rated and new.low,
        step=new_step,
        thanks=thanks,
    )


def _put(definition: Definition, question: Question, state: State, language: Language) -> Step:
    text, offered = question.text.said(language), options(question, language)
    if not question.multiple:
        return Step(question.key, text, offered, question.free_text)
    given = state.given(question.key)
    picked = given.chosen if given else frozenset()
    marked = [replace(each, title=f"✓ {each.title}") if each.value in picked else each for each in offered]
    done = Option(definition.phrases.done.said(language), DONE, str(len(marked) + 1))
    several = f"{text}\n{definition.phrases.several.said(language)}"
    return Step(question.key, several, (*marked, done), question.free_text, several=True, picked=picked)


def _refused(definition: Definition, state: State, refusal: Refusal, language: Language) -> Outcome:
    words = getattr(definition.phrases, refusal)
    return Outcome(state=state, verdict="refused", refusal=refusal, said=words.said(language))
