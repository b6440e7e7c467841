"""Reads `surveys.yml`, and refuses what could not be asked: a missing language, a branch nobody reaches, one question
too many, a scale with a hole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from bot.surveys.definitions import (
    RATING,
    TRIGGERS,
    VALUES,
    Choice,
    Condition,
    Definition,
    Kind,
    Phrases,
    Question,
    Reminder,
    Scale,
    Surveys,
    Thanks,
    Trigger,
    score,
)
from bot.surveys.typed import plain
from bot.yamlfile import Item, Sheet, Words

TITLE_LIMIT = 20  # characters of a button on the narrowest channels: Messenger's quick replies, WhatsApp's lists
_TOP = ("phrases", "not_answers", "scales", "surveys")
_NEEDS = ("trigger", "scale", "question", "thanks")
_MAY = (
    "touchpoints",
    "ask",
    "expiry_days",
    "change_window_hours",
    "delay_minutes",
    "cooldown_days",
    "reminder",
    "max_questions",
)
_PHRASES: Mapping[str, tuple[str, ...]] = {
    "recorded": ("answer",),
    "changed": ("answer",),
    "expired": (),
    "already_counted": (),
    "superseded": (),
    "not_asked": (),
    "not_an_option": (),
    "unclear": (),
}


def load(path: Path) -> Surveys:
    """The surveys of a file. Raises ContentError with every problem found."""
    sheet = Sheet(path)
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
    found = sheet.mapping(item, what, needs=("kind", "labels"))
    kind: Kind = sheet.choice(found["kind"], f"the kind of {what}", tuple(VALUES))  # type: ignore[assignment] # chosen of them
    labels: dict[int, Words] = {}
    for value, label in sheet.entries(found["labels"], f"the labels of {what}").items():
        if value not in {str(known) for known in VALUES[kind]}:
            sheet.refuse(label, f"{what} labels {value}, which {kind} does not have", _values(kind))
            continue
        labels[int(value)] = sheet.words(label, f"label {value} of {what}", limit=TITLE_LIMIT)
    if missing := [str(value) for value in VALUES[kind] if value not in labels]:
        raise sheet.refuse(found["labels"], f"{what} has no label for {', '.join(missing)}", _values(kind))
    return Scale(name, kind, labels)


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

    trigger: Trigger = sheet.choice(found["trigger"], f"the trigger of {what}", TRIGGERS)  # type: ignore[assignment] # chosen of them
    touchpoints = tuple(
        sheet.text(one, f"a touchpoint of {what}")
        for one in (sheet.items(found["touchpoints"], f"touchpoints of {what}") if "touchpoints" in found else ())
    )
    if touchpoints and trigger != "episode":
        sheet.refuse(
            found["touchpoints"], f"{what} has touchpoints, but is triggered by {trigger}", "Only `episode` has them"
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
        scale=scales[name],
        question=sheet.words(found["question"], f"the question of {what}"),
        ask=_ask(sheet, found["ask"], what) if "ask" in found else (),
        thanks=_thanks(sheet, found["thanks"], what),
        expires=expires,
        change_window=timedelta(hours=number("change_window_hours", 24, 0, 24 * 365)),
        delay=timedelta(minutes=number("delay_minutes", 0, 0, 60 * 24 * 30)),
        cooldown=timedelta(days=number("cooldown_days", 0, 0, 3650)),
        reminder=_reminder(sheet, found["reminder"], what, expires) if "reminder" in found else None,
        max_questions=number("max_questions", 3, 1, 10),
        phrases=phrases if phrases is not None else _NO_PHRASES,
        not_answers=not_answers,
        version=_digest(item, scales[name]),
    )
    _check_paths(sheet, found.get("ask", item), definition)
    return definition


def _digest(item: Item, scale: Scale) -> str:
    """A short digest of what is asked: it moves with the words, not with the lines they stand on."""
    return hashlib.sha256(
        repr((_content(item), [(value, scale.labels[value]) for value in scale.values], scale.kind)).encode()
    ).hexdigest()[:12]


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


# ---- the questions after the rating ----


def _ask(sheet: Sheet, item: Item, what: str) -> tuple[Question, ...]:
    questions: list[Question] = []
    keys = [
        one.entries["key"].raw if one.entries is not None and "key" in one.entries else None
        for one in sheet.items(item, f"ask of {what}")
    ]
    for one in sheet.items(item, f"ask of {what}"):
        with sheet.part():
            questions.append(_question(sheet, one, what, questions, keys))
    return tuple(questions)


def _question(sheet: Sheet, item: Item, what: str, earlier: list[Question], keys: list[str | None]) -> Question:
    found = sheet.mapping(item, f"a question of {what}", needs=("key", "text"), may=("when", "choices", "free_text"))
    key = sheet.text(found["key"], f"the key of a question of {what}")
    what = f"question '{key}' of {what}"
    if key == RATING or key in {question.key for question in earlier}:
        raise sheet.refuse(found["key"], f"{what} has a key that is taken", f"Keys differ, and none is '{RATING}'")
    choices = (
        tuple(
            Choice(name, sheet.words(title, f"choice '{name}' of {what}", limit=TITLE_LIMIT))
            for name, title in sheet.entries(found["choices"], f"choices of {what}").items()
        )
        if "choices" in found
        else ()
    )
    if len(choices) > 10:
        sheet.refuse(found["choices"], f"{what} has {len(choices)} choices", "Offer 10 at most: a list holds no more")
    free_text = (
        "free_text" in found and sheet.choice(found["free_text"], f"free_text of {what}", ("true", "false")) == "true"
    )
    if not choices and not free_text:
        raise sheet.refuse(item, f"{what} cannot be answered", "Give it `choices:`, or `free_text: true`, or both")
    return Question(
        key=key,
        text=sheet.words(found["text"], f"the text of {what}"),
        choices=choices,
        free_text=free_text,
        when=_condition(sheet, found["when"], what, earlier, key, keys) if "when" in found else Condition(),
    )


def _condition(
    sheet: Sheet, item: Item, what: str, earlier: list[Question], key: str, keys: list[str | None]
) -> Condition:
    bounds: dict[str, float] = {}
    chosen: dict[str, frozenset[str]] = {}
    known = {question.key: question for question in earlier}
    for name, wanted in sheet.entries(item, f"when of {what}").items():
        if name == "score":
            for bound, value in sheet.mapping(wanted, f"the score of {what}", may=("from", "below")).items():
                bounds[bound] = sheet.integer(value, f"'{bound}' of {what}", 0, 101)
        elif name in known:
            options = tuple(choice.key for choice in known[name].choices)
            chosen[name] = frozenset(
                sheet.choice(one, f"an answer to '{name}' in when of {what}", options)
                for one in sheet.items(wanted, f"'{name}' in when of {what}")
            )
        elif name == key or name in keys:
            raise sheet.refuse(
                wanted, f"{what} waits for '{name}', which is not asked before it: a loop", f"Put '{name}' above it"
            )
        else:
            raise sheet.refuse(
                wanted, f"{what} waits for '{name}', which is not a question", f"Known: score, {', '.join(known)}"
            )
    return Condition(bounds.get("from"), bounds.get("below"), chosen)


def _check_paths(sheet: Sheet, item: Item, definition: Definition) -> None:
    """Walk every way through the questions: each question is on one of them, and none is longer than allowed."""
    reached: set[str] = set()
    longest: list[str] = []
    for path in _paths(definition):
        reached.update(path)
        if len(path) > len(longest):
            longest = path
    lines = dict(zip((question.key for question in definition.ask), item.items or (), strict=False))
    for question in definition.ask:
        if question.key not in reached:
            sheet.refuse(
                lines.get(question.key, item),
                f"question '{question.key}' of survey '{definition.key}' can never be asked",
                "Change its `when`, or one above it: no rating and no answers lead here",
            )
    if 1 + len(longest) > definition.max_questions:
        sheet.refuse(
            lines.get(longest[-1], item),
            f"survey '{definition.key}' asks up to {1 + len(longest)} questions "
            f"(the rating, {', '.join(longest)}), more than max_questions: {definition.max_questions}",
            "Narrow a `when`, take a question out, or raise max_questions",
        )


def _paths(definition: Definition) -> Iterator[list[str]]:
    """The keys asked on every way through, without regard to max_questions. Answers that no condition tells apart are
    walked once."""
    for value in definition.scale.values:
        yield from _ways(definition, score(definition.scale, value), 0, {})


def _ways(definition: Definition, rated: float, place: int, chosen: dict[str, str | None]) -> Iterator[list[str]]:
    if place == len(definition.ask):
        yield list(chosen)
        return
    question = definition.ask[place]
    if not question.when.holds(rated, chosen):
        yield from _ways(definition, rated, place + 1, chosen)
        return
    mentions = [later.when.chosen[question.key] for later in definition.ask if question.key in later.when.chosen]
    kinds: dict[tuple[bool, ...], str | None] = {}
    for option in (None, *(choice.key for choice in question.choices)):
        if option is not None or question.free_text:
            kinds.setdefault(tuple(option in options for options in mentions), option)
    for option in kinds.values():
        yield from _ways(definition, rated, place + 1, {**chosen, question.key: option})


def _refuse_rivals(sheet: Sheet, item: Item, made: Definition, others: Mapping[str, Definition]) -> None:
    """Two surveys for the same moment: nobody could say which is sent."""
    for other in others.values():
        same = made.trigger == other.trigger and (
            set(made.touchpoints) & set(other.touchpoints) or (not made.touchpoints and not other.touchpoints)
        )
        if same:
            sheet.refuse(
                item,
                f"surveys '{other.key}' and '{made.key}' are for the same moment ({made.trigger})",
                "Give one of them other touchpoints, or take it out",
            )
