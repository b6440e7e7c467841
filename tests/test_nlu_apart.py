"""The second look in a process of its own: the same answers, and no end of it harms the one who asks."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bot.settings import ASSISTANT
from nlu import apart, model, stages
from nlu.apart import Apart
from nlu.blending import TASKS
from nlu.rasa_data import TrainingData, read
from nlu.retrieval import Entry
from nlu.understanding import Language

TEXTS = [
    "跑了三趟才给我办，最后还说是我材料不对",
    "hello",
    "",
    "🙂" * 9,
    "x" * 5_000,
    "the room smelled of smoke",
    "\ud83d",
]


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return read(ASSISTANT / "data" / "nlu")


@pytest.fixture(scope="module")
def asked(data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    made = Apart(data, tmp_path_factory.mktemp("models"))
    yield made
    made.close()


def pid(asked: Apart) -> int:
    assert asked._process is not None
    return asked._process.pid


def test_it_answers_as_the_cascade_in_this_process_does(asked: Apart, data: TrainingData, tmp_path: Path) -> None:
    """Every text, whatever it holds, in order, and with the hints of language that came with it."""
    here = stages.load(model.load_or_train(data, tmp_path), data)
    assert here is not None
    hints: list[Language | None] = [None, "zh", "en", None, None, "en", None]
    halves = [slice(0, apart.AT_ONCE), slice(apart.AT_ONCE, None)]  # how many go together shows in the last digits
    for needs in (TASKS[-1:], TASKS):
        expected = [
            each for half in halves for each in here.parse_many(TEXTS[half], languages=hints[half], needs=needs)
        ]
        assert asked.parse_many(TEXTS, languages=hints, needs=needs) == expected
    assert asked.parse_many([]) == []


def test_it_searches_the_knowledge_base_by_meaning(asked: Apart) -> None:
    """As soon as it has read it; a process that is started again reads it again."""
    asked.know([Entry("hours", "en", ("when are you open",)), Entry("refund", "en", ("when do I get my money back",))])
    for _ in range(2):
        for _ in range(100):
            (hits,) = asked.search_many(["几点开门"])
            if hits is not None:
                break
            select.select([], [], [], 0.1)
        assert hits
        assert hits[0].key == "hours"
        asked.close()


def test_a_process_that_was_killed_is_started_again(asked: Apart) -> None:
    """The question that it took with it fails; the next is answered."""
    asked.warm()
    first = pid(asked)
    os.kill(first, signal.SIGKILL)
    with suppress(EOFError, OSError):
        asked.parse_many(["hello"])
    assert asked.parse_many(["hello"])[0].intent.name == "greet"
    assert pid(asked) != first


def test_a_process_that_hangs_is_given_up(asked: Apart, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, and the next question starts another."""
    asked.warm()
    first = pid(asked)
    os.kill(first, signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(apart, "PATIENCE", 0.05)
        with pytest.raises(TimeoutError, match="second look"):
            asked.parse_many(["hello"])
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert len(asked.parse_many(["hello"])) == 1


def test_closing_waits_for_nobody(asked: Apart) -> None:
    """Not for a process that hangs: whoever waits for its answer is told, and the process is gone."""
    asked.warm()
    os.kill(pid(asked), signal.SIGSTOP)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            asked.parse_many(["hello"])
        except (OSError, EOFError) as error:
            failed.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    asked.close()
    waiting.join(20)
    asked.close()
    assert not waiting.is_alive()
    assert asked._process is None


def test_it_ends_with_the_one_who_asks_even_if_that_one_is_killed(tmp_path: Path) -> None:
    """Nobody is left behind to hold 300 MiB."""
    script = """
import sys
from pathlib import Path
from nlu.apart import Apart
from nlu.rasa_data import read
asked = Apart(read(Path(sys.argv[1])), Path(sys.argv[2]))
asked.warm()
print("ready", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script, str(ASSISTANT / "data" / "nlu"), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()
        parent.wait()
        ended, _, _ = select.select([parent.stdout], [], [], 20)  # its own child holds the same end while it lives
        assert ended
        assert parent.stdout.read() == b""
