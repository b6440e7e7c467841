"""The same matter: many customers who tell it are a group, and two cases of it are one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from api_parts import Place

from bot.cases import groups, numbers
from bot.loop.case_moves import IllegalMove
from bot.loop.casework import CaseRefused, NoCase, Worker
from storage import tables
from storage.database import Database

COMPLAINT = "The parcel is damaged and nobody answers. I am very unhappy, order 5566778{}"
BY = Worker("staff:1")


async def crowd(place: Place, many: int, first: int = 0) -> None:
    for n in range(first, first + many):
        await place.say(COMPLAINT.format(n), f"c{n}")


def test_a_topic_is_as_exact_as_what_is_known() -> None:
    """Without an aspect nothing is called the same."""
    assert groups.topic(["logistics"], ["damage"]) == "logistics:damage"
    assert groups.topic(["none", "logistics"], ["damage", "delay"]) == "logistics:damage"
    assert groups.topic(["logistics"], []) is None
    assert groups.topic(["praise"], ["attitude"]) is None


async def test_many_customers_with_one_matter_raise_one_group_alert(database: Database) -> None:
    """With their cases linked; who comes later joins, and nobody is called a second time."""
    place = Place(database)
    await crowd(place, groups.MANY - 1)
    assert await place.rows(tables.case_groups) == []
    await crowd(place, 2, groups.MANY - 1)
    [group] = await place.rows(tables.case_groups)
    cases = await place.rows(tables.cases)
    assert {case["group_id"] for case in cases} == {group["id"]}
    assert group["topic"] == cases[0]["topic"]
    called = [each for each in await place.rows(tables.alerts) if each["kind"] == "group"]
    assert {each["audience"] for each in called} == {"supervisor", f"department:{cases[0]['department']}"}
    assert all(each["pages"] and each["detail"]["customers"] == groups.MANY for each in called)


async def test_one_customer_many_times_or_many_over_days_are_no_group(database: Database) -> None:
    """A crowd is of customers, and of one day."""
    place = Place(database)
    for n in range(groups.MANY - 1):
        await place.say(COMPLAINT.format(n), f"c{n}")
        place.clock.advance(timedelta(hours=9))
    await place.say(COMPLAINT.format(9), "c3")
    assert await place.rows(tables.case_groups) == []


async def test_a_merged_case_shares_the_fate_of_the_other(database: Database) -> None:
    """Counted there; its deadlines end; its customer is told how the other one stands; a poor word about it opens the
    other one again, a good one leaves that to its own customer."""
    place = Place(database)
    await crowd(place, 2)
    work = place.service.casework
    await work.resolve(1, BY, "we sent a new one")
    await place.service.settle()
    await work.merge(1, 2, BY, "the same van")
    first, second = await place.rows(tables.cases)
    assert (first["state"], first["merged_into"], second["reports"]) == ("merged", 2, 2)
    assert all(r["state"] != "running" for r in await place.rows(tables.deadlines) if r["case_id"] == 1)
    await place.say(f"How far is case {numbers.number(1)}?", "c0")
    assert f"Case {numbers.number(1)} has been received" in place.sent("chat")[-1]  # as the other one stands
    await work.resolve(2, BY, "done")
    await place.service.settle()
    state = {row["id"]: row["state"] for row in await place.rows(tables.cases)}
    assert state == {1: "merged", 2: "following_up"}
    survey = next(row for row in await place.rows(tables.surveys) if row["case_id"] == 1)
    assert survey["state"] == "awaiting"
    await place.say("2", "c0")
    lines = [(r["case_id"], r["kind"]) for r in await place.rows(tables.case_events) if r["kind"] == "rated"]
    assert lines == [(1, "rated"), (2, "rated")]
    assert (await place.rows(tables.cases))[1]["state"] == "reopened"


async def test_a_merger_that_cannot_be_is_refused(database: Database) -> None:
    """Into itself, into nothing, into what is settled, without a reason."""
    place = Place(database)
    await crowd(place, 2)
    work = place.service.casework
    with pytest.raises(CaseRefused, match="settled"):
        await work.merge(1, 1, BY, "x")
    with pytest.raises(NoCase):
        await work.merge(1, 9, BY, "x")
    with pytest.raises(IllegalMove, match="needs_reason"):
        await work.merge(1, 2, BY, " ")
    await work.merge(1, 2, BY, "x", same=True)
    with pytest.raises(CaseRefused, match="settled"):
        await work.merge(2, 1, BY, "x")
    assert [case["state"] for case in await place.rows(tables.cases)] == ["duplicate", "acknowledged"]
