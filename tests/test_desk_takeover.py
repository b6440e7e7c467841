"""Taking over at the desk: of two one wins, the bot falls silent, a message sent twice is one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from desk_parts import Place, opened, texts
from sqlalchemy import update

from channels.base import Outgoing, Rejected, Sent
from storage import tables
from storage.database import Database

RACES = 500


@pytest.fixture
async def place(database: Database) -> AsyncIterator[Place]:
    async with opened(database) as place:
        yield place


async def test_of_two_agents_one_wins_and_the_other_is_told_who(place: Place) -> None:
    """Five hundred conversations on either database, two claims of each at the same moment."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    for n in range(RACES):
        await place.say("a person please", f"v{n}", settle=False)
    await place.service.settle()
    talks = [row["id"] for row in await place.rows(tables.conversations)]
    assert len(talks) == RACES

    async def race(n: int, talk: int) -> None:
        first, second = (ann, bob) if n % 2 else (bob, ann)
        claims = [agent.post(f"conversations/{talk}/claim") for agent in (first, second)]
        found = await asyncio.gather(*claims)
        assert sorted(status for status, _ in found) == [200, 409]
        winner = (first, second)[[status for status, _ in found].index(200)]
        (lost,) = (body for status, body in found if status == 409)
        assert lost == {"error": "taken", "message": f"{winner.name} has already taken this conversation"}

    for start in range(0, RACES, 20):
        await asyncio.gather(*(race(n, talks[n]) for n in range(start, min(start + 20, RACES))))
    owners = {row["id"]: (row["owner"], row["owner_epoch"]) for row in await place.rows(tables.conversations)}
    assert set(owners.values()) == {("agent", 2)}
    claimed = [row for row in await place.rows(tables.messages) if row["text"] == "claimed"]
    assert len(claimed) == RACES


async def test_a_reply_of_the_bot_that_waits_never_goes_out_after_a_claim(place: Place) -> None:
    """It was decided and queued; the claim came before it was sent. The desk shows it struck, with the reason."""
    ann = await place.agent()
    await place.say("tell me something", settle=False)
    await place.service.turns.settle()  # decided, not yet delivered
    talk = await place.conversation("v1")
    await ann.do("claim", talk)
    await place.service.settle()
    rows = {row["text"]: (row["state"], row["reason"]) for row in await place.rows(tables.outbox)}
    assert rows["You said: tell me something"] == ("dropped", "overtaken")
    assert rows["Ann has joined and will help you from here."] == ("sent", None)
    shown = next(m for m in (await ann.talk(talk))["messages"] if m["text"].startswith("You said"))
    assert shown["sent"] == [{"id": shown["sent"][0]["id"], "state": "dropped", "reason": "overtaken"}]


async def test_the_bot_is_silent_until_the_conversation_is_handed_back(place: Place) -> None:
    """What the customer says to the agent is on the transcript and answered by nobody else."""
    ann = await place.agent()
    talk = await place.say("a person please")
    await ann.do("claim", talk)
    await place.say("are you there?")
    await ann.reply(talk, "Yes, I am.")
    await place.service.settle()
    assert texts(await ann.talk(talk))[-2:] == ["are you there?", "Yes, I am."]
    await ann.do("hand-back", talk)
    await place.say("and now?")
    assert "You said: and now?" in texts(await ann.talk(talk))


async def test_a_message_sent_twice_is_one(place: Place) -> None:
    """Five times at once, and again later: one message, one thing sent, one id."""
    ann = await place.agent()
    talk = await place.say("a person please")
    await ann.do("claim", talk)
    ids = await asyncio.gather(*(ann.reply(talk, "Hello!", "same") for _ in range(5)))
    ids += [await ann.reply(talk, "Hello!", "same")]
    assert len(set(ids)) == 1
    await place.service.settle()
    assert [row["state"] for row in await place.rows(tables.outbox) if row["text"] == "Hello!"] == ["sent"]
    await ann.reply(talk, "Hello!", "another")
    assert texts(await ann.talk(talk)).count("Hello!") == 2


