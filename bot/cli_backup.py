"""`earful backup` and `earful restore`: everything in one file, for SQLite and PostgreSQL alike."""

from __future__ import annotations

from pathlib import Path

import click

from bot.clock import SystemClock
from bot.commands import clear, run, settings_of
from storage.database import open_database
from storage.schema import NewerSchema, upgrade


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_context
def backup(context: click.Context, file: Path) -> None:
    """Write everything to FILE, as it is at one moment; the service may go on meanwhile. FILE holds what customers
    wrote: keep it as safe as the database. It does not hold the secret that signs links (EARFUL_SECRET, or secret.key
    in the data directory): keep that too."""
    from storage.dump import backup as write  # noqa: PLC0415 - other commands need not wait for it

    settings = settings_of(context)

    async def work() -> int:
        database = open_database(settings.database)
        try:
            await upgrade(database)
            return await write(database, file, SystemClock().now())
        finally:
            await database.close()

    with clear():
        count = run(work())
    click.echo(f"{count} rows are in {file}.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--resume", is_flag=True, help="Nothing was sent since: what waited to be sent is sent.")
@click.pass_context
def restore(context: click.Context, file: Path, resume: bool) -> None:
    """Read FILE into the empty database of the settings, SQLite or PostgreSQL, whichever it came from. Without --resume
    messages that waited when the backup was made are not sent again by themselves: the desk shows them as unknown."""
    from storage.dump import BadBackup  # noqa: PLC0415
    from storage.dump import restore as read  # noqa: PLC0415

    settings = settings_of(context)

    async def work() -> int:
        database = open_database(settings.database)
        try:
            return await read(database, file, resume=resume)
        finally:
            await database.close()

    try:
        with clear():
            count = run(work())
    except (BadBackup, NewerSchema) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{count} rows are restored. Start the service with the same EARFUL_SECRET (or secret.key) as before.")
