"""Reads `surveys.yml`, and refuses what could not be asked: a missing language, a branch nobody reaches, one question
too many, a scale with a hole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path

from bot.surveys.definitions import (
    PERIODS,
    TRIGGERS,
    Definition,
    Period,
    Phrases,
    QuietHours,
    Reminder,
    Surveys,
    Thanks,
    Trigger,
)
from bot.surveys.reading_questions import TITLE_LIMIT, check_paths, read_ask
from bot.surveys.scales import VALUES, Kind, Scale
from bot.surveys.typed import plain
from bot.yamlfile import Item, Sheet, Words

__all__ = ["TITLE_LIMIT", "load"]

_TOP = ("phrases", "not_answers", "scales", "surveys")
_NEEDS = ("trigger", "scale", "question", "thanks")
_MAY = (
    "touchpoints",
    "segments",
    "sample_percent",
    "channels",
    "every",
    "ask",
    "expiry_days",
    "change_window_hours",
    "delay_minutes",
    "cooldown_days",
    "per_day",
    "quiet_hours",
    "office_hours",
    "reminder",
    "anonymous",
    "min_messages",
    "max_questions",
)
RELATIONSHIP_COOLDOWN = 30  # days between a scheduled survey and any other of the same customer
_MOST_OPTIONS = 11  # of an own scale: as many as NPS has
_PHRASES: Mapping[str, tuple[str, ...]] = {
    "recorded": ("answer",),
    "changed": ("answer",),
    "expired": (),
    "already_counted": (),
    "superseded": (),
    "not_asked": (),
    "not_an_option": (),
    "unclear": (),
    "several": (),
    "done": (),
    "none": (),
}


def load(path: Path, text: str | None = None) -> Surveys:
    """The surveys of a file, or of the `text` that it would hold. Raises ContentError with every problem found."""
    sheet = Sheet(path, text)
    definitions: dict[str, Definition] = {}
    with sheet.part():
        top = sheet.mapping(sheet.root, "surveys.yml", needs=_TOP)
        phrases = None
        with sheet.part():
            phrases = _phrases(sheet, top["phrases"])
        not_answers = frozenset(
            plain(sheet.text(item, "a text of not_answers")) for item in sheet.items(top["not_answers"], "not_answers")
        )
        scales: dict[str, Scale] = {}
        for name, item in sheet.entries(top["scales"], "scales").items():
            with sheet.part():
                scales[name] = _scale(sheet, item, name)
        for key, item in sheet.entries(top["surveys"], "surveys").items():
            with sheet.part():
                made = _definition(sheet, item, key, scales, phrases, not_answers)
                _refuse_rivals(sheet, item, made, definitions)
                definitions[key] = made
    sheet.check()
    return Surveys(definitions)


def _phrases(sheet: Sheet, item: Item) -> Phrases:
    found = sheet.mapping(item, "phrases", needs=tuple(_PHRASES))
    return Phrases(**{key: sheet.words(found[key], f"phrase '{key}'", may=may) for key, may in _PHRASES.items()})


def _scale(sheet: Sheet, item: Item, name: str) -> Scale:
    what = f"scale '{name}'"
    found = sheet.mapping(item, what, needs=("kind", "labels"), may=("scores",))
    kind: Kind = sheet.choice(found["kind"], f"the kind of {what}", tuple(VALUES))  # type: ignore[assignment] # chosen of them
    labels: dict[int, Words] = {}
    for value, label in sheet.entries(found["labels"], f"the labels of {what}").items():
        if kind == "own":
            if not re.fullmatch("[0-9]{1,3}", value):
                raise sheet.refuse(label, f"{what} labels '{value}'", "Name each value by a whole number from 0 to 999")
        elif value not in {str(known) for known in VALUES[kind]}:
            sheet.refuse(label, f"{what} labels {value}, which {kind} does not have", _values(kind))
            continue
        labels[int(value)] = sheet.words(label, f"label {value} of {what}", limit=TITLE_LIMIT)
    if missing := [str(value) for value in VALUES[kind] if value not in labels]:
        raise sheet.refuse(found["labels"], f"{what} has no label for {', '.join(missing)}", _values(kind))
    if kind != "own":
        if "scores" in found:
            remedy = "Take them out, or make it `kind: own`"
            raise sheet.refuse(found["scores"], f"{what} has scores, but {kind} has its own mapping", remedy)
        return Scale(name, kind, labels)
    if not 2 <= len(labels) <= _MOST_OPTIONS:
        remedy = f"Label 2 to {_MOST_OPTIONS} values"
        raise sheet.refuse(found["labels"], f"{what} has {len(labels)} values", remedy)
    return Scale(name, kind, labels, _scores(sheet, found.get("scores", item), what, labels, said="scores" in found))


def _scores(sheet: Sheet, item: Item, what: str, labels: Mapping[int, Words], *, said: bool) -> dict[int, float]:
    """What each value of an own scale is worth of 100: it must be said, for nothing follows from the labels."""
    if not said:
        raise sheet.refuse(item, f"{what} does not say what its values are worth", "Add `scores: {1: 0, 2: 100}`")
    scores = {
        value: float(sheet.integer(score, f"score {value} of {what}", 0, 100))
        for value, score in sheet.entries(item, f"the scores of {what}").items()
    }
    if set(scores) != {str(value) for value in labels} or len(set(scores.values())) < 2:
        values = ", ".join(str(value) for value in labels)
        raise sheet.refuse(
            item, f"{what} scores {', '.join(scores)}", f"Give each of {values} a score from 0 to 100, not all the same"
        )
    return {value: scores[str(value)] for value in labels}


def _values(kind: Kind) -> str:
    return f"Label exactly the values {', '.join(str(value) for value in VALUES[kind])}"


def _definition(
    sheet: Sheet,
    item: Item,
    key: str,
    scales: Mapping[str, Scale],
    phrases: Phrases | None,
    not_answers: frozenset[str],
) -> Definition:
    what = f"survey '{key}'"
    found = sheet.mapping(item, what, needs=_NEEDS, may=_MAY)

    def number(name: str, default: int, minimum: int, maximum: int) -> int:
        return sheet.integer(found[name], f"{name} of {what}", minimum, maximum) if name in found else default

    def texts(name: str, one_of_them: str) -> tuple[str, ...]:
        listed = sheet.items(found[name], f"{name} of {what}") if name in found else ()
        return tuple(sheet.text(one, f"{one_of_them} of {what}") for one in listed)

    def flag(name: str) -> bool:
        return name in found and sheet.choice(found[name], f"{name} of {what}", ("true", "false")) == "true"

    trigger: Trigger = sheet.choice(found["trigger"], f"the trigger of {what}", TRIGGERS)  # type: ignore[assignment] # chosen of them
    touchpoints = texts("touchpoints", "a touchpoint")
    if touchpoints and trigger != "episode":
        sheet.refuse(
            found["touchpoints"], f"{what} has touchpoints, but is triggered by {trigger}", "Only `episode` has them"
        )
    if ("every" in found) != (trigger == "schedule"):
        where = found.get("every", found["trigger"])
        sheet.refuse(where, f"{what} is triggered by {trigger}", "`trigger: schedule` and `every:` go together")
    every: Period | None = (
        sheet.choice(found["every"], f"every of {what}", PERIODS) if "every" in found else None  # type: ignore[assignment] # chosen of them
    )
    name = sheet.text(found["scale"], f"the scale of {what}")
    if name not in scales:
        raise sheet.refuse(
            found["scale"], f"{what} uses the scale '{name}', which is not (rightly) defined", _of(scales)
        )
    expires = timedelta(days=number("expiry_days", 14, 1, 365))
    definition = Definition(
        key=key,
        trigger=trigger,
        touchpoints=touchpoints,
        segments=texts("segments", "a segment"),
        sample=number("sample_percent", 100, 0, 100),
        channels=texts("channels", "a channel"),
        every=every,
        scale=scales[name],
        question=sheet.words(found["question"], f"the question of {what}"),
        ask=read_ask(sheet, found["ask"], what) if "ask" in found else (),
        thanks=_thanks(sheet, found["thanks"], what),
        expires=expires,
        change_window=timedelta(hours=number("change_window_hours", 24, 0, 24 * 365)),
        delay=timedelta(minutes=number("delay_minutes", 0, 0, 60 * 24 * 30)),
        cooldown=timedelta(
            days=number("cooldown_days", RELATIONSHIP_COOLDOWN if trigger == "schedule" else 0, 0, 3650)
        ),
        per_day=number("per_day", 1, 1, 10_000_000) if "per_day" in found else None,
        quiet=read_quiet_hours(sheet, found["quiet_hours"], what) if "quiet_hours" in found else None,
        office_hours=flag("office_hours"),
        anonymous=flag("anonymous"),
        reminder=_reminder(sheet, found["reminder"], what, expires) if "reminder" in found else None,
        min_messages=number("min_messages", 1, 1, 100),
        max_questions=number("max_questions", 3, 1, 10),
        phrases=phrases if phrases is not None else _NO_PHRASES,
        not_answers=not_answers,
        version=_digest(item, scales[name], phrases, not_answers),
    )
    check_paths(sheet, found.get("ask", item), definition)
    return definition


def _digest(item: Item, scale: Scale, phrases: Phrases | None, not_answers: frozenset[str]) -> str:
    """A short digest of all that a survey asks and says: it moves with the words, not with the lines they stand on."""
    labels = [(value, scale.labels[value]) for value in scale.values]
    said = (_content(item), labels, scale.kind, scale.scores, phrases, sorted(not_answers))
    return hashlib.sha256(repr(said).encode()).hexdigest()[:12]


def _content(item: Item) -> object:
    if item.entries is not None:
        return [(key, _content(value)) for key, value in item.entries.items()]
    return item.raw if item.items is None else [_content(value) for value in item.items]


# Stands in while the other problems of a file are gathered; a file without its phrases is never loaded.
_NO_PHRASES = Phrases(*(Words("", "") for _ in _PHRASES))


def _of(scales: Mapping[str, Scale]) -> str:
    return f"Choose one of: {', '.join(scales) or 'none yet'}"


def _thanks(sheet: Sheet, item: Item, what: str) -> Thanks:
    found = sheet.mapping(item, f"thanks of {what}", needs=("low", "high"), may=("middle",))
    words = {band: sheet.words(text, f"thanks ({band}) of {what}") for band, text in found.items()}
    return Thanks(low=words["low"], middle=words.get("middle", words["high"]), high=words["high"])


def read_quiet_hours(sheet: Sheet, item: Item, what: str) -> QuietHours:
    """`{from: "22:00", until: "08:00"}` of what is called `what`. Raises what ends a part of the sheet."""
    found = sheet.mapping(item, f"quiet_hours of {what}", needs=("from", "until"))
    start, end = (_clock(sheet, found[name], f"'{name}' of quiet_hours of {what}") for name in ("from", "until"))
    if start == end:
        raise sheet.refuse(item, f"quiet_hours of {what} never end", "Let them end at another time, such as 08:00")
    return QuietHours(start, end)


def _clock(sheet: Sheet, item: Item, what: str) -> time:
    said = sheet.text(item, what)
    if not re.fullmatch("([01]?[0-9]|2[0-3]):[0-5][0-9]", said):
        raise sheet.refuse(item, f"{what} is '{said}'", "Write a time of day such as 21:30")
    hour, minute = said.split(":")
    return time(int(hour), int(minute))


def _reminder(sheet: Sheet, item: Item, what: str, expires: timedelta) -> Reminder:
    found = sheet.mapping(item, f"reminder of {what}", needs=("after_hours", "text"))
    hours = sheet.integer(found["after_hours"], f"after_hours of the reminder of {what}", 1, 24 * 365)
    if timedelta(hours=hours) >= expires:
        sheet.refuse(
            found["after_hours"],
            f"{what} would remind after {hours} h, when it has expired",
            f"Remind before {int(expires / timedelta(hours=1))} h",
        )
    return Reminder(timedelta(hours=hours), sheet.words(found["text"], f"the reminder of {what}"))


def _refuse_rivals(sheet: Sheet, item: Item, made: Definition, others: Mapping[str, Definition]) -> None:
    """Two surveys for the same moment: nobody could say which is sent. Scheduled ones each have their own."""
    for other in others.values():
        same = made.trigger == other.trigger != "schedule" and (
            set(made.touchpoints) & set(other.touchpoints) or (not made.touchpoints and not other.touchpoints)
        )
        if same and (set(made.segments) & set(other.segments) or (not made.segments and not other.segments)):
            sheet.refuse(
                item,
                f"surveys '{other.key}' and '{made.key}' are for the same moment ({made.trigger})",
                "Give one of them other touchpoints or segments, or take it out",
            )
