"""Reads the questions after the rating, and walks every way through them: each is reached, and none is too long."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Literal, get_args

from bot.surveys.definitions import RATING, Choice, Condition, Definition, Question, Situation
from bot.surveys.scales import score
from bot.yamlfile import Item, Sheet
from nlu.understanding import Language

TITLE_LIMIT = 20  # characters of a button on the narrowest channels: Messenger's quick replies, WhatsApp's lists
_LANGUAGES: tuple[Language, ...] = get_args(Language)
_CONSENTS = ("interview",)
_YES_NO = ("yes", "no")


def read_ask(sheet: Sheet, item: Item, what: str) -> tuple[Question, ...]:
    """The questions of `ask`, in order."""
    questions: list[Question] = []
    listed = sheet.items(item, f"ask of {what}")
    keys = [one.entries["key"].raw if one.entries is not None and "key" in one.entries else None for one in listed]
    for one in listed:
        with sheet.part():
            questions.append(_question(sheet, one, what, questions, keys))
    return tuple(questions)


def check_paths(sheet: Sheet, item: Item, definition: Definition) -> None:
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


# ---- one question ----


def _question(sheet: Sheet, item: Item, what: str, earlier: list[Question], keys: list[str | None]) -> Question:
    may = ("when", "choices", "multiple", "free_text", "consent")
    found = sheet.mapping(item, f"a question of {what}", needs=("key", "text"), may=may)
    key = sheet.text(found["key"], f"the key of a question of {what}")
    what = f"question '{key}' of {what}"
    if key == RATING or key in {question.key for question in earlier}:
        raise sheet.refuse(found["key"], f"{what} has a key that is taken", f"Keys differ, and none is '{RATING}'")

    def flag(name: str) -> bool:
        return name in found and sheet.choice(found[name], f"{name} of {what}", ("true", "false")) == "true"

    multiple, free_text = flag("multiple"), flag("free_text")
    choices = _choices(sheet, found["choices"], what, multiple=multiple) if "choices" in found else ()
    if not choices and not free_text:
        raise sheet.refuse(item, f"{what} cannot be answered", "Give it `choices:`, or `free_text: true`, or both")
    if multiple and len(choices) < 2:
        sheet.refuse(found["multiple"], f"{what} is `multiple` of {len(choices)}", "Give it two choices and more")
    consent: Literal["interview"] | None = None
    if "consent" in found:
        sheet.choice(found["consent"], f"consent of {what}", _CONSENTS)
        consent = "interview"
        if tuple(choice.key for choice in choices) != _YES_NO or free_text or multiple:
            sheet.refuse(found["consent"], f"{what} asks for consent", "Its choices are just `yes` and `no`, in words")
    return Question(
        key=key,
        text=sheet.words(found["text"], f"the text of {what}"),
        choices=choices,
        multiple=multiple,
        free_text=free_text,
        consent=consent,
        when=_condition(sheet, found["when"], what, earlier, key, keys) if "when" in found else Condition(),
    )


def _choices(sheet: Sheet, item: Item, what: str, *, multiple: bool) -> tuple[Choice, ...]:
    most = 9 if multiple else 10  # a list holds ten, and several choices need one that ends them
    limit = TITLE_LIMIT - 2 if multiple else TITLE_LIMIT  # room for the tick
    choices = tuple(
        Choice(name, sheet.words(title, f"choice '{name}' of {what}", limit=limit))
        for name, title in sheet.entries(item, f"choices of {what}").items()
    )
    if len(choices) > most:
        sheet.refuse(item, f"{what} has {len(choices)} choices", f"Offer {most} at most: a list holds no more")
    for choice in choices:
        if choice.key.startswith("*"):
            sheet.refuse(item, f"choice '{choice.key}' of {what} begins with *", "Name it with letters and digits")
    return choices


def _condition(
    sheet: Sheet, item: Item, what: str, earlier: list[Question], key: str, keys: list[str | None]
) -> Condition:
    bounds: dict[str, float] = {}
    chosen: dict[str, frozenset[str]] = {}
    segments: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    known = {question.key: question for question in earlier}
    for name, wanted in sheet.entries(item, f"when of {what}").items():
        if name == "score":
            for bound, value in sheet.mapping(wanted, f"the score of {what}", may=("from", "below")).items():
                bounds[bound] = sheet.integer(value, f"'{bound}' of {what}", 0, 101)
        elif name == "segment":
            segments = frozenset(sheet.text(one, f"a segment of {what}") for one in sheet.items(wanted, f"'{name}'"))
        elif name == "language":
            languages = frozenset(
                sheet.choice(one, f"a language of {what}", _LANGUAGES) for one in sheet.items(wanted, f"'{name}'")
            )
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
            remedy = f"Known: {', '.join(('score', 'segment', 'language', *known))}"
            raise sheet.refuse(wanted, f"{what} waits for '{name}', which is not a question", remedy)
    return Condition(bounds.get("from"), bounds.get("below"), chosen, segments, languages)


# ---- the ways through ----


def _paths(definition: Definition) -> Iterator[list[str]]:
    """The keys asked on every way through, without regard to max_questions. What no condition tells apart is walked
    once."""
    named = sorted({one for each in definition.ask for one in each.when.segments})
    asked: tuple[str | None, ...] = definition.segments or (None, *named)
    for value, segment, language in product(definition.scale.values, asked, _LANGUAGES):
        whose = Situation(segment, language)
        yield from _ways(definition, score(definition.scale, value), whose, 0, {})


def _ways(
    definition: Definition, rated: float, whose: Situation, place: int, chosen: dict[str, frozenset[str]]
) -> Iterator[list[str]]:
    if place == len(definition.ask):
        yield list(chosen)
        return
    question = definition.ask[place]
    if not question.when.holds(rated, chosen, whose):
        yield from _ways(definition, rated, whose, place + 1, chosen)
        return
    for options in _kinds(definition, question):
        yield from _ways(definition, rated, whose, place + 1, {**chosen, question.key: options})


def _kinds(definition: Definition, question: Question) -> list[frozenset[str]]:
    """Answers to a question, one of each kind that later conditions tell apart."""
    mentions = [later.when.chosen[question.key] for later in definition.ask if question.key in later.when.chosen]

    def kind(options: frozenset[str]) -> tuple[bool, ...]:
        return tuple(bool(options & named) for named in mentions)

    found: dict[tuple[bool, ...], frozenset[str]] = {}
    if question.free_text or question.multiple:
        found[kind(frozenset())] = frozenset()
    for choice in question.choices:
        one = frozenset({choice.key})
        for before in [frozenset(), *found.values()] if question.multiple else [frozenset[str]()]:
            found.setdefault(kind(before | one), before | one)
    return list(found.values())
