"""What the desk says: everything it may need to say is there, in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from bot.cases.departments import NATURES
from bot.cases.remedies import KINDS
from bot.desk import words
from bot.engine.commands import CASE_FIELDS, HAND_OFF_REASONS
from bot.outgoing.events import CASE_LINES
from bot.staff.service import ROLES
from bot.surveys.definitions import TRIGGERS
from bot.surveys.selection import REASONS
from nlu.understanding import Language, Urgency

UNASKED = (*REASONS, "newer_survey")
DESK = Path(words.__file__).parent
SCRIPTS = "".join(path.read_text("utf-8") for path in sorted((DESK / "static").glob("*.js")))
CODE = "".join(path.read_text("utf-8") for path in sorted(DESK.glob("*.py")))
PAGES = "".join(path.read_text("utf-8") for path in sorted((DESK / "pages").glob("*.html")))


def test_every_text_that_is_asked_for_is_there() -> None:
    """By the scripts and by the service, each by its own name."""
    named = set(re.findall(r'\bt\("(\w+\.\w+)"', SCRIPTS)) | set(re.findall(r'said\("(\w+\.\w+)"', CODE))
    named |= {f"error.{code}" for code in re.findall(r'Problem\(\d+, "(\w+)"', CODE)}
    assert len(named) > 100
    assert named - set(words.texts()) == set()


def test_whatever_the_house_knows_has_a_name_here() -> None:
    """Reasons, natures, urgencies, roles, surveys: a new one is named before it is shown."""
    known = {
        *(f"reason.{reason}" for reason in (*HAND_OFF_REASONS, "failure", "comment")),
        *(f"nature.{nature}" for nature in NATURES if nature != "none"),
        *(f"urgency.{urgency}" for urgency in get_args(Urgency)),
        *(f"language.{language}" for language in get_args(Language)),
        *(f"field.{field}" for field in CASE_FIELDS),
        *(f"role.{role}" for role in ROLES),
        *(f"rated.{trigger}" for trigger in TRIGGERS),
        *(f"unasked{kind}.{reason}" for kind in ("", "_why") for reason in (*UNASKED, "no_such_account", "refused")),
        *(f"event.{event}" for event in ("claimed", "handed_back", "requeued", "resolved")),
        *(f"delivery.{state}" for state in ("queued", "sending", "sent", "failed", "unknown", "dropped")),
        *(f"why.{reason}" for reason in ("overtaken", "opted_out", "blocked", "window_closed", "no_such_account")),
    }
    assert known - set(words.texts()) == set()


def test_nothing_is_kept_that_is_never_said() -> None:
    """A text that nobody asks for is one that nobody looks after."""
    headings = [f".{ending}" for ending in re.findall(r"section ~ '\.(\w+)'", PAGES)]
    sections = set(re.findall(r"'(\w+)\.\w*' ~", PAGES))
    sections |= set(re.findall(r"[`\"](\w+)\.\$\{", SCRIPTS)) | set(re.findall(r'f"(\w+)\.\{', CODE))
    unsaid = [
        key
        for key in words.texts()
        if f'"{key}"' not in SCRIPTS + CODE
        and f"'{key}'" not in PAGES
        and key.partition(".")[0] not in sections
        and not key.endswith(tuple(headings))
    ]
    assert unsaid == []


def test_no_markup_is_made_of_words() -> None:
    """The scripts build elements; none of them writes HTML, runs a text, or sets a style from one."""
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "srcdoc",
    ):
        assert forbidden not in SCRIPTS
    assert "<script>" not in PAGES
    assert "style=" not in PAGES
    assert not re.search(r"\son\w+=", PAGES)


def test_every_line_of_a_timeline_that_others_are_told_of_has_words_here() -> None:
    """What a webhook calls by a name of its own, people read in their language."""
    known = set(words.texts())
    assert {f"case_event.{kind}" for kind in CASE_LINES} - known == set()
    assert {f"remedy_kind.{kind}" for kind in KINDS} - known == set()
