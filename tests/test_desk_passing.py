"""From hand to hand at the desk: transfer, a reply taken back, agents who are gone, notes among colleagues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from desk_parts import Agent, Place, opened, texts
from sqlalchemy import update

from bot.knowledge.corrections import corrected
from bot.loop import assigning
from bot.takeover.assignment import Candidate, choose
from bot.web.transcript import view
from nlu.corrections import Correction
from storage import tables
from storage.database import Database


@pytest.fixture
async def place(database: Database) -> AsyncIterator[Place]:
    async with opened(database) as place:
        yield place


async def held(place: Place, agent: Agent, text: str = "a person please", thread: str = "v1") -> int:
    """A conversation that the agent has."""
    talk = await place.say(text, thread)
    await agent.do("claim", talk)
    await place.service.settle()
    return talk


async def seen_by_customer(place: Place, thread: str = "v1") -> list[str]:
    lane = f"chat:web:default:{thread}"
    return [item["text"] for item in (await place.database.read(view(lane, after=0))).items]


async def test_a_colleague_is_given_a_conversation_with_a_note(place: Place) -> None:
    """They have it at once, the customer reads who has come, the note is for the staff alone, and they are told."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    talk = await held(place, ann)
    status, _ = await ann.post(f"conversations/{talk}/transfer", {"to": bob.id, "note": "He is right, see order 17"})
    assert status == 200
    await place.service.settle()
    found = await bob.talk(talk)
    assert found["conversation"]["agent"] == {"id": bob.id, "name": "Bob"}
    assert [(each["text"], each["name"], each["kind"]) for each in found["whispers"]] == [
        ("He is right, see order 17", "Ann", "transfer")
    ]
    assert (await bob.get("conversations?view=mentions"))["counts"]["mentions"] == 1
    await bob.post(f"conversations/{talk}/seen")
    assert (await bob.get("conversations?view=mentions"))["conversations"] == []
    customers = await seen_by_customer(place)
    assert "Bob has joined and will help you from here." in customers
    assert not any("order 17" in each for each in customers)
    status, body = await ann.post(f"conversations/{talk}/messages", {"text": "one more", "client_key": "k"})
    assert (status, body["message"]) == (409, "Bob has already taken this conversation")


