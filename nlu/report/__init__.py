"""A report of `evaluate` as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from nlu import content
from nlu.evaluate import Report, shortened
from nlu.understanding import Language

DIRECTORY = Path(__file__).parent

MOST_LABELS = 30
"""Of more labels than these a table shows those with most texts."""


def page(report: Report, language: Language = "en") -> str:
    """The report as a page in `language`. It shows texts of the file: it is as confidential as they are."""
    environment = Environment(
        loader=FileSystemLoader(DIRECTORY), autoescape=select_autoescape(["html"]), undefined=StrictUndefined
    )
    environment.filters["shortened"] = shortened
    environment.filters["percent"] = _percent
    template = environment.get_template("page.html")
    return template.render(report=report, t=_words()[language], language=language, most=MOST_LABELS)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


@cache
def _words() -> dict[str, dict[str, str]]:
    languages = content.read(DIRECTORY / "words.yml").fields()
    return {name: {key: node.text() for key, node in words.fields().items()} for name, words in languages.items()}
