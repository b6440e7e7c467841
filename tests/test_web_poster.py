"""QR codes that phones read: each picture and the poster are read back, and lead to the form they were made for."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zxingcpp
from browser_parts import NEEDS_CHROMIUM
from click.testing import CliRunner
from page_parts import Reader
from playwright.async_api import Browser
from web_parts import Site

from bot.cli import main
from bot.web.form_page import form_link
from bot.web.poster import A5, code, poster
from storage import tables

LINK = "https://earful.example.com/f/" + "aB3_-" * 14


def read(pixels: Any) -> str:
    """What a phone reads in a picture of grey values."""
    [found] = zxingcpp.read_barcodes(np.asarray(pixels, dtype=np.uint8))
    return found.text


def drawn(pdf: bytes, per_point: int = 4) -> Any:
    """The page's rectangles as pixels, drawn here by what the file says and nothing else."""
    size = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    stream = re.search(rb"stream\n(.*)\nendstream", pdf, re.DOTALL)
    assert size is not None
    assert stream is not None
    width, height = (int(float(each) * per_point) for each in size.groups())
    page = np.full((height, width), 255, dtype=np.uint8)
    for x, y, wide, high in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re", stream[1]):
        left, below = float(x) * per_point, float(y) * per_point
        top, foot = height - below - float(high) * per_point, height - below
        page[round(top) : round(foot), round(left) : round(left + float(wide) * per_point)] = 0
    return page


@NEEDS_CHROMIUM
async def test_the_pictures_are_read_back(browser: Browser) -> None:
    """PNG and SVG as a browser shows them."""
    page = await browser.new_page()
    for kind, media in (("png", "image/png"), ("svg", "image/svg+xml")):
        source = f"data:{media};base64,{base64.b64encode(code(LINK, kind)).decode()}"  # type: ignore[arg-type] # one of the two
        pixels = await page.evaluate(
            """async (source) => {
                const image = new Image();
                image.src = source;
                await image.decode();
                const canvas = document.createElement("canvas");
                canvas.width = canvas.height = 220;
                const drawing = canvas.getContext("2d");
                drawing.drawImage(image, 0, 0, 220, 220);
                return Array.from(drawing.getImageData(0, 0, 220, 220).data).filter((_, at) => at % 4 === 0);
            }""",
            source,
        )
        assert read(np.array(pixels).reshape(220, 220)) == LINK


@pytest.mark.parametrize("name", ["南京西路店 3号柜台", "Counter 3 (left)", "x" * 300, "\x00\n", "🏪", "a)b\\c"])
def test_the_poster_is_read_back_whatever_the_counter_is_called(name: str) -> None:
    """The code stays readable, the file whole, and no name breaks out of its line."""
    made = poster(LINK, name, "Acme 咖啡")
    assert read(drawn(made)) == LINK
    start = int(re.search(rb"startxref\n(\d+)", made)[1])  # type: ignore[index] # it is there
    assert made[start:].startswith(b"xref\n0 9\n")
    for number, place in enumerate(re.findall(rb"(\d{10}) 00000 n", made), start=1):
        assert made[int(place) :].startswith(b"%d 0 obj" % number)
    for left, size in placed(made):
        assert left >= 30, size


def placed(pdf: bytes) -> Iterator[tuple[float, float]]:
    for left, _, rest in re.findall(rb"BT ([\d.]+) ([\d.]+) Td (.*?) ET", pdf):
        sizes = re.findall(rb"/[LC] ([\d.]+) Tf", rest)
        yield float(left), max((float(size) for size in sizes), default=0.0)
    assert A5[0] > 400


@pytest.mark.parametrize(("name", "begins"), [("c.png", b"\x89PNG"), ("c.svg", b"<?xml"), ("c.pdf", b"%PDF-1.7")])
def test_the_command_writes_what_the_file_is_called(tmp_path: Path, name: str, begins: bytes) -> None:
    """And says where the form lies; without a public address phones could not open it, and that is said."""
    environment = {"EARFUL_DATA_DIR": str(tmp_path), "EARFUL_PUBLIC_URL": "https://earful.example.com"}
    told = CliRunner().invoke(main, ["qr", "counter 3", str(tmp_path / name)], env=environment)
    assert told.exit_code == 0, told.output
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert "https://earful.example.com/f/" in told.output
    alone = CliRunner().invoke(main, ["qr", "counter 3", str(tmp_path / name)], env={"EARFUL_DATA_DIR": str(tmp_path)})
    assert "EARFUL_PUBLIC_URL" in alone.output
    wrong = CliRunner().invoke(main, ["qr", "counter 3", str(tmp_path / "c.gif")], env=environment)
    assert wrong.exit_code == 2
    assert ".png, .svg or .pdf" in wrong.output


async def test_a_rating_at_a_counter_is_tied_to_the_counter(place: Site) -> None:
    """As a service of its own, once, also where the form is sent twice."""
    reader = Reader(place, form_link(place.service.links, "南京西路店"))
    await reader.look()
    data = {"nonce": reader.hidden("nonce"), "rating": "5"}
    for _ in range(2):
        async with place.session.post(reader.address, data=data, allow_redirects=False) as answer:
            assert answer.status == 303
    [episode] = await place.rows(tables.episodes)
    assert episode["touchpoint"] == "南京西路店"
    [survey] = await place.rows(tables.surveys)
    assert (survey["episode_id"], survey["definition"]) == (episode["id"], "volunteered")
