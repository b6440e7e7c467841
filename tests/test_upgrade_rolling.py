"""Two versions at once: the one before the newest migration goes on while the new one migrates beside it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import subprocess
import tarfile
from pathlib import Path

import pytest
from fake_telegram import FakeTelegram
from fleet_parts import IN_FLIGHT, Customers, check, fleet, postgres, redis, settled, until

ROOT = Path(__file__).parents[1]
CHATS = range(6000, 6010)
OLD, NEW = ("gateway-old", "worker-old"), ("gateway-new", "worker-new")


def before_the_newest_migration() -> str | None:
    """The commit, where the project's history is at hand: not in an archive of it, nor in a clone without history."""
    if not (ROOT / ".git").exists():
        return None
    added = _git("log", "--diff-filter=A", "--format=%H", "-n", "1", "--", "storage/migrations/versions")
    found = _git("rev-parse", "--verify", "--quiet", f"{added}~1") if added else ""
    return found or None


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


OLDER = before_the_newest_migration()


async def _write(customers: Customers, done: asyncio.Event) -> None:
    """Everybody goes on until it is enough."""
    while not done.is_set():
        await customers.write(1, pause=0.2)


async def _more(customers: Customers, than: int) -> bool:
    return customers.said > than


if OLDER is not None:

    @pytest.fixture
    def older(tmp_path: Path) -> Path:
        """That version's program."""
        command = ["git", "-C", str(ROOT), "archive", str(OLDER)]
        packed = subprocess.run(command, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(tmp_path / "older", filter="data")
        tmp_path.chmod(0o755)
        return tmp_path / "older"

    async def test_an_upgrade_rolls_while_customers_write(tmp_path: Path, older: Path) -> None:
        """Expand, then contract: the old version works on the tables of the new one, takes in and answers until it is
        stopped, and may even start again; nothing is lost, doubled or out of order, unknown only where an old process
        had to be killed because it did not end, and nobody complains."""
        async with contextlib.AsyncExitStack() as stack:
            telegram = await stack.enter_async_context(FakeTelegram())
            store = await stack.enter_async_context(postgres(tmp_path))
            wakes = await stack.enter_async_context(redis(tmp_path))
            where = f"redis://127.0.0.1:{wakes.port}/0"
            house = await stack.enter_async_context(fleet(tmp_path, telegram.url, store.url(), where))
            house.code |= dict.fromkeys(OLD, older)
            await house.start(*OLD)
            customers = Customers(telegram, [house.ports["gateway-old"]], random.Random(1), CHATS)
            await customers.write(2)
            done = asyncio.Event()
            writing = asyncio.create_task(_write(customers, done))
            await house.start(*NEW)  # migrates
            customers.ports.append(house.ports["gateway-new"])
            killed = await house.retire("worker-old")
            await house.start("worker-old")
            before = customers.said
            await until(lambda: _more(customers, before + 40), 150, "both versions take in")
            customers.ports.remove(house.ports["gateway-old"])  # as a balancer does
            killed += await house.retire(*OLD)
            done.set()
            await asyncio.wait_for(writing, 150)
            await settled(store.url(), 150)
            await check(store.url(), customers, telegram, unknown=killed * IN_FLIGHT)
            said = [line for name in (*OLD, *NEW) for line in house.said(name).splitlines()]
            assert [line for line in said if not line.startswith("Stopping:")] == []
            await house.stop()
