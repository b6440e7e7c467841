"""`/c/{token}`: a case as its customer sees it: its state, what was promised and said, a reply, the rating."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from aiohttp import web
from sqlalchemy import Connection, select

from bot.cases import numbers
from bot.cases import rules as states
from bot.cases.calendar import moment_words, stamp_words, zone_words
from bot.cases.rules import SETTLED
from bot.contacts.belongings import is_hollow
from bot.links import CASE
from bot.loop.case_moves import told
from bot.loop.effects import Effects
from bot.loop.intake import Overloaded
from bot.loop.state import LaneState
from bot.service import SERVICE, Service
from bot.tokens import BadToken, ExpiredToken
from bot.web import nonces
from bot.web.forms import back_to, fields, not_valid
from bot.web.language import language_of, texts
from bot.web.limits import LIMITS, Rate
from bot.web.rendering import page
from bot.web.transcript import from_people
from channels.base import Text
from nlu.understanding import Language
from storage.database import Conflict, is_outage
from storage.records import Case, Conversation
from storage.sets import among
from storage.tables import case_events, cases, conversations, messages, surveys

NONCE = "case"
REPLIES = Rate(burst=6, per_second=1 / 20)
WAKES = "case_reply"
"""Why the conversation waits for a person, and the line on the transcript that the desk shows."""

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class Line:
    """Something on the customer's timeline. `text` is theirs or an agent's; a step has none."""

    at: datetime
    kind: str  # step, theirs, ours
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A case, and what its page shows."""

    case: Case
    talk: Conversation
    responded: bool
    events: list[Any] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    survey: tuple[int, datetime] | None = None  # a follow-up that awaits its answer: id, expiry


@routes.get("/c/{token}")
async def show(request: web.Request) -> web.Response:
    """Where the case stands."""
    seen = await _found(request)
    if isinstance(seen, web.Response):
        return seen
    return _page(request, seen, note="sent" if "sent" in request.query else None)


@routes.post("/c/{token}")
async def reply(request: web.Request) -> web.Response:
    """Words from the customer about their case."""
    service = request.app[SERVICE]
    seen = await _found(request)
    if isinstance(seen, web.Response):
        return seen
    given = await fields(request)
    text = given.get("text", "")
    key = nonces.read(service, NONCE, given.get("nonce", ""))
    if key is None:
        return _page(request, seen, note="stale", text=text, status=409)
    if not text:
        return _page(request, seen, note="empty", status=400)
    if len(text) > service.settings.text_limit:
        return _page(request, seen, note="too_long", text=text, status=413)
    if request.app[LIMITS].take({("case", str(seen.case.id)): REPLIES}, service.clock.now()) > 0:
        return _page(request, seen, note="slow_down", text=text, status=429)
    try:
        await _take(service, seen, text, f"case:{seen.case.id}:{key}", _language(request, seen))
    except (Conflict, Overloaded):
        return _page(request, seen, note="busy", text=text, status=503)
    except Exception as error:
        if not is_outage(error):
            raise
        return _page(request, seen, note="busy", text=text, status=503)
    service.count("case_replies.web")
    return back_to(request, sent="1")


async def _take(service: Service, seen: Seen, text: str, key: str, language: Language) -> None:
    """On the case's timeline, before a person, and as a message of its conversation. Each step knows `key` and is done
    once, so that what failed half-way may be sent again; the person comes first, for then the bot leaves it to them."""

    def decide(state: LaneState, effects: Effects) -> None:
        told(effects, seen.case.id, "replied", actor="customer", note=text, at=effects.now)
        effects.record("system", WAKES, data={"case": seen.case.id}, client_key=key)
        service.policy.talking.hand_off(effects, WAKES, effects.now)

    if not await service.database.read(lambda connection: _known(connection, seen.talk.id, key)):
        try:
            await service.turns.act(seen.talk.lane, decide)
        except Conflict:
            if not await service.database.read(lambda connection: _known(connection, seen.talk.id, key)):
                raise
    said = Text(dedupe_key=key, thread=seen.talk.thread, text=text, language=language)
    await service.intake.accept(seen.talk.channel, seen.talk.account, [said])


def _known(connection: Connection, conversation: int, key: str) -> bool:
    statement = select(messages.c.id).where(messages.c.conversation_id == conversation, messages.c.client_key == key)
    return connection.execute(statement).first() is not None


# ---- reading ----


