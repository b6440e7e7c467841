"""The labelled files that understanding is measured on: our own, and public samples where they are present."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlu.understanding import Language

ROOT = Path(__file__).parent.parent.parent
OWN = ROOT / "tests" / "understanding"
SHARED = ROOT.parent / "shared" / "nlu"

LANGUAGES: tuple[Language, ...] = ("zh", "en")

SENTIMENT: dict[str, Language] = {
    "sentiment_zh_statements": "zh",
    "sentiment_zh_takeaway": "zh",
    "sentiment_zh_shopping": "zh",
    "sentiment_en_products": "en",
}
"""The public sets of sentiment."""


def own(topic: str, language: Language) -> Path:
    """Our own set of a topic."""
    return OWN / f"{topic}_{language}.jsonl"


def public(shared: Path, name: str) -> Path | None:
    """A public sample, where it is present."""
    path = shared / f"{name}.jsonl"
    return path if path.is_file() else None


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def texts(*paths: Path) -> list[str]:
    """The messages of files, in order."""
    return [line["text"] for path in paths for line in lines(path)]
