"""`python -m bench.history`: what a message costs with little and with much on file, in turn, in one run.

A conversation on file is of a month of the last twelve: four messages in and six out, their inbox and outbox rows and
attempts; every fourth has a closed case with its timeline and deadlines. With --shared on PostgreSQL and Redis, a
gateway and a worker.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, String, Table, cast, insert, literal, literal_column, select, text
from sqlalchemy.sql.elements import ColumnElement

from bench.__main__ import quantile
from bench.process import earful
from bench.talk import Figures, Load
from storage import tables
from storage.database import Database, open_database
from storage.months import first_id, prepare
from storage.schema import upgrade

MONTHS = 12
"""Over which the history spreads."""
SAID = 10
"""Messages of a conversation; of ten, four have an inbox row and five an outbox row."""
AT_ONCE = 64
SLICE = 50_000
"""Conversations that are filled in with one statement a table."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.history")
    parser.add_argument("--conversations", type=int, nargs=2, default=[10_000, 100_000], metavar=("FEW", "MANY"))
    parser.add_argument("--messages", type=int, default=SAID, help="of a conversation on file")
    parser.add_argument("--seconds", type=float, default=6.0, help="each time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shared", action="store_true", help="PostgreSQL and Redis")
    given = parser.parse_args()
    asyncio.run(measured(given.conversations, given.messages, given.seconds, given.rounds, shared=given.shared))


async def measured(sizes: list[int], said: int, seconds: float, rounds: int, *, shared: bool) -> None:
    """The same talk with each size on file, one after the other, as often as told."""
    costs: dict[int, list[float]] = {size: [] for size in sizes}
    async with AsyncExitStack() as stack:
        houses = [
            await stack.enter_async_context(_Shared(size, said) if shared else _Alone(size, said)) for size in sizes
        ]
        print(
            "| conversations | messages on file | MiB on disk | messages/s | accept p50/p99 ms | reply p50/p99 ms |",
            end="",
        )
        print(" CPU µs/message | MiB | wrong |\n|---|---|---|---|---|---|---|---|---|")
        for number in range(rounds):
            for house in houses:
                before = house.cpu()
                figures = await house.load.drive(house.port, AT_ONCE, seconds, seed=number)
                cost = 1e6 * (house.cpu() - before) / max(1, len(figures.replied))
                costs[house.size].append(cost)
                print(_row(house, figures, cost), flush=True)
    few, many = (statistics.median(costs[size]) for size in sizes)
    print(
        f"\nCPU a message, median: {few:.0f} µs with {sizes[0]:,}, {many:.0f} µs with {sizes[1]:,}: {many / few:.2f}."
    )


def _row(house: _House, figures: Figures, cost: float) -> str:
    times = [
        "/".join(f"{quantile(of, share):.1f}" for share in (0.5, 0.99)) for of in (figures.accepted, figures.replied)
    ]
    size = f"{house.size:,}", f"{house.said * house.size:,}", f"{house.disk / 2**20:.0f}"
    cells = (*size, f"{figures.per_second:.0f}", *times, f"{cost:.0f}", house.memory(), figures.wrong)
    return f"| {' | '.join(map(str, cells))} |"


class _House(ABC):
    """A service with a history."""

    port: int
    disk: int

    def __init__(self, size: int, said: int) -> None:
        self.size = size
        self.said = said
        self.load = Load()
        self._stack = AsyncExitStack()

    @abstractmethod
    def cpu(self) -> float:
        """Seconds of all its processes so far."""

    @abstractmethod
    def memory(self) -> int:
        """MiB at most."""

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


class _Alone(_House):
    """`earful serve` on SQLite."""

    async def __aenter__(self) -> _Alone:
        place = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        path = place / "data" / "earful.db"
        path.parent.mkdir()
        await _filled(f"sqlite:///{path}", self.size, self.said)
        self.disk = path.stat().st_size
        self._server = self._stack.enter_context(earful(place, await self.load.platform(), None))
        self.port = self._server.port
        await self.load.drive(self.port, 4, 1.0)
        return self

    def cpu(self) -> float:
        return self._server.cpu()

    def memory(self) -> int:
        return self._server.memory()[1]


