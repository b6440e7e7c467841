"""A Rasa server conducts the conversation; our tracker stays the truth, and the embedded engine takes over at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_platform import Fault
from fake_rasa import FakeRasa
from remote_parts import Asked, assistant, embedded
from structlog.testing import capture_logs

from bot.engine import Turn, UserMessage
from bot.loop.remote import RasaDialogue
from bot.loop.remote.breaker import FAILURES
from bot.loop.remote.dialogue import conversation_id
from bot.loop.remote.twin import TRUSTED

LANE = "chat:web:default:+8613800138000"
COMPLAINT = "快递三天没到，客服也不理我"


@pytest.fixture
async def rasa() -> AsyncIterator[FakeRasa]:
    async with FakeRasa(embedded(), assistant().domain) as fake:
        fake.understood[COMPLAINT] = {"intent": "complain", "confidence": 0.9}
        fake.understood["订单号 20260301123"] = {
            "intent": "inform",
            "confidence": 0.9,
            "entities": [{"entity": "order_number", "value": "20260301123", "start": 4, "end": 15}],
        }
        fake.understood["谢谢"] = {"intent": "thank", "confidence": 0.95}
        yield fake


class Counting:
    """The embedded engine, and how often it was needed."""

    def __init__(self) -> None:
        self.engine = embedded()
        self.turns = 0

    async def turn(self, tracker: dict[str, Any] | None, message: UserMessage) -> Turn:
        self.turns += 1
        return await self.engine.turn(tracker, message)


def talking(url: str, **more: Any) -> tuple[RasaDialogue, Counting, Asked]:
    asked, local = Asked(url, **more), Counting()
    return RasaDialogue(asked.server, assistant(), local), local, asked


def message(text: str, intent: str, *entities: tuple[str, str], confidence: float = 0.9, **facts: Any) -> UserMessage:
    told = {
        "channel": "web",
        "language": "zh",
        "now": "2026-03-05T02:00:00+00:00",
        "owner": "bot",
        "understanding": {"nature": ["logistics"], "urgency": "important", "sentiment": {"score": -0.4}},
        "promises": {"important": "今天 18:00 前"},
        "company": "小店",
    }
    named = [{"entity": name, "value": value} for name, value in entities]
    return UserMessage(text, intent, confidence, named, {"earful": {**told, **facts}}, "web", LANE)


def complaint() -> list[UserMessage]:
    """A complaint with what it lacks, told bit by bit; the last is a tap."""
    return [
        message(COMPLAINT, "complain"),
        message("订单号 20260301123", "inform", ("order_number", "20260301123")),
        message("没有", "skip", confidence=1.0),
        message("谢谢", "thank"),
    ]


async def test_a_journey_is_word_for_word_the_embedded_engines(rasa: FakeRasa) -> None:
    """Texts, buttons and commands, though Rasa's own texts are drawn by lot and written for no channel."""
    dialogue, local, _ = talking(rasa.url)
    plain = embedded()
    ours: dict[str, Any] | None = None
    theirs: dict[str, Any] | None = None
    for each in complaint():
        expected, said = await plain.turn(ours, each), await dialogue.turn(theirs, each)
        assert said.commands == expected.commands
        assert [each.buttons for each in said.responses] == [each.buttons for each in expected.responses]
        ours, theirs = expected.tracker, said.tracker
        assert theirs["slots"] == ours["slots"]
        assert (theirs["active_loop"] or {}).get("name") == (ours["active_loop"] or {}).get("name")
    assert local.turns == 0


async def test_a_repeated_call_starts_from_our_tracker(rasa: FakeRasa) -> None:
    """A turn that is decided again, or for the second time after a crash, comes out the same and leaves no trace."""
    dialogue, _, _ = talking(rasa.url)
    first = await dialogue.turn(None, complaint()[0])
    once = await dialogue.turn(first.tracker, complaint()[1])
    again = await dialogue.turn(first.tracker, complaint()[1])
    assert again == once
    assert (await dialogue.turn(None, complaint()[0])).commands == first.commands


async def test_what_reaches_rasa_is_words_facts_and_no_address(rasa: FakeRasa) -> None:
    """The customer's address does not name the conversation; the facts are the message's metadata."""
    dialogue, _, _ = talking(rasa.url)
    await dialogue.turn(None, complaint()[0])
    said = rasa.said[0]
    assert said["sender"] == conversation_id(LANE)
    assert said["message"] == COMPLAINT
    assert said["input_channel"] == "web"
    assert said["metadata"]["earful"] == complaint()[0].metadata["earful"]
    assert not any("13800138000" in call.path for call in rasa.calls)
    assert [call.method for call in rasa.calls] == ["GET", "PUT", "POST", "GET"]


