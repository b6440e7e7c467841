"""How a file is taken in over HTTP and handed out: bounded, and never as anything that a browser would run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.attachments.kinds import disposition
from bot.attachments.store import File

PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
"""What is shown where it stands; everything else is saved."""


class Body(Protocol):
    """A request's bytes as they come."""

    async def readany(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class TooLarge(Exception):
    """More came than `limit` bytes."""

    limit: int


async def read(body: Body, announced: int | None, limit: int) -> bytes:
    """Everything that is sent, at most `limit` bytes: whoever sends more is cut off there. Raises TooLarge."""
    if announced is not None and announced > limit:
        raise TooLarge(limit)
    found = bytearray()
    while part := await body.readany():
        found += part
        if len(found) > limit:
            raise TooLarge(limit)
    return bytes(found)


def headers(file: File, *, inline: bool) -> dict[str, str]:
    """With these no browser runs anything of it, nor takes it for anything else, nor keeps it for the next person.
    `inline`: a picture that is shown where it stands; opened by itself it is saved all the same."""
    picture = inline and file.type in PICTURES
    return {
        "Content-Type": file.type if picture else "application/octet-stream",
        "Content-Disposition": disposition(file.name),
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-store" if not picture else "private, max-age=3600",
        "Referrer-Policy": "no-referrer",
    }
