"""`earful import`: episodes from a table, as many as there are."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands import clear, run, settings_of
from bot.logging import configure

if TYPE_CHECKING:
    from bot.api.episode_import import Report

SHOWN = 20
"""Refused rows that are shown; all of them go to --refused."""


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Look through all of it, and write nothing.")
@click.option(
    "--refused",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where refused lines go with their reasons, as CSV.",
)
@click.pass_context
def import_file(context: click.Context, file: Path, dry_run: bool, refused: Path | None) -> None:
    """Report the services in FILE (.csv or .xlsx), and ask their customers.

    \b
    The first row names the columns:
      external_id, touchpoint, ended_at, customer_id        needed
      agent, product, region, business_line, survey
      customer_name, language, segment, revenue
      channel, account, address; channel_2, address_2 ...   in the order of preference
    Whoever may be asked is asked by the running service. Imported again, what is known stays as it is.
    """
    from rich.console import Console  # noqa: PLC0415 - other commands need not wait for any of these
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from bot.api.episode_import import take  # noqa: PLC0415
    from bot.api.episode_rows import FileError, rows_of  # noqa: PLC0415
    from bot.app import opened  # noqa: PLC0415

    settings = settings_of(context)
    configure("error", "console")

    async def work() -> Report:
        async with opened(settings, alone=False) as service:
            total = sum(1 for _ in rows_of(file))
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("Looking" if dry_run else "Importing", total=total)
                return await take(service, rows_of(file), lambda done: progress.advance(task, done), dry_run=dry_run)

    with clear():
        try:
            report = run(work())
        except FileError as error:
            raise click.ClickException(str(error)) from None
    _tell(report, refused, dry_run=dry_run)


def _tell(report: Report, refused: Path | None, *, dry_run: bool) -> None:
    done = "would be taken" if dry_run else "taken"
    click.echo(f"{report.new} {done}, {report.known} known before, {len(report.refused)} refused.")
    for what, count in report.decided.most_common():
        click.echo(f"  {count:>8}  {'to be asked' if what == 'planned' else f'not asked: {what}'}")
    for line, why in report.refused[:SHOWN]:
        click.echo(f"line {line}: {why}", err=True)
    if len(report.refused) > SHOWN:
        click.echo(f"and {len(report.refused) - SHOWN} more; --refused FILE writes all of them", err=True)
    if refused is not None:
        with refused.open("w", encoding="utf-8-sig", newline="") as file:
            written = csv.writer(file)
            written.writerow(("line", "why"))
            written.writerows(report.refused)
    if report.refused:
        raise SystemExit(1)
