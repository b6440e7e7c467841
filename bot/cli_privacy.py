"""`earful privacy`: what is kept of a customer, given out and erased on their request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from bot.commands import with_database

_NOBODY = (
    "there is no such customer. Name them by your own id, by `contact:12` with the number that the API lists, or by an "
    "address as channel:account:address, such as sms:main:+8613800138000"
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
    """Write everything that is kept of CUSTOMER to FILE, as JSON. Nothing is masked: the file is for them alone. What
    they answered without a name is left out."""
    from bot.contacts import privacy  # noqa: PLC0415 - other commands need not wait for it
    from bot.staff.service import note  # noqa: PLC0415

    async def work(database: Any, clock: Any) -> dict[str, Any] | None:
        def found(connection: Any) -> dict[str, Any] | None:
            contact = privacy.find(connection, customer)
            if contact is None:
                return None
            note(connection, clock.now(), "cli", "contact_exported", f"contact:{contact}")
            return privacy.export(connection, contact)

        kept: dict[str, Any] | None = await database.write(found)
        return kept

    kept = with_database(context, work)
    if kept is None:
        raise click.ClickException(_NOBODY)
    try:
        file.touch(mode=0o600)
        file.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written ({error.strerror})") from None
    click.echo(
        f"{sum(map(len, kept.values()))} rows. Whoever reads {file} reads everything: hand it over, then delete it."
    )


@privacy_group.command("erase")
@click.argument("customer")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def erase_customer(context: click.Context, customer: str, yes: bool) -> None:
    """Erase CUSTOMER: words, names, numbers and addresses. Figures stay and belong to nobody; open cases are withdrawn,
    surveys are not asked. It cannot be undone, and may be done beside a running service."""
    from bot.contacts import privacy  # noqa: PLC0415

    if not yes:
        click.confirm(f"Erase everything that is kept of {customer}? It cannot be undone", abort=True)

    async def work(database: Any, clock: Any) -> bool | None:
        contact = await database.read(lambda connection: privacy.find(connection, customer))
        return None if contact is None else await privacy.erase(database, contact, clock.now(), "cli")

    done = with_database(context, work)
    if done is None:
        raise click.ClickException(_NOBODY)
    if not done:
        raise click.ClickException("this customer is erased already")
    click.echo("Erased. Backups, exports and what webhooks were told before are yours to erase.")
