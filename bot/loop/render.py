"""Texts cut to what a channel can carry."""

from __future__ import annotations

from collections.abc import Iterator

_BREAKS = ("\n\n", "\n", "。", "！", "？", ". ", "! ", "? ", "；", "; ", "，", ", ", " ")


def split(text: str, limit: int, *, in_bytes: bool = False) -> Iterator[str]:
    """The text in parts of at most `limit` characters (UTF-8 bytes where `in_bytes`), cut where a reader would pause.
    Nothing but the white space at a cut is lost; an empty text is one empty part."""
    while _size(text, in_bytes) > limit:
        head = _longest(text, limit, in_bytes)
        cut = next((at + len(mark) for mark in _BREAKS if (at := head.rfind(mark)) >= len(head) // 2), len(head))
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    yield text


def _size(text: str, in_bytes: bool) -> int:
    return len(text.encode()) if in_bytes else len(text)


def _longest(text: str, limit: int, in_bytes: bool) -> str:
    return text.encode()[:limit].decode(errors="ignore") if in_bytes else text[:limit]
