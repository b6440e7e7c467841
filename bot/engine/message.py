"""What goes into a turn of the engine, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class UserMessage:
    """What a person said, understood. `intent` is the classifier's, or that of a stored button's payload: `text` is
    never read for commands. `entities` are `{"entity", "value", ...}`; `metadata["earful"]` holds the facts that
    actions may know; `channel` chooses among responses written for one."""

    text: str
    intent: str
    confidence: float
    entities: list[dict[str, Any]]
    metadata: dict[str, Any]
    channel: str
    sender_id: str


@dataclass(frozen=True, slots=True)
class ButtonSpec:
    """`payload` is `/intent{"entity": "value"}`: store it, and give its parts back when the button is tapped."""

    title: str
    payload: str


@dataclass(frozen=True, slots=True)
class Response:
    """One message to the person. `name` is the response of the domain that it was made from, if any."""

    text: str
    buttons: tuple[ButtonSpec, ...] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """What an action asks of our services: `{"command": NAME, ...}`, checked (see `commands`)."""

    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """`tracker` is to be kept and given back at the next turn: JSON-able and bounded. `steps` are in order."""

    tracker: dict[str, Any]
    steps: list[Response | Command] = field(default_factory=list)

    @property
    def responses(self) -> list[Response]:
        return [step for step in self.steps if isinstance(step, Response)]

    @property
    def commands(self) -> list[dict[str, Any]]:
        return [step.body for step in self.steps if isinstance(step, Command)]
