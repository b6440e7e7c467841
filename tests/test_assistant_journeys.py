"""The journeys of the assistant that Earful ships, in Chinese and in English."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import bot.assistant
from bot.actions.people import takes_back
from bot.actions.registry import executor
from bot.cases import numbers
from bot.engine import Engine, Turn, UserMessage, load

HERE = Path(bot.assistant.__file__).parent
LANGUAGES = ["zh", "en"]
PROMISES = {
    "zh": {"urgent": "2 小时内", "important": "8 小时内", "normal": "24 小时内"},
    "en": {"urgent": "within 2 hours", "important": "within 8 hours", "normal": "within 24 hours"},
}
LATE = {"nature": ["logistics"], "aspect": ["delay"], "urgency": "important"}
HIT: dict[str, Any] = {"key": "refund_time", "score": 0.9, "question": "How long?", "answer": "Three days."}


@cache
def engine() -> Engine:
    return Engine(load(HERE), executor())


class Customer:
    """Talks to the assistant; `facts` are those of every message, `more` those of one."""

    def __init__(self, language: str, channel: str = "telegram", **facts: Any) -> None:
        self.tracker: dict[str, Any] | None = None
        self.channel = channel
        self.facts = {
            "channel": channel,
            "language": language,
            "now": "2026-01-05T02:00:00+00:00",
            "owner": "bot",
            "office": {"open": True, "opens_at": None},
            "company": "Acme",
            "promises": PROMISES[language],
            **facts,
        }

    async def say(self, intent: str, text: str = "words", entities: dict[str, Any] | None = None, **more: Any) -> Turn:
        found = [{"entity": name, "value": value} for name, value in (entities or {}).items()]
        told = UserMessage(text, intent, 0.9, found, {"earful": {**self.facts, **more}}, self.channel, "someone")
        turn = await engine().turn(self.tracker, told)
        self.tracker = json.loads(json.dumps(turn.tracker))
        return turn

    async def tap(self, turn: Turn, place: int, **more: Any) -> Turn:
        """Tap a button of the last response, as the loop resolves it."""
        from bot.engine.payload import parse

        button = turn.responses[-1].buttons[place]
        intent, entities = parse(button.payload)
        return await self.say(intent, button.title, {each["entity"]: each["value"] for each in entities}, **more)


def names(turn: Turn) -> list[str | None]:
    return [said.name for said in turn.responses]


def did(turn: Turn) -> list[str]:
    return [body["command"] for body in turn.commands]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_greeting_names_the_company_and_offers_ways_on(language: str) -> None:
    """Two to four quick buttons; each leads somewhere."""
    customer = Customer(language)
    turn = await customer.say("greet")
    assert names(turn) == ["utter_greet"]
    assert "Acme" in turn.responses[0].text
    assert 2 <= len(turn.responses[0].buttons) <= 4
    for place in range(len(turn.responses[0].buttons)):
        assert (await customer.tap(turn, place)).responses
    assert names(await Customer(language, company="").say("greet")) == ["utter_greet_plain"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_complaint_gets_its_number_at_once_then_what_is_missing_is_asked_once(language: str) -> None:
    """Classified, promised by its deadline, sorry once; the order number completes it."""
    customer = Customer(language)
    turn = await customer.say("complain", "it never came", understanding=LATE)
    assert turn.commands == [
        {
            "command": "open_case",
            "summary": "it never came",
            "nature": ["logistics"],
            "aspect": ["delay"],
            "urgency": "important",
            "fields": {},
        }
    ]
    assert names(turn) == ["utter_case_opened", "utter_ask_order_number"]
    assert "[[case_number]]" in turn.responses[0].text
    assert PROMISES[language]["important"] in turn.responses[0].text
    assert "[[case_link]]" not in turn.responses[0].text
    turn = await customer.say("inform", "20230815123", {"order_number": "20230815123"})
    assert turn.commands == [{"command": "update_case", "fields": {"order_number": "20230815123"}}]
    assert names(turn) == ["utter_details_thanks"]
    again = await customer.say("complain", "and the box was torn", understanding=LATE)
    assert names(again)[0] == "utter_case_opened_again"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_complaint_that_has_everything_asks_nothing(language: str) -> None:
    """The order number stands in the first message: it goes with the case."""
    turn = await Customer(language).say(
        "complain", "88001234 never came", {"order_number": "88001234"}, understanding=LATE
    )
    assert turn.commands[0]["fields"] == {"order_number": "88001234"}
    assert did(turn) == ["open_case"]
    assert names(turn) == ["utter_case_opened"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_order_number_may_be_skipped_by_a_tap(language: str) -> None:
    """No second question, no second apology."""
    customer = Customer(language)
    turn = await customer.tap(await customer.say("complain", understanding=LATE), 0)
    assert names(turn) == ["utter_details_skipped"]
    assert did(turn) == []
    assert names(await customer.say("skip")) == ["utter_skipped"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_on_the_web_nobody_is_left_out_of_reach(language: str) -> None:
    """The case page comes with the number, and phone or mail is asked for afterwards."""
    customer = Customer(language, "web")
    turn = await customer.say("complain", understanding=LATE)
    assert "[[case_link]]" in turn.responses[0].text
    turn = await customer.tap(turn, 0)
    assert names(turn) == ["utter_ask_way_back"]
    turn = await customer.say("provide_contact", "Me@Example.com", {"email": "Me@Example.com"})
    assert turn.commands == [
        {"command": "remember", "email": "me@example.com"},
        {"command": "update_case", "fields": {"contact": "me@example.com"}},
    ]
    assert names(turn) == ["utter_details_thanks"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_on_the_web_a_known_customer_is_not_asked_how_to_be_reached(language: str) -> None:
    """We have their phone number already."""
    customer = Customer(language, "web", contact={"phone": "13800138000"})
    await customer.say("complain", understanding=LATE)
    assert names(await customer.say("skip")) == ["utter_details_skipped"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("understanding", "contact", "reason"),
    [
        ({**LATE, "urgency": "urgent"}, {}, "urgent"),
        ({**LATE, "emotions": ["anger"], "sentiment": {"score": -0.9}}, {}, "anger"),
        (LATE, {"high_value": True}, "high_value"),
    ],
)
async def test_a_complaint_that_cannot_wait_goes_to_a_person(
    language: str, understanding: dict[str, Any], contact: dict[str, Any], reason: str
) -> None:
    """Urgent, furious, or from a high-value customer: recorded and handed over, without questions."""
    turn = await Customer(language).say("complain", understanding=understanding, contact=contact)
    assert did(turn) == ["open_case", "hand_off"]
    assert turn.commands[1]["reason"] == reason
    told = ["utter_urgent_opened"] if reason == "urgent" else ["utter_case_opened", "utter_hand_off_open"]
    assert names(turn) == told
    assert turn.tracker["active_loop"] is None


@pytest.mark.parametrize(("language", "hurt"), [("zh", "烧伤"), ("en", "burned my")])
async def test_who_may_be_hurt_is_asked_how_they_are_before_anything_else(language: str, hurt: str) -> None:
    """At night, too: whether everybody is well and whom to call, then number and promise; never that the office opens
    tomorrow. Who lost money is not told to call an ambulance."""
    closed = {"open": False, "opens_at": "tomorrow at 9:00"}
    customer = Customer(language, "web", office=closed)
    turn = await customer.say("complain", understanding={**LATE, "urgency": "urgent", "evidence": ["x", hurt]})
    assert names(turn) == ["utter_safety_first", "utter_urgent_opened", "utter_urgent_reach"]
    assert ("120" if language == "zh" else "emergency number") in turn.responses[0].text
    assert PROMISES[language]["urgent"] in turn.responses[1].text
    waiting: dict[str, Any] = {
        "owner": "queue",
        "cases": [{"number": "1007", "state": "acknowledged", "urgency": "urgent"}],
    }
    for intent in ("ask_queue_position", "ask_human"):
        assert names(await customer.say(intent, **waiting)) == ["utter_queue_urgent"]
    again = await customer.say("ask_human", **{**waiting, "owner": "bot"})
    assert (did(again), names(again)) == (["hand_off"], ["utter_queue_urgent"])
    robbed = {**LATE, "urgency": "urgent", "evidence": ["盗刷", "account was hacked"]}
    turn = await Customer(language, contact={"phone": "1"}, office=closed).say("complain", understanding=robbed)
    assert names(turn) == ["utter_urgent_opened"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_becomes_urgent_while_we_ask_has_a_number_and_a_deadline_of_its_own(language: str) -> None:
    """The first case's deadline would be too late, and its questions are over."""
    customer = Customer(language)
    await customer.say("complain", understanding=LATE)
    turn = await customer.say("complain", "now it burns", understanding={**LATE, "urgency": "urgent"})
    assert did(turn) == ["open_case", "hand_off"]
    assert turn.commands[0]["urgency"] == "urgent"
    assert names(turn) == ["utter_urgent_opened"]
    assert turn.tracker["active_loop"] is None


