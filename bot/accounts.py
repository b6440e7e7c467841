"""The accounts of the settings, each with its adapter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bot.settings import Settings, SettingsError
from channels.base import Adapter
from channels.http import Http
from channels.registry import adapter_class


def adapters_of(settings: Settings, http: Http) -> Mapping[tuple[str, str], Adapter[Any]]:
    """An adapter for each account of the settings, and for the web chat. Raises SettingsError."""
    made: dict[tuple[str, str], Adapter[Any]] = {}
    tables: dict[str, dict[str, dict[str, Any]]] = {"web": {"default": {}}, **settings.channels}
    for channel, accounts in tables.items():
        try:
            kind = adapter_class(channel)
        except ValueError as error:
            raise SettingsError(f"[channels.{channel}.…]: {error}") from None
        for account, table in accounts.items():
            where = f"[channels.{channel}.{account}]"
            if not account or ":" in account or "/" in account:
                raise SettingsError(f"{where}: an account's name has neither ':' nor '/'. Rename it")
            try:
                adapter = made[channel, account] = kind(account, kind.Settings(**table), http)
                adapter.public_url = settings.address
            except ValidationError as error:
                raise SettingsError(f"{where}: {_problems(error)}") from None
            except ValueError as error:
                raise SettingsError(f"{where}: {error}") from None
    return made


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False))
