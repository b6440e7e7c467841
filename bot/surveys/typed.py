"""Finds an answer in what somebody typed while a question is open.

Strict on purpose: thanks, a request for a person, an order for five of something are not ratings. What is not an answer
goes the way of every other message.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from bot.surveys.definitions import DONE, RATING, Definition, Question
from bot.surveys.rules import Answer, Option, options
from bot.surveys.scales import Scale, nearest

# What reads a rating out of words: (text, maximum of the open scale, 1 for thumbs) to a score of 0 to 100, or None.
# With None for the maximum it reads what stands on a scale of its own ("9分" is of ten, stars are of five).
RatingReader = Callable[[str, int | None], float | None]

# A number and nothing else, but for a full stop, an exclamation mark, or the frame of a keycap emoji. A longer number
# is that of a case or an order, not a rating.
_SEVERAL = re.compile(r"\s*\d{1,2}(?:\s*[,，、;；+和&\s]\s*\d{1,2})+\s*[.。!！]?\s*")
# As many of something as the scale has values for: an order, perhaps, or "5" with a word too much.
_COUNTERS = "个件份盒箱台只瓶双条套包袋本张杯斤"
_QUANTITY = re.compile(
    rf"\s*(?:我?(?:想要|想买|要买|再来|要|买|来|订|拿))?\s*(\d{{1,2}}|[一两二三四五六七八九十])\s*[{_COUNTERS}]\s*[.。!！]?\s*"
    r"|\s*(?:(?:i want|i need|i'd like|i would like|give me|order|buy)\s+)?(\d{1,2})\s+"
    r"(?:pieces?|pcs|items?|units?|boxes|packs?|of (?:them|those|these))\s*[.!]?\s*",
    re.IGNORECASE,
)
_NUMERALS = {sign: value for value, sign in enumerate("一二三四五六七八九十", start=1)} | {"两": 2}
_BARE_NUMBER = re.compile(r"\s*(\d{1,3})\ufe0f?\u20e3?\s*[.。!！~]*\s*")


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """It could mean several things ("10" on a scale of five): ask back once, with the buttons (`rules.ask_back`)."""

    question: str


def parse_answer(
    definition: Definition, question: str, text: str, rating_reader: RatingReader
) -> Answer | Ambiguous | None:
    """The answer that `text` gives to the open `question` (`State.question`); None if it gives none.

    A question that takes free text takes any that is not in `not_answers`: whoever understands more (a request for a
    person put in a sentence, a new complaint) looks before calling this.
    """
    asked = definition.scale if question == RATING else definition.find(question)
    if asked is None:
        return None
    offered = [*options(asked, "zh"), *options(asked, "en")]
    if isinstance(asked, Question) and asked.multiple:
        return _several(definition, asked, offered, text)
    number = _BARE_NUMBER.fullmatch(unicodedata.normalize("NFKC", text))
    if number is not None and offered:
        typed = str(int(number[1]))
        found = next((option.value for option in offered if option.typed == typed), None)
        return Ambiguous(question) if found is None else Answer(question, found)
    if (labelled := _label(offered, text)) is not None:
        return Answer(question, labelled)
    if isinstance(asked, Scale) and _quantity(text) in {option.typed for option in offered}:
        return Ambiguous(question)
    if plain(text) in definition.not_answers:
        return None
    if not isinstance(asked, Scale):
        return Answer(question, None, text.strip()) if asked.free_text and text.strip() else None
    stated = rating_reader(text, None if asked.kind == "own" else asked.maximum)
    if stated is None:  # "9分" does not fit on five stars, but says its own scale
        stated = rating_reader(text, None)
    if stated is None:
        return None
    stated = min(100.0, max(0.0, stated))
    return Answer(RATING, str(nearest(asked, stated)), stated=stated)


def _quantity(text: str) -> str | None:
    """How many of something are asked for, if that is all that is said."""
    found = _QUANTITY.fullmatch(unicodedata.normalize("NFKC", text))
    if found is None:
        return None
    said = found[1] or found[2]
    return str(_NUMERALS.get(said) or int(said))


def _several(definition: Definition, asked: Question, offered: list[Option], text: str) -> Answer | Ambiguous | None:
    """Choices typed together ("1 3", "1、3"), one by one, by their words, or in one's own."""
    narrow = unicodedata.normalize("NFKC", text)
    done = (definition.phrases.done.said("zh"), definition.phrases.done.said("en"))
    if plain(text) in {plain(each) for each in done}:
        return Answer(asked.key, DONE)
    if _BARE_NUMBER.fullmatch(narrow) or _SEVERAL.fullmatch(narrow):
        numbered = {option.typed: option.value for option in offered}
        typed = [str(int(number)) for number in re.findall(r"\d+", narrow)]
        if any(number not in numbered for number in typed):
            return Ambiguous(asked.key)
        return Answer(asked.key, options=tuple(dict.fromkeys(numbered[number] for number in typed)))
    if (labelled := _label(offered, text)) is not None:
        return Answer(asked.key, options=(labelled,))
    if plain(text) in definition.not_answers or not asked.free_text or not text.strip():
        return None
    return Answer(asked.key, None, text.strip())


def plain(text: str) -> str:
    """The letters and digits of a text: full width made narrow, case folded, signs, spaces and emoji left out."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign for sign in folded if unicodedata.category(sign)[0] in "LN")


def _label(offered: list[Option], text: str) -> str | None:
    """The one option whose button was typed: in full, without its digit, or by its emoji alone."""
    said, signs = plain(text), _signs(text)
    if said.isdigit():
        return None
    found = {
        option.value
        for option in offered
        if (said in _spellings(option) if said else signs and signs == _signs(option.title))
    }
    return found.pop() if len(found) == 1 else None


@cache  # there are as many as there are buttons in surveys.yml
def _spellings(option: Option) -> tuple[str, ...]:
    title = plain(option.title)
    words = title.lstrip("0123456789")
    return title, words, option.typed + words


def _signs(text: str) -> str:
    """The emoji of a text, without skin tones and variants."""
    return "".join(sign for sign in text if unicodedata.category(sign) == "So")