@pytest.mark.parametrize(
    ("language", "words"), [("zh", "服务还行吧，就是有点慢"), ("en", "The service was fine but a little slow")]
)
async def test_mild_words_become_a_case_only_if_the_customer_says_so(language: str, words: str) -> None:
    """Offered in words and buttons. A yes opens it with the words that were said; a no, or anything else, does not;
    who goes on about it is taken at their word."""
    mild = {"nature": ["service"], "aspect": ["response"], "urgency": "important", "sentiment": {"score": -0.9}}
    customer = Customer(language)
    offer = await customer.say("complain", words, understanding=mild)
    assert (did(offer), names(offer)) == ([], ["utter_ask_offer"])
    turn = await customer.tap(offer, 0)
    opened = {"summary": words, "nature": ["service"], "aspect": ["response"], "urgency": "normal"}
    assert turn.commands[0] == {"command": "open_case", "fields": {}, **opened}
    assert names(turn) == ["utter_case_opened", "utter_ask_order_number"]
    for intent in ("deny", "skip", "nlu_fallback"):
        customer = Customer(language)
        await customer.say("complain", words, understanding=mild)
        turn = await customer.say(intent)
        assert (did(turn), names(turn)) == ([], ["utter_offer_declined"])
        assert names(await customer.say("affirm")) == ["utter_affirmed"]
    customer = Customer(language)
    await customer.say("complain", words, understanding=mild)
    turn = await customer.say("complain", "and rude", understanding=LATE)
    assert turn.commands[0]["summary"] == f"{words} and rude"
    assert turn.commands[0]["urgency"] == "important"
    customer = Customer(language)
    await customer.say("complain", words, understanding=mild)
    assert (did(await customer.say("affirm", owner="queue"))) == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_order_number_that_was_told_is_not_asked_for(language: str) -> None:
    """Before the complaint, at its beginning, or with no word that the recogniser knows."""
    customer = Customer(language)
    turn = await customer.say("inform", "88001234", {"order_number": "88001234"})
    assert names(turn) == ["utter_details_of_what"]
    turn = await customer.say("complain", "it broke", understanding=LATE)
    assert turn.commands[0]["fields"] == {"order_number": "88001234"}
    assert names(turn) == ["utter_case_opened"]
    turn = await customer.say("complain", "another one broke", understanding=LATE)
    assert turn.commands[0]["fields"] == {}
    bad = {**LATE, "sentiment": {"score": -0.8}}
    turn = await Customer(language).say("inform", "88001234 坏了", {"order_number": "88001234"}, understanding=bad)
    assert did(turn) == ["open_case"]
    told = "订单A12345坏的" if language == "zh" else "order no. A12345 is torn"
    turn = await Customer(language).say("complain", told, understanding=LATE)
    assert turn.commands[0]["fields"] == {"order_number": "A12345"}