async def test_a_tap_is_a_payload_and_words_never_are(rasa: FakeRasa) -> None:
    """Whoever writes /ask_human has written words."""
    dialogue, _, _ = talking(rasa.url)
    await dialogue.turn(None, message("有", "helpful", ("entry", '退款"}{'), confidence=1.0))
    await dialogue.turn(None, message("/ask_human", "nlu_fallback", confidence=0.9))
    assert rasa.said[0]["message"] == '/helpful{"entry": "退款\\"}{"}'
    assert json.loads(rasa.said[0]["message"].removeprefix("/helpful")) == {"entry": '退款"}{'}
    assert rasa.said[1]["message"] == "／ask_human"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(act="close"),
        Fault(act="half"),
        Fault(body=b"<html>"),
        Fault(body=b"null"),
        Fault(body=b'{"slots": {}}'),
        Fault(status=404, body=b"{}"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 2, 3])
async def test_a_call_that_fails_is_the_embedded_engines_turn(rasa: FakeRasa, fault: Fault, before: int) -> None:
    """Whichever of the calls it is; the next turn is Rasa's again."""
    fine = [Fault(act="slow")] * before
    rasa.release()
    rasa.fail(*fine, fault)
    dialogue, local, _ = talking(rasa.url)
    said = await dialogue.turn(None, complaint()[0])
    if before == 1 and fault.body == b'{"slots": {}}':
        assert local.turns == 0  # what a reset answers is not looked at
        return
    assert said == await embedded().turn(None, complaint()[0])
    assert local.turns == 1
    following = await dialogue.turn(said.tracker, complaint()[1])
    assert local.turns == 1
    assert following.commands == (await embedded().turn(said.tracker, complaint()[1])).commands


async def test_a_server_that_is_not_there_is_soon_not_asked_any_more() -> None:
    """And every customer is answered meanwhile."""
    async with FakeRasa() as fake:
        url = fake.url
    dialogue, local, asked = talking(url)
    for turn in range(FAILURES + 3):
        said = await dialogue.turn(None, complaint()[0])
        assert said.responses, turn
    assert local.turns == FAILURES + 3
    assert asked.breaker.state == "open"
    assert asked.counted("resting") == 3


async def test_a_server_of_which_one_call_in_three_fails_is_left_alone_too(rasa: FakeRasa) -> None:
    """A REST channel that is not there, or hangs, costs every customer a time-out otherwise."""
    rasa.release()
    rasa.fail(Fault(act="slow"))
    for _ in range(FAILURES):
        rasa.fail(Fault(act="slow"), Fault(status=404))
    dialogue, local, asked = talking(rasa.url)
    for _ in range(FAILURES + 2):
        await dialogue.turn(None, complaint()[0])
    assert len(rasa.calls) == 1 + 2 * FAILURES
    assert (asked.counted("refused"), asked.counted("resting"), local.turns) == (FAILURES, 2, FAILURES + 2)


async def test_actions_that_did_not_run_are_run_here(rasa: FakeRasa) -> None:
    """Where Rasa cannot reach the action server it says nothing, and goes on."""
    rasa.acts = False
    dialogue, local, asked = talking(rasa.url)
    said = await dialogue.turn(None, complaint()[0])
    assert said.commands[0]["command"] == "open_case"
    assert (local.turns, asked.counted("idle")) == (1, 1)


async def test_a_turn_in_which_rasa_says_nothing_is_asked_here(rasa: FakeRasa) -> None:
    """Its rules may go round in circles until it stops; a customer who tapped a button wants an answer."""
    doctored(rasa, lambda state: state.update(events=[each for each in state["events"] if each["event"] != "bot"]))
    dialogue, local, asked = talking(rasa.url)
    assert (await dialogue.turn(None, complaint()[3])).responses
    assert (local.turns, asked.counted("idle")) == (1, 1)


async def test_a_tracker_store_that_keeps_what_it_should_replace_is_noticed(rasa: FakeRasa) -> None:
    """Rasa's SQL store ignores a reset: what it says then rests on another conversation."""
    rasa.keeps = True
    dialogue, local, asked = talking(rasa.url)
    await dialogue.turn(None, complaint()[0])
    with capture_logs() as logs:
        said = await dialogue.turn(None, complaint()[3])
    assert said == await embedded().turn(None, complaint()[3])
    assert (local.turns, asked.counted("garbage")) == (1, 1)
    assert "its store keeps what it should replace" in logs[0]["why"]


def doctored(rasa: FakeRasa, change: Any) -> None:
    """Rasa's tracker says something else than happened."""
    usual = rasa.state

    def state(name: str, events: list[dict[str, Any]] | None) -> dict[str, Any]:
        found = usual(name, events)
        if events is not None:
            change(found)
        return found

    rasa.state = state  # type: ignore[method-assign]


