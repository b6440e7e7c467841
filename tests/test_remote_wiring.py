"""The settings choose the engines, and the whole service runs with them: nothing is asked that is not set."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fake_llm import FakeLlm
from fake_rasa import FakeRasa
from remote_parts import START, Locally, assistant, embedded

from bot.app import opened
from bot.clock import ManualClock
from bot.content import load as load_content
from bot.engines import BUTTONS_ONLY, Engines
from bot.knowledge.entries import articles
from bot.loop.remote import GroundedAnswers, RasaDialogue, RasaUnderstanding, SecondOpinions
from bot.settings import ASSISTANT, Settings, SettingsError, load
from bot.simulation.channels import MemoryChannel, all_channels
from channels.base import Text


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
async def rasa() -> AsyncIterator[FakeRasa]:
    async with FakeRasa(embedded(), assistant().domain) as fake:
        yield fake


def settings(**given: Any) -> Settings:
    return load(environment={}, **given)


def engines(**given: Any) -> Engines:
    content = load_content(ASSISTANT)
    return Engines(settings(**given), ManualClock(START), content, articles(content.knowledge))


def test_without_settings_the_local_engines_are_used_as_they_are() -> None:
    """Nothing stands before them (invariant 11)."""
    made, local, engine = engines(), Locally(), embedded()
    assert made.understands(local) is local
    assert made.talks(engine) is engine


def test_rasa_understands_and_talks_only_if_it_is_told_to() -> None:
    """Understanding is the default of the two."""
    made = engines(rasa_url="http://localhost:5005/")
    assert isinstance(made.understands(Locally()), RasaUnderstanding)
    engine = embedded()
    assert made.talks(engine) is engine
    talks = engines(rasa_url="http://localhost:5005/", rasa_for="dialogue", rasa_token="t").talks(engine)
    assert isinstance(talks, RasaDialogue)
    assert talks.server.address == "http://localhost:5005"
    assert talks.server.query == {"token": "t"}


def test_an_endpoint_does_what_it_is_for() -> None:
    """Answers, intents, or both; opinions never name what only buttons say."""
    both = {"llm_url": "http://localhost:9/v1", "llm_model": "m"}
    opinions = engines(**both).understands(Locally())
    assert isinstance(opinions, SecondOpinions)
    assert not set(opinions.intents) & (BUTTONS_ONLY | {"nlu_fallback", "out_of_scope"})
    assert set(opinions.intents) <= assistant().domain.intents
    assert isinstance(engines(**both).talks(embedded()), GroundedAnswers)
    local = Locally()
    assert engines(**both, llm_for=["answers"]).understands(local) is local


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rasa_url": "localhost:5005"}, "http://"),
        ({"rasa_for": "everything"}, "understanding, dialogue"),
        ({"rasa_timeout": 0}, "0.1"),
        ({"llm_url": "https://example.com/v1"}, "llm_model"),
        ({"llm_url": "http://example.com/v1", "llm_model": "m", "llm_key": "k"}, "https://"),
        ({"llm_url": "http://localhost:x@example.com/v1", "llm_model": "m", "llm_key": "k"}, "https://"),
        ({"llm_for": ["jokes"]}, "answers, intents"),
        ({"llm_requests_a_day": -1}, "0"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(given: dict[str, Any], said: str) -> None:
    """With what to write instead, and without the key."""
    with pytest.raises(SettingsError, match=said) as error:
        settings(**given)
    assert "'k'" not in str(error.value)


def test_a_key_may_go_in_the_clear_to_this_machine() -> None:
    """And a secret is not shown."""
    found = settings(llm_url="http://127.0.0.1:9/v1", llm_model="m", llm_key="s3cret", rasa_token="t0ken")
    assert "s3cret" not in repr(found)
    assert "t0ken" not in repr(found)


async def test_a_customer_talks_to_rasa_through_the_whole_service(rasa: FakeRasa, tmp_path: Path, models: Path) -> None:
    """The facts of the loop are the message's metadata; what becomes of calls is counted for /metrics."""
    rasa.understood["快递三天没到，客服也不理我"] = {"intent": "complain", "confidence": 0.9}
    given = settings(rasa_url=rasa.url, rasa_for="dialogue", data_dir=tmp_path)
    async with opened(given, adapters=lambda _: all_channels(), models=models) as service:
        await service.intake.accept(
            "web", "default", [Text(dedupe_key="1", thread="v1", text="快递三天没到，客服也不理我")]
        )
        await service.settle()
        web = next(each for each in service.adapters.values() if each.channel == "web")
        assert isinstance(web, MemoryChannel)
        assert any("1007" in each.text for each in web.sent)
        assert service.counts["remote_ok.rasa"] == 1
        assert service.counts["remote_ok.rasa-dialogue"] == 1
    facts = rasa.said[0]["metadata"]["earful"]
    assert facts["understanding"]["nature"][0] == "logistics"
    assert facts["promises"]["important"]


async def test_a_customer_is_answered_though_every_server_is_gone(tmp_path: Path, models: Path) -> None:
    """By the local engines, at once."""
    async with FakeRasa() as gone:
        url = gone.url
    given = settings(
        rasa_url=url, rasa_for="dialogue", llm_url=f"{url}/v1", llm_model="m", data_dir=tmp_path, company="小店"
    )
    async with opened(given, adapters=lambda _: all_channels(), models=models) as service:
        texts = ["你好", "阿巴阿巴嘟嘟噜", "快递三天没到，客服也不理我"]
        for number, text in enumerate(texts):
            await service.intake.accept("web", "default", [Text(dedupe_key=str(number), thread="v1", text=text)])
            await service.settle()
        web = next(each for each in service.adapters.values() if each.channel == "web")
        assert isinstance(web, MemoryChannel)
        assert len(web.sent) >= 3
        assert any("1007" in each.text for each in web.sent)
        assert service.counts["remote_unreachable.rasa"] >= 3
        assert service.counts["remote_unreachable.llm"] >= 1


async def test_an_unanswered_question_is_answered_out_of_the_knowledge_base(tmp_path: Path, models: Path) -> None:
    """With the entry's own words, as if the search had found it."""
    async with FakeLlm() as llm:
        entry = next(
            each
            for each in articles(load_content(ASSISTANT).knowledge)
            if each.key == "invoice" and each.language == "zh"
        )
        llm.reply = lambda instructions, question: json.dumps(
            {"answer": entry.answer, "entries": ["invoice"]}
            if '"answer"' in instructions
            else {"intent": "ask_question"}
        )
        given = settings(llm_url=f"{llm.url}/v1", llm_model="m", data_dir=tmp_path)
        async with opened(given, adapters=lambda _: all_channels(), models=models) as service:
            await service.intake.accept(
                "web", "default", [Text(dedupe_key="1", thread="v1", text="抬头想弄成公司那种凭据咋整呀")]
            )
            await service.settle()
            web = next(each for each in service.adapters.values() if each.channel == "web")
            assert isinstance(web, MemoryChannel)
            assert [each for each in web.sent if entry.answer in each.text]
            assert service.counts["grounded_said.endpoint"] == 1
