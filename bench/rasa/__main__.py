"""`make rasa-check`: installs Rasa, validates and trains the assistant with it, and compares what customers hear."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.rasa.comparing import ENTITIES, OTHERWISE, SAME, UNDERSTOOD, VARIED, Comparison, Verdict
from bench.rasa.installation import Installation
from bench.rasa.journeys import Journey, lived
from bench.rasa.servers import TOKEN, serving
from bench.rasa.strolls import strolled
from bot import engine
from bot.clock import SystemClock
from bot.logging import configure
from bot.loop.remote import Breaker, Server
from bot.settings import ASSISTANT
from channels.http import Http
from nlu import model as local
from nlu import rasa_data
from nlu.model import Model

KINDS = (SAME, VARIED, UNDERSTOOD, ENTITIES, OTHERWISE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rasa", description=__doc__)
    parser.add_argument("--assistant", type=Path, default=ASSISTANT, help="the assistant's folder")
    parser.add_argument("--intents", type=Path, nargs="*", default=[], help="JSONL with text and intent, to measure on")
    parser.add_argument("--strolls", type=int, default=30, help="random conversations of 12 taps; default 30")
    given = parser.parse_args()
    configure("error", "console")
    installation = Installation()
    installation.install()
    trained = installation.model(given.assistant)
    with serving(installation, trained) as address:
        labelled = {path.name: _labelled(path) for path in given.intents}
        wrong = asyncio.run(_compared(address, given.assistant, labelled, given.strolls))
    if wrong:
        raise SystemExit(f"{wrong} turns differ although the same was understood")


async def _compared(address: str, assistant: Path, labelled: dict[str, list[dict[str, Any]]], strolls: int) -> int:
    http = Http()
    server = Server(http, "rasa", address, Breaker(SystemClock()), {}, 60.0, query={"token": TOKEN})
    try:
        with tempfile.TemporaryDirectory(prefix="earful-rasa-") as models:
            journeys = await lived(Path(models))
            loaded = engine.load(assistant)
            scenarios = len({each.name.partition(" ")[0] for each in journeys})
            wrong = await _played(f"{scenarios} journeys of tests/scenarios", Comparison(loaded, server), journeys)
            random = await strolled(loaded, strolls)
            wrong += await _played(f"{strolls} random conversations of taps", Comparison(loaded, server), random)
            known = local.load_or_train(rasa_data.read(assistant / "data" / "nlu"), Path(models))
            for name, lines in labelled.items():
                await _measured(server, known, name, lines)
    finally:
        await http.close()
    return wrong


async def _played(title: str, comparison: Comparison, journeys: list[Journey]) -> int:
    """How many turns differ although the same was understood."""
    for journey in journeys:
        await comparison.play(journey)
    print(f"\n{title}: {len(journeys)} conversations")
    _report("REST channel", comparison.rest)
    _report("RasaDialogue", comparison.adapter)
    return sum(each.kind == OTHERWISE for each in (*comparison.rest, *comparison.adapter))


def _report(title: str, verdicts: list[Verdict]) -> None:
    counted = Counter(each.kind for each in verdicts)
    print(f"\n{title}: {len(verdicts)} turns")
    for kind in KINDS:
        print(f"  {counted[kind]:4}  {kind}")
    for each in verdicts:
        if each.kind in (UNDERSTOOD, ENTITIES, OTHERWISE):
            print(f"\n  {each.journey}, turn {each.number}: {each.text!r}\n    {each.kind}: {each.reason}")
            for side, said in zip(("here ", "there"), each.said, strict=True):
                print(f"    {side} {said.replace(chr(10), chr(10) + '          ')}")


def _labelled(path: Path) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if "intent" in line]


async def _measured(server: Server, known: Model, name: str, lines: list[dict[str, Any]]) -> None:
    """Accuracy and time a message of DIET and of the local model on the same texts, one after the other."""
    right = Counter[str]()
    spent: dict[str, list[float]] = {"rasa": [], "earful": []}
    for line in lines:
        begun = time.perf_counter()
        answer = await server.call("POST", "/model/parse", {"text": line["text"]}, lambda found: found)
        between = time.perf_counter()
        understood = known.parse(line["text"])
        spent["rasa"].append(between - begun)
        spent["earful"].append(time.perf_counter() - between)
        wanted = {"nlu_fallback", "out_of_scope"} if line["intent"] == "out_of_scope" else {line["intent"]}
        right["rasa"] += answer["intent"]["name"] in wanted
        right["earful"] += understood.intent.name in wanted
    print(f"\n{name}: {len(lines)} texts")
    for who, title in (("rasa", "Rasa 3.6 DIET"), ("earful", "Earful, local model")):
        median = statistics.median(spent[who]) * 1000
        print(f"  {title:20} accuracy {right[who] / len(lines):.3f}, median {median:.2f} ms a message")


main()
