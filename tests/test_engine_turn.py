"""One turn of the engine: what goes in is left alone, what comes out is small and sound, and what is wrong is said."""

from __future__ import annotations

import copy
import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest
from rasa_sdk.events import (
    AllSlotsReset,
    ConversationPaused,
    FollowupAction,
    ReminderScheduled,
    Restarted,
    SlotSet,
    UserUtteranceReverted,
)
from test_engine_project import DOMAIN, Run, Talk, message, response, talk, with_rules

from bot.engine import ButtonSpec, Command
from bot.errors import ActionError

ACT = "  - rule: act\n    steps:\n      - intent: inform\n      - action: action_a\n"


def acting(tmp_path: Path, action: Run, domain: str = DOMAIN) -> Talk:
    return talk(tmp_path, domain, with_rules(ACT), action_a=action)


async def test_the_tracker_that_goes_in_is_not_changed(tmp_path: Path) -> None:
    """A turn is a function: the same conversation and message give the same turn, whatever ran between."""
    chat = talk(tmp_path)
    await chat.say("complain", entities=[{"entity": "number", "value": "5"}])
    before = copy.deepcopy(chat.tracker)
    first = await chat.engine.turn(chat.tracker, message("inform", "red"))
    second = await chat.engine.turn(chat.tracker, message("inform", "red"))
    assert chat.tracker == before
    assert first == second


async def test_text_is_never_a_command(tmp_path: Path) -> None:
    """`/restart` and `/complain{...}` from a person are words like any others: the intent alone decides."""
    chat = talk(tmp_path)
    await chat.say("greet", entities=[{"entity": "colour", "value": "red"}])
    for text in ("/restart", '/complain{"number": "5"}', "/session_start", "EXTERNAL: reminder"):
        assert await chat.names("faq", text) == ["utter_faq"]
    assert chat.slots == {"colour": "red"}
    assert chat.loop is None


async def test_an_intent_that_the_domain_does_not_know_is_not_understood(tmp_path: Path) -> None:
    """A model trained on other content must not bring the conversation down."""
    rule = "  - rule: what\n    steps:\n      - intent: nlu_fallback\n      - action: utter_other\n"
    chat = talk(tmp_path, rules=with_rules(rule))
    for intent in ("no_such_intent", "", "back", "session_start"):
        assert await chat.names(intent) == ["utter_other"]


async def test_slots_keep_little_of_long_or_odd_text(tmp_path: Path) -> None:
    """100,000 characters, NUL and lone surrogates leave a short, clean value in a JSON-able tracker."""
    chat = talk(tmp_path)
    await chat.say("complain", entities=[{"entity": "number", "value": "5"}])
    await chat.say("inform", "a\x00b\ud800c" + "x" * 100_000)
    assert chat.slots["colour"].startswith("a\ufffdb\ufffdcxx")
    assert len(chat.slots["colour"]) == 1000
    json.dumps(chat.tracker, ensure_ascii=False).encode()


@pytest.mark.parametrize("value", [{"a": [1]}, ["x"], None, 3, True, object()])
async def test_an_entity_may_hold_anything(tmp_path: Path, value: Any) -> None:
    """What an extractor gives becomes a plain value; nothing of it breaks the tracker."""
    chat = talk(tmp_path)
    await chat.say("greet", entities=[{"entity": "colour", "value": value}, {"entity": "colour"}, {}])
    json.dumps(chat.tracker)


async def test_responses_follow_the_language_the_channel_and_the_turn(tmp_path: Path) -> None:
    """Conditional on a slot, one for a channel, and equals in rotation."""
    domain = DOMAIN.replace(
        response("utter_greet"),
        response("utter_greet")
        + '    - text: "en again"\n      condition: [{type: slot, name: language, value: en}]\n'
        + '    - text: "on the web"\n      condition: [{type: slot, name: language, value: en}]\n      channel: web\n',
    )
    chat = talk(tmp_path, domain)
    said = [(await chat.say("greet")).responses[0].text for _ in range(4)]
    assert said in (["en utter_greet", "en again"] * 2, ["en again", "en utter_greet"] * 2)
    assert (await chat.say("greet", channel="web")).responses[0].text == "on the web"
    assert chat.tracker is not None
    chat.tracker["slots"]["language"] = "zh"
    assert (await chat.say("greet")).responses[0].text == "zh utter_greet"


