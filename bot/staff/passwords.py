"""Passwords: argon2id, computed off the event loop and few at a time; one-time ones that a person can type."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

SHORTEST = 10
"""Characters: length is what makes a password strong (NIST SP 800-63B); no rules about which ones."""

LONGEST = 200
"""A longer one is refused unread: hashing it would cost us, not them."""

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # what is not mistaken for another sign
_HASHER = PasswordHasher()
_AT_ONCE = 2
"""Each hash takes 64 MiB and a core for some 50 ms: a crowd at the door must not take the house down."""


class WeakPassword(ValueError):
    """`code` is one of short, long, login, same."""

    def __init__(self, code: str) -> None:
        super().__init__(_REMEDIES[code])
        self.code = code


_REMEDIES = {
    "short": f"a password needs at least {SHORTEST} characters: three or four words are easy to keep in mind",
    "long": f"a password has at most {LONGEST} characters",
    "login": "a password must not be the login: choose words that nobody expects",
    "same": "the new password is the old one: choose another",
}


class Hashing:
    """Makes and checks hashes. One for a process, so that the limit on how many run at once holds."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def make(self, password: str) -> str:
        async with self._room:
            return await asyncio.to_thread(_HASHER.hash, _spelt(password))

    async def fits(self, password: str, known: str | None) -> bool:
        """Whether the password is the one hashed as `known`. Without a known one the same time is spent, so that
        nobody learns from the delay which logins exist."""
        async with self._room:
            return await asyncio.to_thread(_fits, password, known)


def check(password: str, login: str) -> None:
    """Raises WeakPassword for what an account of this login must not have."""
    if len(password) > LONGEST:
        raise WeakPassword("long")
    if len(_spelt(password).strip()) < SHORTEST:
        raise WeakPassword("short")
    if _spelt(password).casefold() == login.casefold():
        raise WeakPassword("login")


def one_time() -> str:
    """A password to be used once and changed: 16 signs, 79 bits, in groups that can be read out."""
    signs = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(signs[at : at + 4] for at in range(0, 16, 4))


def outdated(known: str) -> bool:
    """Whether a hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(known)


def _fits(password: str, known: str | None) -> bool:
    if len(password) > LONGEST:
        return False
    try:
        _HASHER.verify(known or _nobody(), _spelt(password))
    except (VerifyMismatchError, InvalidHashError):
        return False
    return known is not None


@cache
def _nobody() -> str:
    return _HASHER.hash(secrets.token_hex(16))


def _spelt(password: str) -> str:
    """The same characters however a keyboard composes them; a lone surrogate, which UTF-8 lacks, replaced."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace").decode()
