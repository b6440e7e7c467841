"""What a message costs the database: statements are counted, and bounded."""

from __future__ import annotations

import pytest
from statement_parts import counted
from web_parts import house

from channels.base import Text
from storage.database import Database

ALONE = 24
"""Statements for one message by itself that opens a case and has two answers: in, loaded, applied, claimed, sent."""
TOGETHER = 1.6
"""For each of sixty-four that come at once."""


def complaint(number: int) -> list[Text]:
    return [Text(dedupe_key=f"k{number}", thread=f"t{number}", text="I complain: it is late")]


async def test_statements_for_a_message_are_few_and_fewer_for_each_of_many(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that adds one to each message shows here before it shows under load."""
    service = house(database)
    await service.intake.accept("web", "default", complaint(0))
    await service.settle()  # statements are prepared, connections are open

    async def cost(first: int, many: int) -> float:
        with counted(monkeypatch) as said:
            for number in range(first, first + many):
                await service.intake.accept("web", "default", complaint(number))
            accepted = len(said)
            await service.turns.settle()
            await service.delivery.settle()
        assert accepted == many  # each by itself here; in a flood they share one too
        return (len(said) - accepted) / many + 1

    alone, together = await cost(1, 1), await cost(100, 64)
    assert 5 < alone <= ALONE, alone
    assert 1 < together <= TOGETHER, together
