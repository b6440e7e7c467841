"""`earful dead-letters`: what could not be worked, and another try for it."""

from __future__ import annotations

import click

from bot.commands import with_database
from bot.loop import dead


@click.group("dead-letters")
def dead_letters() -> None:
    """Events that could not be worked after several attempts. Their customers were given to a person."""


@dead_letters.command("list")
@click.pass_context
def list_all(context: click.Context) -> None:
    """What there is, and why; never what anybody wrote."""
    rows = with_database(context, lambda database, clock: database.read(dead.listed))
    for row in reversed(rows):
        click.echo(f"{row.id}  {row.received_at:%Y-%m-%d %H:%M} UTC  {row.channel}  {row.reason}")
    if not rows:
        click.echo("There are no dead letters.")


@dead_letters.command("show")
@click.argument("id", type=int)
@click.pass_context
def show(context: click.Context, id: int) -> None:
    """Everything about the event with this id: as it was understood and, where it was not, as it came. This shows what
    somebody wrote."""
    row = with_database(context, lambda database, clock: database.read(lambda connection: dead.one(connection, id)))
    if row is None:
        raise click.ClickException(f"{id} is no dead letter. `earful dead-letters list` says which there are")
    for name, value in row.items():
        if name != "id" and value is not None:
            click.echo(f"{name:12} {dead.words(value) if isinstance(value, bytes | memoryview) else value}")


@dead_letters.command("replay")
@click.argument("ids", nargs=-1, type=int, required=True)
@click.pass_context
def replay(context: click.Context, ids: tuple[int, ...]) -> None:
    """Try the events with these ids again, as if they had just come; a running service takes them up by itself."""
    lanes = with_database(context, lambda database, clock: database.write(lambda link: dead.again(link, ids)))
    if len(lanes) != len(set(ids)):
        raise click.ClickException(
            f"{len(lanes)} of {len(set(ids))} are dead letters and are tried again; the others are not"
        )
    click.echo(f"{len(lanes)} tried again.")
