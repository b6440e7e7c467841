"""One matter, one case: what a customer tells again joins it, what was another matter is parted from it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from api_parts import Place, address, episode
from loop_parts import START
from sqlalchemy import Connection, insert, select, text

from bot.cases import groups, numbers
from bot.cases.sameness import Matter, same
from bot.loop import merging
from bot.loop.casework import CaseRefused, NoCase, Worker
from bot.loop.splitting import Part
from bot.takeover.rules import Agent
from channels.base import Text
from storage import tables
from storage.database import Database

TOLD = "The parcel arrived damaged and nobody helps me, order 55667788"
AGAIN = "The parcel arrived damaged and nobody helps me"
BY = Worker("staff:1")
PARCEL = Matter("the parcel is damaged", ["logistics"], ["loss"], "important", "A-1")


@pytest.mark.parametrize(
    ("new", "hours", "expected"),
    [
        (Matter("broken again", ["logistics", "product"], ["loss"], "normal"), 1, True),
        (Matter("broken again", ["logistics"], ["loss"], "normal", "a 1"), 23.9, True),
        (Matter("broken again", ["logistics"], ["loss"], "normal"), 24, False),
        (Matter("broken again", ["logistics"], ["loss"], "normal"), -24, False),
        (Matter("THE PARCEL IS DAMAGED!!"), 1, True),
        (Matter("the parcel is damaged", ["logistics"], ["loss"], "normal", "A-2"), 1, False),
        (Matter("it is about A-1", ["complaint"], [], "normal", "A-1"), 1, True),
        (Matter("too dear", ["price"], ["value"], "normal", "A-1"), 1, False),
        (Matter("where is it", ["logistics"], ["delay"], "normal"), 1, False),
        (Matter("I complain", ["other"], [], "normal"), 1, False),
        (Matter("it burns", ["logistics"], ["loss"], "urgent"), 1, False),
    ],
)
def test_what_is_the_same_matter(new: Matter, hours: float, expected: bool) -> None:
    """Within a day, by nature and aspect, by order, or word for word; never of two orders, never urgent to not."""
    assert same(new, PARCEL, START, START + timedelta(hours=hours)) is expected


async def known(database: Database) -> Place:
    """Emma writes in the chat and by SMS, and the business system knows that she is one person."""
    place = Place(database)
    both = [address("chat", "emma"), address("sms", "+1555")]
    async with place.client() as client:
        answer = await client.post("/api/v1/episodes", json=episode(addresses=both, survey="none"))
        assert answer.status == 202, await answer.text()
    return place


async def cases(place: Place) -> list[dict[str, Any]]:
    return await place.rows(tables.cases)


async def test_the_same_matter_on_another_channel_joins_and_can_be_something_else(database: Database) -> None:
    """Counted, shown, on the timeline; a tap makes it a case of its own, once, which is told; another order, another
    day and another person never join."""
    place = await known(database)
    await place.say(TOLD, "emma")
    place.clock.advance(timedelta(hours=2))
    await place.say(AGAIN, "+1555", channel="sms")
    [case] = await cases(place)
    assert case["reports"] == 2
    assert f"your case {numbers.number(1)}" in place.sent("sms")[-1]
    async with place.client() as client:
        shown = await (await client.get(f"/api/v1/cases/{numbers.number(1)}")).json()
    [joined] = shown["joined"]
    assert (joined["channel"], joined["text"], joined["split_into"], shown["reports"]) == ("sms", AGAIN, None, 2)
    assert ("reported", "customer", AGAIN) in [(e["kind"], e["actor"], e["note"]) for e in shown["timeline"]]
    await place.say(TOLD.replace("55667788", "11223344"), "emma")
    await place.say("1", "+1555", channel="sms")  # "Something else"
    await place.say("1", "+1555", channel="sms")
    first, _, own = await cases(place)
    assert (first["reports"], own["title"], own["origin"]) == (1, AGAIN, "report:1")
    assert own["conversation_id"] != first["conversation_id"]
    assert numbers.number(3) in place.sent("sms")[-1]
    async with place.client() as client:
        shown = await (await client.get(f"/api/v1/cases/{numbers.number(1)}")).json()
    assert shown["joined"][0]["split_into"] == numbers.number(3)
    await place.say(AGAIN, "otto")
    place.clock.advance(timedelta(hours=25))
    await place.say(AGAIN, "+1555", channel="sms")
    assert [row["reports"] for row in await cases(place)] == [1] * 5


async def test_an_order_number_given_later_is_kept_and_another_one_does_not_take_its_place(database: Database) -> None:
    """The first goes to the case that it joins; what is said about another order is no detail of this one."""
    place = Place(database)
    await place.say("The parcel arrived damaged and nobody helps me", "emma")
    await place.say("55667788", "emma")
    await place.say("Order number 99887766", "emma")
    [case] = await cases(place)
    assert case["fields"]["order_number"] == "55667788"
    await place.say("The parcel is damaged, order 99887766, terrible", "emma")
    assert [row["fields"]["order_number"] for row in await cases(place)] == ["55667788", "99887766"]


async def test_what_is_told_again_after_it_was_resolved_opens_the_case_again(database: Database) -> None:
    """With raised priority, and nobody need rate to be heard."""
    place = Place(database)
    await place.say(TOLD, "emma")
    await place.service.casework.resolve(1, BY, "A new one was sent")
    await place.service.settle()
    await place.say(AGAIN, "emma")
    [case] = await cases(place)
    assert (case["state"], case["attempt"], case["urgency"]) == ("reopened", 2, "urgent")
    assert "reopened" in place.sent("chat")[-1]
    running = {row["kind"] for row in await place.rows(tables.deadlines) if row["state"] == "running"}
    assert running == {"plan", "execution"}
    assert any(row["subject"].startswith("case:1:reopened:2") for row in await place.rows(tables.alerts))


async def test_two_channels_at_the_same_moment_are_one_case(database: Database) -> None:
    """Decided side by side, the second to be written is decided again, and joins."""
    place = await known(database)
    heard = [("chat", "emma"), ("sms", "+1555")]
    for channel, thread in heard:
        await place.service.intake.accept(channel, "a", [Text(dedupe_key=channel, thread=thread, text=TOLD)])
    await place.service.settle()
    [case] = await cases(place)
    assert case["reports"] == 2
    assert all(numbers.number(case["id"]) in place.sent(channel)[0] for channel, _ in heard)


async def test_what_is_told_twice_in_one_turn_is_one_case(database: Database) -> None:
    """Nobody had a number to join yet."""
    place = await known(database)
    await place.service.casework.database.write(
        lambda c: c.execute(tables.contacts.update().values(phone="+1555", email="e@example.com"))
    )
    said = [Text(dedupe_key=key, thread="emma", text=TOLD) for key in "ab"]
    await place.service.intake.accept("chat", "a", said)
    await place.service.settle()
    [case] = await cases(place)
    assert case["reports"] == 2


async def test_agents_split_a_case(database: Database) -> None:
    """What joined, what was merged, or a part that they name: each is a case of its own that its customer is told of;
    what is not there, or is split already, is refused."""
    place = await known(database)
    split = place.service.splitting.split
    await place.say(TOLD, "emma")
    await place.say(AGAIN, "+1555", channel="sms")
    assert await split(1, BY, Part(report=1), "two parcels") == 2
    await place.service.settle()
    assert f"case {numbers.number(1)} into a case of its own, number {numbers.number(2)}" in place.sent("sms")[-1]
    with pytest.raises(CaseRefused, match="is_split"):
        await split(1, BY, Part(report=1), "again")
    await place.say("1", "+1555", channel="sms")  # the customer's button is still there
    assert len(await cases(place)) == 2
    await merging.merge(place.service.casework, 2, 1, BY, "one parcel after all")
    assert await split(1, BY, Part(merged=2, title="The second parcel"), "no, two") == 3
    assert await split(1, BY, Part(title="Nobody answered", nature=["service"]), "staff is another matter") == 4
    found = await cases(place)
    assert [(row["title"], row["department"], row["reports"]) for row in found[2:]] == [
        ("The second parcel", "logistics", 1),
        ("Nobody answered", "service", 1),
    ]
    assert found[0]["reports"] == 1
    assert [row["note"] for row in await place.rows(tables.case_events) if row["kind"] == "split"][-1] == (
        f"{numbers.number(4)}: staff is another matter"
    )
    for wrong in (Part(report=9), Part(merged=3)):
        with pytest.raises(CaseRefused, match="no_report"):
            await split(1, BY, wrong, "x")
    with pytest.raises(NoCase):
        await split(99, BY, Part(title="x"), "x")


async def test_a_split_by_two_at_once_makes_one_case(database: Database) -> None:
    """An agent splits while another does, and while the customer taps."""
    place = await known(database)
    await place.say(TOLD, "emma")
    await place.say(AGAIN, "+1555", channel="sms")
    both = [place.service.splitting.split(1, BY, Part(report=1), "two parcels") for _ in range(2)]
    tap = place.say("1", "+1555", channel="sms")
    outcomes = await asyncio.gather(*both, tap, return_exceptions=True)
    assert all(isinstance(each, int | CaseRefused | None) for each in outcomes), outcomes
    assert len(await cases(place)) == 2
    assert (await place.rows(tables.case_reports))[0]["split_into"] == 2


async def test_the_api_splits_with_reasons(database: Database) -> None:
    """One part at a time, of a case of this version."""
    place = await known(database)
    await place.say(TOLD, "emma")
    await place.say(AGAIN, "+1555", channel="sms")
    async with place.client() as client:
        path = f"/api/v1/cases/{numbers.number(1)}/splits"
        for refused in ({"report": 2**70, "reason": "x"}, {"report": 1, "merged": "1008", "reason": "x"}):
            assert (await client.post(path, json=refused)).status == 422
        wrong: dict[int, dict[str, Any]] = {
            422: {"reason": "x"},
            409: {"report": 1, "reason": "x", "version": 99},
            404: {"report": 1, "reason": "x"},
        }
        for status, body in wrong.items():
            at = path.replace(numbers.number(1), numbers.number(77)) if status == 404 else path
            answer = await client.post(at, json=body)
            assert answer.status == status, await answer.text()
        answer = await client.post(path, json={"report": 1, "reason": "two parcels", "urgency": "normal"})
        made = await answer.json()
        assert (answer.status, made["number"], made["urgency"]) == (200, numbers.number(2), "normal")


@pytest.mark.parametrize("before", [groups.MANY - 2, groups.MANY - 1])
async def test_two_fifth_cases_at_once_are_one_group(database: Database, before: int) -> None:
    """Neither two groups nor none: transactions that overlap look one after the other."""
    place = Place(database)
    for n in range(before + 2):
        await place.say("hello", f"c{n}")
    talks = await place.rows(tables.conversations)

    def one(connection: Connection, n: int, *, slowly: bool) -> None:
        row = {
            "contact_id": talks[n]["contact_id"],
            "conversation_id": talks[n]["id"],
            "origin": "conversation",
            "state": "acknowledged",
            "title": "damaged",
            "nature": ["logistics"],
            "aspect": ["loss"],
            "urgency": "normal",
            "topic": "logistics:loss",
            "fields": {},
            "language": "en",
            "opened_at": place.clock.now(),
            "respond_by": place.clock.now(),
        }
        made = connection.execute(insert(tables.cases).values(row).returning(tables.cases.c.id)).scalar_one()
        groups.gather(connection, [groups.Told(made, "logistics:loss", "logistics", place.clock.now())])
        if slowly and connection.dialect.name == "postgresql":
            connection.execute(text("select pg_sleep(0.2)"))

    for n in range(before):
        await database.write(lambda c, n=n: one(c, n, slowly=False))  # type: ignore[misc]
    at_once = [database.write(lambda c, n=n: one(c, n, slowly=True)) for n in (before, before + 1)]  # type: ignore[misc]
    await asyncio.gather(*at_once)
    assert len(await place.rows(tables.case_groups)) == 1
    grouped = select(tables.cases.c.id).where(tables.cases.c.group_id == 1)
    assert len(await database.read(lambda c: c.execute(grouped).all())) == before + 2
    called = [row for row in await place.rows(tables.alerts) if row["kind"] == "group"]
    assert sorted(row["audience"] for row in called) == ["department:logistics", "supervisor"]


async def test_a_reply_where_it_was_told_again_answers_the_case(database: Database) -> None:
    """On whatever channel: the customer has heard from a person."""
    place = await known(database)
    await place.say(TOLD, "emma")
    await place.say(AGAIN, "+1555", channel="sms")
    anna = Agent(await place.hire("anna"), "Anna")
    await place.service.people.claim("chat:sms:a:+1555", anna)
    await place.service.people.reply("chat:sms:a:+1555", anna, "We look into it", "k1")
    [case] = await cases(place)
    assert case["responded_at"] == place.clock.now()
    clocks = {row["kind"]: row["state"] for row in await place.rows(tables.deadlines)}
    assert clocks["first_response"] == "met"