class _Shared(_House):
    """A gateway and a worker on PostgreSQL (fsync on) and Redis."""

    async def __aenter__(self) -> _Shared:
        from fleet_parts import fleet, postgres, redis  # noqa: PLC0415 - of the tests, and only needed here

        place = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        place.chmod(0o755)  # noqa: ASYNC240
        store = await self._stack.enter_async_context(postgres(place, durable=True))
        wakes = await self._stack.enter_async_context(redis(place))
        self.disk = await _filled(store.url(), self.size, self.said)
        base = f"http://127.0.0.1:{await self.load.platform()}"
        rates = {"rate": "1000000.0", "rate_per_chat": "1000.0"}
        self._fleet = await self._stack.enter_async_context(fleet(place, base, store.url(), wakes.url, **rates))
        self._fleet.environment["EARFUL_KEEP_EVENTS_DAYS"] = "0"
        await self._fleet.start("gateway", "worker-0")
        self.port = self._fleet.ports["gateway"]
        await self.load.drive(self.port, 4, 1.0)
        return self

    def cpu(self) -> float:
        from bench.shared import _cpu  # noqa: PLC0415

        return _cpu(self._fleet)

    def memory(self) -> int:
        of = (Path(f"/proc/{each.process.pid}/status").read_text() for each in self._fleet.running.values())
        return sum(int(told.partition("VmHWM:")[2].split()[0]) for told in of) // 1024


# ---- the history ----


