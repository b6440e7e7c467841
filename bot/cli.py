"""The command line: `earful`."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
import orjson

from bot import settings as settings_file
from bot.cli_backup import backup, restore
from bot.cli_check import check
from bot.cli_dead import dead_letters
from bot.cli_export import export_file
from bot.cli_import import import_file
from bot.cli_nlu import nlu
from bot.cli_privacy import privacy_group
from bot.cli_report import report_month
from bot.commands import clear, run, settings_of, with_database
from bot.logging import configure
from bot.settings import Settings, SettingsError

if TYPE_CHECKING:
    from bot.service import Role

T = TypeVar("T")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(path_type=Path), help="Settings file; default: earful.toml, if it is there.")
@click.version_option(package_name="earful", prog_name="earful")
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Earful hears every customer on every channel."""
    context.obj = config


# ---- the service ----


@main.command()
@click.option("--host", help="Address to listen on; default 127.0.0.1.")
@click.option("--port", type=int, help="Port to listen on; default 8080, 0 for any that is free.")
@click.option("--demo", is_flag=True, help="With demo content, until `earful demo remove`.")
@click.option("--gateway", is_flag=True, help="Only take in and show; `earful worker` processes do the work.")
@click.pass_context
def serve(context: click.Context, host: str | None, port: int | None, demo: bool, gateway: bool) -> None:
    """Serve customers, agents and platforms. Several may share a PostgreSQL."""
    settings = settings_of(context, host=host, port=port)
    configure(settings.log_level, settings.log_format)
    with clear():
        run(_serve(settings, demo=demo, role="gateway" if gateway else "all"))


@main.command()
@click.option("--host", help="Address to listen on; default 127.0.0.1.")
@click.option("--port", type=int, default=0, help="Port for /healthz, /readyz and /metrics; default: any that is free.")
@click.pass_context
def worker(context: click.Context, host: str | None, port: int) -> None:
    """Work turns, timers and deliveries, beside `earful serve` on the same PostgreSQL. Start as many as there are
    cores."""
    settings = settings_of(context, host=host, port=port)
    configure(settings.log_level, settings.log_format)
    with clear():
        run(_serve(settings, demo=False, role="worker"))


async def _serve(settings: Settings, *, demo: bool, role: Role) -> None:
    from bot.app import opened, running, web_application  # noqa: PLC0415 - other commands need not wait for it
    from bot.demo import seed  # noqa: PLC0415
    from bot.staff.service import ensure_admin  # noqa: PLC0415
    from bot.web.server import serve as listen  # noqa: PLC0415

    started = time.perf_counter()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with opened(settings, role=role) as service:
        try:
            runner, port = await listen(web_application(service), settings.host, settings.port)
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror}). "
                "Stop what uses it, or set EARFUL_PORT (or --port) to another, 0 for any that is free"
            ) from None
        given = settings.admin_password.get_secret_value() if settings.admin_password else None
        one_time = None
        if role != "worker":
            one_time = await ensure_admin(service.database, service.clock, given, settings.language)
        if demo:
            await seed(service)
        async with running(service):
            gc.collect()
            gc.freeze()  # what was made at start lives as long as we do
            gc.set_threshold(50_000, 20, 100)  # a batch of turns makes tens of thousands of objects, hardly one a cycle
            _greet(settings, port, one_time, time.perf_counter() - started, role)
            await stop.wait()
            click.echo("Stopping: no new requests; what is under way is finished.", err=True)
            await runner.cleanup()


def _greet(settings: Settings, port: int, one_time: str | None, seconds: float, role: Role) -> None:
    if role == "worker":
        click.echo(f"Earful works after {seconds:.1f} s.")
        click.echo(f"  Health and figures   http://localhost:{port}/readyz")
        sys.stdout.flush()
        return
    address = settings.public_url or f"http://localhost:{port}"
    click.echo(f"Earful is ready after {seconds:.1f} s.")
    click.echo(f"  Chat as a customer   {address}/chat")
    click.echo(f"  Answer as an agent   {address}/desk")
    if one_time:
        click.echo(f"  First sign-in        admin / {one_time}   (shown once; you will choose your own)")
    sys.stdout.flush()


