"""Whether a Rasa server was trained on the assistant that we have: what it does not know, it leaves out unsaid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.clock import Clock
from bot.engine.domain import Domain
from bot.loop.remote.server import Ask, Failed

log = structlog.get_logger()

TRUSTED = timedelta(minutes=5)
"""For how long a look at the server's domain holds: models are changed while servers run."""


@dataclass(slots=True)
class Twin:
    """Compares what the server's domain names with ours."""

    domain: Domain
    clock: Clock
    _good_until: datetime | None = None

    async def check(self, ask: Ask) -> None:
        """Looks, unless it did so lately. Raises Failed if the server lacks anything that our domain has."""
        now = self.clock.now()
        if self._good_until is not None and now < self._good_until:
            return
        missing = sorted(_missing(self.domain, await ask("GET", "/domain", None)))
        if missing:
            log.error(
                "the Rasa server was trained on another version of the assistant; train it again",
                lacks=missing[:5],
                others=max(0, len(missing) - 5),
            )
            raise Failed("another_assistant")
        self._good_until = now + TRUSTED


def _missing(domain: Domain, theirs: Mapping[str, Any]) -> Iterable[str]:
    """Names that our domain has and the server's has not."""
    for kind, ours in (
        ("responses", domain.responses),
        ("actions", domain.actions),
        ("slots", domain.slots),
        ("forms", domain.forms),
        ("intents", domain.intents),
    ):
        given = theirs.get(kind) or ()
        known = {next(iter(each)) if isinstance(each, dict) else each for each in given}
        yield from (name for name in ours if name not in known and name not in _BY_ITSELF)


_BY_ITSELF = frozenset({"nlu_fallback", "out_of_scope", "restart"})
"""Intents that Rasa knows without being told, and may leave out."""
