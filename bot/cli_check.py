"""`earful check`: whether it would work, before it has to."""

from __future__ import annotations

import click

from bot.commands import clear, run, settings_of
from bot.settings import SettingsError


@click.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Check settings, content, database and mail server, and say how to mend what is wrong."""
    from bot.app import opened  # noqa: PLC0415 - other commands need not wait for it

    settings = settings_of(context)

    async def look() -> None:
        async with opened(settings, alone=False) as service:
            channels = ", ".join(f"{channel}/{account}" for channel, account in service.adapters)
            click.echo(f"settings   ok, {settings.company} in {settings.time_zone}")
            click.echo(f"content    ok, {settings.assistant_dir}")
            click.echo(f"database   ok, {service.database.url.partition('://')[0]}")
            click.echo(f"channels   {channels}")
            if not settings.smtp_host:
                click.echo("mail       none: pages show at the desk and go to webhooks")
                return
            wrong = await service.mail.check()
            if wrong:
                raise SettingsError(wrong)
            click.echo(f"mail       ok, {settings.smtp_host}:{settings.smtp_port}")

    with clear():
        run(look())
