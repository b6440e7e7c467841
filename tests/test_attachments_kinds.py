"""What a file is, by its own bytes; and what of a picture is kept."""

from __future__ import annotations

import random

import pytest
from picture_parts import SECRET_PLACE, gif, jpeg, office, png, webp

from bot.attachments.kinds import DOCX, KINDS, OGG, PDF, PNG, TEXT, XLSX, NotTaken, disposition, name_of, taken

PAGE = b"<script>alert(document.cookie)</script>"
ZIP_OF_ANYTHING = office("hello.txt").replace(b"[Content_Types].xml", b"[Content_Typos].xml")


def test_files_are_known_by_their_bytes() -> None:
    """Whatever they are called."""
    for content, kind in (
        (png(), PNG),
        (b"%PDF-1.7\n%...", PDF),
        ("编号,金额\n1,20\n".encode(), TEXT),
        (b"\xef\xbb\xbfplain words\r\n", TEXT),
        (b"a < b, and b > c", TEXT),
        (office(), DOCX),
        (office(folder="xl/"), XLSX),
        (b"OggS\0\2" + b"\0" * 60, OGG),
    ):
        found, kept = taken(content)
        assert (found, kept) == (kind, content)
    assert {taken(made)[0].type for made in (png(), jpeg(), gif(), webp())} == {
        name for name, kind in KINDS.items() if kind.family == "image"
    }


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (PAGE, "kind"),
        (b"\n  <!DOCTYPE html><html>", "kind"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "kind"),
        (b"hello\n<SCRIPT >alert(1)</SCRIPT>", "kind"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", "kind"),
        (b"MZ\x90\0\3\0\0\0", "kind"),
        (b"\x7fELF\2\1\1\0", "kind"),
        (b"#!/bin/sh\0rm -rf /", "kind"),
        ("<html>".encode("utf-16"), "kind"),
        (ZIP_OF_ANYTHING, "kind"),
        (office("word/vbaProject.bin"), "macros"),
        (office("../../../etc/passwd"), "kind"),
        (office("C:\\Windows\\evil.dll"), "kind"),
        (office(*(f"word/{n}.xml" for n in range(6_000)), content=b""), "bomb"),
        (office("word/big.xml", content=b"\0" * 40_000_000, squeezed=True), "bomb"),
        (office()[:-30], "broken"),
        (b"PK\x03\x04" + b"\xff" * 200, "broken"),
        (png()[:-20], "broken"),
        (png(60_000, 60_000), "broken"),  # small to send, gigabytes to look at
        (jpeg(width=65_000, height=65_000), "broken"),
        (png().replace(b"IDAT", b"IDAX"), "broken"),
        (b"\xff\xd8\xff" + PAGE, "broken"),
        (b"GIF89a" + PAGE * 3, "broken"),  # a page that calls itself a picture
        (b"RIFF\x20\0\0\0WEBP" + PAGE, "broken"),
        (b"\x89PNG\r\n\x1a\n" + PAGE, "broken"),
    ],
)
def test_what_could_do_harm_is_not_taken(content: bytes, code: str) -> None:
    """Pages, drawings with scripts, programs, archives, macros, bombs, and pictures that are none."""
    with pytest.raises(NotTaken) as refused:
        taken(content)
    assert refused.value.code == code


@pytest.mark.parametrize("make", [png, jpeg, gif, webp])
def test_of_a_picture_only_the_picture_is_kept(make: object) -> None:
    """Not where it was taken, no words inside, no page or archive behind its end; cleaned twice it is the same."""
    made = make(tail=PAGE + ZIP_OF_ANYTHING)  # type: ignore[operator] # each makes one kind
    if make is png:
        made = png(2, 2, (b"tEXt", b"Comment\0" + SECRET_PLACE), (b"eXIf", SECRET_PLACE), tail=PAGE)
    kind, kept = taken(made)
    for hidden in (PAGE, SECRET_PLACE, b"PK\x03\x04", b"xmpmeta", b"hello", b"who made it"):
        assert hidden not in kept
    assert taken(kept) == (kind, kept)
    assert len(kept) < len(made)


def test_a_picture_that_was_held_upright_stays_so() -> None:
    """Of what the camera wrote only how it was held is kept."""
    kept = taken(jpeg(turned=6))[1]
    assert b"Exif" in kept
    assert kept[kept.index(b"Exif") + 6 :][:8] == b"MM\0*\0\0\0\x08"
    assert b"Exif" not in taken(jpeg(turned=1))[1]
    assert b"\x12\xff\x00\x34\xff\xd3\x56\xff\xd9" in kept


@pytest.mark.parametrize("make", [png, jpeg, gif, webp])
def test_no_broken_picture_is_more_than_refused(make: object) -> None:
    """Any byte may be another, and the end anywhere."""
    made, dice = make(), random.Random(7)  # type: ignore[operator] # each makes one kind
    for _ in range(400):
        broken = bytearray(made)
        for _ in range(dice.randint(1, 4)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        try:
            kept = taken(bytes(broken[: dice.randint(1, len(broken))]))[1]
        except NotTaken:
            continue
        assert len(kept) <= len(made) + 40


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("holiday.PNG", "holiday.png"),
        ("../../../etc/passwd", "passwd.png"),
        ("C:\\Users\\me\\evil.exe", "evil.exe.png"),
        ("cat.png.html", "cat.png.html.png"),
        ("a\u202egnp.exe", "agnp.exe.png"),
        ('x"; filename="evil.html', "x_; filename=_evil.html.png"),
        ("nul\0l\r\nSet-Cookie: a=b", "nullSet-Cookie_ a=b.png"),
        ("照片 1.png", "照片 1.png"),
        ("", "file.png"),
        ("....", "file.png"),
        ("x" * 500, "x" * 80 + ".png"),
        ("%2e%2e%2fx", "2e_2e_2fx.png"),
    ],
)
def test_a_name_is_only_a_name(given: str, shown: str) -> None:
    """No path, nothing invisible, and an ending that says what it is."""
    assert name_of(given, PNG) == shown
    header = disposition(name_of(given, PNG))
    assert header.isascii()
    assert header.startswith("attachment; filename=")
    assert not {"\r", "\n", "/", "\\"} & set(header)
    assert header.count('"') == 2