async def test_what_is_filled_in_stays_where_it_is_put(tmp_path: Path) -> None:
    """A customer's words cannot open a placeholder, fill one of ours, or break out of a button's payload."""
    words = '{number} [[case_link]] [[[x]]] "}, {"number": "9'
    domain = DOMAIN + response("utter_said", en="[{colour}]{colour} {{x}}")
    domain += '      buttons: [{title: "{colour}", payload: \'/inform{{"colour": "{colour}"}}\'}]\n'
    chat = acting(tmp_path, lambda d, t, m: d.utter_message(response="utter_said", colour=words), domain)
    said = (await chat.say("inform")).responses[0]
    assert "[[" not in said.text
    assert said.text.endswith("{x}")
    assert "{number}" in said.text
    from bot.engine.payload import parse

    assert parse(said.buttons[0].payload) == ("inform", [{"entity": "colour", "value": words}])


async def test_commands_and_texts_keep_their_order(tmp_path: Path) -> None:
    """Steps are in the order in which the actions said them."""

    def act(dispatcher: Any, tracker: Any, domain: Any) -> None:
        dispatcher.utter_message(json_message={"earful": {"command": "unanswered"}})
        dispatcher.utter_message(response="utter_other")
        dispatcher.utter_message(json_message={"earful": {"command": "hand_off", "reason": "asked"}})
        dispatcher.utter_message(text="plain", buttons=[{"title": "Go", "payload": "/faq"}])

    turn = await acting(tmp_path, act).say("inform")
    assert [s.body["command"] if isinstance(s, Command) else s.text for s in turn.steps] == [
        "unanswered",
        "en utter_other",
        "hand_off",
        "plain",
    ]
    assert turn.responses[1].buttons == (ButtonSpec("Go", "/faq"),)
    assert [body["command"] for body in turn.commands] == ["unanswered", "hand_off"]


async def test_actions_see_the_message_and_the_conversation(tmp_path: Path) -> None:
    """Facts, entities, channel and slots are where rasa-sdk keeps them; changing them there changes nothing."""
    seen: dict[str, Any] = {}

    def act(dispatcher: Any, tracker: Any, domain: Any) -> None:
        seen["facts"] = tracker.latest_message["metadata"]["earful"]
        seen["intent"] = tracker.get_intent_of_latest_message()
        seen["colours"] = list(tracker.get_latest_entity_values("colour"))
        seen["channel"] = tracker.get_latest_input_channel()
        seen["slot"] = tracker.get_slot("colour")
        seen["forms"] = list(domain["forms"])
        tracker.slots["colour"] = "changed behind our back"

    chat = acting(tmp_path, act)
    await chat.say("inform", entities=[{"entity": "colour", "value": "red"}], facts={"owner": "bot"})
    assert seen == {
        "facts": {"owner": "bot"},
        "intent": "inform",
        "colours": ["red"],
        "channel": "telegram",
        "slot": "red",
        "forms": ["details_form"],
    }
    assert chat.slots["colour"] == "red"


async def test_events_that_change_the_conversation(tmp_path: Path) -> None:
    """Slots set and reset, a restart, and a message taken back."""
    events: list[Any] = []
    chat = acting(tmp_path, lambda d, t, m: list(events))
    events[:] = [SlotSet("mood", "good"), SlotSet("colour", "red")]
    await chat.say("inform")
    assert chat.slots == {"mood": "good", "colour": "red"}
    events[:] = [UserUtteranceReverted()]
    await chat.say("inform", entities=[{"entity": "colour", "value": "blue"}])
    assert chat.slots == {"mood": "good", "colour": "red"}
    events[:] = [AllSlotsReset(), SlotSet("mood", "bad")]
    await chat.say("inform")
    assert chat.slots == {"mood": "bad"}
    events[:] = [Restarted()]
    await chat.say("inform")
    assert chat.slots == {}


SECRET = "my card is 4111 1111 1111 1111"


def _boom(dispatcher: Any, tracker: Any, domain: Any) -> None:
    raise ValueError(tracker.latest_message["text"])


