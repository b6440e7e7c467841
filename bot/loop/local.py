"""Understanding in this process, by the embedded model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nlu.model import Model
from nlu.understanding import Language, Understanding


@dataclass(frozen=True, slots=True)
class LocalModel:
    model: Model

    async def parse_many(self, texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]:
        """Many at once cost little more than one. `languages`: what the platform says of each writer."""
        return self.model.parse_many(texts, languages=languages)
