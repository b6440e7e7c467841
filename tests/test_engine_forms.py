"""Forms as Rasa 3.6 runs them: asking, validating, interrupted and coming back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rasa_sdk import FormValidationAction
from rasa_sdk.events import ActionExecutionRejected, SlotSet
from rasa_sdk.interfaces import ActionExecutionRejection
from test_engine_project import DOMAIN, RULES, Talk, executor, response, talk, with_rules, write

from bot.engine import Engine, load

VALIDATED = DOMAIN.replace("actions: [action_a, action_b]", "actions: [action_a, action_b, validate_details_form]")
NUMBER = {"entity": "number", "value": "5"}


async def test_a_form_asks_for_one_slot_after_another_and_is_done(tmp_path: Path) -> None:
    """The rule that waits for the form's end goes on when the last slot is filled."""
    chat = talk(tmp_path)
    assert await chat.names("complain") == ["utter_ask_number"]
    assert await chat.names("inform", entities=[NUMBER]) == ["utter_ask_colour"]
    assert chat.tracker is not None
    assert chat.tracker["requested_slot"] == "colour"
    assert await chat.names("inform", "a deep red") == ["utter_done"]
    assert chat.slots == {"number": "5", "colour": "a deep red"}
    assert chat.loop is None


async def test_the_message_that_begins_a_form_may_fill_it(tmp_path: Path) -> None:
    """Mappings for the form count from the message that activates it."""
    chat = talk(tmp_path)
    assert await chat.names("complain", entities=[NUMBER]) == ["utter_ask_colour"]
    full = talk(tmp_path / "full")
    assert await full.names("complain", entities=[NUMBER, {"entity": "colour", "value": "red"}]) == ["utter_done"]


async def test_an_interrupting_question_is_answered_and_the_form_asks_again(tmp_path: Path) -> None:
    """A message that fills nothing is rejected; its own rule answers, then the form is back."""
    chat = talk(tmp_path)
    await chat.say("complain")
    assert await chat.names("faq") == ["utter_faq", "utter_ask_number"]
    assert chat.loop == "details_form"
    assert await chat.names("inform", entities=[NUMBER]) == ["utter_ask_colour"]


async def test_ignored_intents_fill_no_slot(tmp_path: Path) -> None:
    """from_text takes any words but those of an ignored intent."""
    chat = talk(tmp_path)
    await chat.say("complain", entities=[NUMBER])
    assert await chat.names("faq", "what colours are there") == ["utter_faq", "utter_ask_colour"]
    assert "colour" not in chat.slots
    assert await chat.names("skip", "blue") == ["utter_done"]


async def test_a_happy_form_hides_its_own_messages_from_rules(tmp_path: Path) -> None:
    """Rasa undoes the turns between a form's questions: a rule about `inform` is not where the form ends."""
    rule = (
        "  - rule: inform\n    steps:\n      - intent: inform\n      - action: details_form\n"
        "      - active_loop: details_form\n"
    )
    chat = talk(tmp_path, rules=with_rules(rule))
    await chat.say("complain", entities=[NUMBER])
    assert await chat.names("inform", "red") == ["utter_done"]


async def test_a_rule_on_the_form_may_answer_without_going_back(tmp_path: Path) -> None:
    """With the form in its condition a rule's own end counts: the form waits, unasked."""
    rule = (
        "  - rule: explain\n    condition:\n      - active_loop: details_form\n    steps:\n      - intent: skip\n"
        "      - action: utter_other\n"
    )
    chat = talk(tmp_path, rules=with_rules(rule))
    await chat.say("complain")
    assert await chat.names("skip") == ["utter_other"]
    assert chat.loop == "details_form"


async def test_a_rule_that_goes_straight_back_makes_the_form_repeat_its_question(tmp_path: Path) -> None:
    """The form runs without taking the message for an answer."""
    rule = (
        "  - rule: again please\n    condition:\n      - active_loop: details_form\n    steps:\n      - intent: skip\n"
        "      - action: details_form\n      - active_loop: details_form\n"
    )
    chat = talk(tmp_path, rules=with_rules(rule))
    await chat.say("complain")
    assert await chat.names("skip", "what?") == ["utter_ask_number"]


async def test_a_form_that_is_asked_to_begin_while_it_runs_repeats_its_question(tmp_path: Path) -> None:
    """The rule that activates it goes straight back to it: Rasa 3.6 never ends here, we ask again."""
    chat = talk(tmp_path)
    assert await chat.names("complain") == ["utter_ask_number"]
    assert await chat.names("complain") == ["utter_ask_number"]
    assert await chat.names("inform", entities=[NUMBER]) == ["utter_ask_colour"]


class Validate(FormValidationAction):  # type: ignore[misc] # rasa-sdk ships no types
    """Knows numbers below ten; red ends the form, blue asks for the number again."""

    def name(self) -> str:
        return "validate_details_form"

    def validate_number(self, value: Any, dispatcher: Any, tracker: Any, domain: Any) -> dict[str, Any]:
        if str(value).isdigit() and int(value) < 10:
            return {"number": value}
        dispatcher.utter_message(response="utter_other")
        return {"number": None}

    def validate_colour(self, value: Any, dispatcher: Any, tracker: Any, domain: Any) -> dict[str, Any]:
        if value == "blue":
            return {"colour": None, "requested_slot": "number"}
        return {"colour": value, "requested_slot": None} if value == "red" else {"colour": value}


