"""`earful import`: episodes from a table, as many as there are."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands import clear, run, settings_of
from bot.logging import configure

if TYPE_CHECKING:
    from bot.api.episode_import import Report
    from bot.api.episode_rows import Row

SHOWN = 20
"""Refused rows that are shown; all of them go to --refused."""
WHERE, WHY = "refused_line", "refused_why"
"""Columns before the row's own; an import passes over them, so that the file can be mended and imported."""


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Look through all of it, and write nothing.")
@click.option(
    "--refused",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where refused rows go as they are, each with its reason: a CSV to be mended and imported.",
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
            with (
                _refusing(file, refused) as refuse,
                Progress(*columns, console=Console(stderr=True), transient=True) as progress,
            ):
                task = progress.add_task("Looking" if dry_run else "Importing", total=total)
                rows = rows_of(file)
                return await take(service, rows, lambda n: progress.advance(task, n), dry_run=dry_run, refuse=refuse)

    if refused is not None and refused.exists() and refused.samefile(file):
        raise click.UsageError("--refused names the file that is imported: give it another name")
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
    if refused is not None and report.refused:
        click.echo(
            f"{refused} has the refused rows with their reasons: mend them there, and import that file", err=True
        )
    if report.refused:
        raise SystemExit(1)


@contextlib.contextmanager
def _refusing(file: Path, refused: Path | None) -> Iterator[Callable[[Row, str], None]]:
    """What is told of each row that is refused: it goes to `refused` at once, under the columns of `file`."""
    from bot.api.episode_rows import heading, written  # noqa: PLC0415

    if refused is None:
        yield lambda row, why: None
        return
    names = heading(file)
    own = [place for place, name in enumerate(names) if name not in (WHERE, WHY)]  # of a file that is mended again
    try:
        opened = refused.open("w", encoding="utf-8-sig", newline="")
    except OSError as error:
        raise click.ClickException(f"{refused} cannot be written ({error.strerror})") from None
    with opened as table:
        rows = csv.writer(table)
        rows.writerow([WHERE, WHY, *(names[place] for place in own)])

        def refuse(row: Row, why: str) -> None:
            cells = [row.told[place] if place < len(row.told) else None for place in own]
            rows.writerow([row.line, why, *map(written, cells), *map(written, row.told[len(names) :])])

        yield refuse
