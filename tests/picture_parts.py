"""Small files for tests, each as its format's own paper says."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

SECRET_PLACE = b"N 31 13.5 E 121 28.4"


def png(width: int = 2, height: int = 2, *more: tuple[bytes, bytes], tail: bytes = b"") -> bytes:
    """A picture of `width` times `height`, one colour; `more` chunks before its pixels, `tail` behind its end."""
    rows = min(height, 4_000) * (b"\0" + b"\x10\x80\x60" * min(width, 4_000))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *more, (b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in (*chunks, (b"IEND", b""))) + tail


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def jpeg(*, turned: int = 6, comment: bytes = b"hello", width: int = 8, height: int = 8, tail: bytes = b"") -> bytes:
    """As a telephone makes them: how it was held, and where."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, turned, 0, 0) + SECRET_PLACE
    segments = (
        (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
        (0xE1, b"Exif\0\0" + tiff),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"),
        (0xFE, comment),
        (0xDB, b"\0" + bytes(range(1, 65))),
        (0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"),
        (0xC4, b"\0" + b"\0" * 16),
        (0xDA, b"\1\1\0\0\x3f\0"),
    )
    made = b"".join(b"\xff" + bytes([sign]) + struct.pack(">H", len(body) + 2) + body for sign, body in segments)
    return b"\xff\xd8" + made + b"\x12\xff\x00\x34\xff\xd3\x56" + b"\xff\xd9" + tail


def gif(*, comment: bytes = b"who made it", tail: bytes = b"") -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 2, 2, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    said = b"\x21\xfe" + bytes([len(comment)]) + comment + b"\0"
    picture = b"\x2c" + struct.pack("<HHHHB", 0, 0, 2, 2, 0) + b"\x02\x03\x44\x02\x05\0"
    return head + said + picture + b"\x3b" + tail


def webp(*, exif: bytes = b"Exif" + SECRET_PLACE, tail: bytes = b"") -> bytes:
    head = b"VP8X" + struct.pack("<I", 10) + bytes([0x08, 0, 0, 0]) + b"\1\0\0\1\0\0"
    bits = b"\x2f" + struct.pack("<I", 1 | 1 << 14) + b"\0"
    picture = b"VP8L" + struct.pack("<I", len(bits)) + bits
    hidden = b"EXIF" + struct.pack("<I", len(exif)) + exif
    rest = b"WEBP" + head + picture + hidden
    return b"RIFF" + struct.pack("<I", len(rest)) + rest + tail


def office(*names: str, folder: str = "word/", content: bytes = b"<w/>", squeezed: bool = False) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED if squeezed else zipfile.ZIP_STORED) as made:
        for name in ("[Content_Types].xml", f"{folder}document.xml", *names):
            made.writestr(name, content)
    return packed.getvalue()
