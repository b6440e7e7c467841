"""What surveys say and do, in words: to compare them, and as customers get them on each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from bot.desk import previews
from bot.desk.moments import span
from bot.desk.words import said
from bot.loop.question import worded
from bot.service import Service
from bot.surveys import rules
from bot.surveys.definitions import RATING, Condition, Definition, Question, Surveys
from bot.surveys.state import Answer
from bot.yamlfile import Words
from nlu.understanding import Language


def told(surveys: Surveys, language: Language) -> dict[str, dict[str, str]]:
    """Of each survey, what it says and does by what it is called; at last what all of them share."""
    found = {key: _told(definition, language) for key, definition in surveys.definitions.items()}
    shared = next(iter(surveys.definitions.values()), None)
    if shared is not None:
        phrases = {field.name: getattr(shared.phrases, field.name) for field in fields(shared.phrases)}
        what = said("survey_form.phrases", language)
        found[""] = {f"{what} · {name}": _both(words) for name, words in phrases.items()}
        found[""][said("survey_form.not_answers", language)] = ", ".join(sorted(shared.not_answers))
    return found


def part(path: Sequence[str], language: Language) -> str:
    """What the words are that stand there in a survey, or in a scale: ("ask", "0", "text") is its second question."""
    match list(path):
        case ["ask", number, "text"]:
            return said("survey_form.ask", language, number=int(number) + 2)
        case ["ask", _, "choices", key] | ["labels", key]:
            return key
        case ["thanks", band]:
            return said(f"survey_form.thanks_{band}", language)
        case ["reminder", _]:
            return said("survey_form.reminder", language)
    return said("survey_form.question", language)


def as_asked(service: Service, definition: Definition, language: Language, now: datetime) -> dict[str, Any]:
    """Its question as each channel puts it, and what follows the lowest and the highest answer."""
    state = rules.begin(definition, now)
    first = rules.step(definition, state, language)
    link = f"{service.settings.address}/r/…"
    channels: list[dict[str, Any]] = []
    for channel, can in previews.channels().items():
        if first is None:
            continue  # it asks nothing by itself
        text, options = worded(definition, first, language, can, service.content.notices, link)
        found = previews.bubbles(text, [each.title for each in options], can)
        channels.append(
            {"channel": channel, "bubbles": found, "set_up": any(channel == c for c, _ in service.adapters)}
        )
    return {
        "key": definition.key,
        "trigger": definition.trigger,
        "off": not definition.sample,
        "channels": channels,
        "after": [
            {"answer": definition.scale.labels[value].said(language), "next": _next(definition, value, language, now)}
            for value in (min(definition.scale.values), max(definition.scale.values))
        ],
    }


def _next(definition: Definition, value: int, language: Language, now: datetime) -> list[str]:
    """What is said and asked after this rating."""
    given = Answer(RATING, str(value))
    outcome = rules.answer(definition, rules.begin(definition, now), given, now + timedelta(minutes=1), language)
    asked = outcome.step
    found = [
        outcome.thanks or "" if not asked else "",
        asked.text if asked else "",
        " / ".join(each.title for each in asked.options) if asked else "",
    ]
    return [each for each in found if each]


def _told(definition: Definition, language: Language) -> dict[str, str]:
    def named(name: str) -> str:
        return said(f"survey_form.{name}", language)

    scale, quiet, reminder = definition.scale, definition.quiet, definition.reminder
    found = {
        named("trigger"): said(f"rated.{definition.trigger}", language),
        named("every"): definition.every or "",
        named("touchpoints"): ", ".join(definition.touchpoints),
        named("segments"): ", ".join(definition.segments),
        named("channels"): ", ".join(definition.channels),
        named("sample"): f"{definition.sample} %",
        named("delay"): span(definition.delay, language),
        named("cooldown"): span(definition.cooldown, language),
        named("expiry"): span(definition.expires, language),
        named("change_window"): span(definition.change_window, language),
        named("per_day"): str(definition.per_day or ""),
        named("quiet"): f"{quiet.start:%H:%M}–{quiet.end:%H:%M}" if quiet else "",
        named("office"): _yes(definition.office_hours, language),
        named("anonymous"): _yes(definition.anonymous, language),
        named("min_messages"): str(definition.min_messages),
        named("max_questions"): str(definition.max_questions),
        named("scale"): f"{scale.name} ({scale.kind})",
    }
    found |= {f"{scale.name} · {value}": _both(scale.labels[value]) for value in scale.values}
    found |= {f"{scale.name} = {value}": f"{worth:g}" for value, worth in scale.scores.items()}
    found[named("question")] = _both(definition.question)
    for question in definition.ask:
        found |= _question(question, language)
    for band in ("low", "middle", "high"):
        found[named(f"thanks_{band}")] = _both(getattr(definition.thanks, band))
    if reminder:
        found[named("reminder")] = f"{span(reminder.after, language)}: {_both(reminder.text)}"
    return {what: value for what, value in found.items() if value}


def _question(question: Question, language: Language) -> dict[str, str]:
    when, how = (said(f"survey_form.{name}", language) for name in ("when", "answered"))
    found = {question.key: _both(question.text), f"{question.key} · {when}": _when(question.when)}
    found |= {f"{question.key} · {choice.key}": _both(choice.title) for choice in question.choices}
    kinds = ("multiple", "free_text", "consent")
    found[f"{question.key} · {how}"] = ", ".join(kind for kind in kinds if getattr(question, kind))
    return found


def _when(when: Condition) -> str:
    """As the file has it, shortly."""
    bounds = (("score ≥ ", when.score_from), ("score < ", when.score_below))
    parts = [f"{words}{bound:g}" for words, bound in bounds if bound is not None]
    parts += [f"{key} = {' | '.join(sorted(options))}" for key, options in when.chosen.items()]
    parts += [" | ".join(sorted(each)) for each in (when.segments, when.languages) if each]
    return ", ".join(parts)


def _both(words: Words) -> str:
    return f"{words.zh} / {words.en}"


def _yes(flag: bool, language: Language) -> str:
    return said("survey_form.yes", language) if flag else ""
