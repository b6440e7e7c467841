"""What a file is, by its own bytes: neither its name nor what anybody says of it is believed.

Pure. What is not on this list is not taken: nothing that a browser would run (HTML, SVG), no archive that is more than
an office document, no program.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from bot.attachments.pictures import BadPicture, cleaned

Family = Literal["image", "audio", "video", "file"]

UNPACKED_LIMIT = 300 << 20
"""Bytes that an office document may unpack to, as it says itself. We never unpack one; whoever opens it does."""
UNPACKED_TIMES = 200
ENTRIES_LIMIT = 5_000
NAME_LIMIT = 80


@dataclass(frozen=True, slots=True)
class Kind:
    """`type` is its media type, `endings` the name endings that it may have, the usual one first."""

    type: str
    family: Family
    endings: tuple[str, ...]


class NotTaken(ValueError):
    """The file is not taken. `code`: empty, kind, broken, bomb, macros."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


JPEG = Kind("image/jpeg", "image", ("jpg", "jpeg"))
PNG = Kind("image/png", "image", ("png",))
GIF = Kind("image/gif", "image", ("gif",))
WEBP = Kind("image/webp", "image", ("webp",))
PDF = Kind("application/pdf", "file", ("pdf",))
TEXT = Kind("text/plain", "file", ("txt", "csv", "log", "md"))
MP4 = Kind("video/mp4", "video", ("mp4", "m4v", "mov"))
M4A = Kind("audio/mp4", "audio", ("m4a",))
WEBM = Kind("video/webm", "video", ("webm",))
OGG = Kind("audio/ogg", "audio", ("ogg", "oga", "opus"))
MP3 = Kind("audio/mpeg", "audio", ("mp3",))
_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = Kind(_OFFICE + "wordprocessingml.document", "file", ("docx",))
XLSX = Kind(_OFFICE + "spreadsheetml.sheet", "file", ("xlsx",))
PPTX = Kind(_OFFICE + "presentationml.presentation", "file", ("pptx",))
KINDS = {kind.type: kind for kind in (JPEG, PNG, GIF, WEBP, PDF, TEXT, MP4, M4A, WEBM, OGG, MP3, DOCX, XLSX, PPTX)}

_BEGINNINGS = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"%PDF-", PDF),
    (b"\x1aE\xdf\xa3", WEBM),
    (b"OggS", OGG),
    (b"ID3", MP3),
    (b"\xff\xfb", MP3),
    (b"\xff\xf3", MP3),
)
_PARTS = (("word/", DOCX), ("xl/", XLSX), ("ppt/", PPTX))
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_UNSAFE = re.compile(r'[\\/:*?"<>|%\x00-\x1f\x7f]+')


def taken(content: bytes) -> tuple[Kind, bytes]:
    """What the file is, and what of it is kept: of a picture the picture alone, without where it was taken and without
    anything behind it. Raises NotTaken."""
    if not content:
        raise NotTaken("empty")
    kind = _sniffed(content)
    if kind.family == "image":
        try:
            return kind, cleaned(content, kind.type)
        except BadPicture:
            raise NotTaken("broken") from None
    return kind, content


def name_of(given: str, kind: Kind) -> str:
    """A name to save the file under: no path, nothing invisible, and an ending that says what it is."""
    plain = "".join(sign for sign in unicodedata.normalize("NFC", given) if unicodedata.category(sign)[0] != "C")
    name = _UNSAFE.sub("_", re.split(r"[\\/]", plain)[-1]).strip(" ._")
    stem, dot, ending = name.rpartition(".")
    if dot and ending.lower() in kind.endings:
        return f"{stem[:NAME_LIMIT].rstrip(' .') or 'file'}.{ending.lower()}"
    return f"{name[:NAME_LIMIT].rstrip(' .') or 'file'}.{kind.endings[0]}"


def disposition(name: str) -> str:
    """The header that has a browser save the file under `name` instead of showing it (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _sniffed(content: bytes) -> Kind:
    for beginning, kind in _BEGINNINGS:
        if content.startswith(beginning):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return WEBP
    if content[4:8] == b"ftyp":
        return M4A if content[8:11] == b"M4A" else MP4
    if content[:4] == b"PK\x03\x04":
        return _office(content)
    if _is_text(content):
        return TEXT
    raise NotTaken("kind")


def _office(content: bytes) -> Kind:
    """An office document is a ZIP whose list says so. Only the list is read; nothing is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            entries = packed.infolist()
    except (zipfile.BadZipFile, ValueError, RuntimeError, OSError, UnicodeError, EOFError):
        raise NotTaken("broken") from None
    names = {entry.filename for entry in entries}
    unpacked = sum(entry.file_size for entry in entries)
    if (
        len(entries) > ENTRIES_LIMIT
        or unpacked > UNPACKED_LIMIT
        or unpacked > UNPACKED_TIMES * len(content)
        or any(entry.flag_bits & 1 for entry in entries)
    ):
        raise NotTaken("bomb")
    if "[Content_Types].xml" not in names or any(_outside(name) for name in names):
        raise NotTaken("kind")
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise NotTaken("macros")
    for part, kind in _PARTS:
        if any(name.startswith(part) for name in names):
            return kind
    raise NotTaken("kind")


def _outside(name: str) -> bool:
    return name.startswith(("/", "\\")) or ":" in name or ".." in re.split(r"[\\/]", name)


def _is_text(content: bytes) -> bool:
    """Words, and no markup: a page or a drawing with a script in it is text, too, but not to a browser."""
    if _CONTROLS.search(content):
        return False
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return "<" not in text.lstrip()[:1] and not re.search(
        r"<\s*(?:script|html|svg|iframe|!doctype|\?xml)", text[:4_096], re.I
    )