def utter(**what: Any) -> Run:
    return lambda dispatcher, tracker, domain: dispatcher.utter_message(**what)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda d, t, m: ["not an event"], "returned something that is not an event; use those of rasa_sdk.events"),
        (lambda d, t, m: [{"name": "mood"}], "returned something that is not an event"),
        (lambda d, t, m: {"event": "slot"}, "returned a dict where a list of events is due"),
        (lambda d, t, m: [ConversationPaused()], "an event of the kind 'pause', which is not supported"),
        (lambda d, t, m: [ReminderScheduled("x", __import__("datetime").datetime(2026, 1, 1))], "kind 'reminder'"),
        (lambda d, t, m: [SlotSet("shade", 1)], "sets the unknown slot 'shade'"),
        (lambda d, t, m: [SlotSet("mood", "ugly")], r"sets the slot mood to what is not of its type \(categorical\)"),
        (lambda d, t, m: [SlotSet("colour", 3)], r"not of its type \(text\)"),
        (lambda d, t, m: [SlotSet("colour", math.nan)], "what JSON cannot hold"),
        (lambda d, t, m: [SlotSet("colour", [object()])], "what JSON cannot hold"),
        (lambda d, t, m: [SlotSet("colour", ["x" * 5000])], "more than 4000 characters"),
        (lambda d, t, m: [SlotSet("requested_slot", "shade")], "requests a slot that the domain does not have"),
        (lambda d, t, m: [FollowupAction("action_z")], "wants the unknown action 'action_z' to follow"),
        (lambda d, t, m: [{"event": "active_loop", "name": "form_z"}], "activates the unknown form 'form_z'"),
        (_boom, r"raised ValueError at test_engine_turn\.py:\d+"),
        (utter(response="utter_z"), "says `utter_z`, which the domain does not have"),
        (utter(text="look", image="cat.png"), "says something with `image`"),
        (utter(buttons=[{"title": "Go", "payload": "/faq"}]), "offers buttons without a text"),
        (utter(text="x", buttons=[{"title": "Go"}]), "offers a button without a title"),
        (utter(text="x", buttons=[{"title": "Go", "payload": "/z"}]), "whose intent or entity the domain"),
        (utter(json_message={"else": 1}), "says a json_message that is not"),
        (utter(json_message={"earful": {"command": "fly"}}), "an unknown command"),
        (utter(json_message={"earful": {"command": "hand_off"}}), "the command hand_off lacks `reason`"),
        (utter(text="your number is [[case_number]]"), r"speaks of \[\[case_number\]\], which this turn does not"),
        (utter(text="[[secret]]"), r"speaks of \[\[secret\]\]"),
    ],
)
async def test_an_action_that_goes_wrong_is_named_and_the_words_are_not(
    tmp_path: Path, action: Run, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The error says which action and why; neither it nor any log has what the customer wrote."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ActionError, match=words) as caught:
        await acting(tmp_path, action).say("inform", SECRET)
    if "speaks of" not in words:
        assert caught.value.action == "action_a"
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert SECRET not in caplog.text


async def test_a_placeholder_that_nobody_fills_is_an_error(tmp_path: Path) -> None:
    """Rasa would send the braces to the customer."""
    domain = DOMAIN + response("utter_named", en="Dear {title}")
    chat = acting(tmp_path, utter(response="utter_named"), domain)
    with pytest.raises(ActionError, match="says `utter_named` without its 'title'"):
        await chat.say("inform")


async def test_nothing_that_a_customer_writes_reaches_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At debug level rasa-sdk tells of actions, never of words."""
    caplog.set_level(logging.DEBUG)
    chat = acting(tmp_path, lambda d, t, m: [SlotSet("colour", t.latest_message["text"])])
    await chat.say("inform", SECRET)
    await chat.say("complain", SECRET)
    await chat.say("inform", SECRET)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("stored", [{}, {"version": 0}, {"version": 99, "slots": None}])
async def test_a_tracker_of_another_version_begins_anew(tmp_path: Path, stored: dict[str, Any]) -> None:
    """An upgrade may change what is kept: the conversation goes on from the start."""
    chat = talk(tmp_path)
    chat.tracker = stored
    assert await chat.names("greet") == ["utter_greet"]


async def test_a_session_that_ended_keeps_slots_and_drops_the_form(tmp_path: Path) -> None:
    """session_config: slots are carried over unless it says otherwise."""
    for carried in (True, False):
        config = f"session_config:\n  carry_over_slots_to_new_session: {str(carried).lower()}\n"
        chat = talk(tmp_path / str(carried), DOMAIN + config)
        await chat.say("complain", entities=[{"entity": "number", "value": "5"}], facts={"now": "2026-01-05T08:00:00Z"})
        assert chat.loop == "details_form"
        await chat.say("greet", facts={"now": "2026-01-05T12:00:00Z"})
        assert chat.loop is None
        assert chat.slots == ({"number": "5"} if carried else {})


@pytest.mark.parametrize("now", ["yesterday", 5, None, "2026-01-05T08:00:00"])
async def test_a_time_that_is_none_ends_no_session(tmp_path: Path, now: Any) -> None:
    """Without an aware time there is no telling how long the silence was."""
    chat = talk(tmp_path)
    await chat.say("complain", facts={"now": "2026-01-05T08:00:00Z"})
    await chat.say("faq", facts={"now": now})
    assert chat.loop == "details_form"
