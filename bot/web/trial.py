"""`/try`: where there is demo content, a rating page to try, as the customer behind a text message has it."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection, select

from bot.loop.effects import Effects
from bot.loop.events import chat_lane
from bot.loop.state import LaneState
from bot.service import SERVICE, Service
from bot.web import nonces
from bot.web.language import language_of, texts
from bot.web.limits import LIMITS, Rate, sender
from bot.web.visitors import ACCOUNT, CHANNEL
from nlu.understanding import Language
from storage.changes import Insert
from storage.database import Conflict
from storage.tables import episodes, notes

MARK, MADE = "demo", "made"
"""Of the installation's notes: whether there is demo content."""
PREFIX = "demo:"
"""How the ids of the demo's customers and episodes begin; they go with `earful demo remove`."""
TOUCHPOINT = "store"
OF_SENDER = Rate(burst=10, per_second=1 / 30)

routes = web.RouteTableDef()


async def offered(service: Service) -> bool:
    """Whether there is something to try."""
    return service.content.surveys.for_trigger("episode", TOUCHPOINT) is not None and await service.database.read(_demo)


@routes.get("/try")
async def lost(request: web.Request) -> web.Response:
    """Somebody came back here: looking makes nothing."""
    raise web.HTTPSeeOther("/")


@routes.post("/try")
async def begin(request: web.Request) -> web.Response:
    """A service that somebody of the demo just had, and the page to rate it."""
    service = request.app[SERVICE]
    definition = service.content.surveys.for_trigger("episode", TOUCHPOINT)
    if definition is None or not await service.database.read(_demo):
        raise web.HTTPNotFound
    if request.app[LIMITS].take({("try", sender(request)): OF_SENDER}, service.clock.now()) > 0:
        raise web.HTTPTooManyRequests(headers={"Retry-After": "30"}, text="slow down")
    language: Language = language_of(request, service.settings.language)
    chance = nonces.chance()[:12]

    def decide(state: LaneState, effects: Effects) -> Insert:
        effects.language = language
        effects.change_contact(external_id=f"{PREFIX}{chance}", name=texts().said("start", "somebody", language))
        visit = {
            "external_id": f"{PREFIX}{chance}",
            "contact_id": effects.contact_id,
            "touchpoint": TOUCHPOINT,
            "ended_at": effects.now,
            "created_at": effects.now,
        }
        return service.policy.asking.open(effects, definition, episode=effects.add(Insert(episodes, visit)))

    try:
        # As with a form, nobody can be written to there: the page is all there is.
        survey = await service.turns.act(chat_lane(CHANNEL, ACCOUNT, f"form:demo-{chance}"), decide)
    except Conflict:
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}) from None
    if survey.id is None:
        raise AssertionError("a survey is linked to before it is written")
    link = service.links.survey(survey.id).removeprefix(service.links.address)
    raise web.HTTPSeeOther(f"{link}?lang={language}")


def _demo(connection: Connection) -> bool:
    return connection.execute(select(notes.c.value).where(notes.c.key == MARK)).scalar() == MADE