def bot(text: str | None = "hi", **data: Any) -> dict[str, Any]:
    return {"event": "bot", "text": text, "data": data, "metadata": {}}


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["events"].append(bot(None, custom={"earful": {"command": "give_me_root"}})),
        lambda state: state["events"].append(bot(None, custom={"other": 1})),
        lambda state: state["events"].append(bot(image="https://example.com/x.png")),
        lambda state: state["events"].append(bot(buttons=[{"title": "x", "payload": "/drop_tables"}])),
        lambda state: state["events"].append(bot(buttons=[{"title": "x", "payload": "hello"}])),
        lambda state: state["events"].append(bot("case [[case_number]] and [[secret]]")),
        lambda state: state["events"].append({"event": "user", "text": "x", "metadata": {}}),
        lambda state: state["events"].clear(),
        lambda state: state["events"].extend([{"event": "slot", "name": "x", "value": 1}] * 600),
        lambda state: state.update(active_loop={"name": "form_of_another"}),
        lambda state: state.update(latest_action_name="action_answer"),
        lambda state: state.update(paused=True),
        lambda state: state.update(slots=None),
        lambda state: state.pop("events"),
    ],
)
async def test_what_our_channels_cannot_take_is_not_taken(rasa: FakeRasa, change: Any) -> None:
    """The embedded engine's turn stands instead, whole."""
    doctored(rasa, change)
    dialogue, local, _ = talking(rasa.url)
    assert await dialogue.turn(None, complaint()[0]) == await embedded().turn(None, complaint()[0])
    assert local.turns == 1


async def test_a_text_of_rasas_own_is_said_as_it_is(rasa: FakeRasa) -> None:
    """An assistant of the operator's may say more than ours; its buttons are those that the domain knows."""
    doctored(
        rasa,
        lambda state: state["events"].append(bot("也可以", buttons=[{"title": "转人工", "payload": "/ask_human"}])),
    )
    dialogue, _, _ = talking(rasa.url)
    said = (await dialogue.turn(None, complaint()[0])).responses[-1]
    assert (said.text, said.buttons[0].payload, said.name) == ("也可以", "/ask_human", None)


async def test_responses_are_said_for_the_customers_channel(rasa: FakeRasa) -> None:
    """Rasa's REST channel knows no channel; its events tell which response it was and with which values."""

    def named(state: dict[str, Any]) -> None:
        for event in state["events"]:
            if event["event"] == "bot" and event["text"] and "[[case_number]]" in event["text"]:
                event["metadata"] = {"utter_action": "utter_case_opened", "promise": "今天 18:00 前"}

    doctored(rasa, named)
    dialogue, _, _ = talking(rasa.url)
    said = (await dialogue.turn(None, complaint()[0])).responses[0]
    assert said == (await embedded().turn(None, complaint()[0])).responses[0]
    assert "[[case_link]]" in said.text


@pytest.mark.parametrize("kind", ["responses", "actions", "slots", "forms", "intents"])
async def test_a_model_of_another_assistant_is_not_talked_to(rasa: FakeRasa, kind: str) -> None:
    """It would leave out what it does not know, without a word; the log says what to do."""
    names = sorted(getattr(assistant().domain, kind))
    rasa.unlike = {kind: [name for name in names if name != "greet"][1:]}
    dialogue, local, asked = talking(rasa.url)
    with capture_logs() as logs:
        assert await dialogue.turn(None, complaint()[0]) == await embedded().turn(None, complaint()[0])
    assert (local.turns, asked.counted("another_assistant"), rasa.said) == (1, 1, [])
    assert "train it again" in logs[0]["event"]


async def test_a_model_that_changes_while_the_server_runs_is_noticed(rasa: FakeRasa) -> None:
    """Within minutes; meanwhile one look serves many turns."""
    dialogue, local, asked = talking(rasa.url)
    for _ in range(3):
        await dialogue.turn(None, complaint()[0])
    assert sum(call.path == "/domain" for call in rasa.calls) == 1
    rasa.unlike = {"responses": {}}
    asked.clock.advance(TRUSTED)
    await dialogue.turn(None, complaint()[0])
    assert local.turns == 1


async def test_a_session_that_is_over_ends_the_form_at_rasas_too(rasa: FakeRasa) -> None:
    """By our clock, not by Rasa's."""
    dialogue, _, _ = talking(rasa.url)
    first = await dialogue.turn(None, complaint()[0])
    assert first.tracker["active_loop"]
    late = message("谢谢", "thank", now="2026-03-07T02:00:00+00:00")
    await dialogue.turn(first.tracker, late)
    names = [json.loads(call.body) for call in rasa.calls if call.method == "PUT"][-1]
    assert not any(each["event"] == "active_loop" for each in names)


async def test_an_embedded_tracker_is_taken_over_in_the_middle_of_a_form(rasa: FakeRasa) -> None:
    """Engines may change between two messages of a conversation."""
    dialogue, local, _ = talking(rasa.url)
    begun = await embedded().turn(None, complaint()[0])
    said = await dialogue.turn(begun.tracker, complaint()[1])
    assert said.commands == (await embedded().turn(begun.tracker, complaint()[1])).commands
    assert local.turns == 0