async def test_a_department_gets_a_conversation_in_its_queue(place: Place) -> None:
    """It waits there, found under the department's filter; the customer is told by the department's name."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    talk = await held(place, ann)
    await place.say("a person please", "v2")
    key, name = next(iter(place.service.content.departments.names.items()))
    status, _ = await ann.post(f"conversations/{talk}/transfer", {"department": key})
    assert status == 200
    await place.service.settle()
    listed = await bob.get(f"conversations?view=queue&department={key}")
    assert [row["id"] for row in listed["conversations"]] == [talk]
    assert listed["counts"]["queue"] == 2
    assert any(name.en in each for each in await seen_by_customer(place))
    await bob.do("claim", talk)
    assert (await bob.talk(talk))["conversation"]["department"] is None


@pytest.mark.parametrize("body", [{"to": 999}, {"to": True}, {"department": "moon"}, {}, {"to": "1"}, {"to": 2**70}])
async def test_nobody_is_given_to_nowhere(place: Place, body: dict[str, Any]) -> None:
    """What does not exist is refused, and the conversation stays where it is."""
    ann = await place.agent("Ann")
    talk = await held(place, ann)
    status, _ = await ann.post(f"conversations/{talk}/transfer", body)
    assert status == 422
    assert (await ann.talk(talk))["conversation"]["agent"]["id"] == ann.id


async def test_only_the_holder_or_a_supervisor_passes_on(place: Place) -> None:
    """Another agent is told who has it; a supervisor may, also from the queue."""
    ann, bob, eve = await place.agent("Ann"), await place.agent("Bob"), await place.agent("Eve", "supervisor")
    talk = await held(place, ann)
    status, body = await bob.post(f"conversations/{talk}/transfer", {"to": bob.id})
    assert status == 409
    assert "Ann" in body["message"]
    assert (await eve.post(f"conversations/{talk}/transfer", {"to": bob.id}))[0] == 200
    waiting = await place.say("a person please", "v2")
    assert (await bob.post(f"conversations/{waiting}/transfer", {"to": bob.id}))[0] == 409
    assert (await eve.post(f"conversations/{waiting}/transfer", {"to": bob.id}))[0] == 200
    assert (await bob.talk(waiting))["conversation"]["agent"]["id"] == bob.id


async def test_a_held_reply_taken_back_never_reaches_the_customer(place: Place) -> None:
    """For five seconds it waits; taken back it is words to write anew, and has answered no case."""
    ann = await place.agent("Ann")
    await place.say("I complain")
    talk = await held(place, ann)
    body = {"text": "You are wrong", "client_key": "k", "hold": 5}
    _, made = await ann.post(f"conversations/{talk}/messages", body)
    await place.service.settle()
    assert "You are wrong" not in await seen_by_customer(place)
    assert [row["responded_at"] is None for row in await place.rows(tables.cases)] == [False]
    shown = (await ann.talk(talk))["messages"][-1]
    assert shown["sent"][0]["held_until"]
    status, back = await ann.post(f"conversations/{talk}/messages/{made['id']}/take-back")
    assert (status, back) == (200, {"text": "You are wrong"})
    assert [row["responded_at"] for row in await place.rows(tables.cases)] == [None]
    place.clock.advance(timedelta(seconds=6))
    place.service.delivery.hint([("web", "default", "v1")])
    await place.service.settle()
    assert "You are wrong" not in await seen_by_customer(place)
    assert (await ann.post(f"conversations/{talk}/messages/{made['id']}/take-back"))[0] == 409


async def test_what_was_taken_back_has_answered_nobody(place: Place) -> None:
    """Whoever said nothing else still lets the customer wait, and has not earned a rating."""
    ann = await place.agent("Ann")
    await place.say("I complain")
    talk = await held(place, ann)
    place.clock.advance(timedelta(minutes=1))
    _, made = await ann.post(f"conversations/{talk}/messages", {"text": "Wait", "client_key": "k", "hold": 5})
    await ann.post(f"conversations/{talk}/messages/{made['id']}/take-back")
    assert await place.service.passing.release() == 0
    place.clock.advance(place.service.passing.patience)
    assert await place.service.passing.release() == 1
    assert (await ann.talk(talk))["conversation"]["owner"] == "queue"
    talk = await held(place, ann)
    await ann.do("resolve", talk)
    await place.service.settle()
    [survey] = await place.rows(tables.surveys)
    assert (survey["definition"], survey["state"], survey["reason"]) == ("agent", "suppressed", "bot_only")


async def test_what_has_gone_out_is_not_taken_back(place: Place) -> None:
    """After its five seconds a reply goes, and is too late to take back; nor is anybody else's."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob", "supervisor")
    talk = await held(place, ann)
    _, made = await ann.post(f"conversations/{talk}/messages", {"text": "Hello", "client_key": "k", "hold": 5})
    assert (await bob.post(f"conversations/{talk}/messages/{made['id']}/take-back"))[0] == 409
    await place.service.settle()
    place.clock.advance(timedelta(seconds=5))
    await place.service.settle()
    assert (await seen_by_customer(place))[-1] == "Hello"
    status, body = await ann.post(f"conversations/{talk}/messages/{made['id']}/take-back")
    assert (status, body["error"]) == (409, "too_late")


async def test_taking_back_and_sending_do_not_both_happen(place: Place) -> None:
    """Fifty replies at the end of their time, taken back and sent at once: the customer has those that were not."""
    ann = await place.agent("Ann")
    talk = await held(place, ann)
    made = [
        (await ann.post(f"conversations/{talk}/messages", {"text": f"r{n}", "client_key": f"k{n}", "hold": 5}))[1]["id"]
        for n in range(50)
    ]
    place.clock.advance(timedelta(seconds=5))
    place.service.delivery.hint([("web", "default", "v1")])
    found = await asyncio.gather(
        place.service.delivery.settle(),
        *(ann.post(f"conversations/{talk}/messages/{each}/take-back") for each in made[::2]),
    )
    await place.service.settle()
    taken = {f"r{2 * n}" for n, (status, _) in enumerate(found[1:]) if status == 200}
    got = {each for each in await seen_by_customer(place) if each.startswith("r")}
    assert got == {f"r{n}" for n in range(50)} - taken


