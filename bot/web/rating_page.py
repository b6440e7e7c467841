"""`/r/{token}`: a survey as a page. Every state has its page; looking never writes; without JavaScript as with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, select

from bot.cases import numbers
from bot.cases.calendar import moment_words
from bot.links import SURVEY
from bot.loop.effects import Effects
from bot.loop.events import chat_lane
from bot.loop.state import LaneState
from bot.service import SERVICE, Service
from bot.surveys import rules
from bot.surveys.definitions import DONE, RATING, Definition
from bot.surveys.rules import FREE_TEXT_LIMIT, Answer, Outcome, State
from bot.surveys.scales import Kind
from bot.tokens import BadToken, ExpiredToken
from bot.web import nonces
from bot.web.forms import back_to, fields, not_valid
from bot.web.language import language_of
from bot.web.rendering import page
from nlu.understanding import Language
from storage.database import Conflict, is_outage
from storage.records import Survey
from storage.tables import addresses, cases, conversations, episodes, surveys

NONCE = "rating"
PICK = "pick-"  # the name of a box to tick begins so
FASTEST = 700
"""Milliseconds from page to tap under which nobody has read the question: a mail scanner, not a rating."""

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class Asked:
    """A survey, and what its page needs to know around it."""

    survey: Survey
    lane: str
    language: str | None
    touchpoint: str | None
    case: int | None  # that a low rating opened
    promised: Any  # when somebody will answer that case


class _MovedOn(Exception):
    """The survey is not any more as the page showed it."""


@routes.get("/r/{token}")
async def show(request: web.Request) -> web.Response:
    """Where the survey stands."""
    found = await _found(request)
    return found if isinstance(found, web.Response) else _page(request, found)


@routes.post("/r/{token}")
async def answer(request: web.Request) -> web.Response:
    """An answer, then the page again, which shows what comes next."""
    service = request.app[SERVICE]
    found = await _found(request)
    if isinstance(found, web.Response):
        return found
    given = await fields(request)
    text = given.get("text", "")
    if len(text) > FREE_TEXT_LIMIT:
        return _page(request, found, note="too_long", text=text, status=413)
    subject, _, shown = (nonces.read(service, NONCE, given.get("nonce", "")) or "").rpartition("@")
    if not subject:
        return _page(request, found, note="stale", text=text, status=409)
    answered = _answer(service, found, given, text, request)
    # Only the rating: a scanner that follows every link and presses every button comes no further.
    fast = answered.question == RATING and _now(service) - int(shown) < FASTEST
    try:
        outcome = await _take(service, found, subject, answered, fast=fast)
    except _MovedOn:
        # Pressed twice, or answered elsewhere meanwhile: what stands is shown, and what was written is kept.
        return _page(request, await _asked(service, found.survey.id) or found, note="moved_on", text=text, status=409)
    except Exception as error:
        if not (isinstance(error, Conflict) or is_outage(error)):
            raise
        return _page(request, found, note="busy", text=text, status=503)
    if fast:
        return _page(request, found, note="too_fast", status=409)
    if outcome is not None and outcome.refusal == "not_an_option":
        return _page(request, found, text=text, status=400)
    return back_to(request)


def _answer(service: Service, asked: Asked, given: Any, text: str, request: web.Request) -> Answer:
    question, option = given.get("question", ""), given.get("answer") or None
    picked = tuple(name.removeprefix(PICK) for name in given if name.startswith(PICK))
    if option == DONE and (picked or text):
        return Answer(question, None, text, options=picked)
    if option is None or not text:
        return Answer(question, option, text)
    # A button and words: the words are the answer, with the button's before them, so that nothing said is lost.
    definition = service.content.surveys.begun(asked.survey.definition, asked.survey.progress)
    known = definition.find(question) if definition else None
    choice = known.choice(option) if known and known.free_text else None
    if choice is None:
        return Answer(question, option)
    return Answer(question, None, f"{choice.title.said(_language(request, asked))}: {text}"[:FREE_TEXT_LIMIT])


async def _take(service: Service, asked: Asked, subject: str, given: Answer, *, fast: bool) -> Outcome | None:
    def decide(state: LaneState, effects: Effects) -> Outcome | None:
        survey = state.surveys.get(asked.survey.id)
        if survey is None or _subject(survey) != subject:
            raise _MovedOn
        if fast:
            service.policy.asking.too_fast(effects, survey)
            return None
        return service.policy.asking.page(effects, survey, given)

    return await service.turns.act(asked.lane, decide, surveys=[asked.survey.id])


def _now(service: Service) -> int:
    """Milliseconds since 1970."""
    return int(service.clock.now().timestamp() * 1000)


def _subject(survey: Survey) -> str:
    """What a nonce is bound to: this survey as it stands now, so that it is good for one answer."""
    progress = survey.progress or {}
    now = [survey.state, *(progress.get(name) for name in ("question", "value", "score", "answers", "superseded_at"))]
    return f"{survey.id}:{hashlib.sha256(json.dumps(now, sort_keys=True).encode()).hexdigest()[:16]}"


# ---- reading ----


async def _found(request: web.Request) -> Asked | web.Response:
    service = request.app[SERVICE]
    try:
        survey = service.links.read(SURVEY, request.match_info["token"], service.clock.now())
    except (BadToken, ExpiredToken) as error:
        return not_valid(request, error)
    return await _asked(service, survey) or not_valid(request, BadToken())


async def _asked(service: Service, survey: int) -> Asked | None:
    return await service.database.read(lambda connection: _look_up(connection, survey))


def _look_up(connection: Connection, id: int) -> Asked | None:
    survey = Survey.one(connection, surveys.c.id == id)
    if survey is None:
        return None
    lane, language = _place(connection, survey)
    of = select(episodes.c.touchpoint).where(episodes.c.id == survey.episode_id)
    touchpoint = None if survey.episode_id is None else connection.execute(of).scalar()
    opened = select(cases.c.id, cases.c.respond_by).where(
        cases.c.contact_id == survey.contact_id, cases.c.origin == f"survey:{survey.id}"
    )
    case = connection.execute(opened).first()
    return (
        None
        if lane is None
        else Asked(survey, lane, language, touchpoint, case[0] if case else None, case[1] if case else None)
    )


def _place(connection: Connection, survey: Survey) -> tuple[str | None, str | None]:
    """The lane that the survey belongs to, and the language spoken there."""
    talk = connection.execute(
        select(conversations.c.lane, conversations.c.language).where(conversations.c.id == survey.conversation_id)
    ).first()
    if talk is not None:
        return talk[0], talk[1]
    columns = (addresses.c.channel, addresses.c.account, addresses.c.address)
    address = connection.execute(select(*columns).where(addresses.c.id == survey.address_id)).first()
    return (None if address is None else chat_lane(*address)), None


# ---- showing ----


def _language(request: web.Request, asked: Asked) -> Language:
    return language_of(request, request.app[SERVICE].settings.language, asked.language)


def _page(
    request: web.Request, asked: Asked, *, note: str | None = None, text: str = "", status: int = 200
) -> web.Response:
    service = request.app[SERVICE]
    language = _language(request, asked)
    definition = service.content.surveys.begun(asked.survey.definition, asked.survey.progress)
    state = State.from_json(asked.survey.progress) if asked.survey.progress else None
    now = service.clock.now()
    values: dict[str, Any] = {
        "touchpoint": (asked.touchpoint or "").replace("_", " "),
        "note": note,
        "text": text,
        "most": FREE_TEXT_LIMIT,
        "length": len(text),
        "case": None,
        "anonymous": definition is not None and definition.anonymous,
    }
    if definition is None or state is None or (state.rated_at is None and _over(asked.survey, state, now)):
        superseded = asked.survey.state == "superseded"
        return page(request, "rating", language, status=410, phase="over", superseded=superseded, **values)
    changeable = state.rated_at is not None and now < min(state.expires_at, state.rated_at + definition.change_window)
    changing = changeable and "change" in request.query
    step = rules.step(definition, _unrated(state) if changing else state, language)
    if step is not None and step.question != RATING and now >= state.expires_at:
        step = None  # too late for more; the rating stands
    values |= {
        "phase": "ask" if step else "thanks",
        "step": step,
        "done": DONE,
        "pick": PICK,
        "layout": layout(definition.scale.kind if step.question == RATING else None, [o.title for o in step.options])
        if step
        else "words",
        "nonce": nonces.issue(service, NONCE, f"{_subject(asked.survey)}@{_now(service)}"),
        "changeable": changeable and not changing,
        "changing": changing,
        "recorded": _recorded(definition, state, language),
        "thanks": definition.thanks.said(state.score, language) if state.score is not None and not step else None,
    }
    if asked.case is not None:
        by = moment_words(service.content.calendar, asked.promised, now, language, clock_first=True)
        values["case"] = {"number": numbers.number(asked.case), "by": by, "path": _path(service, asked.case)}
    return page(request, "rating", language, status=status, **values)


def layout(kind: Kind | None, titles: Sequence[str]) -> str:
    """How options are laid out: faces in a row, numbers on a scale, a list, or words side by side. `kind` is the
    scale's, None for a question's choices."""
    if kind == "nps":
        return "numbers"
    if kind in ("csat5", "thumbs", "own"):
        signs = [title.partition(" ") for title in titles]
        # Where the signs are counted (⭐⭐⭐), or are words already, they need the width of a line.
        return "faces" if all(words and len(sign) <= 2 and not sign.isalnum() for sign, _, words in signs) else "listed"
    return "words" if kind is None else "listed"


def _over(survey: Survey, state: State, now: Any) -> bool:
    return now >= state.expires_at or state.superseded_at is not None or survey.state not in ("awaiting", "answered")


def _unrated(state: State) -> State:
    """The rating's question once more, nothing of the old answer in it."""
    return replace(state, question=RATING, value=None, score=None, rated_at=None, answers=())


def _recorded(definition: Definition, state: State, language: Language) -> str | None:
    if state.value is None:
        return None
    shown = rules.recorded(definition, Answer(RATING, str(state.value), stated=state.score), language)
    return definition.phrases.recorded.said(language, answer=shown)


def _path(service: Service, case: int) -> str:
    return service.links.case(case).removeprefix(service.links.address)
