"""The life of a case over a real database: staff work on it, and only the customer's word closes it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from api_parts import Place

from bot.cases import numbers
from bot.cases.tasks import TaskRefused
from bot.loop.case_moves import IllegalMove
from bot.loop.casework import CaseRefused, Casework, NoCase, Worker
from bot.takeover.rules import Agent
from channels.base import Text
from storage import tables
from storage.database import Database

COMPLAINT = "The parcel is damaged and nobody answers, order 55667788. I am very unhappy"


@pytest.fixture
async def place(database: Database) -> Place:
    """A customer has complained in the chat."""
    made = Place(database)
    await made.say(COMPLAINT, "emma")
    return made


async def case_of(place: Place, number: int = 1) -> dict[str, Any]:
    return next(row for row in await place.rows(tables.cases) if row["id"] == number)


async def amy(place: Place) -> Worker:
    hired = await place.hire("amy")
    return Worker(f"staff:{hired}", hired)


async def resolved(place: Place, by: Worker) -> Casework:
    work = place.service.casework
    await work.plan(1, by, "We send a new one")
    await work.resolve(1, by, "A new one is on its way")
    await place.service.settle()
    return work


async def deadlines(place: Place) -> list[tuple[str, str, int]]:
    return [(row["kind"], row["state"], row["attempt"]) for row in await place.rows(tables.deadlines)]


async def test_only_the_customers_good_word_closes_a_case(place: Place) -> None:
    """Planned, resolved, asked; each told to the customer, each on the timeline with who; then they say it is good."""
    by = await amy(place)
    await resolved(place, by)
    case = await case_of(place)
    assert (case["state"], case["owner_id"], case["plan"]) == ("following_up", by.staff_id, "We send a new one")
    assert any("We send a new one" in text for text in place.sent("chat"))
    assert any("A new one is on its way" in text for text in place.sent("chat"))
    await place.tap("emma", "😍 Excellent")
    case = await case_of(place)
    assert (case["state"], case["score"], case["attempt"]) == ("closed", 100.0, 1)
    moves = [
        (row["from_state"], row["to_state"], row["actor"])
        for row in await place.rows(tables.case_events)
        if row["kind"] == "moved"
    ]
    me = by.actor
    assert moves == [
        ("received", "acknowledged", "bot"),
        ("acknowledged", "assigned", me),
        ("assigned", "planned", me),
        ("planned", "resolved", me),
        ("resolved", "following_up", "system"),
        ("following_up", "closed", "customer"),
    ]
    assert set(await deadlines(place)) >= {
        ("first_response", "met", 1),
        ("plan", "met", 1),
        ("execution", "met", 1),
        ("follow_up", "met", 1),
    }
    assert all(state in ("met", "cancelled") for _, state, _ in await deadlines(place))


async def test_a_poor_word_opens_it_again_with_priority_and_a_fresh_plan(place: Place) -> None:
    """The attempt before is kept: its deadlines, its rating, its place on the timeline."""
    by = await amy(place)
    work = await resolved(place, by)
    before = (await case_of(place))["urgency"]
    place.clock.advance(timedelta(hours=1))
    await place.tap("emma", "😟 Poor")
    case = await case_of(place)
    assert (case["state"], case["attempt"], case["score"], case["closed_at"]) == ("reopened", 2, 40.0, None)
    assert case["urgency"] == {"normal": "important", "important": "urgent", "urgent": "urgent"}[before]
    again = [row for row in await place.rows(tables.deadlines) if row["attempt"] == 2]
    assert {(row["kind"], row["state"]) for row in again} == {("plan", "running"), ("execution", "running")}
    assert all(row["started_at"] == place.clock.now() for row in again)
    assert ("plan", "met", 1) in await deadlines(place)
    alerts = await place.rows(tables.alerts)
    assert any(row["subject"].startswith("case:1:reopened:2") for row in alerts)
    await work.resolve(1, by, "Now it is there")
    await place.service.settle()
    await place.tap("emma", "😍 Excellent")
    assert (await case_of(place))["state"] == "closed"
    surveys = [row for row in await place.rows(tables.surveys) if row["case_id"] == 1]
    assert len(surveys) == 2
    assert [row["score"] for row in await place.rows(tables.ratings)] == [40.0, 100.0]


async def test_a_follow_up_that_nobody_answers_is_closed_unconfirmed_after_one_reminder(place: Place) -> None:
    """Which is another state than closed; a tap that comes later counts nothing, but is seen on the timeline."""
    await resolved(place, await amy(place))
    question = "Are you satisfied now?"
    place.clock.advance(timedelta(days=4))
    await place.service.settle()
    reminders = [text for text in place.sent("chat") if "check once more" in text]
    assert len(reminders) == 1
    for _ in range(20):
        place.clock.advance(timedelta(days=1))
        await place.service.settle()
    case = await case_of(place)
    assert (case["state"], case["score"]) == ("closed_unconfirmed", None)
    assert len([text for text in place.sent("chat") if "check once more" in text or question in text]) == 2
    await place.tap("emma", "😡 Very poor")
    assert (await case_of(place))["state"] == "closed_unconfirmed"
    assert "rated_late" in [row["kind"] for row in await place.rows(tables.case_events)]
    # Called by telephone, their word counts after all.
    await place.service.casework.answered(1, Worker("staff:1", 1), 40.0, "still broken")
    assert (await case_of(place))["state"] == "reopened"


async def test_a_rating_changed_in_time_changes_what_became_of_the_case(place: Place) -> None:
    """A slip of the finger is put right: closed opens again, and the other way round."""
    await resolved(place, await amy(place))
    await place.tap("emma", "😍 Excellent")
    assert (await case_of(place))["state"] == "closed"
    await place.tap("emma", "😟 Poor")
    assert (await case_of(place))["state"] == "reopened"
    await place.tap("emma", "🙂 Good")
    assert ((await case_of(place))["state"], (await case_of(place))["attempt"]) == ("closed", 2)


async def test_of_two_who_move_the_same_case_at_once_one_is_told(place: Place) -> None:
    """By the version that both saw; and without it, by what is legal when their turn comes."""
    by, work = await amy(place), place.service.casework
    version = (await case_of(place))["version"]
    both = [work.resolve(1, by, "done", version=version), work.plan(1, by, "plan", version=version)]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert [type(each) for each in outcomes].count(CaseRefused) == 1
    refused = next(each for each in outcomes if isinstance(each, CaseRefused))
    assert refused.code == "moved_on"
    if (await case_of(place))["state"] == "planned":
        await work.resolve(1, by, "done")
    with pytest.raises(IllegalMove, match="no_such_move"):
        await work.plan(1, by, "too late")


async def test_what_does_not_exist_is_refused(place: Place) -> None:
    """No case, no department, nobody there, not asked."""
    by, work = await amy(place), place.service.casework
    with pytest.raises(NoCase):
        await work.begin(99, by)
    with pytest.raises(CaseRefused, match="no_department"):
        await work.assign(1, by, department="gone")
    with pytest.raises(CaseRefused, match="no_staff"):
        await work.assign_by_load(1, by, "finance")
    with pytest.raises(CaseRefused, match="not_asked"):
        await work.answered(1, by, 100.0)
    await work.assign(1, by)
    with pytest.raises(IllegalMove, match="needs_reason"):
        await work.give_back(1, by, "  ")


async def test_deadlines_stand_still_while_the_customer_is_asked(place: Place) -> None:
    """And go on with what was left when they answer; the question counts as a first response."""
    by, work = await amy(place), place.service.casework
    await work.begin(1, by)
    plan = next(row for row in await place.rows(tables.deadlines) if row["kind"] == "execution")
    place.clock.advance(timedelta(days=1))
    await work.ask(1, by, "Which colour was it?")
    place.clock.advance(timedelta(days=30))
    await place.service.settle()
    rows = {row["kind"]: row for row in await place.rows(tables.deadlines)}
    assert (rows["execution"]["state"], rows["execution"]["breached_at"]) == ("frozen", None)
    assert rows["first_response"]["state"] == "met"
    await place.say("It was blue", "emma")
    rows = {row["kind"]: row for row in await place.rows(tables.deadlines)}
    assert rows["execution"]["state"] == "running"
    assert rows["execution"]["due_at"] == plan["due_at"] + timedelta(days=30)
    assert (await case_of(place))["waiting_since"] is None
    place.clock.advance(timedelta(days=1))
    await work.resolve(1, by, "Blue it is")
    took = next(row for row in await place.rows(tables.deadlines) if row["kind"] == "execution")["took_seconds"]
    assert took == 2 * 86400


async def test_an_answer_in_two_messages_is_one_answer(place: Place) -> None:
    """Read in one turn, they stand on the timeline as one."""
    await place.service.casework.ask(1, await amy(place), "Which colour was it?")
    await place.service.settle()
    texts = [Text(dedupe_key=text, thread="emma", text=text) for text in ("It was blue", "A light blue")]
    await place.service.intake.accept("chat", "a", texts)
    await place.service.settle()
    assert [row["kind"] for row in await place.rows(tables.case_events)].count("answered") == 1
    assert (await case_of(place))["waiting_since"] is None


async def test_who_cannot_be_written_to_is_called(place: Place) -> None:
    """They opted out: the follow-up is a task with a deadline, and what they say on the telephone closes the case."""
    by = await amy(place)
    await place.say("STOP", "emma")
    sent = len(place.sent("chat"))
    await place.service.casework.resolve(1, by, "done")
    await place.service.settle()
    assert len(place.sent("chat")) == sent
    assert (await case_of(place))["state"] == "resolved"
    [task] = [row for row in await place.rows(tables.case_tasks) if row["kind"] == "call_back"]
    assert (task["state"], task["owner_id"]) == ("waiting", by.staff_id)
    assert ("call_back", "running", 1) in await deadlines(place)
    await place.service.casework.answered(1, by, 90.0)
    assert (await case_of(place))["state"] == "closed"
    assert (await place.rows(tables.case_tasks))[-1]["state"] == "cancelled"


async def test_the_next_channel_is_used_where_the_first_is_closed(place: Place) -> None:
    """The chat was left; there is an SMS address."""
    by = await amy(place)
    contact = (await case_of(place))["contact_id"]
    now = place.clock.now()
    values = {"contact_id": contact, "channel": "sms", "account": "a", "address": "+1555", "created_at": now}
    await place.database.write(lambda c: c.execute(tables.addresses.insert().values(values)))
    await place.say("STOP", "emma")
    await place.service.casework.resolve(1, by, "A new one is on its way")
    await place.service.settle()
    assert any("A new one is on its way" in text for text in place.sent("sms"))
    await place.say("5", "+1555", channel="sms")
    assert (await case_of(place))["state"] == "closed"


async def test_the_state_is_told_truly_with_and_without_the_number(place: Place) -> None:
    """Also of a closed one; but never of somebody else's."""
    by = await amy(place)
    await place.say("What is the status of my case?", "emma")
    number = numbers.number(1)
    assert number in place.sent("chat")[-1]
    await resolved(place, by)
    await place.tap("emma", "😍 Excellent")
    await place.say(f"How far is case {number}?", "emma")
    assert f"Case {number} is closed" in place.sent("chat")[-1]
    await place.say(f"How far is case {number}?", "mallory")
    assert "is closed" not in place.sent("chat")[-1]
    await place.say("My parcel never arrived, I want to complain, order 11223344", "otto")
    await place.say("Forget it, I withdraw my complaint", "otto")
    number = numbers.number((await place.rows(tables.cases))[-1]["id"])
    await place.say(f"How far is case {number}?", "otto")
    assert f"Case {number} was withdrawn" in place.sent("chat")[-1]


