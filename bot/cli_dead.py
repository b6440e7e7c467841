"""`earful dead-letters`: what could not be worked, and another try for it."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import Connection, LargeBinary, select, type_coerce, update

from bot.commands import with_database
from storage.tables import inbox


@click.group("dead-letters")
def dead_letters() -> None:
    """Events that could not be worked after several attempts. Their customers were given to a person."""


@dead_letters.command("list")
@click.pass_context
def list_all(context: click.Context) -> None:
    """What there is, and why; never what anybody wrote."""

    def work(connection: Connection) -> list[Any]:
        statement = select(inbox.c.id, inbox.c.received_at, inbox.c.channel, inbox.c.reason)
        return list(connection.execute(statement.where(inbox.c.state == "dead").order_by(inbox.c.id)))

    rows = with_database(context, lambda database, clock: database.read(work))
    for row in rows:
        click.echo(f"{row.id}  {row.received_at:%Y-%m-%d %H:%M} UTC  {row.channel}  {row.reason}")
    if not rows:
        click.echo("There are no dead letters.")


@dead_letters.command("show")
@click.argument("id", type=int)
@click.pass_context
def show(context: click.Context, id: int) -> None:
    """Everything about the event with this id: as it was understood and, where it was not, as it came. This shows what
    somebody wrote."""
    # The bytes themselves: what cannot be decoded may be why it is here.
    event = type_coerce(inbox.c.event, LargeBinary).label("event")
    statement = select(
        inbox.c.received_at, inbox.c.channel, inbox.c.account, inbox.c.lane, inbox.c.dedupe_key, inbox.c.attempts
    ).add_columns(inbox.c.reason, event, inbox.c.raw)
    wanted = statement.where(inbox.c.id == id, inbox.c.state == "dead")

    def work(connection: Connection) -> Any:
        return connection.execute(wanted).mappings().first()

    row = with_database(context, lambda database, clock: database.read(work))
    if row is None:
        raise click.ClickException(f"{id} is no dead letter. `earful dead-letters list` says which there are")
    for name, value in row.items():
        if value is not None:
            words = bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else value
            click.echo(f"{name:12} {words}")


@dead_letters.command("replay")
@click.argument("ids", nargs=-1, type=int, required=True)
@click.pass_context
def replay(context: click.Context, ids: tuple[int, ...]) -> None:
    """Try the events with these ids again, as if they had just come; a running service takes them up by itself."""

    def work(connection: Connection) -> int:
        again = update(inbox).where(inbox.c.id.in_(ids), inbox.c.state == "dead")
        return connection.execute(again.values(state="new", attempts=0, reason=None)).rowcount

    done = with_database(context, lambda database, clock: database.write(work))
    if done != len(ids):
        raise click.ClickException(f"{done} of {len(ids)} are dead letters and are tried again; the others are not")
    click.echo(f"{done} tried again.")
