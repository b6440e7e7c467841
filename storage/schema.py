"""Brings a database to the tables of this version; two starts at once do not collide."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from storage.database import Database

HEAD = "0002"
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x65617266  # "earf": pg_advisory_xact_lock wants a number of our own


class NewerSchema(Exception):
    """The database was written by a newer Earful. The message says what to do."""


async def upgrade(database: Database) -> bool:
    """Migrate to HEAD in one transaction. False if there was nothing to do. Raises NewerSchema."""
    if await database.read(_version) == HEAD:
        return False
    await database.write(_upgrade)
    return True


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("select version_num from alembic_version")).scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - 100 ms that only a migration should cost
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NewerSchema(
            f"the database is at version {_version(connection)}, this Earful knows up to {HEAD}: "
            "install the Earful that wrote it, or restore the backup made before the upgrade"
        ) from error