async def test_a_key_is_its_senders_own(place: Place) -> None:
    """Two agents whose browsers chose the same key have each said what they said."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    talk = await place.say("a person please")
    await ann.do("claim", talk)
    await ann.reply(talk, "From Ann", "same")
    await ann.do("requeue", talk)
    await bob.do("claim", talk)
    await bob.reply(talk, "From Bob", "same")
    assert [text for text in texts(await bob.talk(talk)) if text.startswith("From")] == ["From Ann", "From Bob"]


async def test_only_who_has_a_conversation_writes_in_it(place: Place) -> None:
    """A colleague is told who has it, and what to do where nobody has."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    talk = await place.say("a person please")
    status, told = await bob.post(f"conversations/{talk}/messages", {"text": "Hi", "client_key": "k"})
    assert (status, told["error"]) == (409, "not_held")
    assert "Claim it first" in told["message"]
    await ann.do("claim", talk)
    status, told = await bob.post(f"conversations/{talk}/messages", {"text": "Hi", "client_key": "k"})
    assert (status, told["error"]) == (409, "taken")
    assert "Ann" in told["message"]
    for what in ("hand-back", "requeue", "resolve"):
        status, told = await bob.post(f"conversations/{talk}/{what}")
        assert (status, told["error"]) == (409, "not_yours")
        assert "Ann" in told["message"]


async def test_a_supervisor_acts_for_a_colleague_but_does_not_speak_as_one(place: Place) -> None:
    """The customer goes on with whoever is named to them."""
    ann, eve = await place.agent("Ann"), await place.agent("Eve", "supervisor")
    talk = await place.say("a person please")
    await ann.do("claim", talk)
    status, _ = await eve.post(f"conversations/{talk}/messages", {"text": "Hi", "client_key": "k"})
    assert status == 409
    await eve.do("requeue", talk)
    await eve.do("claim", talk)
    await eve.reply(talk, "Hello, I am Eve.")


async def test_who_waits_longest_stands_first_and_a_requeued_one_last(place: Place) -> None:
    """The order in which customers are told their place."""
    ann = await place.agent()
    talks = []
    for thread in ("v1", "v2", "v3"):
        talks.append(await place.say("a person please", thread))
        place.clock.advance(timedelta(minutes=1))
    await ann.do("claim", talks[0])
    await ann.do("requeue", talks[0])
    listed = await ann.get("conversations?view=queue")
    assert [row["id"] for row in listed["conversations"]] == [talks[1], talks[2], talks[0]]
    assert listed["counts"] == {"queue": 3, "mine": 0, "team": 0, "mentions": 0}


async def test_brackets_in_an_agents_words_are_the_agents(place: Place) -> None:
    """Only our own texts are filled in; a person may write [[anything]]."""
    ann = await place.agent()
    talk = await place.say("a person please")
    await ann.do("claim", talk)
    await ann.reply(talk, "Use [[case_number]] and [[nothing]] in the form {name}")
    await place.service.settle()
    assert [row["text"] for row in await place.rows(tables.outbox) if row["kind"] == "agent"] == [
        "Use [[case_number]] and [[nothing]] in the form {name}"
    ]


async def test_a_case_that_has_come_further_is_not_set_back(place: Place) -> None:
    """Who claims or answers a conversation moves its cases on, never back to where they were."""
    ann = await place.agent()
    talk = await place.say("I complain")
    further = update(tables.cases).values(state="planned")
    await place.service.database.write(lambda connection: connection.execute(further).rowcount)
    await ann.do("claim", talk)
    assert [row["state"] for row in await place.rows(tables.cases)] == ["planned"]
    begun = update(tables.cases).values(state="in_progress")
    await place.service.database.write(lambda connection: connection.execute(begun).rowcount)
    await ann.reply(talk, "On it.", "k1")
    assert [row["state"] for row in await place.rows(tables.cases)] == ["in_progress"]
    moves = [row for row in await place.rows(tables.case_events) if row["kind"] == "moved" and row["actor"] != "bot"]
    assert moves == []


