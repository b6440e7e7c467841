"""`python -m bench.taps`: ten thousand taps, most of them wrong in one way or another, on a service by itself.

Of a few hundred open surveys each is tapped on two devices, in the chat and on its page, pressed twice, redelivered;
among them come other people's buttons and nonces, forged and cut-off ones, and one page's form again and again. What
must hold afterwards is checked: one rating for each survey that was rated, its value one that was pressed, its history
just the changes; every tap was answered in words.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from sqlalchemy import Table, select

from bot.app import opened
from bot.clock import ManualClock
from bot.contacts.service import Person
from bot.logging import configure
from bot.loop.episodes import Reported
from bot.service import Service
from bot.settings import Settings
from bot.web import pages
from bot.web.server import application, serve
from channels.base import AccountSettings, Adapter, AnyEvent, Capabilities, Outgoing, Request, Sent, Tap, Text
from storage import tables

MORNING = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
VALUES = 5
TAPS_OF_EACH = 50
AT_ONCE = 16
"""Browsers that press at the same time."""
DELIVERED = 32
"""Taps that a platform brings at once."""
SHARES = {
    "own": 25,  # a button of one's own survey, in the chat, on either device
    "again": 15,  # the platform brings one of these once more
    "others": 10,  # somebody else's button
    "forged": 5,  # a button that never was
    "page": 22,  # one's own page, of which two devices hold the same form
    "replayed": 10,  # one page's form, again and again
    "their_form": 5,  # somebody else's form at one's own page
    "token": 8,  # a link that is forged or cut off
}


class Quiet(Adapter[AccountSettings]):
    """A channel with buttons that forgets what it sent."""

    channel = "bench"
    account = "main"
    Settings = AccountSettings
    capabilities = Capabilities(text_limit=4000, buttons=20, starts_conversations=True)

    def __init__(self) -> None:
        self.sent = 0

    def verify(self, request: Request) -> None:
        return None

    def parse(self, body: bytes) -> list[AnyEvent]:
        return []

    async def send(self, outgoing: Outgoing) -> Sent:
        self.sent += 1
        return Sent(str(self.sent))


@dataclass
class Open:
    """A survey that awaits its answer."""

    id: int
    thread: str
    message: int
    path: str
    nonces: list[str] = field(default_factory=list)
    pressed: set[int] = field(default_factory=set)


@dataclass
class Storm:
    """What came of it."""

    seconds: float
    taps: Counter[str]
    answers: Counter[str]
    surveys: int
    rated: int
    wrong: list[str]


async def storm(service: Service, clock: ManualClock, url: str, place: tuple[str, str], taps: int, seed: int) -> Storm:
    """So many taps at a service that does nothing by itself, whose pages are at `url`. `place`: a channel with buttons,
    and its account."""
    chance = random.Random(seed)
    surveys = await _opened(service, place, max(2, taps // TAPS_OF_EACH))
    async with ClientSession() as session:
        for each in surveys:
            for _ in range(2):
                async with session.get(url + each.path) as page:
                    each.nonces.append(_nonce(await page.text()))
        clock.advance(timedelta(seconds=5))  # as long as people read
        kinds = chance.choices(list(SHARES), list(SHARES.values()), k=taps)
        chat, web = _chat(kinds, surveys, chance), _web(kinds, surveys, chance)
        answers: Counter[str] = Counter()
        left = asyncio.Queue[tuple[str, str, str, int]]()
        for press in web:
            left.put_nowait(press)
        began = time.perf_counter()
        done = asyncio.Event()
        settling = asyncio.create_task(_settle(service, done))
        await asyncio.gather(
            _deliver(service, place, chat), *(_press(session, url, left, answers) for _ in range(AT_ONCE))
        )
        done.set()
        await settling
        seconds = time.perf_counter() - began
    wrong = await _wrong(service, surveys)
    rated = len(await _rows(service, tables.ratings))
    return Storm(seconds, Counter(kinds), answers, len(surveys), rated, wrong)


# ---- before ----


async def _opened(service: Service, place: tuple[str, str], many: int) -> list[Open]:
    threads = [f"storm{number}" for number in range(many)]
    for start in range(0, many, DELIVERED):
        hello: list[AnyEvent] = [
            Text(dedupe_key=f"h:{thread}", thread=thread, text="hello") for thread in threads[start : start + DELIVERED]
        ]
        await service.intake.accept(*place, hello)
        await service.settle()
    for thread in threads:
        reported = Reported(
            external_id=f"e:{thread}",
            touchpoint="store",
            ended_at=service.clock.now(),
            person=Person(external_id=f"c:{thread}", language="en"),
            places=((*place, thread),),
        )
        await service.episodes.take(reported, "bench")
    await service.settle()
    messages = {(row["data"] or {}).get("survey"): row["id"] for row in await _rows(service, tables.messages)}
    lanes = {row["id"]: row["thread"] for row in await _rows(service, tables.conversations)}
    return [
        Open(row["id"], lanes[row["conversation_id"]], messages[row["id"]], _path(service, row["id"]))
        for row in await _rows(service, tables.surveys)
        if row["state"] == "awaiting"
    ]


def _path(service: Service, survey: int) -> str:
    return service.links.survey(survey).removeprefix(service.links.address)


def _nonce(page: str) -> str:
    found = re.search(r'name="nonce" value="([^"]*)"', page)
    if found is None:
        raise AssertionError("the page has no form")
    return found[1]


# ---- the storm ----


def _chat(kinds: Sequence[str], surveys: Sequence[Open], chance: random.Random) -> list[Tap]:
    sent: list[Tap] = []
    for number, kind in enumerate(kinds):
        mine, value = chance.choice(surveys[1:]), chance.randrange(VALUES)
        if kind == "own":
            mine.pressed.add(value + 1)
            sent.append(Tap(dedupe_key=f"t{number}", thread=mine.thread, data=f"m{mine.message}.{value}"))
        elif kind == "again" and sent:
            sent.append(chance.choice(sent))
        elif kind == "others":
            theirs = chance.choice([each for each in surveys if each is not mine])
            sent.append(Tap(dedupe_key=f"t{number}", thread=mine.thread, data=f"m{theirs.message}.{value}"))
        elif kind == "forged":
            data = chance.choice((f"m{mine.message}.99", "m999999999.0", "m0.0", "rate:5", "m-1.-1", "\u0000" * 9))
            sent.append(Tap(dedupe_key=f"t{number}", thread=mine.thread, data=data))
    return sent


def _web(kinds: Sequence[str], surveys: Sequence[Open], chance: random.Random) -> Iterator[tuple[str, str, str, int]]:
    """Of each press its kind, path, nonce and value."""
    replayed, value_replayed = surveys[0], VALUES  # nobody taps on it otherwise
    for kind in kinds:
        mine, value = chance.choice(surveys[1:]), chance.randint(1, VALUES)
        if kind == "page":
            mine.pressed.add(value)
            yield kind, mine.path, chance.choice(mine.nonces), value
        elif kind == "replayed":
            replayed.pressed.add(value_replayed)
            yield kind, replayed.path, replayed.nonces[0], value_replayed
        elif kind == "their_form":
            theirs = chance.choice([each for each in surveys if each is not mine])
            yield kind, mine.path, theirs.nonces[0], value
        elif kind == "token":
            cut = chance.randrange(4, len(mine.path))
            sign = "A" if mine.path[cut] != "A" else "B"
            broken = mine.path[:cut] if chance.random() < 0.5 else mine.path[:cut] + sign + mine.path[cut + 1 :]
            yield kind, broken, mine.nonces[0], value


async def _deliver(service: Service, place: tuple[str, str], taps: list[Tap]) -> None:
    for start in range(0, len(taps), DELIVERED):
        await service.intake.accept(*place, taps[start : start + DELIVERED])
        await asyncio.sleep(0)


async def _press(
    session: ClientSession, url: str, left: asyncio.Queue[tuple[str, str, str, int]], answers: Counter[str]
) -> None:
    while not left.empty():
        kind, path, nonce, value = left.get_nowait()
        form = {"nonce": nonce, "question": "rating", "answer": str(value)}
        async with session.post(url + path, data=form, allow_redirects=False) as answer:
            words = await answer.text()
            told = answer.status == 303 or "<h1" in words
            answers[f"{kind} {answer.status}{'' if told else ' without a word'}"] += 1


async def _settle(service: Service, done: asyncio.Event) -> None:
    while True:
        last = done.is_set()
        await service.settle()
        if last:
            return
        await asyncio.sleep(0.005)


# ---- after ----


async def _wrong(service: Service, surveys: Sequence[Open]) -> list[str]:
    """What does not hold; empty: everything does."""
    found: list[str] = []
    ratings, history = defaultdict(list), defaultdict(list)
    for row in await _rows(service, tables.ratings):
        ratings[row["survey_id"]].append(row)
    for row in await _rows(service, tables.rating_history):
        history[row["rating_id"]].append(int(row["value"]))
    asked = Counter(
        (row["data"] or {}).get("survey") for row in await _rows(service, tables.messages) if row["author"] == "bot"
    )
    for each in surveys:
        rows = ratings.pop(each.id, [])
        if len(rows) != bool(each.pressed):
            found.append(f"survey {each.id} has {len(rows)} ratings, and {len(each.pressed)} values were pressed")
        for row in rows:
            told = [*history.pop(row["id"], []), int(row["value"])]
            if not set(told) <= each.pressed or row["score"] != 20 * row["value"]:
                found.append(f"survey {each.id} says {told}, pressed were {sorted(each.pressed)}")
            if any(before == after for before, after in pairwise(told)):
                found.append(f"survey {each.id} changed to what it was: {told}")
            if asked[each.id] > 1 + len(told):
                found.append(f"survey {each.id} put {asked[each.id]} questions after {len(told)} ratings")
    if ratings or history:
        found.append(f"ratings of nothing: {list(ratings)}, {list(history)}")
    unworked = [row["id"] for row in await _rows(service, tables.inbox) if row["state"] != "done"]
    if unworked:
        found.append(f"{len(unworked)} taps were not worked")
    return found


async def _rows(service: Service, table: Table) -> list[dict[str, Any]]:
    statement = select(table).order_by(table.c.id)
    return await service.database.read(
        lambda connection: [dict(row) for row in connection.execute(statement).mappings()]
    )


async def measure(taps: int, url: str | None, seed: int) -> None:
    configure("error", "console")
    given: dict[str, Any] = {"database_url": url} if url else {}
    with tempfile.TemporaryDirectory(prefix="earful-bench-") as place:
        settings = Settings(data_dir=Path(place), encoders=False, language="en", **given)
        clock = ManualClock(MORNING)
        async with opened(
            settings, clock=clock, adapters=lambda _: {("bench", "main"): Quiet()}, patience=None
        ) as service:
            runner, port = await serve(application(service, [pages.routes]), "127.0.0.1", 0)
            found = await storm(service, clock, f"http://127.0.0.1:{port}", ("bench", "main"), taps, seed)
            await runner.cleanup()
    print(f"{taps} taps on {found.surveys} surveys in {found.seconds:.1f} s: {taps / found.seconds:.0f}/s")
    print(f"  {', '.join(f'{kind} {count}' for kind, count in found.taps.most_common())}")
    print(f"  pages answered: {', '.join(f'{what} x {count}' for what, count in sorted(found.answers.items()))}")
    print(f"  {found.rated} ratings")
    for what in found.wrong:
        print(f"  WRONG: {what}")
    if found.wrong:
        raise SystemExit(1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.taps")
    parser.add_argument("--taps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--database-url", help="default: SQLite in a directory of its own")
    given = parser.parse_args()
    asyncio.run(measure(given.taps, given.database_url, given.seed))


if __name__ == "__main__":
    main()
