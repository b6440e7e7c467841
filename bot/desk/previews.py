"""What a message looks like on each channel: cut and numbered as the channel's adapter will, before anybody gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from bot.loop.render import split
from channels.base import Button, Capabilities
from channels.registry import ADAPTERS, adapter_class
from channels.twilio.adapter import with_options


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message as the customer gets it; `buttons` below it where the channel has them."""

    text: str
    buttons: tuple[str, ...] = ()


@cache
def channels() -> dict[str, Capabilities]:
    """What each channel can do that Earful knows, set up here or not; the web chat first."""
    found = {name: adapter_class(name).capabilities for name in ADAPTERS}
    return {"web": found.pop("web"), **dict(sorted(found.items()))}


def bubbles(text: str, titles: Sequence[str], can: Capabilities) -> list[Bubble]:
    """The messages that `text` with buttons of these `titles` becomes."""
    parts = list(split(text, can.text_limit, in_bytes=can.limit_in_bytes))
    if not titles:
        return [Bubble(part) for part in parts]
    *before, last = parts
    if can.buttons:
        cut = [title if len(title) <= can.button_title_limit else title[: can.button_title_limit] for title in titles]
        ending = Bubble(last, tuple(cut[: can.buttons]))
    elif can.digits:
        ending = Bubble(with_options(last, [Button(title, "x") for title in titles]))
    else:
        ending = Bubble(last)
    return [*map(Bubble, before), ending]
