"""Rules as Rasa 3.6 follows them. Each test states one thing that its RulePolicy does, and ours does alike; the
semantics were compared with Rasa 3.6.21's own code on some five hundred random projects while this was written."""

from __future__ import annotations

from pathlib import Path

import pytest
from rasa_sdk.events import ActiveLoop, FollowupAction, SlotSet
from test_engine_project import DOMAIN, response, talk, with_rules, write

from bot.engine import load
from bot.errors import ActionError, ContentError

GOOD = """  - rule: greet in a good mood
    condition:
      - slot_was_set:
          - mood: good
    steps:
      - intent: greet
      - action: utter_other
"""


async def test_a_rule_answers_its_intent_and_listens(tmp_path: Path) -> None:
    """One message, one response; the next message is as free as the first."""
    chat = talk(tmp_path)
    assert await chat.names("greet") == ["utter_greet"]
    assert await chat.names("greet") == ["utter_greet"]
    assert chat.tracker is not None
    assert chat.tracker["latest_action"] == "utter_greet"


async def test_the_more_particular_rule_wins_where_its_condition_holds(tmp_path: Path) -> None:
    """A rule with a slot condition beats the same rule without, and only while the slot has that value."""
    chat = talk(tmp_path, rules=with_rules(GOOD), action_a=lambda d, t, m: [])
    assert await chat.names("greet") == ["utter_greet"]
    assert chat.tracker is not None
    chat.tracker["slots"]["mood"] = "bad"
    assert await chat.names("greet") == ["utter_greet"]
    chat.tracker["slots"]["mood"] = "GOOD"
    assert await chat.names("greet") == ["utter_other"]


async def test_a_text_slot_only_shows_whether_it_is_set(tmp_path: Path) -> None:
    """Rasa features of text know no words: `x: anything` holds for every value, null for none."""
    domain = DOMAIN.replace("  mood:\n    type: categorical\n    values: [good, bad]\n", "  mood:\n    type: text\n")
    chat = talk(tmp_path, domain, with_rules(GOOD))
    assert await chat.names("greet") == ["utter_greet"]
    assert chat.tracker is not None
    chat.tracker["slots"]["mood"] = "something else"
    assert await chat.names("greet") == ["utter_other"]


async def test_an_or_of_intents_is_as_many_rules(tmp_path: Path) -> None:
    """Each intent of the list leads to the same actions."""
    rule = (
        "  - rule: either\n    steps:\n      - or:\n          - intent: inform\n          - intent: skip\n"
        "      - action: utter_other\n      - action: utter_faq\n"
    )
    chat = talk(tmp_path, rules=with_rules(rule))
    assert await chat.names("inform") == ["utter_other", "utter_faq"]
    assert await chat.names("skip") == ["utter_other", "utter_faq"]


async def test_conversation_start_holds_for_the_first_message_of_a_session_only(tmp_path: Path) -> None:
    """After an hour of silence (session_config's default) a session begins anew."""
    rule = (
        "  - rule: first\n    conversation_start: true\n    steps:\n      - intent: greet\n"
        "      - action: utter_other\n"
    )
    chat = talk(tmp_path, rules=with_rules(rule))
    assert await chat.names("greet", facts={"now": "2026-01-05T08:00:00+00:00"}) == ["utter_other"]
    assert await chat.names("greet", facts={"now": "2026-01-05T08:59:00+00:00"}) == ["utter_greet"]
    assert await chat.names("greet", facts={"now": "2026-01-05T09:59:00+00:00"}) == ["utter_greet"]
    assert await chat.names("greet", facts={"now": "2026-01-05T10:59:01+00:00"}) == ["utter_other"]


async def test_without_waiting_another_rule_goes_on(tmp_path: Path) -> None:
    """`wait_for_user_input: false` leaves the end open; a rule that begins with the last action continues."""
    rules = with_rules(
        "  - rule: begin\n    wait_for_user_input: false\n    steps:\n      - intent: inform\n"
        "      - action: action_a\n",
        "  - rule: go on\n    steps:\n      - action: action_a\n      - action: utter_other\n",
    )
    chat = talk(tmp_path, rules=rules)
    assert await chat.names("inform") == ["utter_other"]


async def test_what_no_rule_answers_is_undone(tmp_path: Path) -> None:
    """Rasa's core fallback says utter_default, if there is one, and takes the message back: its slots with it."""
    domain = DOMAIN + response("utter_default")
    chat = talk(tmp_path, domain)
    await chat.say("greet")
    before = dict(chat.slots)
    assert await chat.names("skip", entities=[{"entity": "colour", "value": "red"}]) == ["utter_default"]
    assert chat.slots == before
    assert await talk(tmp_path / "silent").names("skip") == []


async def test_restart_forgets_everything(tmp_path: Path) -> None:
    """The intent restart is Rasa's own: it needs no rule."""
    chat = talk(tmp_path)
    await chat.say("greet", entities=[{"entity": "colour", "value": "red"}])
    assert chat.slots == {"colour": "red"}
    await chat.say("restart")
    assert chat.slots == {}
    assert chat.loop is None