async def test_who_leaves_a_customer_waiting_loses_them_to_the_queue(place: Place) -> None:
    """After fifteen office minutes, with an apology; an answer in time, or the night, starts nothing."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    idle, busy = await held(place, ann), await held(place, bob, "a person please", "v2")
    await place.say("are you there?", "v1")
    await bob.reply(busy, "Yes?")
    place.clock.advance(timedelta(minutes=14))
    await place.service.settle()
    assert (await ann.talk(idle))["conversation"]["owner"] == "agent"
    place.clock.advance(timedelta(minutes=2))
    await place.service.settle()
    found = (await bob.talk(idle))["conversation"]
    assert (found["owner"], found["reason"]) == ("queue", "asked")
    assert (await seen_by_customer(place))[-1].startswith("Sorry to keep you waiting")
    assert (await bob.talk(busy))["conversation"]["owner"] == "agent"
    assert (await ann.post(f"conversations/{idle}/messages", {"text": "x", "client_key": "late"}))[0] == 409


async def test_the_night_is_nobodys_neglect(place: Place) -> None:
    """Office minutes are counted: what is asked at closing time is not taken away at dawn."""
    ann = await place.agent("Ann")
    talk = await held(place, ann)
    place.clock.advance(timedelta(hours=10, minutes=55))  # 20:55 in Shanghai, and the office closes at 21:00
    await ann.reply(talk, "I am looking")
    await place.service.settle()
    await place.say("any news?", "v1")
    place.clock.advance(timedelta(hours=12, minutes=10))  # 9:05: ten minutes of two days
    await place.service.settle()
    assert [row["owner"] for row in await place.rows(tables.conversations)] == ["agent"]
    place.clock.advance(timedelta(minutes=10))
    await place.service.settle()
    assert [row["owner"] for row in await place.rows(tables.conversations)] == ["queue"]


async def test_notes_are_for_the_staff_alone(place: Place) -> None:
    """Whoever is named is called; the same note sent twice is one; no face of the customer's ever shows it."""
    ann, lee, eve = await place.agent("Ann"), await place.agent("Ann Lee"), await place.agent("Eve", "supervisor")
    talk = await held(place, ann)
    note = {"text": "Ask @ann lee about SECRET", "client_key": "n1"}
    both = await asyncio.gather(*(eve.post(f"conversations/{talk}/whispers", note) for _ in range(2)))
    assert [status for status, _ in both] == [200, 200]
    found = await ann.talk(talk)
    assert [each["text"] for each in found["whispers"]] == ["Ask @ann lee about SECRET"]
    assert "Ask @ann lee about SECRET" not in texts(found)
    assert (await lee.get("conversations?view=mentions"))["counts"]["mentions"] == 1
    assert (await ann.get("conversations?view=mentions"))["counts"]["mentions"] == 0
    await place.service.settle()
    assert not any("SECRET" in each for each in await seen_by_customer(place))
    assert not any("SECRET" in row["text"] for row in await place.rows(tables.outbox))


async def test_a_hand_back_leaves_a_summary(place: Place) -> None:
    """It stands on the transcript for whoever comes next; the customer does not read it."""
    ann = await place.agent("Ann")
    talk = await held(place, ann)
    status, _ = await ann.post(f"conversations/{talk}/hand-back", {"summary": "Refund of 20 promised for Friday"})
    assert status == 200
    await place.service.settle()
    event = next(each for each in (await ann.talk(talk))["messages"] if each["text"] == "handed_back")
    assert event["summary"] == "Refund of 20 promised for Friday"
    assert not any("Refund" in each for each in await seen_by_customer(place))
    (row,) = await place.rows(tables.conversations)
    assert (row["owner"], row["tracker"]) == ("bot", None)


