"""`earful export`: cases as a table, as many as there are."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from bot.commands import settings_of, with_database


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--view", help="A saved view; what else is given here wins over it.")
@click.option("--state", help="Cases in this state.")
@click.option("--open/--settled", "open_", default=None, help="Those that are worked on, or are over.")
@click.option("--urgency", type=click.Choice(["urgent", "important", "normal"]))
@click.option("--department", help="Who leads.")
@click.option("--owner", help="The login of who has it.")
@click.option("--customer", help="The customer's id.")
@click.option("--from", "opened_from", type=click.DateTime(["%Y-%m-%d"]), help="Opened on this day or later.")
@click.option("--before", "opened_before", type=click.DateTime(["%Y-%m-%d"]), help="Opened before this day.")
@click.option("--language", type=click.Choice(["zh", "en"]), help="Of the first row; default: the setting.")
@click.pass_context
def export_file(
    context: click.Context,
    /,
    file: Path,
    view: str | None,
    open_: bool | None,
    opened_from: datetime | None,
    opened_before: datetime | None,
    language: str | None,
    **given: str | None,
) -> None:
    """Write cases to FILE (.csv or .xlsx), the oldest first. Phone numbers, mail addresses and the like are masked."""
    from bot.cases import export, views  # noqa: PLC0415 - other commands need not wait for it
    from bot.cases.filters import Wanted  # noqa: PLC0415

    if file.suffix.lower() not in (".csv", ".xlsx"):
        raise click.BadParameter("name a file that ends in .csv or .xlsx", param_hint="FILE")
    settings = settings_of(context)
    days = {
        name: day.replace(tzinfo=settings.zone)
        for name, day in (("opened_from", opened_from), ("opened_before", opened_before))
        if day is not None
    }
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None} | days
    if open_ is not None:
        chosen["open"] = open_
    spoken = language or settings.language

    async def work(database: Any, clock: Any) -> list[Any]:
        kept = Wanted() if view is None else await views.find(database, view)
        if kept is None:
            raise click.ClickException(f"there is no view '{view}'")
        return await export.pages(database, Wanted.from_json(kept.as_json() | Wanted(**chosen).as_json()), export.MOST)

    try:
        found = with_database(context, work)
    except export.TooMany:
        raise click.ClickException(f"more than {export.MOST} cases: choose fewer with --from and --before") from None
    table = export.Table(settings.zone, "en" if spoken == "en" else "zh")
    try:
        if file.suffix.lower() == ".csv":
            with file.open("w", encoding="utf-8", newline="") as text:
                count = export.write_csv(table, found, text)
        else:
            with file.open("wb") as raw:
                count = export.write_xlsx(table, found, raw)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written ({error.strerror})") from None
    click.echo(f"{count} cases.")
