"""The same matter: many customers who tell it are a group, and two cases of it are one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from api_parts import Place

from bot.cases import groups, numbers
from bot.loop import merging
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
    async with place.client() as client:
        linked = (await (await client.get("/api/v1/cases", params={"group": group["id"]})).json())["items"]
        assert [each["group"] for each in linked] == [group["id"]] * (groups.MANY + 1)
        assert (await (await client.get("/api/v1/cases?group=99")).json())["items"] == []
    called = [each for each in await place.rows(tables.alerts) if each["kind"] == "group"]
    assert {each["audience"] for each in called} == {"supervisor", f"department:{cases[0]['department']}"}
    assert all(each["pages"] and each["detail"]["customers"] == groups.MANY for each in called)


async def test_a_second_wave_calls_people_again(database: Database) -> None:
    """Once nobody works on any case of a group, those who tell the same later are counted anew, and apart."""
    place = Place(database)
    await crowd(place, groups.MANY)
    work = place.service.casework
    for number in range(1, groups.MANY + 1):
        assert [group["state"] for group in await place.rows(tables.case_groups)] == ["open"]
        await work.resolve(number, BY, "the van is repaired")
    await place.service.settle()
    assert [group["state"] for group in await place.rows(tables.case_groups)] == ["closed"]
    await crowd(place, groups.MANY - 1, groups.MANY)
    assert await place.count(tables.case_groups) == 1
    await crowd(place, 1, 2 * groups.MANY)
    assert [group["state"] for group in await place.rows(tables.case_groups)] == ["closed", "open"]
    assert [case["group_id"] for case in await place.rows(tables.cases)] == [1] * groups.MANY + [2] * groups.MANY
    subjects = {alert["subject"] for alert in await place.rows(tables.alerts) if alert["kind"] == "group"}
    assert subjects == {"group:1", "group:2"}
    await place.say("2", "c0")
    assert [group["state"] for group in await place.rows(tables.case_groups)] == ["open", "open"]


async def test_one_customer_many_times_or_many_over_days_are_no_group(database: Database) -> None:
    """A crowd is of customers, and of one day."""
    place = Place(database)
    for n in range(groups.MANY - 1):
        await place.say(COMPLAINT.format(n), f"c{n}")
        place.clock.advance(timedelta(hours=9))
    await place.say(COMPLAINT.format(9), "c3")
    assert await place.rows(tables.case_groups) == []


async def test_a_merged_case_shares_the_fate_of_the_other(database: Database) -> None:
    """Counted there; its deadlines end; its customer is told how the other one stands, what is planned and what came of
    it, and is asked; a poor word about it opens the other one again, a good one leaves that to its own customer."""
    place = Place(database)
    await crowd(place, 2)
    work = place.service.casework
    await work.resolve(1, BY, "we sent a new one")
    await place.service.settle()
    await merging.merge(work, 1, 2, BY, "the same van")
    first, second = await place.rows(tables.cases)
    assert (first["state"], first["merged_into"], second["reports"]) == ("merged", 2, 2)
    assert all(r["state"] != "running" for r in await place.rows(tables.deadlines) if r["case_id"] == 1)
    await place.say(f"How far is case {numbers.number(1)}?", "c0")
    assert f"Case {numbers.number(1)} has been received" in place.sent("chat")[-1]  # as the other one stands
    await work.plan(2, BY, "another van")
    await work.resolve(2, BY, "done at last")
    await place.service.settle()
    for customer, number in (("c0", numbers.number(1)), ("c1", numbers.number(2))):
        heard = place.adapters["chat", "a"].texts(customer)
        for said in ("another van", "done at last"):
            assert any(number in text and said in text for text in heard), heard
        assert "Are you satisfied now?" in heard[-1]
    state = {row["id"]: row["state"] for row in await place.rows(tables.cases)}
    assert state == {1: "merged", 2: "following_up"}
    asked = [row["state"] for row in await place.rows(tables.surveys) if row["case_id"] == 1]
    assert asked == ["superseded", "awaiting"]  # of what came of it, not of what was said before
    await place.say("2", "c0")
    lines = [(r["case_id"], r["kind"]) for r in await place.rows(tables.case_events) if r["kind"] == "rated"]
    assert lines == [(1, "rated"), (2, "rated")]
    assert (await place.rows(tables.cases))[1]["state"] == "reopened"


async def test_a_merged_case_takes_its_urgency_along(database: Database) -> None:
    """What cannot wait is not lost in something that can: it is due sooner, and people are called."""
    place = Place(database)
    await place.say("The parcel is a day late, order 55667788. That is annoying", "c0")
    await place.say("The charger caught fire and burned my hand, I am hurt", "c1")
    before, burned = await place.rows(tables.cases)
    assert (before["urgency"] != "urgent", burned["urgency"]) == (True, "urgent")
    await merging.merge(place.service.casework, 2, 1, BY, "one accident")
    after = (await place.rows(tables.cases))[0]
    assert (after["urgency"], after["respond_by"] < before["respond_by"]) == ("urgent", True)
    calls = [row for row in await place.rows(tables.alerts) if row["case_id"] == 1 and row["kind"] == "urgent"]
    assert calls
    assert all(row["pages"] and row["taken_at"] is None for row in calls)


async def test_a_merger_that_cannot_be_is_refused(database: Database) -> None:
    """Into itself, into nothing, into what is settled, without a reason."""
    place = Place(database)
    await crowd(place, 2)
    work = place.service.casework
    with pytest.raises(CaseRefused, match="settled"):
        await merging.merge(work, 1, 1, BY, "x")
    with pytest.raises(NoCase):
        await merging.merge(work, 1, 9, BY, "x")
    with pytest.raises(IllegalMove, match="needs_reason"):
        await merging.merge(work, 1, 2, BY, " ")
    await merging.merge(work, 1, 2, BY, "x", same=True)
    with pytest.raises(CaseRefused, match="settled"):
        await merging.merge(work, 2, 1, BY, "x")
    assert [case["state"] for case in await place.rows(tables.cases)] == ["duplicate", "acknowledged"]