async def _found(request: web.Request) -> Seen | web.Response:
    service = request.app[SERVICE]
    try:
        id = service.links.read(CASE, request.match_info["token"], service.clock.now())
    except (BadToken, ExpiredToken) as error:
        return not_valid(request, error)
    return await service.database.read(lambda connection: _look_up(connection, id)) or not_valid(request, BadToken())


def _look_up(connection: Connection, id: int) -> Seen | None:
    case = Case.one(connection, cases.c.id == id)
    talk = Conversation.one(connection, conversations.c.id == case.conversation_id) if case else None
    if case is None or talk is None or is_hollow(talk.thread):
        return None
    answered = connection.execute(select(cases.c.responded_at).where(cases.c.id == id)).scalar()
    columns = (case_events.c.at, case_events.c.actor, case_events.c.kind, case_events.c.to_state, case_events.c.note)
    events = connection.execute(select(*columns).where(case_events.c.case_id == id).order_by(case_events.c.id))
    survey = connection.execute(
        select(surveys.c.id, surveys.c.expires_at).where(surveys.c.case_id == id, among(surveys.c.state, "awaiting"))
    ).first()
    return Seen(
        case=case,
        talk=talk,
        responded=answered is not None,
        events=[dict(row) for row in events.mappings()],
        answers=from_people(connection, talk.id, case.opened_at),
        survey=(survey[0], survey[1]) if survey else None,
    )


# ---- showing ----


def _language(request: web.Request, seen: Seen) -> Language:
    return language_of(request, request.app[SERVICE].settings.language, seen.case.language)


def _page(
    request: web.Request, seen: Seen, *, note: str | None = None, text: str = "", status: int = 200
) -> web.Response:
    service = request.app[SERVICE]
    language = _language(request, seen)
    now, calendar, case = service.clock.now(), service.content.calendar, seen.case
    open_still = case.state not in SETTLED and case.state not in ("resolved", "following_up")
    rating = None
    if seen.survey and now < seen.survey[1]:
        rating = service.links.survey(*seen.survey).removeprefix(service.links.address)
    return page(
        request,
        "case",
        language,
        status=status,
        number=numbers.number(case.id),
        case_title=case.title,
        state=_capital(states.name(cast(states.State, case.state), language)),
        settled=not open_still,
        late=open_still and not seen.responded and now > case.respond_by,
        by=moment_words(calendar, case.respond_by, now, language, clock_first=True)
        if open_still and not seen.responded
        else None,
        lines=[
            (line, stamp_words(calendar, line.at, now, language))
            # Steps and words of one second: the step first, for an answer is what brought it about.
            for line in sorted(_lines(seen, language), key=lambda line: line.at.replace(microsecond=0))
        ],
        zone=zone_words(calendar, language) if language in calendar.named else None,
        rating=rating,
        nonce=nonces.issue(service, NONCE, nonces.chance()),
        note=note,
        text=text,
        most=service.settings.text_limit,
        length=len(text),
    )


def _lines(seen: Seen, language: Language) -> list[Line]:
    """What concerns the customer: their case's steps, their own words, people's answers. What staff note among
    themselves, and why they move a case, is not for this page."""

    def said(key: str) -> str:
        return texts().said("case", key, language)

    found: list[Line] = []
    for event in seen.events:
        kind, to = event["kind"], event["to_state"]
        if kind == "opened":
            found.append(Line(event["at"], "step", said("opened")))
        elif kind == "moved" and to in states.STATES and to not in ("received", "returned"):
            found.append(Line(event["at"], "step", _capital(states.name(to, language))))
        elif kind in ("completed", "reported", "replied") and event["actor"] == "customer" and event["note"]:
            title = said("completed" if kind == "reported" else kind)
            found.append(Line(event["at"], "theirs", title, _in_words(event["note"], said)))
    for answer in seen.answers:
        at = datetime.fromisoformat(answer["at"])
        words = answer["text"] or ", ".join(file["name"] for file in answer.get("files", ()))
        found.append(Line(at, "ours", answer.get("name") or said("person"), words))
    return found


def _capital(words: str) -> str:
    """As a line of its own begins."""
    return words[:1].upper() + words[1:]


def _in_words(note: str, said: Any) -> str:
    """A note's field names as people say them."""
    return re.sub(r"(?:(?<=^)|(?<=; ))(order_number|place|contact)(?=: )", lambda found: said(found[1]), note)
