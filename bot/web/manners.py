"""What every answer over HTTP has: headers that protect, and an apology instead of a traceback."""

from __future__ import annotations

import uuid

import structlog

log = structlog.get_logger()

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""On every answer that does not set its own: no page of ours runs or loads what is not its own."""

_SORRY = "我们这边出了点问题，请稍后再试。Something went wrong on our side; please try again in a moment. ({number})"


def incident(route: str, error: Exception) -> str:
    """Log a fault of ours under a number; what the caller is told of it."""
    number = uuid.uuid4().hex[:8]
    log.error("request failed", incident=number, path=route, error=type(error).__name__, exc_info=True)
    return _SORRY.format(number=number)
