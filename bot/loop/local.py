"""Understanding in this process: fast heads for every text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from nlu.model import Model
from nlu.understanding import Language, Understanding

AT_ONCE = 32
"""Texts understood in one go; about as many as are cheapest."""


@dataclass(slots=True)
class LocalModel:
    """`model` may be replaced at any time: the next text is understood by the new one."""

    model: Model

    async def parse_many(self, texts: Sequence[str], languages: Sequence[Language | None]) -> list[Understanding]:
        """Many at once cost little more than one. `languages`: what the platform says of each writer."""
        found: list[Understanding] = []
        for start in range(0, len(texts), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            found += self.model.parse_many(texts[part], languages=languages[part])
            await asyncio.sleep(0)  # others have their turn: webhooks are answered in the meantime
        return found