async def test_who_has_handed_a_case_on_can_no_longer_return_it(place: Place) -> None:
    """Of several hand-overs only the last one is open, acknowledged or not; given back to the hub, none is."""
    work, by = place.service.casework, Worker("api:test")
    await work.assign(1, by, department="quality")
    await work.task(1, "acknowledged", by)
    await work.assign(1, by, department="finance")
    await work.assign(1, by, department="logistics")
    tasks = [row for row in await place.rows(tables.case_tasks) if row["kind"] == "hand_over"]
    assert [row["state"] for row in tasks] == ["cancelled", "cancelled", "waiting"]
    clocks = {row["subject"]: row["state"] for row in await place.rows(tables.deadlines) if row["kind"] == "task"}
    assert [clocks[f"task:{row['id']}"] for row in tasks] == ["met", "cancelled", "running"]
    for row in tasks[:2]:
        with pytest.raises(TaskRefused, match="over"):
            await work.task(row["id"], "returned", by, "not ours")
    assert (await case_of(place))["department"] == "logistics"
    await work.give_back(1, by, "not ours")
    with pytest.raises(TaskRefused, match="over"):
        await work.task(tasks[2]["id"], "acknowledged", by)
    rows = [row for row in await place.rows(tables.deadlines) if row["subject"] == f"task:{tasks[2]['id']}"]
    assert [(row["state"], row["next_at"]) for row in rows] == [("cancelled", None)]


