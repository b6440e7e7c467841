"""What people said that messages meant: lessons of their own, beside the assistant's examples and the seeds.

They are kept beside the models, as the last training took them: a service that starts learns nothing new, and one that
goes back to the training before has its corrections too.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast, get_args

from nlu.seeds import Alert, Seed
from nlu.understanding import Language, Nature, Polarity, Urgency

FILE = "corrections.json"
"""In the folder of the models. Its time says when the last training was done."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What `text` means; of what is None nothing is said. `natures` has the main one first."""

    text: str
    language: Language
    intent: str | None = None
    natures: tuple[Nature, ...] | None = None
    sentiment: Polarity | None = None
    urgency: Urgency | None = None


def seed(said: Correction) -> Seed | None:
    """The correction as an example of sentiment and natures, if it says something of both."""
    if said.sentiment is None or said.natures is None:
        return None
    return Seed(said.text, said.language, said.sentiment, said.natures or ("none",), (), "corrections")


def alert(said: Correction) -> Alert | None:
    """The correction as an example of what is urgent, or is not."""
    return None if said.urgency is None else Alert(said.text, said.language, said.urgency == "urgent")


def taught(intents: Mapping[str, Sequence[str]], said: Iterable[Correction]) -> dict[str, tuple[str, ...]]:
    """The examples of each intent with the corrections among them, last; what an intent has no longer is left out."""
    meant = {each.text: each.intent for each in said if each.intent in intents}
    if not meant:
        return {name: tuple(texts) for name, texts in intents.items()}
    return {
        name: (
            *(text for text in texts if meant.get(text, name) == name and text not in meant),
            *(text for text, other in meant.items() if other == name),
        )
        for name, texts in intents.items()
    }


def load(models: Path) -> tuple[Correction, ...]:
    """Those that the last training took; none where there was none, or the file is damaged."""
    return _read(models)[0]


def keep(models: Path, said: Sequence[Correction]) -> None:
    """Remember them as what the last training took, and what the one before took as what to go back to. Raises OSError
    where the folder cannot be written."""
    now, before = _read(models)
    _write(models, said, now if tuple(said) != now else before)


def go_back(models: Path) -> tuple[Correction, ...] | None:
    """Take those of the training before, and these as what to go back to; None where there was none before. Raises
    OSError where the folder cannot be written."""
    if not (models / FILE).is_file():
        return None
    now, before = _read(models)
    if now == before:
        return None
    _write(models, before, now)
    return before


def _read(models: Path) -> tuple[tuple[Correction, ...], tuple[Correction, ...]]:
    try:
        kept = json.loads((models / FILE).read_text(encoding="utf-8"))
        now, before = (tuple(map(_thawed, kept[which])) for which in ("now", "before"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return (), ()
    return now, before


def _write(models: Path, now: Sequence[Correction], before: Sequence[Correction]) -> None:
    models.mkdir(parents=True, exist_ok=True)
    written = {"now": [asdict(each) for each in now], "before": [asdict(each) for each in before]}
    handle, name = tempfile.mkstemp(dir=models, prefix=f".{FILE}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(written, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(models / FILE)


def _thawed(given: dict[str, Any]) -> Correction:
    natures, intent = given["natures"], given["intent"]
    return Correction(
        text=str(given["text"]),
        language=cast(Language, _one_of(given["language"], Language)),
        intent=None if intent is None else str(intent),
        natures=None if natures is None else tuple(cast(Nature, _one_of(each, Nature)) for each in natures),
        sentiment=cast("Polarity | None", _one_of(given["sentiment"], Polarity)),
        urgency=cast("Urgency | None", _one_of(given["urgency"], Urgency)),
    )


def _one_of(value: Any, known: Any) -> Any:
    if value is not None and value not in get_args(known):
        raise ValueError(value)
    return value
