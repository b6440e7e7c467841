"""`notices.yml`: what Earful itself says around a conversation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from bot.yamlfile import Sheet, Words

_PLACEHOLDERS = {
    "joined": ("name",),
    "passed_on": ("name",),
    "low_rating": ("number", "promise"),
    "survey_link": ("link",),
    "low_rating_title": ("answer",),
    "comment_private": ("link",),
    "case_planned": ("number", "plan"),
    "case_asks": ("number", "question"),
    "case_resolved": ("number", "result"),
    "case_apart": ("number", "promise"),
    "remedy_promised": ("number", "remedy", "by"),
    "remedy_approved": ("number", "remedy"),
    "remedy_done": ("number", "remedy"),
    "remedy_cancelled": ("number", "remedy", "reason"),
    "remedy_apology": ("number", "apology"),
    "case_split": ("number", "other", "promise"),
}


@dataclass(frozen=True, slots=True)
class Notices:
    failure: Words
    stale_button: Words
    media: Words
    joined: Words
    left: Words
    passed_on: Words
    still_waiting: Words
    low_rating: Words
    reply_with_number: Words
    survey_link: Words
    low_rating_title: Words
    interview_title: Words
    comment_private: Words
    second_look_urgent: Words
    case_planned: Words
    case_asks: Words
    case_resolved: Words
    case_apart: Words
    case_apart_order: Words
    case_apart_already: Words
    case_split: Words
    remedy_promised: Words
    remedy_approved: Words
    remedy_done: Words
    remedy_cancelled: Words
    remedy_apology: Words
    noted: Words
    noted_contact: Words


def load(path: Path) -> Notices:
    """The notices of a file. Raises ContentError with every problem found."""
    sheet = Sheet(path)
    names = [field.name for field in fields(Notices)]
    found: dict[str, Words] = {}
    with sheet.part():
        for name, item in sheet.mapping(sheet.root, "notices.yml", needs=names).items():
            with sheet.part():
                found[name] = sheet.words(item, name, may=_PLACEHOLDERS.get(name, ()))
    sheet.check()
    return Notices(**found)
