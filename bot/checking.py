"""`earful check`: what an operator set, looked through without changing anything, each with its remedy."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from redis.exceptions import RedisError

from bot import content as contents
from bot.accounts import adapters_of
from bot.actions.registry import executor
from bot.engine import Engine
from bot.errors import ContentError
from bot.loop.polling import Polled
from bot.loop.retention import Kept
from bot.outgoing.mail import Mail
from bot.settings import Settings, SettingsError
from channels.http import Http
from storage.database import open_database
from storage.schema import NewerSchema, standing
from storage.stream import client
from storage.trouble import Unusable

_TABLES = {
    "none": "empty: the first start makes its tables",
    "older": "of an older version: the next start brings it to this one, or `earful db upgrade`",
    "current": "",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`state`: `wrong` stops the start, `note` is worth knowing."""

    subject: str
    state: Literal["ok", "note", "wrong"]
    said: str


async def findings(settings: Settings) -> list[Finding]:
    """Everything there is to say of settings that could be read."""
    return [
        Finding("settings", "ok", f"{settings.company} in {settings.time_zone}"),
        _attempt("data", _folder, settings),
        _attempt("content", _content, settings),
        await _database(settings),
        Finding("retention", "ok", _kept(settings)),
        *([await _redis(settings.redis_url)] if settings.redis_url else []),
        *await _channels(settings),
        await _mail(settings),
    ]


def _attempt(subject: str, look: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(subject, "ok", look(settings))
    except (ContentError, SettingsError) as error:
        return Finding(subject, "wrong", str(error))


def _folder(settings: Settings) -> str:
    place = settings.data_dir.absolute()
    there: Path = next(folder for folder in (place, *place.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise SettingsError(f"{there} is no folder that this user may write to. Correct that, or set EARFUL_DATA_DIR")
    return str(place)


def _content(settings: Settings) -> str:
    place = settings.assistant_dir.absolute()
    try:
        Engine(contents.load(settings.assistant_dir).assistant, executor())
    except ContentError as error:
        raise SettingsError(f"the content in {place} cannot be used:\n{error}") from None
    return str(place)


async def _database(settings: Settings) -> Finding:
    if place := _not_made(settings):
        return Finding("database", "ok", f"{place}, made by the first start")
    try:
        database = open_database(settings.database)
        try:
            how = await standing(database)
        finally:
            await database.close()
    except (ValueError, NewerSchema, Unusable) as error:
        return Finding("database", "wrong", str(error))
    kind = "SQLite" if settings.database.startswith("sqlite") else "PostgreSQL"
    return Finding("database", "note" if _TABLES[how] else "ok", f"{kind}{', ' if _TABLES[how] else ''}{_TABLES[how]}")


def _kept(settings: Settings) -> str:
    kept = Kept.days(settings.keep_messages_days, settings.keep_events_days, settings.keep_audit_days)
    long = {"messages and files": kept.messages, "events as they came": kept.events, "the audit": kept.audit}
    return ", ".join(f"{what} {f'{each.days} days' if each else 'for ever'}" for what, each in long.items())


def _not_made(settings: Settings) -> Path | None:
    """SQLite's file where there is none yet: to look into it would make it."""
    place = Path(settings.database.removeprefix("sqlite:///"))
    return place if settings.database.startswith("sqlite:///") and not place.exists() else None


async def _redis(url: str) -> Finding:
    redis = client(url)
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        said = f"does not answer ({type(error).__name__}). Nothing is lost, but wake-ups between processes take longer"
        return Finding("redis", "note", f"{said}: start it, or correct EARFUL_REDIS_URL")
    finally:
        await redis.aclose()
    return Finding("redis", "ok", "answers")


async def _channels(settings: Settings) -> list[Finding]:
    http = Http()
    try:
        made = adapters_of(settings, http)
        for adapter in made.values():
            await adapter.close()
    except SettingsError as error:
        return [Finding("channels", "wrong", each) for each in str(error).splitlines()]
    finally:
        await http.close()
    found = []
    for (channel, account), adapter in made.items():
        name = f"{channel}/{account}"
        if channel == "web":
            found.append(Finding("channels", "ok", f"{name} at {settings.address}/chat"))
        elif isinstance(adapter, Polled) and adapter.polls:
            found.append(Finding("channels", "ok", f"{name} is asked for news: it needs no public address"))
        elif urlsplit(settings.address).scheme == "https":
            found.append(Finding("channels", "ok", f"{name}, which calls {adapter.hook}"))
        else:
            why = f"cannot call {adapter.hook}: set EARFUL_PUBLIC_URL to an https address that leads here"
            found.append(Finding("channels", "note", f"{name} {why}"))
    return found


async def _mail(settings: Settings) -> Finding:
    if not settings.smtp_host:
        return Finding("mail", "ok", "none: pages show at the desk and go to webhooks")
    wrong = await Mail(settings.mail_server, settings.company, f"{settings.address}/desk", settings.zone).check()
    return Finding("mail", "wrong" if wrong else "ok", wrong or f"{settings.smtp_host}:{settings.smtp_port}")
