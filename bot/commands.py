"""What every command of the command line needs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import click

from bot import settings as settings_file
from bot.clock import Clock, SystemClock
from bot.errors import ContentError
from bot.settings import Settings, SettingsError
from storage.database import Database, open_database
from storage.schema import upgrade

T = TypeVar("T")
_ASSISTANT = "earful.assistant_dir"


@contextlib.contextmanager
def clear() -> Iterator[None]:
    """What an operator can put right is said in a sentence, without a traceback."""
    from bot.alone import AlreadyRunning  # noqa: PLC0415 - only a failing command needs to know
    from storage.schema import NewerSchema  # noqa: PLC0415
    from storage.trouble import Unusable  # noqa: PLC0415

    try:
        yield
    except ContentError as error:
        raise click.ClickException(f"the content{_folder()} cannot be used:\n{error}") from None
    except (SettingsError, AlreadyRunning, NewerSchema, Unusable, ValueError) as error:
        raise click.ClickException(str(error)) from None


def settings_of(context: click.Context, **given: Any) -> Settings:
    """The settings of this call; what is given on the command line wins over the file."""
    with clear():
        given = {name: value for name, value in given.items() if value is not None}
        settings = settings_file.load(context.obj, **given)
    context.meta[_ASSISTANT] = settings.assistant_dir
    return settings


def _folder() -> str:
    """Where this call's content lies, as far as it is known yet."""
    context = click.get_current_context(silent=True)
    place = context.meta.get(_ASSISTANT) if context else None
    return f" in {place.absolute()}" if place else ""


def run(work: Awaitable[T]) -> T:
    """Run to the end, on uvloop where there is one."""

    async def main() -> T:
        return await work

    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return asyncio.run(main())
    return uvloop.run(main())


def with_database(context: click.Context, work: Callable[[Database, Clock], Awaitable[T]]) -> T:
    """Run `work` on the migrated database of the settings."""
    settings = settings_of(context)

    async def work_on_it() -> T:
        database = open_database(settings.database)
        try:
            await upgrade(database)
            return await work(database, SystemClock())
        finally:
            await database.close()

    with clear():
        return run(work_on_it())
