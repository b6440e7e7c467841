"""What a visitor's browser sends, checked and taken in: the same for the socket and for plain HTTP."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, TypeGuard

import structlog

from bot.loop.intake import Overloaded
from bot.service import Service
from bot.web.files import sayable
from bot.web.language import texts
from bot.web.limits import Key, Limits, Rate
from bot.web.transcript import bears_button
from bot.web.visitors import ACCOUNT, CHANNEL, Visitor
from channels.base import Media, Tap, Text
from nlu.understanding import Language
from storage.database import is_outage
from storage.types import clean

log = structlog.get_logger()

OF_VISITOR = Rate(burst=20, per_second=1)
OF_SENDER = Rate(burst=200, per_second=20)
"""A company, or a village, may sit behind one address."""

_STATUS = {
    "malformed": 400,
    "empty": 400,
    "no_such_button": 404,
    "no_file": 404,
    "too_long": 413,
    "slow_down": 429,
    "busy": 503,
}
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_MOST = 2**53
"""Numbers up to which a browser counts exactly."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A visitor, the address they call from, and the language of the page they look at."""

    visitor: Visitor
    address: str
    language: Language


class Refused(Exception):
    """Nothing was taken in. `reason` is stable, `said` is for the customer; after `seconds` it may be sent again."""

    def __init__(self, reason: str, said: str, id: str | None = None, seconds: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.said = said
        self.id = id
        self.seconds = seconds

    @property
    def status(self) -> int:
        """As an HTTP status."""
        return _STATUS[self.reason]

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "reason": self.reason, "said": self.said, "seconds": self.seconds}


def largest(service: Service) -> int:
    """Bytes of the largest thing a browser may send: a full text, every character of it escaped."""
    return service.settings.text_limit * 12 + 4_096


def parse(raw: str | bytes) -> dict[str, Any]:
    """A JSON object from a browser. Raises ValueError."""
    try:
        found = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


async def hear(service: Service, limits: Limits, sender: Sender, said: dict[str, Any]) -> str:
    """Take in `{id, text}` or `{id, seq, index}`, a tap on a button. Its id, once it is committed. The same id twice is
    one message. Raises Refused."""
    id = said.get("id")
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise _refused("malformed", sender, None)
    event: Text | Tap | Media
    button: tuple[int, int] | None = None
    key = dedupe_key(sender.visitor, id)
    if said.get("file") is not None:
        event = await _file(service, sender, id, said)
    elif "text" in said:
        event = Text(
            dedupe_key=key,
            thread=sender.visitor.id,
            text=_text(service, sender, id, said["text"]),
            language=sender.language,
        )
    else:
        seq, index = said.get("seq"), said.get("index")
        if not _whole(seq) or not _whole(index):
            raise _refused("malformed", sender, id)
        button = seq, index
        event = Tap(dedupe_key=key, thread=sender.visitor.id, data=f"m{seq}.{index}")
    _spare(service, limits, sender, id)
    try:
        if button and not await service.database.read(bears_button(sender.visitor.lane, *button)):
            raise _refused("no_such_button", sender, id)
        await service.intake.accept(CHANNEL, ACCOUNT, [event])
    except Overloaded:
        service.count("chat_refused.web")
        raise _refused("busy", sender, id, 2) from None
    except Exception as error:
        if not is_outage(error):
            raise
        service.count("chat_refused.web")
        log.error("the database did not take an event", channel=CHANNEL, error=type(error).__name__)
        raise _refused("busy", sender, id, 5) from None
    service.count("chat_accepted.web")
    return id


async def _file(service: Service, sender: Sender, id: str, said: dict[str, Any]) -> Media:
    """A file that was sent up before, with words beside it or none."""
    words = said.get("text", "")
    caption = _text(service, sender, id, words) if words != "" else ""
    file = await sayable(service, sender.visitor, said["file"])
    if file is None:
        raise _refused("no_file", sender, id)
    return Media(
        dedupe_key=dedupe_key(sender.visitor, id),
        thread=sender.visitor.id,
        kind=file.family,
        caption=caption,
        file=file.key,
        name=file.name,
        size=file.size,
    )


def dedupe_key(visitor: Visitor, id: str) -> str:
    return f"{visitor.id}:{id}"


def ids_of(keys: list[str]) -> list[str]:
    """The clients' own ids of dedupe keys."""
    return [key.partition(":")[2] for key in keys]


def keys_of(visitor: Visitor, ids: object, most: int = 100) -> list[str]:
    """The dedupe keys of a client's ids; what is none is left out."""
    if not isinstance(ids, list):
        return []
    return [dedupe_key(visitor, id) for id in ids[:most] if isinstance(id, str) and _ID.fullmatch(id)]


def position(value: object) -> int:
    """A seq that a client names; 0 for what is none."""
    return value if _whole(value) else 0


def _text(service: Service, sender: Sender, id: str, value: object) -> str:
    if not isinstance(value, str):
        raise _refused("malformed", sender, id)
    text = clean(value).strip()
    if not text:
        raise _refused("empty", sender, id)
    most = service.settings.text_limit
    if len(text) > most:
        service.count("chat_too_long.web")
        raise _refused("too_long", sender, id, length=len(text), most=most)
    return text


def _spare(service: Service, limits: Limits, sender: Sender, id: str) -> None:
    wanted: dict[Key, Rate] = {("said", sender.visitor.id): OF_VISITOR, ("said-from", sender.address): OF_SENDER}
    wait = limits.take(wanted, service.clock.now())
    if wait > 0:
        service.count("chat_slowed.web")
        raise _refused("slow_down", sender, id, math.ceil(wait))


def _refused(reason: str, sender: Sender, id: str | None, seconds: int = 0, **values: object) -> Refused:
    return Refused(reason, texts().said("refused", reason, sender.language, **values), id, seconds)


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST
