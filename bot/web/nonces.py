"""A page's own token in its form: a POST without one did not come from somebody who saw the page."""

from __future__ import annotations

import secrets
from datetime import timedelta

from bot import tokens
from bot.service import Service

OPEN_FOR = timedelta(hours=4)
"""How long a page may be open before it must be sent again."""


def issue(service: Service, page: str, subject: str) -> str:
    """A nonce for `page` about `subject`. Make the subject change when the form is used, and it is good once."""
    return tokens.sign(service.secret, f"page:{page}", subject, service.clock.now() + OPEN_FOR)


def read(service: Service, page: str, nonce: str) -> str | None:
    """The subject; None if it is forged, of another page, or too old."""
    try:
        return tokens.verify(service.secret, f"page:{page}", nonce, service.clock.now())
    except (tokens.BadToken, tokens.ExpiredToken):
        return None


def chance() -> str:
    """128 random bits: a subject, used as the key of what is sent, makes a form sent twice one."""
    return secrets.token_hex(16)
