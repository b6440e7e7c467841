"""The registry: every channel is whole, and what the README says of it is so."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from channels.base import AccountSettings, Adapter, Button, Capabilities, option_numbers
from channels.registry import ADAPTERS, adapter_class

CHANNELS = Path(__file__).parent.parent / "channels"


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_channel_is_what_it_says(name: str) -> None:
    """A registered adapter bears its own name, has settings and capabilities, and is made like all others."""
    kind = adapter_class(name)
    assert issubclass(kind, Adapter)
    assert kind.channel == name
    assert issubclass(kind.Settings, AccountSettings)
    assert isinstance(kind.capabilities, Capabilities)
    assert list(inspect.signature(kind).parameters) == ["account", "settings", "http"]
    assert not inspect.isabstract(kind)


@pytest.mark.parametrize("name", sorted(set(ADAPTERS) - {"web"}))
def test_every_platform_has_a_guide_and_recorded_payloads(name: str) -> None:
    """A channel is a folder with its README, and payloads to try it on. The web chat is ours: it has no platform."""
    assert (CHANNELS / name / "README.md").read_text("utf-8").startswith("# ")
    assert list((Path(__file__).parent / "fixtures" / name).iterdir())


def test_an_unknown_channel_names_those_there_are() -> None:
    """A slip in the settings is answered with the choices."""
    with pytest.raises(ValueError, match="no channel 'telegramm'; there are meta, telegram, twilio, web"):
        adapter_class("telegramm")


def test_channels_that_nobody_uses_cost_nothing() -> None:
    """Reading the registry, and using one channel, imports no other channel and no platform's library."""
    script = (
        "import sys, channels.registry as r; assert 'telegram' not in sys.modules; r.adapter_class('twilio');"
        "assert 'telegram' not in sys.modules and 'channels.meta' not in sys.modules;"
        "r.adapter_class('telegram'); assert 'telegram' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=CHANNELS.parent)


def test_the_table_in_the_readme_is_so() -> None:
    """The capability matrix says of each channel what its class says."""
    text = (CHANNELS / "README.md").read_text("utf-8").partition("## What each channel can do")[2]
    lines = text.strip().partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    told = {channel: {row[0]: row[place] for row in rows[2:]} for place, channel in enumerate(rows[0]) if place}
    assert told == {channel: facts(adapter_class(channel).capabilities) for channel in sorted(ADAPTERS)}


def facts(able: Capabilities) -> dict[str, str]:
    """The rows of the matrix for one channel."""

    def yes(is_so: bool) -> str:
        return "yes" if is_so else "no"

    def rate(number: float) -> str:
        return f"{number:g}" if number else "–"

    return {
        "text limit": f"{able.text_limit}{' bytes' if able.limit_in_bytes else ''}",
        "buttons on a message": "listed by number" if able.digits else str(able.buttons),
        "button title limit": str(able.button_title_limit),
        "toasts": yes(able.toasts),
        "edits": yes(able.edits),
        "receipts": yes(able.receipts),
        "messages a second to one address": rate(able.rate_per_address),
        "messages a second from one account": rate(able.rate_per_account),
        "window after their last message": f"{able.window.total_seconds() / 3600:g} h" if able.window else "–",
        "idempotent sends": yes(able.idempotent),
        "starts conversations": yes(able.starts_conversations),
        "files to them": "the house's limit"
        if able.own_files
        else f"{able.file_limit >> 20} MiB"
        if able.file_limit
        else "no",
        "shown that somebody writes": yes(able.typing),
    }


@pytest.mark.parametrize(
    ("titles", "numbers"),
    [
        (["很满意", "一般", "不满意"], [1, 2, 3]),
        (["5 ⭐", "4 ⭐", "1 ⭐"], [5, 4, 1]),
        (["0", "1", "10"], [0, 1, 10]),
        (["3天", "3周", "不急"], [1, 2, 3]),
        (["5 stars", "five"], [1, 2]),
        (["٣", "2"], [1, 2]),
        ([], []),
    ],
)
def test_options_are_numbered_as_their_titles_say(titles: list[str], numbers: list[int]) -> None:
    """Where every option bears a number of its own, typing that number means it; otherwise they count from one."""
    assert option_numbers([Button(title, "x") for title in titles]) == numbers
