"""Signed tokens: short, url-safe, bound to one purpose, and readable only as a whole.

A token is base64url(mac | head | payload): a MAC of 128 bits (HMAC-SHA256, truncated as RFC 2104 section 5 allows) over
the purpose and what follows; a head that says whether an expiry of 5 bytes (unix seconds) comes before the payload. The
payload is signed, not hidden: put an id in it, never a secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

_MAC_BYTES = 16
_EXPIRY_BYTES = 5
_LONGEST = 2048  # characters of a token that is looked at: ours are short
_FOR_EVER, _EXPIRES = b"\x00", b"\x01"


class BadToken(Exception):
    """Forged, cut off, of another purpose or of another server. Say "this link is not valid", and no more."""


class ExpiredToken(Exception):
    """Ours, but its time has passed. Offer a new one."""


def sign(secret: bytes, purpose: str, payload: str, expires_at: datetime | None = None) -> str:
    """A token that bears `payload` for `purpose`, valid before `expires_at` (to the second) or for ever.

    Raises ValueError on a secret of under 16 bytes, an expiry without a time zone or outside 1970 to 36812, and a
    payload too long for a link.
    """
    body = _FOR_EVER
    if expires_at is not None:
        if expires_at.tzinfo is None:
            raise ValueError("a token's expiry needs a time zone")
        try:
            body = _EXPIRES + int(expires_at.timestamp()).to_bytes(_EXPIRY_BYTES, "big")
        except OverflowError:
            raise ValueError(f"a token cannot expire at {expires_at}") from None
    body += payload.encode()
    token = _encode(_mac(secret, purpose, body) + body)
    if len(token) > _LONGEST:
        raise ValueError(f"a token's payload of {len(payload)} characters does not fit into a link")
    return token


def verify(secret: bytes, purpose: str, token: str, now: datetime) -> str:
    """The payload. Raises BadToken, ExpiredToken; ValueError on a secret of under 16 bytes."""
    if len(token) > _LONGEST or not token.isascii():
        raise BadToken("this is not one of our tokens")
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadToken("this is not one of our tokens") from None
    mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    # base64 has several spellings of the same bytes; only ours is a token.
    if not hmac.compare_digest(mac, _mac(secret, purpose, body)) or _encode(raw) != token:
        raise BadToken("the signature does not fit")
    head, rest = body[:1], body[1:]
    if head == _EXPIRES:
        if int(now.timestamp()) >= int.from_bytes(rest[:_EXPIRY_BYTES], "big"):
            raise ExpiredToken("the token has expired")
        rest = rest[_EXPIRY_BYTES:]
    return rest.decode()


def _mac(secret: bytes, purpose: str, body: bytes) -> bytes:
    if len(secret) < 16:
        raise ValueError("the server's secret must have at least 16 bytes")
    name = purpose.encode()
    return hmac.new(secret, len(name).to_bytes(2, "big") + name + body, hashlib.sha256).digest()[:_MAC_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