@pytest.mark.parametrize(("language", "words"), [("zh", "算了，不投诉了"), ("en", "never mind, cancel my complaint")])
@pytest.mark.parametrize("urgency", ["normal", "urgent"])
async def test_a_complaint_that_is_taken_back_is_heard(language: str, words: str, urgency: str) -> None:
    """It is withdrawn, and what is urgent is noted for the people in charge; said with its number, also in the middle
    of our questions and while a person is on the way. Without an open case there is nothing to take back."""
    known: dict[str, Any] = {"cases": [{"number": "1007", "state": "acknowledged", "urgency": urgency}]}
    noted: dict[str, Any] = {"command": "withdraw_case", "case_no": "1007", "reason": words}
    said = ["utter_case_withdrawn"]
    if urgency == "urgent":
        noted, said = {"command": "update_case", "fields": {}, "note": words}, ["utter_withdrawal_noted"]
    customer = Customer(language)
    await customer.say("complain", understanding=LATE)
    turn = await customer.say("cancel", words, **known)
    assert (turn.commands, names(turn)) == ([noted], said)
    assert "1007" in turn.responses[0].text
    assert turn.tracker["active_loop"] is None
    turn = await Customer(language, owner="queue").say("cancel", words, **known)
    assert turn.commands == [noted, {"command": "cancel_hand_off"}]
    assert names(turn) == said
    assert names(await Customer(language).say("cancel", words)) == ["utter_nothing_to_cancel"]
    assert names(await Customer(language).say("cancel", "取消", **known)) == ["utter_nothing_to_cancel"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", "算了，我要去投诉你们"),
        ("zh", "算了 不解决我就投诉"),
        ("zh", "不管了我要投诉"),
        ("zh", "取消订单我要投诉"),
        ("zh", "算了，下次再反馈吧"),
        ("en", "never mind, I'll file a complaint with the BBB"),
        ("en", "forget it I will report you to the police"),
        ("en", "forget it, I'll leave my feedback elsewhere"),
        ("en", "cancel it or I will complain"),
        ("en", "never mind, in that case."),
    ],
)
async def test_who_goes_on_complaining_elsewhere_takes_nothing_back(language: str, words: str) -> None:
    """A withdrawal cannot be undone: a "never mind" beside the word alone is none."""
    known: dict[str, Any] = {"cases": [{"number": "1007", "state": "acknowledged", "urgency": "normal"}]}
    turn = await Customer(language).say("cancel", words, **known)
    assert (turn.commands, names(turn)) == ([], ["utter_nothing_to_cancel"])
    urgent = {**LATE, "urgency": "urgent"}
    turn = await Customer(language).say("cancel", words, understanding=urgent, **known)
    assert did(turn) == ["open_case", "hand_off"]
    turn = await Customer(language, owner="queue").say("cancel", words, understanding=urgent, **known)
    assert did(turn) == ["open_case"]


