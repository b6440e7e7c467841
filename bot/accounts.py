"""The accounts of the settings, each with its adapter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bot.settings import Settings, SettingsError
from channels.base import AccountSettings, Adapter
from channels.http import Http
from channels.registry import adapter_class


def adapters_of(settings: Settings, http: Http) -> Mapping[tuple[str, str], Adapter[Any]]:
    """An adapter for each account of the settings, and for the web chat. Raises SettingsError with what is wrong in any
    of them."""
    made: dict[tuple[str, str], Adapter[Any]] = {}
    wrong: list[str] = []
    tables: dict[str, dict[str, dict[str, Any]]] = {"web": {"default": {}}, **settings.channels}
    for channel, accounts in tables.items():
        try:
            kind = adapter_class(channel)
        except ValueError as error:
            wrong.append(f"[channels.{channel}.…]: {error}")
            continue
        for account, table in accounts.items():
            where = f"[channels.{channel}.{account}]"
            if not account or ":" in account or "/" in account:
                wrong.append(f"{where}: an account's name has neither ':' nor '/'. Rename it")
                continue
            try:
                adapter = made[channel, account] = kind(account, kind.Settings(**table), http)
                adapter.public_url = settings.address
            except ValidationError as error:
                wrong += [f"{where}: {_said(kind.Settings, each)}" for each in error.errors(include_input=False)]
            except ValueError as error:
                wrong.append(f"{where}: {error}")
    if wrong:
        raise SettingsError("\n".join(wrong))
    return made


def _said(kind: type[AccountSettings], problem: Mapping[str, Any]) -> str:
    """One of pydantic's errors in our words. Values may be secrets: they are never shown."""
    name, limits = ".".join(map(str, problem["loc"])), problem.get("ctx") or {}
    field = kind.model_fields.get(name)
    hint = f": {field.description}" if field and field.description else ""
    match problem["type"]:
        case "missing":
            return f"{name} is missing{hint}"
        case "extra_forbidden":
            return f"there is no '{name}'. There are {', '.join(kind.model_fields) or 'none'}"
        case "value_error":
            return f"{name} {str(problem['msg']).removeprefix('Value error, ')}".strip()
        case "greater_than":
            return f"{name} must be a number above {limits['gt']}"
        case "literal_error":
            return f"{name} is one of {limits['expected']}"
        case "string_type":
            return f"{name} is not a text. Put it in quotes"
        case _:
            return f"{name} is not what it should be{hint}"
