"""A customer in a terminal: the whole service on a database of its own, gone when you leave."""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bot.app import opened
from bot.settings import Settings
from bot.simulation.channels import MemoryChannel, all_channels
from channels.base import Button, Tap, Text

YOU = "you"


async def talk(settings: Settings) -> None:
    """Read lines from standard input until it ends; a number taps the button of that number."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="earful-chat-") as place:
        private = settings.model_copy(update={"data_dir": Path(place), "database_url": None, "channels": {}})
        async with opened(private, adapters=lambda _: all_channels(), models=settings.data_dir / "models") as service:
            channel = next(a for a in service.adapters.values() if isinstance(a, MemoryChannel) and a.channel == "web")
            buttons: tuple[Button, ...] = ()
            console.print(
                "You are a customer. Write something; Ctrl-D to leave. / 您是客户，说点什么吧，按 Ctrl-D 离开。",
                style="dim",
                soft_wrap=True,
            )
            for number in itertools.count(1):
                line = await asyncio.to_thread(sys.stdin.readline)
                if not line:
                    return
                said = line.rstrip("\n")
                chosen = int(said) if said.isdecimal() and 0 < int(said) <= len(buttons) else 0
                event = (
                    Tap(dedupe_key=str(number), thread=YOU, data=buttons[chosen - 1].data)
                    if chosen
                    else Text(dedupe_key=str(number), thread=YOU, text=said)
                )
                before = len(channel.sent)
                await service.intake.accept(channel.channel, channel.account, [event])
                await service.settle()
                for outgoing in channel.sent[before:]:
                    buttons = outgoing.buttons
                    # Not folded by us: a terminal folds long lines itself, and a link stays one that can be followed.
                    console.print(outgoing.text, style="cyan", markup=False, soft_wrap=True)
                    for place_, button in enumerate(buttons, start=1):
                        console.print(f"  {place_}  {button.title}", style="green", markup=False, soft_wrap=True)
