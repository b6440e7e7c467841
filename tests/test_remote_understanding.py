"""Understanding by a Rasa server, against one that speaks its HTTP API; the local model is never missed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_platform import Fault
from fake_rasa import FakeRasa
from remote_parts import Asked, Locally, assistant
from structlog.testing import capture_logs

from bot.loop.remote import RasaUnderstanding
from bot.loop.remote.breaker import FAILURES, REST
from bot.loop.remote.understanding import NEARLY_SURE, defused
from nlu.understanding import Entity, Intent, Understanding

SAID = "我的快递三天没到，单号 SF123456"


@pytest.fixture
async def rasa() -> AsyncIterator[FakeRasa]:
    async with FakeRasa() as fake:
        fake.understood[SAID] = {"intent": "complain", "confidence": 0.91}
        yield fake


def asking(asked: Asked, local: Locally) -> RasaUnderstanding:
    domain = assistant().domain
    return RasaUnderstanding(asked.server, local, domain.intents, domain.entities)


async def one(understands: RasaUnderstanding, text: str = SAID) -> Understanding:
    return (await understands.parse_many([text], [None]))[0]


async def test_rasa_names_the_intent_and_the_local_model_the_rest(rasa: FakeRasa) -> None:
    """Sentiment, nature, urgency, rating, language and evidence are what Rasa does not give."""
    asked, local = Asked(rasa.url), Locally("greet")
    found = await one(asking(asked, local))
    assert found.intent == Intent("complain", 0.91)
    plain = (await local.parse_many([SAID], [None]))[0]
    for name in ("text", "language", "sentiment", "nature", "urgency", "rating", "evidence", "entities"):
        assert getattr(found, name) == getattr(plain, name)
    assert asked.counted("ok") == 1


async def test_entities_of_both_are_kept_and_rules_win_where_they_meet(rasa: FakeRasa) -> None:
    """One place has one order number; what the domain does not know is nothing."""
    rasa.understood[SAID]["entities"] = [
        {"entity": "order_number", "value": "123456", "start": 14, "end": 20},
        {"entity": "place", "value": "快递", "start": 2, "end": 4},
        {"entity": "colour", "value": "三", "start": 4, "end": 5},
        {"entity": "place", "value": "递三", "start": 3, "end": 5},
    ]
    ours = Entity("order_number", "SF123456", 12, 20)
    found = await one(asking(Asked(rasa.url), Locally(entities=[ours])))
    assert found.entities == (Entity("place", "快递", 2, 4), ours)


@pytest.mark.parametrize("name", [None, "weather", "nlu_fallback"])
async def test_an_intent_that_is_not_the_assistants_counts_as_not_understood(rasa: FakeRasa, name: str | None) -> None:
    """Also Rasa's own "none"."""
    rasa.understood[SAID] = {"intent": name, "confidence": 0.7}
    assert (await one(asking(Asked(rasa.url), Locally()))).intent == Intent("nlu_fallback", 0.7)


async def test_words_are_never_as_sure_as_a_tap(rasa: FakeRasa) -> None:
    """1 is how a tap is told from words."""
    rasa.understood[SAID]["confidence"] = 1.0
    assert (await one(asking(Asked(rasa.url), Locally()))).intent.confidence == NEARLY_SURE
    rasa.fail(Fault(status=500))
    assert (await one(asking(Asked(rasa.url), Locally(confidence=1.0)))).intent.confidence == NEARLY_SURE


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("/ask_human", "／ask_human"),
        ('  /inform{"order_number": "1"}', '  ／inform{"order_number": "1"}'),
        ("a/b", "a/b"),
        ("//", "／/"),
        ("\u3000/greet", "\u3000／greet"),
    ],
)
async def test_what_people_write_is_never_a_payload(rasa: FakeRasa, said: str, sent: str) -> None:
    """Rasa takes what begins with a slash for a command; every sign stays where it is."""
    found = await one(asking(Asked(rasa.url), Locally()), said)
    assert json.loads(rasa.calls[0].body)["text"] == sent == defused(said)
    assert found.intent.name == "nlu_fallback"
    assert (found.text, len(sent)) == (said, len(said))


async def test_the_token_is_sent_and_the_text_is_not_logged(rasa: FakeRasa) -> None:
    """Neither token nor text reaches a log when it fails."""
    rasa.fail(Fault(status=401))
    with capture_logs() as logs:
        await one(asking(Asked(rasa.url, token="s3cret-token"), Locally()))
    assert rasa.calls[0].query["token"] == "s3cret-token"
    assert logs
    assert not any("s3cret" in str(line) or "快递" in str(line) or "SF123456" in str(line) for line in logs)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault(status=500, body=b"{}"), "refused"),
        (Fault(status=401), "refused"),
        (Fault(status=302, headers={"Location": "http://localhost:1/"}), "refused"),
        (Fault(act="close"), "no_answer"),
        (Fault(act="half"), "no_answer"),
        (Fault(body=b"<html>nginx</html>"), "garbage"),
        (Fault(body=b""), "garbage"),
        (Fault(body=b"[]"), "garbage"),
        (Fault(body=b"null"), "garbage"),
        (Fault(body=b'{"intent": "greet"}'), "garbage"),
        (Fault(body=b'{"intent": {"name": ["greet"], "confidence": 1}, "entities": []}'), "garbage"),
        (Fault(body=b'{"intent": {"name": "greet", "confidence": "very"}, "entities": []}'), "garbage"),
        (Fault(body=b'{"intent": {"name": "greet", "confidence": 1}, "entities": 5}'), "garbage"),
        (
            Fault(
                body=b'{"intent":{"name":"greet","confidence":1},"entities":[{"entity":"place","value":"x","start":5,"end":900}]}'
            ),
            "garbage",
        ),
        (Fault(body=b"[" * 100_000), "garbage"),
        (Fault(body=b'"' + b"x" * 1_100_000 + b'"'), "no_answer"),
    ],
)
async def test_whatever_goes_wrong_the_local_model_stands(rasa: FakeRasa, fault: Fault, outcome: str) -> None:
    """And it is counted by what went wrong."""
    rasa.fail(fault)
    asked = Asked(rasa.url)
    found = await one(asking(asked, Locally("complain", 0.6)))
    assert found.intent == Intent("complain", 0.6)
    assert asked.counted(outcome) == 1