def test_every_example_of_a_withdrawal_is_understood_as_one() -> None:
    """What the bot is taught to hear as "cancel" is carried out, but where only the context names the complaint."""
    taught = [
        line.removeprefix("      - ")
        for language in LANGUAGES
        for line in (HERE / "data" / "nlu" / f"withdraw_{language}.yml").read_text("utf-8").splitlines()
        if line.startswith("      - ")
    ]
    assert len(taught) > 100
    assert [words for words in taught if not takes_back(words)] == ["投错了，帮我撤回"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_mild_anger_and_missing_facts_hand_nothing_over(language: str) -> None:
    """Anger without a clearly negative message is not strong; nothing known of the customer is not much."""
    turn = await Customer(language).say("complain", understanding={**LATE, "emotions": ["anger"]})
    assert did(turn) == ["open_case"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_anger_in_the_middle_of_our_questions_ends_them(language: str) -> None:
    """What was said is noted, and a person comes."""
    customer = Customer(language, "web")
    await customer.say("complain", understanding=LATE)
    turn = await customer.say(
        "complain", "are you kidding", understanding={"emotions": ["anger"], "sentiment": {"score": -0.8}}
    )
    assert turn.commands == [
        {"command": "update_case", "fields": {}, "note": "are you kidding"},
        {"command": "hand_off", "reason": "anger"},
    ]
    assert turn.tracker["active_loop"] is None
    assert "order_number" not in turn.tracker["slots"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_suggestion_is_thanked_for_and_praise_is_passed_on(language: str) -> None:
    """No apology, no order number; praise is no case."""
    turn = await Customer(language).say("complain", understanding={"nature": ["suggestion"]})
    assert did(turn) == ["open_case"]
    assert names(turn) == ["utter_suggestion_opened"]
    turn = await Customer(language).say("complain", understanding={"nature": ["praise"]})
    assert (did(turn), names(turn)) == ([], ["utter_praise_thanks"])


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_complaint_without_a_story_is_asked_for_it(language: str) -> None:
    """ "I want to complain" has a number at once; what happened becomes a note, the order number in it a field."""
    customer = Customer(language)
    turn = await customer.say("complain", "我要投诉", understanding={"nature": ["complaint"]})
    assert names(turn) == ["utter_case_opened", "utter_ask_details"]
    turn = await customer.say("complain", "the pan of 88001234 leaks", {"order_number": "88001234"})
    assert turn.commands == [
        {"command": "update_case", "fields": {}, "note": "the pan of 88001234 leaks"},
        {"command": "update_case", "fields": {"order_number": "88001234"}},
    ]
    assert names(turn) == ["utter_details_thanks"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_tap_on_report_a_problem_asks_first(language: str) -> None:
    """A tap alone is no complaint; the words after it are, whatever they were taken for."""
    customer = Customer(language)
    turn = await customer.tap(await customer.say("greet"), 0)
    assert (did(turn), names(turn)) == ([], ["utter_ask_complaint"])
    assert names(await customer.say("want_to_complain")) == ["utter_ask_complaint"]
    turn = await customer.say("nlu_fallback", "the lid does not close", understanding=LATE)
    assert turn.commands[0]["summary"] == "the lid does not close"
    await customer.say("skip")
    await customer.say("want_to_complain")
    assert names(await customer.say("deny")) == ["utter_never_mind"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_question_in_the_middle_is_answered_and_nothing_is_asked_twice(language: str) -> None:
    """The order number was asked for once; the web visitor is still asked for a way back."""
    customer = Customer(language)
    await customer.say("complain", understanding=LATE)
    turn = await customer.say("ask_question", knowledge=[HIT])
    assert names(turn) == ["utter_answer"]
    assert turn.tracker["active_loop"] is None
    visitor = Customer(language, "web")
    await visitor.say("complain", understanding=LATE)
    assert names(await visitor.say("ask_question", knowledge=[HIT])) == ["utter_answer", "utter_ask_way_back"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_answers_no_question_of_ours_is_kept_as_a_note(language: str) -> None:
    """More about the matter, instead of the order number."""
    customer = Customer(language)
    await customer.say("complain", understanding=LATE)
    turn = await customer.say("nlu_fallback", "the blue one from yesterday")
    assert turn.commands == [{"command": "update_case", "fields": {}, "note": "the blue one from yesterday"}]
    assert names(turn) == ["utter_details_thanks"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_phone_number_is_no_order_number(language: str) -> None:
    """Asked for the order, given the phone: it is a way back, and it is remembered."""
    customer = Customer(language, "web")
    await customer.say("complain", understanding=LATE)
    turn = await customer.say("provide_contact", "13800138000", {"phone": "13800138000"})
    assert turn.commands == [
        {"command": "remember", "phone": "13800138000"},
        {"command": "update_case", "fields": {"contact": "13800138000"}},
    ]
    assert "order_number" not in turn.tracker["slots"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_known_question_is_answered_and_judged(language: str) -> None:
    """Yes is a thank-you; no leads on to a person (R3.1)."""
    for place, helpful in ((0, True), (1, False)):
        customer = Customer(language)
        turn = await customer.say("ask_question", knowledge=[HIT])
        assert HIT["answer"] in turn.responses[0].text
        turn = await customer.tap(turn, place)
        assert turn.commands[0] == {"command": "helpful", "entry": "refund_time", "helpful": helpful}
        assert did(turn)[1:] == ([] if helpful else ["hand_off"])
        assert names(turn) == (["utter_glad"] if helpful else ["utter_hand_off_open"])


@pytest.mark.parametrize("language", LANGUAGES)
async def test_when_unsure_two_questions_are_offered(language: str) -> None:
    """A tap on one is answered whatever its score; none of them counts as unanswered."""
    customer = Customer(language)
    other = {**HIT, "key": "returns", "score": 0.45, "question": "Q" * 200, "answer": "So."}
    hits = [{**HIT, "score": 0.5}, other, {**other, "key": "third"}]
    turn = await customer.say("ask_question", knowledge=hits)
    assert names(turn) == ["utter_did_you_mean_two"]
    assert len(turn.responses[0].buttons) == 3
    assert all(len(button.title) <= 60 for button in turn.responses[0].buttons)
    chosen = await customer.tap(turn, 1, knowledge=hits)
    assert "So." in chosen.responses[0].text
    none = await customer.tap(turn, 2)
    assert (did(none), names(none)) == (["unanswered"], ["utter_no_answer"])
    one = await Customer(language).say("ask_question", knowledge=hits[:1])
    assert names(one) == ["utter_did_you_mean_one"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intents", [("nlu_fallback", "out_of_scope"), ("ask_question", "nlu_fallback")])
async def test_two_misses_in_a_row_bring_a_person(language: str, intents: tuple[str, str]) -> None:
    """Each miss is recorded as unanswered; something understood in between begins the count anew."""
    customer = Customer(language)
    first = await customer.say(intents[0])
    assert did(first) == ["unanswered"]
    second = await customer.say(intents[1])
    assert did(second) == ["unanswered", "hand_off"]
    assert second.commands[1]["reason"] == "misses"
    other = Customer(language)
    await other.say(intents[0])
    await other.say("greet")
    assert did(await other.say(intents[1])) == ["unanswered"]
    await other.say("ask_question", knowledge=[HIT])
    assert did(await other.say(intents[1])) == ["unanswered"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_words_that_were_not_understood_may_still_be_a_question_or_an_emergency(language: str) -> None:
    """The knowledge base is asked, and danger is never a misunderstanding."""
    customer = Customer(language)
    assert names(await customer.say("nlu_fallback", knowledge=[HIT])) == ["utter_answer"]
    turn = await customer.say("nlu_fallback", "it burns", understanding={"urgency": "urgent"})
    assert did(turn) == ["open_case", "hand_off"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_asking_for_a_person_says_what_happens_now(language: str) -> None:
    """By office hours: open, closed until a moment, closed."""
    offices: list[tuple[dict[str, Any], str]] = [
        ({"open": True}, "utter_hand_off_open"),
        ({"open": False, "opens_at": "9:00"}, "utter_hand_off_closed"),
        ({"open": False, "opens_at": None}, "utter_hand_off_closed_unknown"),
    ]
    for office, name in offices:
        turn = await Customer(language).say("ask_human", office=office)
        assert turn.commands == [{"command": "hand_off", "reason": "asked"}]
        assert names(turn) == [name]
        assert (office.get("opens_at") or "") in turn.responses[0].text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_while_a_person_is_on_the_way_the_bot_is_silent_but_for_four_things(language: str) -> None:
    """Position, known questions, a verdict on an answer, and a change of mind."""
    customer = Customer(language, owner="queue", queue={"position": 3})
    for intent in ("greet", "complain", "nlu_fallback", "affirm", "thank", "give_rating", "want_to_ask", "inform"):
        turn = await customer.say(intent, understanding=LATE)
        assert turn.steps == []
        assert turn.tracker["active_loop"] is None
    assert names(await customer.say("ask_question")) == []
    assert names(await customer.say("ask_question", knowledge=[HIT])) == ["utter_answer"]
    turn = await customer.say("unhelpful", entities={"entry": "refund_time"})
    assert (did(turn), names(turn)) == (["helpful"], ["utter_person_will_answer"])
    turn = await customer.say("ask_queue_position")
    assert names(turn) == ["utter_queue_position"]
    assert "2" in turn.responses[0].text
    assert names(await customer.say("ask_human", queue={"position": 1})) == ["utter_queue_next"]
    assert names(await customer.say("ask_queue_position", queue={})) == ["utter_queue_unknown"]
    closed = {"open": False, "opens_at": "9:00"}
    assert names(await customer.say("ask_queue_position", office=closed)) == ["utter_queue_closed"]
    turn = await customer.say("cancel")
    assert (did(turn), names(turn)) == (["cancel_hand_off"], ["utter_hand_off_cancelled"])
    assert names(await customer.say("greet", owner="bot")) == ["utter_greet"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("begin", ["complain", "want_to_complain", "give_rating"])
async def test_a_form_is_let_go_when_a_person_is_on_the_way(language: str, begin: str) -> None:
    """Someone put the conversation into the queue while we were asking: the answer is for them, not for us."""
    for intent, said in (("complain", []), ("ask_queue_position", ["utter_queue_unknown"]), ("nlu_fallback", [])):
        customer = Customer(language)
        turn = await customer.say(begin, understanding={**LATE, "rating": 20})
        assert turn.tracker["active_loop"] is not None
        turn = await customer.say(intent, "88001234", owner="queue", understanding=LATE)
        assert (did(turn), names(turn)) == ([], said)
        assert turn.tracker["active_loop"] is None


@pytest.mark.parametrize("language", LANGUAGES)
async def test_cancel_ends_our_questions_and_is_calm_when_there_is_nothing(language: str) -> None:
    """Outside the queue."""
    customer = Customer(language)
    await customer.say("complain", understanding=LATE)
    turn = await customer.say("cancel")
    assert names(turn) == ["utter_cancelled"]
    assert turn.tracker["active_loop"] is None
    assert names(await customer.say("cancel")) == ["utter_nothing_to_cancel"]
    assert names(await customer.say("ask_queue_position")) == ["utter_not_in_queue"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_how_a_case_stands(language: str) -> None:
    """With a number that one, without it the open ones; a number of nobody's is said to be unknown."""
    cases = [{"number": str(2000 + n), "state": s} for n, s in enumerate(("in_progress", "received", "resolved", "x"))]
    customer = Customer(language, cases=cases)
    assert names(await customer.say("ask_case_status")) == [
        "utter_case_working",
        "utter_case_received",
        "utter_case_resolved",
    ]
    turn = await customer.say("ask_case_status", entities={"case_number": "#2001"})
    assert names(turn) == ["utter_case_received"]
    assert "2001" in turn.responses[0].text
    assert names(await customer.say("ask_case_status", entities={"case_number": "9"})) == ["utter_case_not_found"]
    assert names(await Customer(language).say("ask_case_status")) == ["utter_no_cases"]
    written = Customer(language, cases=[{"number": numbers.number(7), "state": "closed"}, *cases])
    assert names(await written.say("ask_case_status", f"what of {numbers.number(7)}?")) == ["utter_case_closed"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_stop_puts_our_question_aside_and_resume_takes_it_up(language: str) -> None:
    """Where we were; or simply on."""
    customer = Customer(language)
    await customer.say("complain", understanding=LATE)
    turn = await customer.say("stop_conversation")
    assert names(turn) == ["utter_stopped"]
    assert turn.tracker["active_loop"] is None
    assert names(await customer.say("resume_conversation")) == ["utter_resumed_question", "utter_ask_order_number"]
    turn = await customer.say("inform", "88001234", {"order_number": "88001234"})
    assert did(turn) == ["update_case"]
    assert names(await customer.say("resume_conversation")) == ["utter_resumed"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_volunteered_rating_is_thanked_for_and_a_low_one_asked_about(language: str) -> None:
    """The reason becomes a complaint; a tap on "I'd rather not" does not."""
    customer = Customer(language)
    turn = await customer.say("give_rating", understanding={"rating": 90})
    assert turn.commands == [{"command": "volunteer_rating", "score": 90.0}]
    assert names(turn) == ["utter_rating_thanks"]
    turn = await customer.say("give_rating", understanding={"rating": 20})
    assert names(turn) == ["utter_ask_rating_reason"]
    reason = await customer.say("nlu_fallback", "too slow", understanding=LATE)
    assert did(reason) == ["open_case"]
    other = Customer(language)
    turn = await other.tap(await other.say("give_rating", understanding={"rating": 0}), 0)
    assert (did(turn), names(turn)) == ([], ["utter_never_mind"])


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_rating_without_a_number_is_asked_for_by_taps(language: str) -> None:
    """Five buttons, none preselected, each a score."""
    customer = Customer(language)
    turn = await customer.say("give_rating")
    assert (did(turn), names(turn)) == ([], ["utter_rating_unclear"])
    assert len(turn.responses[0].buttons) == 5
    turn = await customer.tap(turn, 0)
    assert turn.commands == [{"command": "volunteer_rating", "score": 100.0}]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_contact_and_details_given_unasked(language: str) -> None:
    """Remembered, and added to the newest open case if there is one."""
    customer = Customer(language)
    turn = await customer.say("provide_contact", "I'm Ann, 020 7946 0958", {"name": "Ann"})
    assert turn.commands == [{"command": "remember", "name": "Ann", "phone": "02079460958"}]
    assert names(await customer.say("provide_contact", "call me")) == ["utter_contact_unclear"]
    assert names(await customer.say("inform", "88001234", {"order_number": "88001234"})) == ["utter_details_of_what"]
    turn = await customer.say(
        "inform", "it is 88001234", {"order_number": "88001234"}, cases=[{"number": "2041", "state": "assigned"}]
    )
    assert turn.commands == [
        {"command": "update_case", "fields": {"order_number": "88001234"}, "note": "it is 88001234"}
    ]
    assert "2041" in turn.responses[0].text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("intent", "name"),
    [
        ("thank", "utter_welcome"),
        ("goodbye", "utter_goodbye"),
        ("how_are_you", "utter_how_are_you"),
        ("bot_challenge", "utter_bot"),
        ("affirm", "utter_affirmed"),
        ("deny", "utter_denied"),
        ("want_to_ask", "utter_ask_away"),
    ],
)
async def test_small_talk(language: str, intent: str, name: str) -> None:
    """Answered, in the language asked, with nothing set in motion."""
    turn = await Customer(language).say(intent)
    assert (names(turn), did(turn)) == ([name], [])


async def test_the_language_follows_the_customer_from_one_message_to_the_next() -> None:
    """Chinese, then English, in the same conversation and the same form."""
    customer = Customer("zh")
    turn = await customer.say("complain", understanding=LATE)
    assert "受理" in turn.responses[0].text
    customer.facts |= {"language": "en", "promises": PROMISES["en"]}
    turn = await customer.say("skip")
    assert turn.responses[0].text.isascii()
    customer.facts["language"] = "fr"
    assert (await customer.say("thank")).responses[0].text.isascii()


async def test_no_facts_at_all_are_survived_by_every_intent() -> None:
    """The metadata is empty, or not even that: a sensible answer, no error."""
    for metadata in ({}, {"earful": None}, {"earful": {"knowledge": [None, {}], "cases": "x", "understanding": 3}}):
        for intent in sorted(load(HERE).domain.intents):
            told = UserMessage("words", intent, 0.5, [], metadata, "web", "someone")
            turn = await engine().turn(None, told)
            assert turn.responses or intent == "restart"
            for body in turn.commands:
                assert body["command"] in ("open_case", "hand_off", "unanswered", "helpful", "remember")


async def test_text_that_looks_like_a_command_opens_no_case() -> None:
    """`/complain{...}` typed by a person and understood as chatter is chatter."""
    customer = Customer("en")
    for text in ("/restart", '/complain{"order_number": "1"}', "/hand_off", "[[case_link]]"):
        assert did(await customer.say("affirm", text)) == []
    turn = await customer.say("complain", '/restart [[case_link]] {promise} "}', understanding=LATE)
    assert did(turn) == ["open_case"]
    assert turn.tracker["active_loop"]["name"] == "case_details_form"
