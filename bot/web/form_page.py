"""`/f/{key}`: a plain feedback form for websites and apps: a rating, words, and how to reach them if they like."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from aiohttp import web
from sqlalchemy import Connection, select

from bot import tokens
from bot.cases import numbers
from bot.cases.calendar import moment_words
from bot.links import FORM, Links
from bot.loop.effects import Effects
from bot.loop.entering import open_low, volunteer
from bot.loop.events import chat_lane
from bot.loop.intake import Overloaded
from bot.loop.state import LaneState
from bot.service import SERVICE, Service
from bot.surveys.scales import LOW_BELOW, score
from bot.tokens import BadToken, ExpiredToken
from bot.web import nonces
from bot.web.forms import back_to, fields, not_valid
from bot.web.language import language_of
from bot.web.limits import LIMITS, Rate, sender
from bot.web.rating_page import layout
from bot.web.rendering import page
from bot.web.visitors import ACCOUNT, CHANNEL
from channels.base import Text
from nlu.understanding import Language
from storage.database import Conflict, is_outage
from storage.records import Survey
from storage.tables import cases, contacts, conversations, inbox, ratings, surveys

NONCE, DONE = "form", "form-done"
FROM_SENDER = Rate(burst=12, per_second=1 / 15)
UNDERSTOOD_WITHIN = 5.0
"""Seconds to wait for what becomes of the words, so that the page can name their case."""

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]{2,}")
_PHONE = re.compile(r"\+?[\d ().\u2010-\u2015-]{5,30}")
_CONTACT = {"name": 100, "phone": 40, "email": 200}
routes = web.RouteTableDef()


def form_link(links: Links, name: str) -> str:
    """The address of the feedback form `name`, to be put on a website or into an app. It does not expire."""
    return f"{links.address}/f/{tokens.sign(links.secret, FORM, name)}"


@dataclass(frozen=True, slots=True)
class Filled:
    """What somebody wrote into a form. `value` is on the scale of the volunteered survey; None: not rated."""

    value: int | None
    words: str
    contact: Mapping[str, str]
    language: Language


@dataclass(frozen=True, slots=True)
class Result:
    """What became of it."""

    score: float | None
    case: int | None
    promised: datetime | None
    reachable: bool


@routes.get("/f/{key}")
async def show(request: web.Request) -> web.Response:
    """The form, empty; or, after it was sent, what became of it."""
    service = request.app[SERVICE]
    refused = _refused(service, request)
    if refused:
        return refused
    thread = nonces.read(service, DONE, request.query.get("done", ""))
    return _form(request, {}) if thread is None else await _result(request, thread)


@routes.post("/f/{key}")
async def send(request: web.Request) -> web.Response:
    """Take it in, then show what became of it."""
    service = request.app[SERVICE]
    refused = _refused(service, request)
    if refused:
        return refused
    given = await fields(request)
    chance = nonces.read(service, NONCE, given.get("nonce", ""))
    if chance is None:
        return _form(request, given, note="stale", status=409)
    filled = _filled(service, request, given)
    wrong = _wrong(service, filled)
    if wrong:
        return _form(request, given, note=wrong[0], status=wrong[1])
    if request.app[LIMITS].take({("form", sender(request)): FROM_SENDER}, service.clock.now()) > 0:
        return _form(request, given, note="slow_down", status=429)
    thread = f"form:{chance}"
    try:
        name = tokens.verify(service.secret, FORM, request.match_info["key"], service.clock.now())
        await _take(service, name, thread, filled)
    except (Conflict, Overloaded):
        return _form(request, given, note="busy", status=503)
    except Exception as error:
        if not is_outage(error):
            raise
        return _form(request, given, note="busy", status=503)
    service.count("forms.web")
    return back_to(request, done=nonces.issue(service, DONE, thread))


# ---- taking in ----


def _filled(service: Service, request: web.Request, given: Mapping[str, str]) -> Filled:
    definition = service.content.surveys.for_trigger("volunteered")
    values = {str(value): value for value in definition.scale.values} if definition else {}
    return Filled(
        value=values.get(given.get("rating", "")),
        words=given.get("words", ""),
        contact={name: given[name] for name in _CONTACT if given.get(name)},
        language=language_of(request, service.settings.language),
    )


def _wrong(service: Service, filled: Filled) -> tuple[str, int] | None:
    """What must be put right, as the key of a text, and the status to say it with."""
    if filled.value is None and not filled.words:
        return "nothing", 400
    if len(filled.words) > service.settings.text_limit:
        return "too_long", 413
    phone, email = filled.contact.get("phone"), filled.contact.get("email")
    if phone and not (_PHONE.fullmatch(phone) and sum(sign.isdigit() for sign in phone) >= 5):
        return "phone_wrong", 400
    if email and (len(email) > _CONTACT["email"] or not _EMAIL.fullmatch(email)):
        return "email_wrong", 400
    return None


async def _take(service: Service, name: str, thread: str, filled: Filled) -> None:
    """The rating, then the words, then, if both leave a low rating without a case, its case. Each step is done once for
    a thread, so that a form sent again goes on where it failed."""
    lane = chat_lane(CHANNEL, ACCOUNT, thread)
    definition = service.content.surveys.for_trigger("volunteered")

    def rate(state: LaneState, effects: Effects) -> None:
        if state.conversation is not None:
            return
        effects.language = filled.language
        contact = {name: value[: _CONTACT[name]] for name, value in filled.contact.items()}
        if contact:
            effects.change_contact(**contact)
        if definition is not None and filled.value is not None:
            volunteer(effects, definition, filled.value, name, "page")
        _ = effects.conversation_id  # the conversation is there, whatever else was given

    await service.turns.act(lane, rate)
    if filled.words:
        said = Text(
            dedupe_key=thread,
            thread=thread,
            text=filled.words,
            language=filled.language,
            sender_name=filled.contact.get("name"),
        )
        await service.intake.accept(CHANNEL, ACCOUNT, [said])
        await _understood(service, lane, thread)
    if definition is None or filled.value is None or score(definition.scale, filled.value) >= LOW_BELOW:
        return
    low = definition.scale.labels[filled.value].said(filled.language)
    asking = service.policy.asking
    await service.turns.act(lane, lambda state, effects: open_low(asking, state, effects, low, filled.words, "form"))


async def _understood(service: Service, lane: str, key: str) -> None:
    """Wait until the words have had their turn, for as long as somebody may be kept waiting."""
    statement = select(inbox.c.state).where(
        inbox.c.channel == CHANNEL, inbox.c.account == ACCOUNT, inbox.c.dedupe_key == key
    )
    with service.live.watch(lane) as watch:
        try:
            async with asyncio.timeout(UNDERSTOOD_WITHIN):
                while await service.database.read(lambda at: at.execute(statement).scalar()) == "new":
                    await watch.changed()
        except TimeoutError:
            return


# ---- showing ----


def _refused(service: Service, request: web.Request) -> web.Response | None:
    try:
        tokens.verify(service.secret, FORM, request.match_info["key"], service.clock.now())
    except (BadToken, ExpiredToken) as error:
        return not_valid(request, error)
    return None


def _form(
    request: web.Request, given: Mapping[str, str], *, note: str | None = None, status: int = 200
) -> web.Response:
    service = request.app[SERVICE]
    language = language_of(request, service.settings.language)
    definition = service.content.surveys.for_trigger("volunteered")
    scale = definition.scale if definition else None
    options = [(value, scale.labels[value].said(language)) for value in scale.values] if scale else []
    return page(
        request,
        "form",
        language,
        status=status,
        done=None,
        options=options,
        layout=layout(scale.kind if scale else None, [title for _, title in options]),
        given={name: given.get(name, "") for name in ("rating", "words", *_CONTACT)},
        limits=_CONTACT,
        nonce=nonces.issue(service, NONCE, nonces.chance()),
        note=note,
        most=service.settings.text_limit,
        length=len(given.get("words", "")),
    )


async def _result(request: web.Request, thread: str) -> web.Response:
    service = request.app[SERVICE]
    language = language_of(request, service.settings.language)
    lane = chat_lane(CHANNEL, ACCOUNT, thread)
    result = await service.database.read(lambda connection: _look_up(connection, lane))
    definition = service.content.surveys.for_trigger("volunteered")
    done: dict[str, Any] = {"case": None, "reachable": result.reachable, "thanks": None}
    if definition is not None and result.score is not None:
        done["thanks"] = definition.thanks.said(result.score, language)
    if result.case is not None:
        now = service.clock.now()
        by = moment_words(service.content.calendar, cast(datetime, result.promised), now, language, clock_first=True)
        link = service.links.case(result.case)
        done["case"] = {
            "number": numbers.number(result.case),
            "by": by,
            "path": link.removeprefix(service.links.address),
            "link": link,
        }
    return page(request, "form", language, done=done)


def _look_up(connection: Connection, lane: str) -> Result:
    talk = connection.execute(
        select(conversations.c.id, conversations.c.contact_id).where(conversations.c.lane == lane)
    ).first()
    if talk is None:
        return Result(None, None, None, False)
    survey = Survey.one(connection, surveys.c.conversation_id == talk[0])
    rated = select(ratings.c.score).where(ratings.c.survey_id == (survey.id if survey else None))
    case = connection.execute(
        select(cases.c.id, cases.c.respond_by).where(cases.c.conversation_id == talk[0]).order_by(cases.c.id)
    ).first()
    contact = select(contacts.c.phone, contacts.c.email).where(contacts.c.id == talk[1])
    reachable = any(connection.execute(contact).one())
    return Result(
        score=connection.execute(rated).scalar() if survey else None,
        case=case[0] if case else None,
        promised=case[1] if case else None,
        reachable=reachable,
    )