@main.command()
@click.option("--port", type=int, default=5055, show_default=True)
@click.pass_context
def actions(context: click.Context, port: int) -> None:
    """Serve our actions to a Rasa server (the rasa-sdk action server)."""
    from rasa_sdk.endpoint import create_app  # noqa: PLC0415

    from bot.actions.registry import executor  # noqa: PLC0415

    made = executor()
    click.echo(f"Serving {len(made.actions)} actions on http://127.0.0.1:{port}/webhook")
    create_app(made).run(host="127.0.0.1", port=port, single_process=True, access_log=False)


@main.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@click.pass_context
def db_upgrade(context: click.Context) -> None:
    """Bring the database to this version."""
    from storage.database import open_database  # noqa: PLC0415
    from storage.schema import HEAD, upgrade  # noqa: PLC0415

    settings = settings_of(context)

    async def work() -> bool:
        database = open_database(settings.database)
        try:
            return await upgrade(database)
        finally:
            await database.close()

    with clear():
        click.echo(f"Upgraded to {HEAD}." if run(work()) else f"Nothing to do: the database is at {HEAD}.")


# ---- people ----


@main.group()
def user() -> None:
    """Staff accounts."""


@user.command("add")
@click.argument("login")
@click.option("--name", help="Shown to customers; default: the login.")
@click.option("--role", type=click.Choice(["agent", "supervisor", "admin"]), default="agent", show_default=True)
@click.password_option()
@click.pass_context
def user_add(context: click.Context, login: str, name: str | None, role: str, password: str) -> None:
    """Add a member of the staff."""
    from bot.staff.service import add_user  # noqa: PLC0415

    with_database(context, lambda database, clock: add_user(database, clock, login, name or login, role, password))
    click.echo(f"{login} may sign in as {role}.")


@user.command("name")
@click.argument("login")
@click.argument("name")
@click.pass_context
def user_name(context: click.Context, login: str, name: str) -> None:
    """Change the NAME under which customers and colleagues see LOGIN."""
    from bot.staff.service import rename  # noqa: PLC0415

    kept = with_database(context, lambda database, clock: rename(database, clock, login, name))
    click.echo(f"{login} is now shown as {kept}.")


@user.command("password")
@click.argument("login")
@click.password_option()
@click.pass_context
def user_password(context: click.Context, login: str, password: str) -> None:
    """Set somebody's password; they are signed out everywhere."""
    from bot.staff.service import set_password  # noqa: PLC0415

    with_database(context, lambda database, clock: set_password(database, clock, login, password))
    click.echo(f"The password of {login} is set.")


@main.group()
def token() -> None:
    """Tokens for the API."""


@token.command("add")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="What it may do; repeat it for several.")
@click.pass_context
def token_add(context: click.Context, name: str, scopes: tuple[str, ...]) -> None:
    """Make a token for a system that calls the API. It is shown once; NAME says who uses it.

    \b
    The scopes are
      episodes:write       report services, after which customers are asked
      feedback:write       hand in feedback
      surveys:read         surveys, and why one was not sent
      ratings:read         ratings
      cases:read           cases
      cases:write          work on cases: assign, plan, ask, resolve
      remedies:approve     approve remedies, as people whose limit allows it
      conversations:read   conversations
      conversations:write  claim, answer, hand back
      contacts:read        customers: segment, risk and why, what they agreed to
      contacts:write       set what a customer agreed to, their birthday and manager
      privacy:export       everything that is kept of a customer, unmasked, with files
      privacy:erase        erase a customer for good
      insights:read        figures: who was asked, what ratings add up to
      knowledge:read       what there are answers to
      knowledge:write      write and remove answers
      webhooks:write       webhooks: register, look at what did not arrive, replay
    """
    from bot.api.tokens import create  # noqa: PLC0415

    made = with_database(context, lambda database, clock: create(database, clock, name, scopes, by="command line"))
    click.echo(made)


@main.command()
@click.argument("account")
@click.pass_context
def telegram(context: click.Context, account: str) -> None:
    """Tell Telegram where to call for [channels.telegram.ACCOUNT]; with mode = "polling", to stop calling."""
    from bot.accounts import adapters_of  # noqa: PLC0415
    from channels.base import ChannelError  # noqa: PLC0415
    from channels.http import Http  # noqa: PLC0415
    from channels.telegram.adapter import TelegramAdapter  # noqa: PLC0415

    settings = settings_of(context)

    async def work() -> None:
        http = Http()
        try:
            adapter = adapters_of(settings, http).get(("telegram", account))
            if not isinstance(adapter, TelegramAdapter):
                raise SettingsError(f"there is no [channels.telegram.{account}] in the settings")
            await adapter.register(settings.address)
        except ChannelError as error:
            raise SettingsError(str(error)) from None
        finally:
            await http.close()

    with clear():
        run(work())
    click.echo(f"Telegram knows: {settings.address}/hooks/telegram/{account}")


