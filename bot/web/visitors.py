"""Who is at the other end of a web chat: a random id in a signed token that their browser keeps. No cookie."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web
from yarl import URL

from bot import tokens
from bot.links import CHAT
from bot.loop.events import chat_lane
from bot.service import Service

CHANNEL = "web"
ACCOUNT = "default"
SESSION = timedelta(days=14)
"""How long a conversation can be found again after the last visit. As long as a survey waits for its answer."""

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Visitor:
    """`id` is 128 random bits in hexadecimal, and the thread of the conversation."""

    id: str

    @property
    def lane(self) -> str:
        return chat_lane(CHANNEL, ACCOUNT, self.id)


def stranger() -> Visitor:
    """Somebody who was never here."""
    return Visitor(secrets.token_hex(16))


def token_of(service: Service, visitor: Visitor) -> str:
    """A fresh token: every visit gives a new one, so that one in use does not run out."""
    return tokens.sign(service.secret, CHAT, visitor.id, service.clock.now() + SESSION)


def known(service: Service, token: object) -> Visitor | None:
    """Whose token it is; None if it is forged, expired, or none at all."""
    if not isinstance(token, str):
        return None
    try:
        payload = tokens.verify(service.secret, CHAT, token, service.clock.now())
    except (tokens.BadToken, tokens.ExpiredToken):
        return None
    return Visitor(payload) if _ID.fullmatch(payload) else None


def from_here(service: Service, request: web.Request, *, browser: bool = False) -> bool:
    """Whether a page of ours sent this request, as far as a browser tells; a program that is not a browser tells
    nothing, which is refused where `browser` is asked for."""
    origin = request.headers.get("Origin")
    if origin is None:
        return not browser
    here = request.headers.get("Host", "")
    ours = str(URL(service.settings.address).origin())
    return origin == ours or (bool(here) and origin in (f"http://{here}", f"https://{here}"))
