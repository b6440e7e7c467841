"""Several real processes on one PostgreSQL and Redis."""

from __future__ import annotations

import random
from pathlib import Path

from fake_telegram import FakeTelegram
from fleet_parts import IN_FLIGHT, Customers, check, fleet, postgres, redis, settled


async def test_a_gateway_and_two_workers_do_what_one_process_did(tmp_path: Path) -> None:
    """Each message has one effect, in order, and is answered once; one worker is killed in the middle."""
    async with (
        FakeTelegram() as telegram,
        postgres(tmp_path) as store,
        redis(tmp_path) as wakes,
        fleet(tmp_path, telegram.url, store.url(), wakes.url) as house,
    ):
        await house.start("gateway", "worker-1", "worker-2")
        customers = Customers(telegram, [house.ports["gateway"]], random.Random(1), range(5000, 5030))
        await customers.write(5)
        await house.kill("worker-1")
        await customers.write(5)
        await settled(store.url())
        await house.stop()
        await check(store.url(), customers, telegram, unknown=IN_FLIGHT)
        for name in ("gateway", "worker-2"):
            assert "error" not in house.said(name)
