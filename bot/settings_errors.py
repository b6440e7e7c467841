"""What is wrong with a setting and what to write instead, in our words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

QUIET = frozenset(("admin_password", "api_token", "secret", "database_url", "redis_url", "channels", "smtp_password"))
"""Settings whose values are, or may hold, secrets: they are never shown."""

_SHOWN = 60
_CHOICES = re.compile(r"\^\(([\w|]+)\)\$")


def explained(problem: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """One of pydantic's errors; `names` are the settings that there are."""
    setting = str(problem["loc"][0]) if problem["loc"] else ""
    value, limits = problem.get("input"), problem.get("ctx") or {}
    given = "the value" if setting in QUIET else f"'{_brief(value)}'"
    match problem["type"]:
        case "extra_forbidden":
            return f"there is no such setting. There are {', '.join(names)}"
        case "value_error":
            return str(problem["msg"]).removeprefix("Value error, ")
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{given} is not a whole number. Write digits alone, such as 8080"
        case "greater_than_equal":
            return f"{given} is too small. Write {limits['ge']} or more"
        case "less_than_equal":
            return f"{given} is too large. Write {limits['le']} or less"
        case "string_pattern_mismatch":
            found = _CHOICES.fullmatch(str(limits.get("pattern", "")))
            known = ", ".join(found[1].split("|")) if found else str(limits.get("pattern"))
            return f"{given} is none of those that there are. Write one of: {known}"
        case "string_type" | "path_type":
            return f"{given} is not a text. Put it in quotes"
        case "tuple_type" | "list_type":
            return f'{given} is not a list. Write ["https://shop.example.com"], with brackets and quotes'
        case "dict_type":
            return 'this is not a table. Write [channels.telegram.main] on a line of its own, and token = "…" below it'
        case kind:
            return (
                f"{given} cannot be used here ({str(kind).replace('_', ' ')}). See docs/settings.md for what it takes"
            )


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
