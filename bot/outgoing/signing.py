"""Signatures of outgoing webhooks, as Standard Webhooks 1.0 says: HMAC-SHA256 over `id.timestamp.body`.

A webhook's secret is kept nowhere: it is made of the server's secret and a salt that stands in the database, so that
neither alone gives it away.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

_PURPOSE = b"earful webhook\0"
_PREFIX = "whsec_"


def new_salt() -> str:
    return secrets.token_hex(16)


def secret_of(server: bytes, salt: str) -> str:
    """The secret as its receiver keeps it: whsec_ and 32 bytes in base64."""
    return _PREFIX + base64.b64encode(_key(server, salt)).decode()


def mark_of(server: bytes, salt: str) -> str:
    """By which it is noticed that the server's secret has changed; tells nothing of either."""
    return hashlib.sha256(b"mark\0" + _key(server, salt)).hexdigest()[:16]


def headers(server: bytes, salts: Sequence[str], key: str, timestamp: int, body: bytes) -> dict[str, str]:
    """What goes with a body, signed with the secret of each salt. `timestamp`: seconds since 1970, of this attempt."""
    content = f"{key}.{timestamp}.".encode() + body
    signed = (hmac.new(_key(server, salt), content, hashlib.sha256).digest() for salt in salts)
    return {
        "webhook-id": key,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signed),
    }


def _key(server: bytes, salt: str) -> bytes:
    return hmac.new(server, _PURPOSE + salt.encode(), hashlib.sha256).digest()
