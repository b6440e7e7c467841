"""All content of the assistant directory, read and checked together: the service never starts half-configured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from bot import engine
from bot.assistant.content import Taxonomy, read_knowledge, read_taxonomy
from bot.cases import calendar_reading, deadlines, departments, remedies
from bot.cases.calendar import Calendar
from bot.cases.deadlines import Deadlines
from bot.cases.departments import Departments
from bot.cases.remedies import Remedies
from bot.comments import replies
from bot.comments.replies import PublicReplies
from bot.contacts import care_reading
from bot.contacts.care import Care
from bot.engine import Assistant
from bot.errors import ContentError, Problem
from bot.indicators import reading as indicators
from bot.indicators.tree import Indicators
from bot.knowledge.entries import Entry
from bot.loop import notices
from bot.loop.notices import Notices
from bot.surveys import reading
from bot.surveys.definitions import Surveys
from nlu import rasa_data
from nlu.content import DataError
from nlu.rasa_data import TrainingData

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Content:
    assistant: Assistant
    training: TrainingData
    surveys: Surveys
    deadlines: Deadlines
    calendar: Calendar
    departments: Departments
    notices: Notices
    public_replies: PublicReplies
    taxonomy: Taxonomy
    knowledge: tuple[Entry, ...]
    indicators: Indicators = field(default_factory=Indicators)
    remedies: Remedies = remedies.DEFAULT
    directory: Path = Path()
    care: Care = field(default_factory=Care)


def load(directory: Path) -> Content:
    """Everything in `directory`. Raises ContentError with the problems of all files."""
    problems: list[Problem] = []

    def read(reader: Callable[[Path], T], name: str) -> T | None:
        try:
            return reader(directory / name if name else directory)
        except ContentError as error:
            problems.extend(error.problems)
        except DataError as error:
            problems.append(Problem(error.path.name, error.line, error.problem.rstrip("."), error.remedy))
        return None

    found = {
        "assistant": read(engine.load, ""),
        "training": read(rasa_data.read, "data/nlu"),
        "surveys": read(reading.load, "surveys.yml"),
        "deadlines": read(deadlines.load, "deadlines.yml"),
        "calendar": read(calendar_reading.load, "calendar.yml"),
        "departments": read(departments.load, "departments.yml"),
        "remedies": read(remedies.load, "remedies.yml"),
        "notices": read(notices.load, "notices.yml"),
        "public_replies": read(replies.read, "public_replies.yml"),
        "care": read(care_reading.load, "care.yml"),
        "taxonomy": read(read_taxonomy, "taxonomy.yml"),
        "knowledge": read(read_knowledge, "knowledge"),
    }
    calendar, houses = found["calendar"], found["departments"]
    if isinstance(calendar, Calendar) and isinstance(houses, Departments):
        problems += calendar_reading.strangers(calendar, houses.names)
    known = cast("Surveys | None", found["surveys"])
    tree = read(partial(indicators.load, surveys=known), "indicators.yml")
    if problems:
        raise ContentError(problems)
    return Content(**found, indicators=tree, directory=directory)  # type: ignore[arg-type] # whatever is None has left a problem
