"""Logs: structlog to standard error, ids bound, secrets and message text never in them."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Telegram's token stands in its URLs; bearer tokens and signed links are as good as passwords.
_SECRETS = re.compile(r"\d{6,12}:[A-Za-z0-9_-]{30,}|(?<=Bearer )\S+|(?<=/[rcf]/)[\w-]{20,}")


_ROWS = re.compile(r"^(DETAIL: ).*", re.MULTILINE)
"""PostgreSQL's words on an error, which repeat the row."""


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut what looks like a secret, or may be what people wrote, out of every value, also of a formatted traceback."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _ROWS.sub(r"\1[redacted]", _SECRETS.sub("[redacted]", value))
    return event


def configure(level: str, form: str) -> None:
    """Logs of ours, and of libraries from warnings up, in one form: `console` or `json`."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    last = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter
    handler.setFormatter(
        formatter(processors=[formatter.remove_processors_meta, redact, last], foreign_pre_chain=shared[:-1])
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