@main.group()
def demo() -> None:
    """The demo content of `make run`."""


@demo.command("remove")
@click.pass_context
def demo_remove(context: click.Context) -> None:
    """Remove the demo's customers with everything about them."""
    from bot.demo import remove  # noqa: PLC0415

    removed = with_database(context, lambda database, clock: remove(database))
    click.echo(f"Removed {removed} demo customers." if removed else "There is no demo content.")


# ---- trying it ----


@main.command()
@click.option("--language", type=click.Choice(["zh", "en"]), help="Speak first in this language.")
@click.pass_context
def chat(context: click.Context, language: str | None) -> None:
    """Be a customer in this terminal. Type a number to tap a button, Ctrl-D to leave."""
    from bot.simulation.terminal import talk  # noqa: PLC0415

    settings = settings_of(context, language=language)
    configure("error", "console")
    with clear():
        run(talk(settings))


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write everything that came of it.")
@click.pass_context
def simulate(context: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Play scenarios on a virtual clock, and check what they expect. A folder stands for every *.yml in it."""
    from bot.simulation.expecting import failures  # noqa: PLC0415
    from bot.simulation.play import play  # noqa: PLC0415
    from bot.simulation.scenario import ScenarioError, read  # noqa: PLC0415

    settings = settings_of(context)
    configure("error", "console")
    failed = 0
    files = tuple(each for file in files for each in (sorted(file.glob("*.yml")) if file.is_dir() else [file]))
    for file in files:
        try:
            scenario = read(file)
            with clear():
                result = run(play(scenario, settings, settings.data_dir / "models"))
        except ScenarioError as error:
            raise click.ClickException(str(error)) from None
        if as_json:
            click.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())
        wrong = failures(result, scenario.expect)
        failed += bool(wrong)
        click.echo(f"{'FAILED' if wrong else 'ok    '} {scenario.name}", err=as_json)
        for each in wrong:
            click.echo(f"       {each}", err=True)
    if failed:
        raise click.ClickException(f"{failed} of {len(files)} scenarios did not come out as expected")


@main.command()
@click.argument("name")
@click.pass_context
def form(context: click.Context, name: str) -> None:
    """Print the address of a feedback form for your website; NAME tells you later where words came from."""
    from bot.links import Links  # noqa: PLC0415
    from bot.web.form_page import form_link  # noqa: PLC0415

    settings = settings_of(context)
    with clear():
        click.echo(form_link(Links(settings.address, settings_file.server_secret(settings)), name))


@main.command()
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_context
def qr(context: click.Context, name: str, file: Path) -> None:
    """Write the QR code of the feedback form of NAME, a shop or a counter, to FILE: .png, .svg, or a poster in .pdf.

    What is rated there is the service at NAME.
    """
    from bot.links import Links  # noqa: PLC0415
    from bot.web import poster  # noqa: PLC0415
    from bot.web.form_page import form_link  # noqa: PLC0415

    settings = settings_of(context)
    with clear():
        link = form_link(Links(settings.address, settings_file.server_secret(settings)), name)
    match file.suffix.lower():
        case ".png":
            made = poster.code(link, "png")
        case ".svg":
            made = poster.code(link, "svg")
        case ".pdf":
            made = poster.poster(link, name, settings.company)
        case _:
            raise click.BadParameter("name a file that ends in .png, .svg or .pdf", param_hint="FILE")
    try:
        file.write_bytes(made)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written ({error.strerror})") from None
    click.echo(link)
    if not settings.public_url:
        click.echo(f"Phones cannot open {settings.address}: set EARFUL_PUBLIC_URL and write it anew.", err=True)


main.add_command(check)
main.add_command(nlu)
main.add_command(import_file)
main.add_command(export_file)
main.add_command(dead_letters)
main.add_command(privacy_group)
main.add_command(report_month)
main.add_command(backup)
main.add_command(restore)