async def _filled(url: str, size: int, said: int) -> int:
    """A database with so many conversations on file; its bytes on PostgreSQL."""
    database = open_database(url)
    await upgrade(database)
    began = time.perf_counter()
    for month in range(MONTHS):
        upto = size * (month + 1) // MONTHS
        when = datetime.now(UTC) - timedelta(days=30 * (MONTHS - 1 - month) + 1)
        await database.write(lambda connection, at=when: prepare(connection, at))  # type: ignore[misc]
        for first in range(size * month // MONTHS + 1, upto + 1, SLICE):
            last = min(first + SLICE - 1, upto)
            await database.write_slowly(lambda connection, a=first, z=last, at=when: _fill(connection, a, z, at, said))  # type: ignore[misc]
    disk = await _settled(database)
    await database.close()
    print(f"{size:,} conversations on file after {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return disk


def _fill(connection: Connection, first: int, last: int, when: datetime, messages: int) -> None:
    """Conversations first to last, all of one month, a statement a table."""
    heards, sents = max(1, messages * 4 // 10), max(1, messages // 2)
    own = first_id(when) if connection.dialect.name == "postgresql" else 0
    month: ColumnElement[Any] = literal_column(str(own))
    if connection.dialect.name == "postgresql":
        connection.execute(text("set local synchronous_commit = off"))
        numbers = f"generate_series({first}, {last}) as n(i)"
        parts = "generate_series(0, {}) as p(k)"
    else:
        counted = f"select {first} union all select i + 1 from c where i < {last}"
        numbers = f"(with recursive c(i) as ({counted}) select i from c) n"
        parts = "(with recursive d(k) as (select 0 union all select k + 1 from d where k < {}) select k from d) p"
    i: ColumnElement[Any] = literal_column("i")
    k: ColumnElement[Any] = literal_column("k")
    thread = _words("h", i)
    place = {"channel": "telegram", "account": "main"}
    tracker: dict[str, Any] = {"version": 1, "slots": {"language": "zh"}, "active_loop": None, "requested_slot": None}
    tracker |= {"latest_action": "action_listen", "heard_at": when.isoformat(), "turn": 4}
    event: dict[str, Any] = {"type": "text", "text": "快递三天没到,客服也不理我", "thread": "9", "dedupe_key": "1"}
    one = f"from {numbers}"
    _rows(connection, tables.contacts, one, {"id": i, "name": _words("P", i), "language": "zh", "created_at": when})
    _rows(connection, tables.addresses, one, {"id": i, "contact_id": i, **place, "address": thread, "created_at": when})
    talk: dict[str, Any] = {
        "id": i,
        "lane": _words("chat:telegram:main:h", i),
        **place,
        "thread": thread,
        "contact_id": i,
    }
    talk |= {"address_id": i, "language": "zh", "tracker": tracker, "created_at": when, "active_at": when}
    _rows(connection, tables.conversations, one, talk)
    heard: dict[str, Any] = {
        **place,
        "dedupe_key": _words("h", i * heards + k),
        "lane": _words("chat:telegram:main:h", i),
    }
    heard |= {"event": event, "state": "done", "received_at": when}
    _rows(connection, tables.inbox, f"{one}, {parts.format(heards - 1)}", heard)
    said: dict[str, Any] = {
        "id": month + i * messages + k,
        "conversation_id": i,
        "author": "customer",
        "text": "快递三天没到,客服也不理我",
        "created_at": when,
    }
    _rows(connection, tables.messages, f"{one}, {parts.format(messages - 1)}", said)
    sent: dict[str, Any] = {
        "id": month + i * sents + k,
        "conversation_id": i,
        "message_id": month + i * messages + k,
        **place,
        "address": thread,
    }
    sent |= {"place": _words("telegram:main:h", i), "kind": "reply", "form": "text", "owner_epoch": 0, "state": "sent"}
    sent |= {"text": "很抱歉,我们记下了", "attempts": 1, "not_before": when, "reference": _words("h", i * sents + k)}
    _rows(
        connection, tables.outbox, f"{one}, {parts.format(sents - 1)}", sent | {"created_at": when, "finished_at": when}
    )
    tried: dict[str, Any] = {"outbox_id": month + i * sents + k, "at": when, "outcome": "sent", "milliseconds": 1.5}
    _rows(connection, tables.attempts, f"{one}, {parts.format(sents - 1)}", tried)
    fourth = f"{one} where i % 4 = 0"
    case: dict[str, Any] = {
        "id": i,
        "contact_id": i,
        "conversation_id": i,
        "origin": "conversation",
        "state": "closed",
        "title": "没到",
    }
    case |= {"nature": ["logistics"], "aspect": ["delay"], "urgency": "normal", "department": "logistics", "fields": {}}
    case |= {"language": "zh", "opened_at": when, "respond_by": when, "closed_at": when, "looked_at": when}
    _rows(connection, tables.cases, fourth, case | {"topic": "logistics:delay"})
    moved: dict[str, Any] = {"case_id": i, "at": when, "actor": "bot", "kind": "moved", "to_state": "closed"}
    _rows(connection, tables.case_events, f"{one}, {parts.format(2)} where i % 4 = 0", moved)
    clock: dict[str, Any] = {
        "case_id": i,
        "kind": "first_response",
        "counted": "office",
        "state": "met",
        "started_at": when,
    }
    clock |= {"warn_at": when, "due_at": when, "ended_at": when, "counted_from": when}
    _rows(connection, tables.deadlines, fourth, clock)


def _rows(connection: Connection, table: Table, source: str, values: Mapping[str, Any]) -> None:
    """Insert what `values` says, a row for each of `source`."""
    chosen = [
        value if isinstance(value, ColumnElement) else literal(value, table.c[name].type)
        for name, value in values.items()
    ]
    statement = select(*chosen).suffix_with(source)
    connection.execute(insert(table).from_select(list(values), statement, include_defaults=False))


def _words(before: str, number: ColumnElement[Any]) -> ColumnElement[Any]:
    return literal(before) + cast(number, String)


async def _settled(database: Database) -> int:
    """Statistics and sequences as after years; bytes on PostgreSQL, 0 on SQLite."""

    def work(connection: Connection) -> int:
        if connection.dialect.name != "postgresql":
            return 0
        for table in tables.metadata.sorted_tables:
            sequence = text(f"select pg_get_serial_sequence('{table.name}', 'id')")
            if "id" in table.c and (named := connection.execute(sequence).scalar()):
                highest = f"(select coalesce(max(id), 0) + 1 from {table.name})"
                connection.execute(text(f"select setval('{named}', {highest}, false)"))
        connection.execute(text("analyze"))
        return int(connection.execute(text("select pg_database_size(current_database())")).scalar_one())

    return await database.write(work)


if __name__ == "__main__":
    main()
