"""QR codes of feedback forms, one a shop or counter: as a picture (PNG, SVG), or as a poster to print (PDF).

The PDF is written here: a page of A5 with the code as vectors, Helvetica for Latin letters, and for Chinese the font
that PDF 1.7 (9.7.5.2) has every viewer provide, so that nothing needs to be embedded.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import segno

from bot.web.language import texts

Format = Literal["png", "svg", "pdf"]
A5 = (419.53, 595.28)
"""Points."""
QUIET = 4
"""Modules of white around the code, as ISO/IEC 18004 asks."""
_CODE = 250.0  # points, the code's side with its quiet zone
_MARGIN = 36.0
_WIDTHS = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 "
    "584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 "
    "667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 "
    "278 556 500 722 500 500 500 334 260 334 584"
)
_HELVETICA = dict(zip(range(32, 127), (int(width) for width in _WIDTHS.split()), strict=True))
"""Widths of Helvetica's ASCII letters, in thousandths of their size, from its font metrics."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the poster, centred: its words, size in points, and height above the page's foot."""

    words: str
    size: float
    above: float


def code(link: str, kind: Literal["png", "svg"]) -> bytes:
    """The code of a link as a picture, black on white, with its quiet zone."""
    made, written = _code(link), io.BytesIO()
    if kind == "png":
        made.save(written, kind="png", scale=16, border=QUIET)
    else:
        made.save(written, kind="svg", scale=8, border=QUIET, light="#fff")
    return written.getvalue()


def poster(link: str, name: str, company: str) -> bytes:
    """The code on a page of A5, with what it is for in both languages and whose counter it is."""
    width, height = A5
    lines = (
        Line(company, 20, height - 70),
        Line(texts().said("poster", "scan", "zh"), 26, height - 120),
        Line(texts().said("poster", "scan", "en"), 16, height - 148),
        Line(name, 14, height - 148 - 24 - _CODE - 34),
        Line(texts().said("poster", "hint", "zh"), 11, 62),
        Line(texts().said("poster", "hint", "en"), 10, 44),
    )
    drawn = [*_squares(link, (width - _CODE) / 2, height - 148 - 24 - _CODE), *(_written(line) for line in lines)]
    return _pdf("\n".join(drawn).encode("ascii"))


def _code(link: str) -> segno.QRCode:
    return segno.make_qr(link, error="q")


def _squares(link: str, left: float, below: float) -> Iterator[str]:
    """The dark modules, a rectangle for each run in a row."""
    matrix = [list(row) for row in _code(link).matrix_iter(border=QUIET)]
    side = _CODE / len(matrix)
    yield "0 g"
    for place, row in enumerate(matrix):
        column = 0
        for dark, run in groupby(row):
            length = len(list(run))
            if dark:
                x, y = left + column * side, below + _CODE - (place + 1) * side
                yield f"{x:.3f} {y:.3f} {length * side:.3f} {side:.3f} re"
            column += length
    yield "f"


def _written(line: Line) -> str:
    """The line as PDF text, made smaller where it would not fit between the margins."""
    words = "".join(sign for sign in line.words if unicodedata.category(sign)[0] != "C" and ord(sign) < 0x10000)
    runs = [(latin, "".join(signs)) for latin, signs in groupby(words, key=lambda sign: ord(sign) in _HELVETICA)]
    wide = sum(_width(run, latin=latin) for latin, run in runs)
    size = min(line.size, (A5[0] - 2 * _MARGIN) / wide) if wide else line.size
    shown = " ".join(
        f"/L {size:.2f} Tf ({_escaped(run)}) Tj" if latin else f"/C {size:.2f} Tf <{run.encode('utf-16-be').hex()}> Tj"
        for latin, run in runs
    )
    return f"BT {(A5[0] - wide * size) / 2:.2f} {line.above:.2f} Td {shown} ET"


def _width(run: str, *, latin: bool) -> float:
    """In units of the letters' size."""
    return sum(_HELVETICA[ord(sign)] for sign in run) / 1000 if latin else float(len(run))


def _escaped(run: str) -> str:
    return run.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _pdf(drawn: bytes) -> bytes:
    width, height = A5
    fonts = b"/L 5 0 R /C 6 0 R"
    objects: Sequence[bytes] = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.2f %.2f] /Contents 4 0 R /Resources << /Font << %b >> >> >>"
        % (width, height, fonts),
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [7 0 R] >>",
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 /FontDescriptor 8 0 R "
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> >>",
        b"<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 "
        b"/Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>",
    )
    written = io.BytesIO()
    written.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places: list[int] = []
    for number, body in enumerate(objects, start=1):
        places.append(written.tell())
        written.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
    start = written.tell()
    written.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    written.writelines(b"%010d 00000 n \n" % place for place in places)
    written.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return written.getvalue()
