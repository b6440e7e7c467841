"""Takes in the rows of a table of episodes: what is new is planned or suppressed, what is wrong refused by its line."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from bot.api.episode_rows import Row, RowError, episode_of
from bot.api.episodes import EpisodeIn, person, places
from bot.loop.episodes import AHEAD, Reported
from bot.service import Service

AT_ONCE = 128
"""Rows that share a transaction."""


@dataclass(slots=True)
class Report:
    """What became of the rows. `decided` counts each decision: `planned`, or the reason why not."""

    new: int = 0
    known: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    decided: Counter[str] = field(default_factory=Counter)


def _nothing(row: Row, why: str) -> None:
    return None


async def take(
    service: Service,
    rows: Iterable[Row],
    advance: Callable[[int], None],
    *,
    dry_run: bool = False,
    refuse: Callable[[Row, str], None] = _nothing,
) -> Report:
    """Take in `rows`, some at once; `advance` is told how many more are done, `refuse` each that is not taken."""
    report, seen = Report(), dict[str, int]()
    accounts: dict[str, list[str]] = {}
    for channel, account in sorted(service.adapters):
        accounts.setdefault(channel, []).append(account)
    for some in _batches(rows):
        good: list[Reported] = []
        for row in some:
            try:
                said = episode_of(row, accounts, service.content.calendar.zone)
                good.append(_reported(service, said, row, seen))
            except RowError as error:
                report.refused.append((row.line, str(error)))
                refuse(row, str(error))
        known = await service.episodes.known([each.external_id for each in good])
        new = [each for each in good if each.external_id not in known]
        report.known += len(good) - len(new)
        report.new += len(new)
        if new and not dry_run:
            taken = await service.episodes.take_many(new, "import")
            report.decided.update(each.reason or each.state for each in taken)
        advance(len(some))
        await asyncio.sleep(0)
    return report


def _reported(service: Service, said: EpisodeIn, row: Row, seen: dict[str, int]) -> Reported:
    if said.ended_at > service.clock.now() + AHEAD:
        raise RowError(f"ended_at: this lies more than {AHEAD.days} days in the future")
    first = seen.setdefault(said.external_id, row.line)
    if first != row.line:
        raise RowError(f"external_id: line {first} has the same")
    given = said.model_dump(exclude={"customer"})
    return Reported(**given, person=person(said.customer), places=places(said.customer))


def _batches(rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        yield some