async def test_a_followup_is_next_whatever_the_rules_say(tmp_path: Path) -> None:
    """An action may name what follows; after that the rules decide again."""
    rule = "  - rule: act\n    steps:\n      - intent: inform\n      - action: action_a\n"
    chat = talk(tmp_path, rules=with_rules(rule), action_a=lambda d, t, m: [FollowupAction("details_form")])
    assert await chat.names("inform") == ["utter_ask_number"]
    assert chat.loop == "details_form"


async def test_rules_that_go_round_in_circles_are_an_error(tmp_path: Path) -> None:
    """More than ten actions for one message, and the turn fails instead of hanging."""
    rule = "  - rule: act\n    steps:\n      - intent: inform\n      - action: action_a\n"
    chat = talk(tmp_path, rules=with_rules(rule), action_a=lambda d, t, m: [FollowupAction("action_a")])
    with pytest.raises(ActionError, match="action_a: would be one more after 10 actions"):
        await chat.say("inform")


async def test_slots_that_an_action_sets_decide_what_follows(tmp_path: Path) -> None:
    """`slot_was_set` after an action is a condition on the rest of the rule."""
    rules = with_rules(
        "  - rule: good news\n    steps:\n      - intent: inform\n      - action: action_a\n      - slot_was_set:\n"
        "          - mood: good\n      - action: utter_done\n",
        "  - rule: bad news\n    steps:\n      - intent: inform\n      - action: action_a\n      - slot_was_set:\n"
        "          - mood: bad\n      - action: utter_other\n",
    )
    mood = ["good"]
    chat = talk(tmp_path, rules=rules, action_a=lambda d, t, m: [SlotSet("mood", mood[0])])
    assert await chat.names("inform") == ["utter_done"]
    mood[0] = "bad"
    assert await chat.names("inform") == ["utter_other"]


async def test_deactivate_loop_ends_the_form(tmp_path: Path) -> None:
    """A rule may leave a form for good."""
    rule = (
        "  - rule: enough\n    condition:\n      - active_loop: details_form\n    steps:\n      - intent: greet\n"
        "      - action: action_deactivate_loop\n      - active_loop: null\n      - action: utter_other\n"
    )
    chat = talk(tmp_path, rules=with_rules(rule))
    await chat.say("complain")
    assert await chat.names("greet") == ["utter_other"]
    assert chat.loop is None


async def test_an_action_may_end_the_form_itself(tmp_path: Path) -> None:
    """An ActiveLoop(None) event counts wherever it comes from."""
    rule = "  - rule: act\n    steps:\n      - intent: greet\n      - action: action_b\n"
    rules = with_rules(rule).replace("      - intent: greet\n      - action: utter_greet\n", "", 1)
    rules = rules.replace("  - rule: greet\n    steps:\n", "", 1)
    chat = talk(tmp_path, rules=rules, action_b=lambda d, t, m: [ActiveLoop(None)])
    await chat.say("complain")
    assert await chat.names("greet") == []
    assert chat.loop is None


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (
            "  - rule: other\n    steps:\n      - intent: greet\n      - action: utter_other\n",
            "data/rules.yml:25: the rule `other` contradicts the rule `greet`: after `action_listen` one wants "
            "`utter_other`, the other `utter_greet`. Join the two rules, or give one of them a condition that tells "
            "them apart",
        ),
        (
            "  - rule: ends elsewhere\n    steps:\n      - intent: faq\n      - action: utter_faq\n"
            "      - action: utter_other\n",
            "data/rules.yml:25: the rule `ends elsewhere` contradicts the rule `faq`: after `utter_faq` one wants "
            "`utter_other`, the other `action_listen`. Join the two rules, or give one of them a condition that "
            "tells them apart",
        ),
        (
            "  - rule: forgets the form\n    steps:\n      - intent: inform\n      - action: details_form\n",
            "data/rules.yml:25: the rule `forgets the form` does not say what `details_form` makes of the active form, "
            "which another rule says. Add `- active_loop: ...` after the action (null: unset), or "
            "`wait_for_user_input: false` where it ends the rule",
        ),
        (
            "  - rule: sets it\n    steps:\n      - intent: inform\n      - action: action_a\n      - slot_was_set:\n"
            "          - mood: good\n  - rule: says nothing\n    steps:\n      - intent: skip\n"
            "      - action: action_a\n",
            "data/rules.yml:31: the rule `says nothing` does not say what `action_a` makes of the slot `mood`, which "
            "another rule says. Add `- slot_was_set: ...` after the action (null: unset), or "
            "`wait_for_user_input: false` where it ends the rule",
        ),
    ],
)
def test_what_rasa_refuses_to_train_is_refused(tmp_path: Path, rules: str, found: str) -> None:
    """Contradicting and incomplete rules are found at load, with the line of the rule."""
    with pytest.raises(ContentError) as caught:
        load(write(tmp_path, rules=with_rules(rules)))
    assert found in str(caught.value).splitlines()