async def test_the_first_reply_answers_the_cases_of_the_conversation(place: Place) -> None:
    """The deadline was for an answer by a person: it is met then, once, and stands on the timeline."""
    ann = await place.agent()
    talk = await place.say("I complain")
    await ann.do("claim", talk)
    place.clock.advance(timedelta(minutes=5))
    answered = place.clock.now()
    await ann.reply(talk, "On it.", "k1")
    place.clock.advance(timedelta(minutes=5))
    await ann.reply(talk, "Done.", "k2")
    (case,) = await place.rows(tables.cases)
    assert case["responded_at"] == answered
    assert case["owner_id"] == ann.id
    assert case["state"] == "in_progress"
    moves = [
        (row["from_state"], row["to_state"], row["actor"])
        for row in await place.rows(tables.case_events)
        if row["kind"] == "moved" and row["actor"] != "bot"
    ]
    me = f"staff:{ann.id}"
    assert moves == [("acknowledged", "assigned", me), ("assigned", "in_progress", me)]
    (shown,) = (await ann.talk(talk))["customer"]["cases"]
    assert shown["state_name"] == "In progress"
    events = [(row["kind"], row["actor"]) for row in await place.rows(tables.case_events)]
    assert events.count(("responded", f"staff:{ann.id}")) == 1


async def test_what_failed_is_sent_again_by_a_person_only(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk says why it failed; sent again it goes out once. A colleague may not, and twice is refused."""
    ann, bob = await place.agent("Ann"), await place.agent("Bob")
    talk = await place.say("a person please")
    await ann.do("claim", talk)
    await place.service.settle()
    adapter = place.service.adapters["web", "default"]

    async def refuse(outgoing: Outgoing) -> Sent:
        raise Rejected("too long for this platform")

    with monkeypatch.context() as broken:
        broken.setattr(adapter, "send", refuse)
        message = await ann.reply(talk, "Hello!")
        await place.service.settle()
    shown = next(m for m in (await ann.talk(talk))["messages"] if m["id"] == message)
    (sent,) = shown["sent"]
    assert (sent["state"], sent["reason"]) == ("failed", "too long for this platform")
    path = f"conversations/{talk}/outbox/{sent['id']}/again"
    status, told = await bob.post(path)
    assert (status, told["error"]) == (409, "not_yours")
    assert (await ann.post(path))[0] == 200
    await place.service.settle()
    shown = next(m for m in (await ann.talk(talk))["messages"] if m["id"] == message)
    assert shown["sent"][0]["state"] == "sent"
    status, told = await ann.post(path)
    assert (status, told["error"]) == (409, "not_sendable")


async def test_an_outgoing_row_is_sent_again_only_within_its_conversation(place: Place) -> None:
    """A row's number of somebody else's conversation does nothing."""
    ann = await place.agent()
    one, other = await place.say("hello", "v1"), await place.say("hello", "v2")
    row = next(r for r in await place.rows(tables.outbox) if r["conversation_id"] == other)
    await place.database.write(
        lambda connection: connection.execute(tables.outbox.update().values(state="failed", reason="x"))
    )
    assert (await ann.post(f"conversations/{one}/outbox/{row['id']}/again"))[0] == 409
    assert (await place.rows(tables.outbox))[-1]["state"] == "failed"


async def test_nothing_is_said_under_a_public_comment(place: Place) -> None:
    """It is claimed and resolved in silence; a reply is refused with where the customer's answer will appear."""
    ann = await place.agent()
    talk = await place.say("a person please", "comment:123")
    before = len(await place.rows(tables.outbox))
    await ann.do("claim", talk)
    status, told = await ann.post(f"conversations/{talk}/messages", {"text": "Hi", "client_key": "k"})
    assert (status, told["error"]) == (409, "public")
    await ann.do("resolve", talk)
    assert len(await place.rows(tables.outbox)) == before
    assert await place.rows(tables.surveys) == []
