"""Pictures, taken apart and put together again from nothing but their picture: no place where they were taken, no words
inside, nothing hidden behind their end.

Pure. The containers are walked as JFIF (ITU-T T.81), PNG (ISO/IEC 15948), GIF89a and WebP (RFC 9649) define them; what
does not fit is refused. Pixels are never decoded, so that no picture can make us spend more than its own size.
"""

from __future__ import annotations

import struct
import zlib

PIXELS = 50_000_000
"""More would fill the memory of whoever looks at it."""

_ORIENTATION = 0x0112


class BadPicture(ValueError):
    """It is not what its beginning says, or too large to be shown."""


def cleaned(content: bytes, kind: str) -> bytes:
    """The picture alone; `kind` is image/jpeg, image/png, image/gif or image/webp. Raises BadPicture."""
    try:
        return {"image/jpeg": _jpeg, "image/png": _png, "image/gif": _gif, "image/webp": _webp}[kind](content)
    except (IndexError, struct.error):
        raise BadPicture("cut off") from None


def _sized(width: int, height: int) -> None:
    if not 0 < width * height <= PIXELS:
        raise BadPicture("no size to be shown at")


# ---- JPEG ----


def _jpeg(content: bytes) -> bytes:
    kept, at, sized, turned = [b"\xff\xd8"], 2, False, 1
    while True:
        if content[at] != 0xFF:
            raise BadPicture("no marker")
        while content[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = content[at + 1]
        if marker == 0xD9:
            break
        length = struct.unpack_from(">H", content, at + 2)[0]
        body = content[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            raise BadPicture("cut off")
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            turned = _turned(body[6:])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", body, 1)
            _sized(width, height)
            if not sized and turned != 1:
                kept.insert(1, _turn(turned))
            sized = True
        if _jpeg_keeps(marker, body):
            kept.append(content[at : at + 2 + length])
        at += 2 + length
        if marker == 0xDA:
            end = _scan_end(content, at)
            kept.append(content[at:end])
            at = end
    if not sized:
        raise BadPicture("no picture in it")
    return b"".join([*kept, b"\xff\xd9"])


def _jpeg_keeps(marker: int, body: bytes) -> bool:
    if marker == 0xE2:
        return body.startswith(b"ICC_PROFILE\0")
    if marker in (0xE0, 0xEE):  # JFIF; Adobe's, which says how colours are to be read
        return body.startswith((b"JFIF\0", b"Adobe"))
    return not (0xE0 <= marker <= 0xEF or marker == 0xFE)


def _scan_end(content: bytes, at: int) -> int:
    """Where the next marker is that does not belong to the scan's own data."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise BadPicture("cut off")
        if content[at + 1] == 0 or 0xD0 <= content[at + 1] <= 0xD7:
            at += 2
        elif content[at + 1] == 0xFF:
            at += 1
        else:
            return at


def _turned(tiff: bytes) -> int:
    """How the camera was held, 1 to 8; a telephone's pictures lie on their side without it."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        first = struct.unpack_from(order + "I", tiff, 4)[0]
        for number in range(min(struct.unpack_from(order + "H", tiff, first)[0], 200)):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, first + 2 + 12 * number)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _turn(turned: int) -> bytes:
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, turned, 0, 0)
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


# ---- PNG ----

_PNG_KEPT = frozenset(b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT bKGD pHYs acTL fcTL fdAT".split())


def _png(content: bytes) -> bytes:
    kept, at = [content[:8]], 8
    while True:
        length, name = struct.unpack_from(">I4s", content, at)
        chunk = content[at : at + 12 + length]
        if len(chunk) != 12 + length or zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
            raise BadPicture("a part is broken")
        if (name == b"IHDR") != (at == 8):
            raise BadPicture("does not begin with its size")
        if name == b"IHDR":
            _sized(*struct.unpack_from(">II", chunk, 8))
        if name in _PNG_KEPT:
            kept.append(chunk)
        elif name[0] & 0x20 == 0:
            raise BadPicture("a part that nobody knows, and that matters")
        if name == b"IEND":
            return b"".join(kept)
        at += 12 + length


# ---- GIF ----


def _gif(content: bytes) -> bytes:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    _sized(width, height)
    at = 13 + _table(flags)
    kept, pictures = [content[:at]], 0
    while True:
        start, sign = at, content[at]
        if sign == 0x3B:
            break
        if sign == 0x21:
            label = content[at + 1]
            at = _blocks(content, at + 2)
            looping = label == 0xFF and content[start + 3 : start + 14] in (b"NETSCAPE2.0", b"ANIMEXTS1.0")
            if label == 0xF9 or looping:
                kept.append(content[start:at])
        elif sign == 0x2C:
            at = _blocks(content, at + 10 + _table(content[at + 9]) + 1)
            kept.append(content[start:at])
            pictures += 1
        else:
            raise BadPicture("no block")
    if not pictures:
        raise BadPicture("no picture in it")
    return b"".join([*kept, b"\x3b"])


def _table(flags: int) -> int:
    """Bytes of the table of colours that `flags` announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks(content: bytes, at: int) -> int:
    while size := content[at]:
        at += 1 + size
    return at + 1


# ---- WebP ----

_WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH"))
_WEBP_HIDDEN = 0x20 | 0x08 | 0x04  # a colour profile, Exif, XMP: announced by VP8X, and left out


def _webp(content: bytes) -> bytes:
    size = struct.unpack_from("<I", content, 4)[0]
    end = min(8 + size, len(content))
    kept, at, pictures = [], 12, 0
    while at + 8 <= end:
        name, length = struct.unpack_from("<4sI", content, at)
        body = content[at + 8 : at + 8 + length]
        if len(body) != length:
            raise BadPicture("cut off")
        if name == b"VP8X":
            width, height = (1 + int.from_bytes(body[place : place + 3], "little") for place in (4, 7))
            _sized(width, height)
            body = bytes([body[0] & ~_WEBP_HIDDEN]) + body[1:]
        elif name == b"VP8 ":
            width, height = struct.unpack_from("<HH", body, 6)
            _sized(width & 0x3FFF, height & 0x3FFF)
        elif name == b"VP8L":
            bits = struct.unpack_from("<I", body, 1)[0]
            _sized(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        if name in _WEBP_KEPT:
            kept.append(name + struct.pack("<I", length) + body + b"\0" * (length & 1))
            pictures += name in (b"VP8 ", b"VP8L", b"ANMF")
        at += 8 + length + (length & 1)
    if not pictures:
        raise BadPicture("no picture in it")
    rest = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(rest)) + rest