async def test_those_who_are_here_are_given_who_waits(database: Database) -> None:
    """In turn, never more than they may have, nobody who is away or gone; the agent they knew comes first."""
    async with opened(database, assignment="round_robin", agent_load=2) as place:
        ann, bob, eve = [await place.agent(name) for name in ("Ann", "Bob", "Eve")]
        await present(place, ann, bob, eve)
        await eve.post("away", {"away": True})
        for n in range(5):
            await place.say("a person please", f"v{n}")
        held_by = {row["thread"]: row["agent_id"] for row in await place.rows(tables.conversations)}
        assert [held_by[f"v{n}"] for n in range(5)] == [ann.id, bob.id, ann.id, bob.id, None]
        await ann.do("hand-back", await place.conversation("v0"))
        await place.service.settle()
        assert {row["thread"]: row["agent_id"] for row in await place.rows(tables.conversations)}["v4"] == ann.id
        place.clock.advance(timedelta(minutes=2))  # their desks are closed now
        await bob.do("hand-back", await place.conversation("v1"))
        await ann.do("hand-back", talk := await place.conversation("v2"))
        await place.say("a person please", "v2")
        assert (await ann.talk(talk))["conversation"]["owner"] == "queue"
        await present(place, ann, bob)
        await place.service.settle()
        assert (await ann.talk(talk))["conversation"]["agent"]["id"] == ann.id  # it would have been Bob's turn


async def test_a_department_with_nobody_there_keeps_nobody_else_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many wait for it, and the longest: who waits behind them is given out."""
    monkeypatch.setattr(assigning, "AT_ONCE", 2)
    async with opened(database, assignment="round_robin", agent_load=9) as place:
        ann = await place.agent("Ann")
        waiting = {"owner": "queue", "department": "logistics"}
        for n in range(4):
            await place.say("a person please", f"v{n}")
            early = {"queued_at": place.clock.now() - timedelta(hours=1)} if n < 3 else {"department": None}
            talk = update(tables.conversations).where(tables.conversations.c.thread == f"v{n}")
            await place.database.write(lambda c, talk=talk, early=early: c.execute(talk.values(**waiting | early)))  # type: ignore[misc]
        await present(place, ann)
        await place.service.settle()
        owners = {row["thread"]: row["owner"] for row in await place.rows(tables.conversations)}
        assert owners == {"v0": "queue", "v1": "queue", "v2": "queue", "v3": "agent"}


async def present(place: Place, *agents: Agent) -> None:
    """Their desks are open now."""
    here = update(tables.staff).where(tables.staff.c.id.in_([each.id for each in agents]))
    await place.database.write(lambda connection: connection.execute(here.values(seen_at=place.clock.now())))


def test_the_rule_chooses() -> None:
    """Least loaded by load, round robin by turn; a department's conversation goes to its people only."""
    people = [Candidate(1, 3, 5), Candidate(2, 1, 9), Candidate(3, 2, 1, "logistics")]
    assert choose("off", people, most=5) is None
    assert choose("least_loaded", people, most=5) == 2
    assert choose("round_robin", people, most=5) == 3
    assert choose("round_robin", people, most=5, last=1) == 1
    assert choose("round_robin", people, most=3, last=1) == 3
    assert choose("least_loaded", people, most=5, department="logistics") == 3
    assert choose("least_loaded", people, most=5, department="finance") is None
    assert choose("least_loaded", people, most=1) is None
    assert choose("least_loaded", people, most=5, refused={2}) == 3


async def test_a_correction_is_kept_as_an_example(place: Place) -> None:
    """One a message, the last word counts; it says what the bot had made of it, and only of what customers said. It can
    be taken back: then it teaches nothing."""
    ann = await place.agent("Ann")
    talk = await held(place, ann)
    message = next(each for each in (await ann.talk(talk))["messages"] if each["author"] == "customer")["id"]
    at = f"conversations/{talk}/messages/{message}/correction"
    assert (await ann.post(at, {"intent": "complain", "nature": ["price"], "urgency": "urgent"}))[0] == 200
    assert (await ann.post(at, {"intent": "complain", "nature": ["logistics"], "sentiment": "negative"}))[0] == 200
    (row,) = await place.rows(tables.corrections)
    assert (row["nature"], row["urgency"], row["sentiment"]) == (["logistics"], None, "negative")
    assert row["understood"]["intent"]["name"] == "ask_human"
    shown = next(each for each in (await ann.talk(talk))["messages"] if each["id"] == message)
    assert shown["corrected"]["nature"] == ["logistics"]
    for wrong in ({"nature": ["moon"]}, {"nature": "price"}, {"nature": [], "intent": "drop table"}):
        assert (await ann.post(at, wrong))[0] == 422
    assert (await ann.post(f"conversations/{talk}/messages/999/correction", {"nature": []}))[0] == 404
    (lesson,) = await place.database.read(corrected)
    assert lesson == Correction("a person please", "en", "complain", ("logistics",), "negative")
    assert (await ann.post(f"{at}/undo"))[0] == 200
    assert (await ann.post(f"{at}/undo"))[0] == 404
    assert await place.database.read(corrected) == ()
    shown = next(each for each in (await ann.talk(talk))["messages"] if each["id"] == message)
    assert "corrected" not in shown