async def test_assignment_looks_at_presence_skill_and_load(place: Place) -> None:
    """Who is away or not at their desk gets nothing; who knows the matter comes first; then who has less to do."""
    ids = {name: await place.hire(name) for name in ("ann", "ben", "cat", "dan")}

    async def know(name: str, **values: Any) -> None:
        mine = tables.staff.update().where(tables.staff.c.id == ids[name])
        await place.database.write(lambda c: c.execute(mine.values(department="logistics", **values)))

    now = place.clock.now()

    nature = (await case_of(place))["nature"][0]
    await know("ann", skills=[nature], away=True, seen_at=now)
    await know("ben", skills=[nature], seen_at=now)
    await know("cat", seen_at=now)
    await know("dan", skills=[nature], seen_at=now - timedelta(minutes=2))
    work, by = place.service.casework, Worker("api:test")
    assert await work.assign_by_load(1, by, "logistics") == ids["ben"]
    await know("ben", skills=[])
    await place.say("My other parcel 99887766 never came, this is a scandal", "otto")
    assert await work.assign_by_load(2, by, "logistics") == ids["cat"]
    place.clock.advance(timedelta(minutes=2))
    with pytest.raises(CaseRefused, match="no_staff"):
        await work.assign_by_load(2, by, "logistics")


