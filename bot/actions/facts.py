"""What an action may know: the facts beside the message, each with a sensible value where it is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rasa_sdk import Tracker

from bot.cases.sameness import Matter, find

SURE = 0.6
"""From this score on a knowledge entry is the answer. About .5 tells right from wrong (see `nlu.retrieval`)."""
LIKELY = 0.4
"""From this score on an entry is worth asking about."""
RAGE = -0.5
"""At this sentiment or below, anger is strong."""


DISPLEASED = -0.3
"""At this sentiment or below, a message that names something is a complaint about it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry of the knowledge base that may answer."""

    key: str
    score: float
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class OpenCase:
    number: str
    state: str
    title: str
    urgency: str = "normal"
    nature: tuple[str, ...] = ()
    aspect: tuple[str, ...] = ()
    order: str | None = None
    told_at: datetime | None = None

    @property
    def matter(self) -> Matter:
        return Matter(self.title, self.nature, self.aspect, self.urgency, self.order)


class Facts:
    """`tracker.latest_message["metadata"]["earful"]`, read with care: any part of it may be missing or empty."""

    def __init__(self, tracker: Tracker) -> None:
        message = tracker.latest_message or {}
        self._told = _mapping(_mapping(message.get("metadata")).get("earful"))
        self._understanding = _mapping(self._told.get("understanding"))
        self._entities = _list(message.get("entities"))
        self._read: dict[str, list[OpenCase]] = {}
        self.text = str(message.get("text") or "").strip()
        self.intent = str(_mapping(message.get("intent")).get("name") or "")

    # ---- the conversation ----

    @property
    def language(self) -> str | None:
        found = self._told.get("language")
        return found if found in ("zh", "en") else None

    @property
    def channel(self) -> str:
        return _text(self._told.get("channel"))

    @property
    def queued(self) -> bool:
        """The customer waits for a person."""
        return self._told.get("owner") == "queue"

    @property
    def position(self) -> int | None:
        found = _mapping(self._told.get("queue")).get("position")
        return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None

    @property
    def office_open(self) -> bool:
        return _mapping(self._told.get("office")).get("open") is not False

    @property
    def opens_at(self) -> str:
        return _text(_mapping(self._told.get("office")).get("opens_at"))

    @property
    def company(self) -> str:
        return _text(self._told.get("company"))

    def promise(self, urgency: str) -> str:
        return _text(_mapping(self._told.get("promises")).get(urgency))

    # ---- the customer ----

    @property
    def reachable(self) -> bool:
        """We know a phone number or an address to write to."""
        contact = _mapping(self._told.get("contact"))
        return bool(_text(contact.get("phone")) or _text(contact.get("email")))

    @property
    def high_value(self) -> bool:
        return _mapping(self._told.get("contact")).get("high_value") is True

    @property
    def cases(self) -> list[OpenCase]:
        """Open ones, the newest first."""
        return self._cases("cases")

    @property
    def other_cases(self) -> list[OpenCase]:
        """Settled ones of theirs, whose number they said."""
        return self._cases("other_cases")

    def _cases(self, name: str) -> list[OpenCase]:
        if name not in self._read:
            self._read[name] = self._read_cases(name)
        return self._read[name]

    def _read_cases(self, name: str) -> list[OpenCase]:
        return [
            OpenCase(
                str(each["number"]),
                _text(each.get("state")),
                _text(each.get("title")),
                _text(each.get("urgency")),
                tuple(filter(None, map(_text, _list(each.get("nature"))))),
                tuple(filter(None, map(_text, _list(each.get("aspect"))))),
                _text(each.get("order")) or None,
                _moment(each.get("told_at")),
            )
            for each in _list(self._told.get(name))
            if isinstance(each, dict) and str(each.get("number") or "").strip()
        ]

    @property
    def current(self) -> OpenCase | None:
        """The one that this conversation is about: what is told by the way belongs to it."""
        number = _text(self._told.get("current"))
        return next((case for case in self.cases if case.number == number), next(iter(self.cases), None))

    def same(self, matter: Matter) -> OpenCase | None:
        """The open case of theirs that is the same matter, told within a day."""
        now = _moment(self._told.get("now"))
        if now is None:
            return None
        return find(matter, ((each, each.matter, each.told_at) for each in self.cases if each.told_at), now)

    @property
    def urgent_case(self) -> bool:
        """Something urgent of theirs is open: it does not wait for office hours."""
        return any(case.urgency == "urgent" for case in self.cases)

    # ---- the message ----

    @property
    def nature(self) -> list[str]:
        return [each for each in _list(self._understanding.get("nature")) if isinstance(each, str)]

    @property
    def aspect(self) -> list[str]:
        return [found[:200] for each in _list(self._understanding.get("aspect")) if (found := _text(each))][:20]

    @property
    def urgency(self) -> str:
        found = self._understanding.get("urgency")
        return found if found in ("urgent", "important", "normal") else "normal"

    @property
    def evidence(self) -> list[str]:
        """The words that decided."""
        return [each for each in _list(self._understanding.get("evidence")) if isinstance(each, str)]

    @property
    def negative(self) -> bool:
        """Clearly displeased."""
        score = _mapping(self._understanding.get("sentiment")).get("score")
        return isinstance(score, int | float) and score <= DISPLEASED

    @property
    def furious(self) -> bool:
        """Strong anger: named as such, in a clearly negative message (R3.2)."""
        score = _mapping(self._understanding.get("sentiment")).get("score")
        angry = "anger" in _list(self._understanding.get("emotions"))
        return angry and isinstance(score, int | float) and score <= RAGE

    @property
    def rating(self) -> float | None:
        """A rating in words, or that of a tapped button: 0 to 100."""
        for found in (self._understanding.get("rating"), self.entity("rating")):
            try:
                score = float(found) if found is not None else -1.0
            except (TypeError, ValueError):
                continue
            if 0 <= score <= 100:
                return score
        return None

    @property
    def knowledge(self) -> list[Hit]:
        """Best first."""
        found: list[Hit] = []
        for each in _list(self._told.get("knowledge")):
            score = each.get("score") if isinstance(each, dict) else None
            if isinstance(score, int | float):
                key, question, answer = (_text(each.get(name)) for name in ("key", "question", "answer"))
                if key and answer:
                    found.append(Hit(key, float(score), question or key, answer))
        return found

    def entity(self, name: str) -> str | None:
        """The last value of this entity in the message; what an engine of another make did not find in it, our own
        understanding may have."""
        for entities in (self._entities, _list(self._understanding.get("entities"))):
            found = [each.get("value") for each in entities if isinstance(each, dict) and each.get("entity") == name]
            if found and found[-1] is not None:
                return str(found[-1]).strip() or None
        return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
