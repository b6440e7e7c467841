"""Brings a database to the tables of this version; two starts at once do not collide."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from storage.database import Database
from storage.trouble import trouble

_MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = max(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
"""The newest version: that of the last migration there is."""

OLDEST = "0002"
"""The oldest version whose processes may run on this one's tables, so that an upgrade can go process by process: new
columns have defaults and what the old ones write stays (expand); what they need is removed a release later (contract),
and then this moves."""
_LOCK = 0x65617266  # "earf": pg_advisory_xact_lock wants a number of our own


class NewerSchema(Exception):
    """The database was written by a newer Earful. The message says what to do."""


async def upgrade(database: Database) -> bool:
    """Migrate to HEAD in one transaction. False if there was nothing to do, or if a newer Earful was here that says
    that ours may still run beside it. Raises NewerSchema, Unusable."""
    try:
        return False if await database.read(_fits) else await database.write_slowly(_upgrade)
    except Exception as error:
        known = trouble(error, database.url)
        if known is None:
            raise
        raise known from error


async def standing(database: Database) -> str:
    """How the tables stand, without a change to them: `current`, `older`, or `none` in an empty database. Raises
    NewerSchema, Unusable."""

    def look(connection: Connection) -> str:
        version = _version(connection)
        if version is None:
            return "none"
        if not _fits(connection) and version > HEAD:
            raise _newer(version)
        return "older" if version < HEAD else "current"

    try:
        return await database.read(look)
    except Exception as error:
        known = trouble(error, database.url)
        if known is None:
            raise
        raise known from error


def _fits(connection: Connection) -> bool:
    version = _version(connection)
    if version is None or version == HEAD:
        return version == HEAD
    known = connection.execute(text("select value from notes where key = 'oldest_reader'")).scalar()
    return version > HEAD and known is not None and str(known) <= HEAD


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("select version_num from alembic_version")).scalar()
    return None if found is None else str(found)


def upgrade_to(connection: Connection, version: str) -> None:
    """The empty tables of this version or an older one, for what is restored from it."""
    _migrate(connection, version)
    _mark(connection)


def _upgrade(connection: Connection) -> bool:
    if connection.dialect.name == "postgresql":
        # However long another start migrates. The tables' own locks are waited for briefly: whoever waits for one keeps
        # everybody waiting who comes after; the work is run again instead.
        connection.execute(text("set local lock_timeout = 0"))
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text("set local lock_timeout = 5000"))
    if _fits(connection):
        return False
    _migrate(connection, "head")
    _mark(connection)
    return True


def _mark(connection: Connection) -> None:
    connection.execute(text("delete from notes where key = 'oldest_reader'"))
    connection.execute(text("insert into notes (key, value) values ('oldest_reader', :oldest)"), {"oldest": OLDEST})


def _migrate(connection: Connection, version: str) -> None:
    from alembic import command  # noqa: PLC0415 - 100 ms that only a migration should cost
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, version)
    except CommandError as error:
        raise _newer(_version(connection)) from error


def _newer(version: str | None) -> NewerSchema:
    return NewerSchema(
        f"the database is at version {version}, this Earful knows up to {HEAD}: "
        "install the Earful that wrote it, or restore the backup made before the upgrade"
    )