async def test_a_case_goes_with_its_conversation_to_another_department(place: Place) -> None:
    """With what is required; it waits there from now on, its deadlines keep that department's hours, and whoever has it
    wrongly returns it to the hub. What is closed, and other conversations' cases, stay."""
    anna, lane = Agent(await place.hire("anna"), "Anna"), "chat:chat:a:emma"
    await place.say("My invoice is wrong", "otto")
    await place.service.people.claim(lane, anna)
    before = await case_of(place)
    place.clock.advance(timedelta(hours=1))
    await place.service.passing.to_department(lane, anna, "finance", "Check the refund, please")
    case = await case_of(place)
    assert (case["department"], case["owner_id"], case["handed_at"]) == ("finance", None, place.clock.now())
    assert case["version"] > before["version"]
    [task] = [row for row in await place.rows(tables.case_tasks) if row["kind"] == "hand_over"]
    assert (task["from_department"], task["department"]) == (before["department"], "finance")
    assert (task["required"], task["state"]) == ("Check the refund, please", "waiting")
    [line] = [row for row in await place.rows(tables.case_events) if row["note"] == "Check the refund, please"]
    assert (line["actor"], line["to_state"]) == (f"staff:{anna.id}", "assigned")
    assert {row["department"] for row in await place.rows(tables.deadlines) if row["kind"] == "plan"} == {"finance"}
    await place.service.casework.task(task["id"], "returned", Worker("staff:1"), "not ours")
    assert (await case_of(place))["department"] == place.service.content.departments.hub
