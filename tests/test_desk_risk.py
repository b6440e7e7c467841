"""Customers at risk and of high value at the desk: first in the queue, listed with the reason, not to the judged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from desk_parts import Place, opened
from sqlalchemy import Connection, insert, update

from bot.contacts import care_reading
from bot.settings import ASSISTANT
from storage import tables
from storage.database import Database


@pytest.fixture
async def place(database: Database) -> AsyncIterator[Place]:
    async with opened(database) as place:
        place.service.caring.care = care_reading.load(ASSISTANT / "care.yml")
        yield place


async def low(place: Place, contact: int, judged: int | None = None) -> None:
    """Three low ratings, the last of which judges somebody."""
    now = place.clock.now()

    def work(connection: Connection) -> None:
        for place_ in range(3):
            survey = {"contact_id": contact, "definition": "x", "state": "answered", "created_at": now}
            survey |= {"judged": f"staff:{judged}" if judged and place_ == 2 else None}
            made = connection.execute(insert(tables.surveys).values(survey).returning(tables.surveys.c.id)).scalar_one()
            rated = {"survey_id": made, "value": 1, "score": 20, "source": "tap", "received_at": now}
            connection.execute(insert(tables.ratings).values(rated))

    await place.database.write(work)
    while await place.service.caring.run_due():
        pass


async def test_the_queue_has_urgent_and_priority_customers_first(place: Place) -> None:
    """In pages that show everybody once, and in the order in which the house gives them out."""
    ann = await place.agent("Ann")
    names = ("plain", "urgent", "valued", "risky", "late")
    ids = {}
    for name in names:
        ids[name] = await place.say("a person please", name, name=name)
        place.clock.advance(timedelta(seconds=1))
    talks, people = tables.conversations, tables.contacts

    def mark(connection: Connection) -> None:
        connection.execute(update(talks).where(talks.c.id == ids["urgent"]).values(rank=0, reason="urgent"))
        connection.execute(
            update(people).where(people.c.name == "valued").values(segment="high_value", segment_told=True)
        )

    await place.database.write(mark)
    await place.say("are you there?", "valued")  # what they are is looked up with their next words, or by the clock
    [risky] = [row["id"] for row in await place.rows(people) if row["name"] == "risky"]
    await low(place, risky)
    found = await ann.get("conversations?view=queue")
    assert [row["name"] for row in found["conversations"]] == ["urgent", "valued", "risky", "plain", "late"]
    assert [row["rank"] for row in found["conversations"]] == [0, 1, 1, 2, 2]
    assert [row["risk"] for row in found["conversations"]][2] == "low_ratings"
    valued = await ann.get("conversations?view=queue&high_value=1")
    assert [row["name"] for row in valued["conversations"]] == ["valued"]
    only = await ann.get("conversations?view=queue&risk=1")
    assert [row["name"] for row in only["conversations"]] == ["risky"]


async def test_the_list_of_customers_at_risk_says_why_but_not_to_the_judged(place: Place) -> None:
    """With the call-back that is due, by reason, in both languages."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    await place.say("hello", "v1", name="Carla <b>")
    await low(place, 1, judged=bob.id)
    async with ann.session.get("/desk/risk") as answer:
        page = await answer.text()
    assert "Carla &lt;b&gt;" in page
    assert "Several low ratings in a row" in page
    assert "Nobody has taken it" in page
    async with ann.session.get("/desk/risk?why=silent&lang=zh") as answer:
        assert "目前没有可能流失的客户" in await answer.text()
    async with bob.session.get("/desk/risk") as answer:
        assert "Carla" not in await answer.text()
    assert (await bob.get("conversations?view=bot"))["conversations"][0]["risk"] is None
    assert (await ann.get("conversations?view=bot"))["conversations"][0]["risk"] == "low_ratings"
    async with (await place.browser()).get("/desk/risk", allow_redirects=False) as answer:
        assert answer.status == 303