def validated(tmp_path: Path, validation: type[FormValidationAction] = Validate) -> Talk:
    made = executor()
    made.register_action(validation)
    return Talk(Engine(load(write(tmp_path, VALIDATED)), made))


async def test_validation_may_refuse_and_the_form_asks_again(tmp_path: Path) -> None:
    """None is no answer; what the validation says comes before the question."""
    chat = validated(tmp_path)
    await chat.say("complain")
    assert await chat.names("inform", entities=[{"entity": "number", "value": "77"}]) == [
        "utter_other",
        "utter_ask_number",
    ]
    assert await chat.names("inform", entities=[NUMBER]) == ["utter_ask_colour"]


async def test_validation_sees_what_was_filled_before_the_form_began(tmp_path: Path) -> None:
    """A slot set earlier is a candidate when the form is activated."""
    chat = validated(tmp_path)
    assert await chat.names("complain", entities=[{"entity": "number", "value": "77"}]) == [
        "utter_other",
        "utter_ask_number",
    ]


async def test_validation_may_end_the_form_or_ask_for_another_slot(tmp_path: Path) -> None:
    """`requested_slot` None ends it, with slots still empty; a name is what is asked next."""
    chat = validated(tmp_path)
    await chat.say("complain")
    assert await chat.names("inform", entities=[{"entity": "colour", "value": "blue"}]) == ["utter_ask_number"]
    assert await chat.names("inform", entities=[{"entity": "colour", "value": "red"}]) == ["utter_done"]
    assert chat.loop is None
    assert "number" not in chat.slots


class Dynamic(Validate):
    async def required_slots(self, domain_slots: Any, dispatcher: Any, tracker: Any, domain: Any) -> list[str]:
        return ["colour"] if tracker.get_slot("mood") == "bad" else list(domain_slots)


async def test_required_slots_may_depend_on_the_conversation(tmp_path: Path) -> None:
    """FormValidationAction's required_slots decides which are asked for."""
    chat = validated(tmp_path, Dynamic)
    await chat.say("greet")
    assert chat.tracker is not None
    chat.tracker["slots"]["mood"] = "bad"
    assert await chat.names("complain") == ["utter_ask_colour"]
    assert await chat.names("inform", "green") == ["utter_done"]


@pytest.mark.parametrize(
    "reject",
    [
        lambda d, t, m: [ActionExecutionRejected("details_form"), SlotSet("colour", None)],
        lambda d, t, m: _raise(ActionExecutionRejection("details_form")),
    ],
)
async def test_a_validation_that_rejects_lets_rules_answer(tmp_path: Path, reject: Any) -> None:
    """Whether it returns the event or raises, the form gives way to the rule for the message, then asks again."""
    rejections: list[Any] = []

    def validate(dispatcher: Any, tracker: Any, domain: Any) -> Any:
        return rejections.pop()(dispatcher, tracker, domain) if rejections else []

    rule = "  - rule: inform\n    steps:\n      - intent: inform\n      - action: utter_other\n"
    made = executor(validate_details_form=validate)
    chat = Talk(Engine(load(write(tmp_path, VALIDATED, with_rules(rule))), made))
    await chat.say("complain")
    rejections.append(reject)
    assert await chat.names("inform", entities=[NUMBER]) == ["utter_other", "utter_ask_colour"]
    assert chat.loop == "details_form"


def _raise(error: Exception) -> None:
    raise error


async def test_an_ambiguous_entity_goes_to_the_slot_that_was_asked_for(tmp_path: Path) -> None:
    """Two slots of the form map the same entity: an entity that comes unasked fills neither."""
    domain = DOMAIN.replace(
        "      - {type: from_entity, entity: colour}\n"
        "      - {type: from_text, conditions: [{active_loop: details_form, requested_slot: colour}]}\n",
        "      - {type: from_entity, entity: number, conditions: [{active_loop: details_form}]}\n",
    )
    chat = talk(tmp_path, domain)
    await chat.say("complain")
    assert await chat.names("inform", entities=[NUMBER]) == ["utter_ask_colour"]
    assert await chat.names("inform", entities=[{"entity": "number", "value": "9"}]) == ["utter_done"]
    assert chat.slots == {"number": "5", "colour": "9"}


async def test_the_question_is_the_forms_own_before_the_slots(tmp_path: Path) -> None:
    """action_ask_<form>_<slot>, utter_ask_<form>_<slot>, action_ask_<slot>, utter_ask_<slot>: the first there is."""
    domain = DOMAIN + response("utter_ask_details_form_number")
    assert await talk(tmp_path, domain).names("complain") == ["utter_ask_details_form_number"]
    domain = domain.replace("action_b]", "action_b, action_ask_details_form_number]")
    chat = talk(
        tmp_path,
        domain,
        action_ask_details_form_number=lambda d, t, m: d.utter_message(response="utter_other"),
    )
    assert await chat.names("complain") == ["utter_other"]


async def test_a_form_that_the_content_no_longer_has_is_let_go(tmp_path: Path) -> None:
    """The operator edits the files while a customer is in the middle of a form."""
    chat = talk(tmp_path)
    await chat.say("complain", entities=[NUMBER])
    renamed = DOMAIN.replace("details_form", "other_form").replace("  number:\n", "  digits:\n")
    renamed = renamed.replace("[number, colour]\n    ignored", "[digits, colour]\n    ignored")
    rules = RULES.replace("details_form", "other_form")
    later = talk(tmp_path / "later", renamed, rules)
    later.tracker = chat.tracker
    assert await later.names("greet") == ["utter_greet"]
    assert later.loop is None
    assert "number" not in later.slots