async def test_a_server_that_is_not_there_costs_nothing_but_its_answer() -> None:
    """Connecting is refused."""
    async with FakeRasa() as fake:
        url = fake.url
    asked = Asked(url)
    assert (await one(asking(asked, Locally("thank")))).intent.name == "thank"
    assert asked.counted("unreachable") == 1


async def test_a_slow_server_is_given_up(rasa: FakeRasa) -> None:
    """Within the time-out."""
    rasa.fail(Fault(act="hang"))
    asked = Asked(rasa.url, timeout=0.05)
    async with asyncio.timeout(2):
        assert (await one(asking(asked, Locally("thank")))).intent.name == "thank"
    assert asked.counted("no_answer") == 1


async def test_a_failing_server_is_left_alone_then_tried_with_one_call(rasa: FakeRasa) -> None:
    """A batch after it opened asks nothing; after the rest one of a batch asks, and all of the next do."""
    asked = Asked(rasa.url, at_once=1)
    understands = asking(asked, Locally())
    rasa.fail(*[Fault(status=500)] * FAILURES)
    await understands.parse_many([SAID] * 20, [None] * 20)
    assert len(rasa.calls) == FAILURES
    assert (asked.counted("refused"), asked.counted("opened"), asked.counted("resting")) == (FAILURES, 1, 20 - FAILURES)
    asked.clock.advance(REST)
    found = await understands.parse_many([SAID] * 3, [None] * 3)
    assert [each.intent.name for each in found] == ["complain"] * 3
    assert len(rasa.calls) == FAILURES + 3


async def test_no_more_calls_are_under_way_than_allowed(rasa: FakeRasa) -> None:
    """The others wait for their turn."""
    rasa.fail(*[Fault(act="slow")] * 3)
    asked = Asked(rasa.url, at_once=3)
    batch = asyncio.create_task(asking(asked, Locally()).parse_many([SAID] * 10, [None] * 10))
    await rasa.arrived(3)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(rasa.calls) == 3
    rasa.release()
    assert len(await batch) == 10
    assert len(rasa.calls) == 10


async def test_order_is_kept_and_blank_texts_are_not_asked_about(rasa: FakeRasa) -> None:
    """As many answers as texts, in their order."""
    rasa.understood |= {
        f"t{n}": {"intent": name, "confidence": 0.9} for n, name in enumerate(["greet", "thank", "deny"])
    }
    texts = ["t0", "", "t1", " \n", "t2"]
    found = await asking(Asked(rasa.url), Locally("goodbye")).parse_many(texts, [None] * 5)
    assert [each.intent.name for each in found] == ["greet", "goodbye", "thank", "goodbye", "deny"]
    assert len(rasa.calls) == 3


async def test_a_batch_does_not_wait_for_one_slow_answer_after_another(rasa: FakeRasa) -> None:
    """After two time-outs together, what is not there is local."""
    rasa.fail(*[Fault(act="hang")] * 40)
    asked = Asked(rasa.url, timeout=0.1, at_once=1)
    async with asyncio.timeout(5):
        found = await asking(asked, Locally("thank")).parse_many([SAID] * 40, [None] * 40)
    assert [each.intent.name for each in found] == ["thank"] * 40
    assert len(rasa.calls) <= 3
    assert asked.breaker.state == "closed"


async def test_a_cancelled_call_is_no_failure(rasa: FakeRasa) -> None:
    """Stopping the service while Rasa thinks says nothing about Rasa."""
    rasa.fail(Fault(act="hang"))
    asked = Asked(rasa.url)
    task = asyncio.create_task(one(asking(asked, Locally())))
    await rasa.arrived(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asked.breaker.state == "closed"
    assert asked.counts == {}


def hostile() -> list[Any]:
    return ["\x00", "🙂" * 2000, "\u202e/greet", "a" * 4000, '{"text": "x"}', "\ufffd"]


@pytest.mark.parametrize("text", hostile())
async def test_strange_texts_go_through(rasa: FakeRasa, text: str) -> None:
    """Whole, and as data."""
    assert (await one(asking(Asked(rasa.url), Locally()), text)).intent.name == "nlu_fallback"
    assert json.loads(rasa.calls[0].body) == {"text": text}