async def test_what_agents_left_open_is_what_the_bot_had_made_of_it(place: Place) -> None:
    """A nature without a mood, a mood without a nature; what is personal is hidden; of a text the last word counts."""
    ann = await place.agent("Ann")
    said = ["a person please, my number is 13800138000", "a person please, my number is 13800138000", "a person, quick"]
    given: list[dict[str, Any]] = [
        {"nature": ["price"]},
        {"nature": [], "sentiment": "positive"},
        {"nature": [], "urgency": "urgent"},
    ]
    for number, (words, meant) in enumerate(zip(said, given, strict=True)):
        talk = await held(place, ann, words, f"v{number}")
        message = next(each for each in (await ann.talk(talk))["messages"] if each["author"] == "customer")["id"]
        assert (await ann.post(f"conversations/{talk}/messages/{message}/correction", meant))[0] == 200
    hidden = "a person please, my number is 138****8000"
    assert await place.database.read(corrected) == (
        Correction(hidden, "en", None, ("praise",), "positive"),
        Correction("a person, quick", "en", urgency="urgent"),
    )


async def test_a_search_finds_people_cases_and_words(place: Place) -> None:
    """By name, by case number, by what was said; signs of patterns are plain signs."""
    ann = await place.agent("Ann")
    first = await place.say("I complain about the 100% kettle", "v1", name="王小曼")
    second = await place.say("hello there", "v2", name="Jane Fox")
    number = (await ann.talk(first))["customer"]["cases"][0]["number"]

    async def found(text: str) -> list[int]:
        answer = await ann.session.get("/desk/api/search", params={"q": text})
        return [row["id"] for row in (await answer.json())["conversations"]]

    assert await found("小曼") == [first]
    assert await found("jane") == [second]
    assert await found(f"#{number}") == [first]
    assert await found("100% k") == [first]
    assert await found("%") == [first]
    assert await found("_") == []
    assert await found("  ") == []
    await place.say("and this", "v3", name="Jane Fox")
    assert (await ann.get(f"conversations/{first}/before"))["messages"] == []


async def test_what_a_channel_allows_is_told(place: Place) -> None:
    """The length of a message, and until when one may write."""
    ann = await place.agent("Ann")
    talk = await held(place, ann)
    allowed = (await ann.talk(talk))["channel"]
    assert allowed["limit"] == place.service.capabilities("web").text_limit
    assert allowed["closes_at"] is None
    assert allowed["stopped"] is False


async def test_ready_replies_come_in_the_language_asked_for(place: Place) -> None:
    """The house's own replace those that ship under the same shortcut."""
    ann = await place.agent("Ann")
    english = (await ann.get("canned?language=en"))["replies"]
    chinese = (await ann.get("canned?language=zh"))["replies"]
    assert {each["shortcut"] for each in english} == {each["shortcut"] for each in chinese} >= {"hi", "order"}
    row = {"shortcut": "hi", "language": "en", "title": "Ours", "text": "Hey!", "updated_at": place.clock.now()}
    await place.database.write(lambda connection: connection.execute(tables.canned_replies.insert().values(row)))
    again = {each["shortcut"]: each["text"] for each in (await ann.get("canned?language=en"))["replies"]}
    assert again["hi"] == "Hey!"
    assert await ann.status("canned?language=xx") == 422
