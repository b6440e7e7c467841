"""`earful privacy`: what is kept of a customer, given out and erased on their request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import orjson

from bot.commands import with_database

_NOBODY = (
    "there is no such customer, or they are erased already. Name them by your own id, by `contact:12` with the number "
    "that the API lists, or by an address as channel:account:address, such as sms:main:+8613800138000"
)


@click.group("privacy")
def privacy_group() -> None:
    """What is kept of a customer, over all channels: given out, or erased. CUSTOMER is your own id of them, contact:12,
    or channel:account:address."""


@privacy_group.command("export")
@click.argument("customer")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_context
def export_customer(context: click.Context, customer: str, file: Path) -> None:
    """Write everything that is kept of CUSTOMER to the new FILE, as JSON. Nothing is masked, and notes of your
    colleagues are among it: read it before it is handed over. What was answered without a name is left out."""
    from bot.contacts import privacy  # noqa: PLC0415 - other commands need not wait for it
    from bot.staff.service import note  # noqa: PLC0415

    async def work(database: Any, clock: Any) -> dict[str, Any] | None:
        contact = await database.read(lambda connection: privacy.find(connection, customer))
        if contact is None:
            return None
        found: dict[str, Any] = await database.snapshot(lambda connection: privacy.export(connection, contact))
        await database.write(
            lambda connection: note(connection, clock.now(), "cli", "contact_exported", f"contact:{contact}")
        )
        return found

    try:
        # New, and readable by nobody else from its first byte.
        place = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(
            f"{file} cannot be written ({error.strerror}). Name a file that is not there"
        ) from None
    try:
        kept = with_database(context, work)
        if kept is None:
            raise click.ClickException(_NOBODY)
        with os.fdopen(place, "wb", closefd=False) as out:
            out.write(orjson.dumps(kept, option=orjson.OPT_INDENT_2))
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(place)
    count = sum(map(len, kept.values()))
    click.echo(f"{count} rows. Whoever reads {file} reads everything: hand it over, then delete it.")


@privacy_group.command("erase")
@click.argument("customer")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def erase_customer(context: click.Context, customer: str, yes: bool) -> None:
    """Erase CUSTOMER: words, names, numbers and addresses. Figures stay and belong to nobody; open cases are withdrawn,
    surveys are not asked. It cannot be undone, and may be done beside a running service."""
    from bot.contacts import privacy  # noqa: PLC0415

    async def look(database: Any, clock: Any) -> tuple[int, str] | None:
        found: tuple[int, str] | None = await database.read(lambda connection: privacy.summary(connection, customer))
        return found

    found = with_database(context, look)
    if found is None:
        raise click.ClickException(_NOBODY)
    contact, about = found
    if not yes:
        click.confirm(f"{about}. Erase it all? It cannot be undone", abort=True)

    async def work(database: Any, clock: Any) -> Any:
        return await privacy.erase(database, contact, clock.now(), "cli")

    try:
        done = with_database(context, work)
    except privacy.Sending:
        raise click.ClickException("a message to them is on its way: try again in a minute") from None
    if done is None:
        raise click.ClickException(_NOBODY)
    click.echo("Erased. Backups, exports and what webhooks were told before are yours to erase.")
    click.echo("Open desks forget it when they are loaded again, a running service when it is restarted.")
