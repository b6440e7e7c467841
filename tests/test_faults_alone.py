"""What may befall the embedded service, one process on SQLite: a full disk, and a clock that jumps."""

from __future__ import annotations

import resource
import sqlite3
from datetime import timedelta
from pathlib import Path

import aiohttp
from fake_telegram import FakeTelegram
from fleet_parts import SECRET, Fleet, once_and_in_order, until
from loop_parts import Rig
from sqlalchemy import update

from storage.database import Database
from storage.tables import outbox

HEADERS = {"X-Telegram-Bot-Api-Secret-Token": SECRET}


async def test_a_full_disk_refuses_new_events_and_loses_none_that_were_accepted(tmp_path: Path) -> None:
    """The limit is the operating system's, on the process's files. Once there is room again it goes on by itself."""
    async with FakeTelegram() as telegram, aiohttp.ClientSession() as http:
        house = Fleet(tmp_path, telegram.url, f"sqlite:///{tmp_path / 'earful.db'}")
        telegram.chats |= set(range(6000, 6200))
        await house.start("serve")
        pid = house.running["serve"].process.pid
        url = f"http://127.0.0.1:{house.ports['serve']}/hooks/telegram/main"
        accepted: dict[int, list[str]] = {}

        async def write(chat: int, text: str) -> int:
            async with http.post(url, json=telegram.write(chat, text), headers=HEADERS) as answer:
                if answer.status == 200:
                    accepted.setdefault(chat, []).append(text)
                return answer.status

        assert await write(6000, "你好") == 200
        used = max((tmp_path / name).stat().st_size for name in ("earful.db", "earful.db-wal"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (used + 20_000, resource.RLIM_INFINITY))
        answers = [await write(chat, "hello") for chat in range(6001, 6060)]
        assert 503 in answers
        assert set(answers) <= {200, 503}
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        async def taken() -> bool:
            return await write(6100, "谢谢") == 200

        await until(taken, 20, "it takes events again")

        async def answered() -> bool:
            return {message.chat for message in telegram.sent} >= set(accepted)

        await until(answered, 40, "everybody is answered")
        await house.stop()
        with sqlite3.connect(tmp_path / "earful.db") as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
            for chat, texts in accepted.items():
                said = database.execute(
                    "select m.text from messages m join conversations c on c.id = m.conversation_id "
                    "where c.thread = ? and m.author = 'customer' order by m.id",
                    (str(chat),),
                ).fetchall()
                assert [text for (text,) in said] == texts
                rows = database.execute("select text, state from outbox where address = ? order by id", (str(chat),))
                once_and_in_order(list(rows), [message.text for message in telegram.sent if message.chat == chat])


async def test_a_clock_that_jumps_loses_nothing_and_delays_nobody_for_long(database: Database) -> None:
    """A day forward, and back again, while people write: each message has one effect, in order."""
    rig = Rig(database)
    for number, jump in enumerate([timedelta(0), timedelta(days=1), timedelta(days=-1), timedelta(hours=-2)]):
        rig.clock.advance(jump)
        await rig.hear(f"{number}a", f"{number}b")
        await rig.hear("x", thread=f"other{number}")
        await rig.settle()
    assert rig.adapter.texts("t") == [f"echo {number}{each}" for number in range(4) for each in "ab"]
    assert len(rig.adapter.sent) == 12


async def test_what_was_received_by_a_clock_that_ran_ahead_is_not_left_behind(database: Database) -> None:
    """Its wake-up was lost, and its time is still to come: it is found all the same."""
    rig = Rig(database)
    rig.clock.advance(timedelta(days=1))
    await rig.hear("from tomorrow")
    rig.clock.advance(timedelta(days=-1))
    rig.lanes.keep(lambda _: False)
    assert await rig.turns.sweep() == []
    await rig.turns.look()
    await rig.settle()
    assert rig.adapter.texts() == ["echo from tomorrow"]
    rig.clock.advance(timedelta(days=1))
    await rig.hear("again")
    rig.clock.advance(timedelta(days=-1))
    rig.lanes.keep(lambda _: False)
    assert await rig.turns.sweep(None) == ["chat:memory:a:t"]  # as at the start of the only process


async def test_what_was_answered_by_a_clock_that_ran_ahead_is_sent_when_it_is_right_again(database: Database) -> None:
    """Not a day later; what an agent holds for seconds neither."""
    rig = Rig(database)
    rig.clock.advance(timedelta(days=1))
    await rig.hear("from tomorrow")
    await rig.turns.settle()
    await rig.hear("held", thread="other")
    await rig.turns.settle()
    held = update(outbox).where(outbox.c.address == "other").values(not_before=rig.clock.now() + timedelta(seconds=5))
    await database.write(lambda connection: connection.execute(held))
    rig.clock.advance(timedelta(days=-1))
    again = Rig(database)  # another process: what this one was told is lost
    await again.delivery.sweep()
    await again.delivery.settle()
    assert sorted(again.adapter.texts()) == ["echo from tomorrow", "echo held"]
