"""`nlu evaluate --against`: a Rasa server measured on the same lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fake_rasa import FakeRasa

from bot.cli import main

LINES = [
    {"text": "hello", "intent": "greet"},
    {"text": "/restart now", "intent": "greet"},
    {"text": "I want to talk to a person", "intent": "ask_human"},
    {"text": "tell me a joke about lions", "intent": "out_of_scope"},
]


@pytest.fixture
async def rasa() -> AsyncIterator[FakeRasa]:
    async with FakeRasa() as server:
        server.understood = {
            "hello": {"intent": "greet", "confidence": 0.9},
            "／restart now": {"intent": "greet", "confidence": 0.9},
            "I want to talk to a person": {"intent": "cancel", "confidence": 0.8},
        }
        yield server


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in LINES))
    return path


async def evaluated(file: Path, url: str) -> Result:
    command = ["nlu", "evaluate", str(file), "--fast", "--against", url]
    return await asyncio.to_thread(CliRunner().invoke, main, command)


async def test_both_are_counted_on_the_same_lines(rasa: FakeRasa, file: Path) -> None:
    """A text with a slash stays text; what Rasa falls back from meets "out of scope", as with us."""
    result = await evaluated(file, rasa.url + "/")
    assert result.exit_code == 0, result.output
    assert "against Rasa, n = 4:" in result.stdout
    assert "  intent: 0.750 (" in result.stdout
    assert "right: both 2, only here 1, only Rasa 1, neither 0" in result.stdout
    assert [json.loads(call.body)["text"] for call in rasa.calls] == [
        "hello",
        "／restart now",
        "I want to talk to a person",
        "tell me a joke about lions",
    ]


async def test_a_server_that_is_none_is_said_with_what_to_do(rasa: FakeRasa, file: Path) -> None:
    """Nobody there, somebody else there, no address at all, a file without intents."""
    assert "rasa run --enable-api" in (await evaluated(file, "http://127.0.0.1:9")).output
    assert "answers 404" in (await evaluated(file, rasa.url + "/elsewhere")).output
    assert "write an address such as" in (await evaluated(file, "localhost:5005")).output
    await asyncio.to_thread(file.write_text, json.dumps({"text": "hello", "sentiment": "positive"}))
    assert "labels no intents" in (await evaluated(file, rasa.url)).output
