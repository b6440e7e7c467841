"""`earful check`: whether it would work, before it has to."""

from __future__ import annotations

import click

from bot.commands import clear, run, settings_of


@click.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Look through settings, content, database, channels and mail server, and say how to mend what is wrong. Nothing is
    changed."""
    from bot.checking import findings  # noqa: PLC0415 - other commands need not wait for it

    settings = settings_of(context)
    with clear():
        found = run(findings(settings))
    for each in found:
        click.echo(f"{each.subject:<10} {each.state:<6} {each.said}")
    wrong = sum(each.state == "wrong" for each in found)
    if wrong:
        raise click.ClickException(f"{wrong} of these must be put right before Earful can start")
