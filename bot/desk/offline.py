"""What customers said on the hotline, in a shop, in an interview or on paper, typed in or imported.

It takes the one way in, as if it had been written in the chat, and its rating counts as any other. Each is a
conversation of its own on the web chat's account, whose thread `api:<channel>:<key>` says where it comes from. Nobody
reads there: whoever answers calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Connection, select

from bot.contacts import service as contacts
from bot.contacts.service import Person
from bot.loop.effects import Effects
from bot.loop.entering import open_low, volunteer
from bot.loop.events import chat_lane
from bot.loop.state import LaneState
from bot.service import Service
from bot.surveys.scales import LOW_BELOW, score
from channels.base import Text
from nlu.understanding import Language
from storage.sets import among
from storage.tables import inbox

Where = Literal["hotline", "store", "interview", "paper"]
WHERE: tuple[Where, ...] = get_args(Where)
WEB, SOURCE = "web", "entry"
UNDERSTOOD_WITHIN = 5.0
"""Seconds to wait for what becomes of the words; then a low rating opens a case of its own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one customer said. `key` is the same for the same entry, however often it is sent; `value` is on the scale
    of the survey for unasked ratings. Contact details are there only with the customer's consent."""

    where: Where
    key: str
    words: str
    value: int | None
    language: Language
    said_at: datetime | None = None
    customer_id: str | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    order_number: str | None = None

    @property
    def thread(self) -> str:
        return f"api:{self.where}:{self.key}"

    @property
    def text(self) -> str:
        """The words as they are understood: with the order number, which otherwise would be asked for."""
        if not self.words or not self.order_number or self.order_number in self.words:
            return self.words
        label = "订单号：" if self.language == "zh" else "Order number: "
        return f"{self.words}\n{label}{self.order_number}"


def account(service: Service) -> str:
    """The web chat's account: `default`, or the first that the operator named."""
    found = sorted(name for channel, name in service.adapters if channel == WEB)
    return "default" if "default" in found or not found else found[0]


def lane(service: Service, entry: Entry) -> str:
    return chat_lane(WEB, account(service), entry.thread)


async def take(service: Service, entries: Sequence[Entry], staff: tuple[int, str]) -> None:
    """Take them in; `staff` is the id and the name of who typed. What is known already stays as it is. Raises
    Overloaded, Conflict, or the database's error; sent again, it goes on where it failed."""
    for entry in entries:
        await _know(service, entry, staff)
    said = [
        Text(
            dedupe_key=f"feedback:{entry.thread}",
            thread=entry.thread,
            sent_at=entry.said_at,
            text=entry.text,
            sender_name=entry.name,
            language=entry.language,
        )
        for entry in entries
        if entry.words
    ]
    await service.intake.accept(WEB, account(service), said)
    low = [entry for entry in entries if _low(service, entry)]
    # Whoever enters one wants to see what becomes of it.
    await _understood(service, [entry for entry in (low if len(entries) > 1 else entries) if entry.words])
    asking, definition = service.policy.asking, service.content.surveys.for_trigger("volunteered")
    for entry in low:
        assert definition is not None and entry.value is not None  # noqa: S101, PT018 - it has a low rating
        label, words = definition.scale.labels[entry.value].said(entry.language), entry.words

        def decide(state: LaneState, effects: Effects, label: str = label, words: str = words) -> None:
            open_low(asking, state, effects, label, words, SOURCE)

        await service.turns.act(lane(service, entry), decide)


async def _know(service: Service, entry: Entry, staff: tuple[int, str]) -> None:
    """The customer, the rating and who typed it, once."""
    place = (WEB, account(service), entry.thread)
    if entry.customer_id:
        person = Person(external_id=entry.customer_id, name=entry.name, language=entry.language)
        now, actor = service.clock.now(), f"staff:{staff[0]}"
        met = await service.database.write(lambda link: contacts.meet(link, person, (place,), now, actor))
        service.turns.sent((), met.moved)
    definition = service.content.surveys.for_trigger("volunteered")

    def decide(state: LaneState, effects: Effects) -> None:
        if state.conversation is not None:
            return
        effects.language = entry.language
        reach = {"name": entry.name, "phone": entry.phone, "email": entry.email}
        given = {name: value for name, value in reach.items() if value}
        if given:
            effects.change_contact(**given)
        if definition is not None and entry.value is not None:
            volunteer(effects, definition, entry.value, entry.where, SOURCE)
        effects.record("system", "entered", data={"staff": staff[1]}, staff_id=staff[0])

    await service.turns.act(lane(service, entry), decide)


def _low(service: Service, entry: Entry) -> bool:
    definition = service.content.surveys.for_trigger("volunteered")
    return definition is not None and entry.value is not None and score(definition.scale, entry.value) < LOW_BELOW


async def _understood(service: Service, entries: Sequence[Entry]) -> None:
    """Wait until their words have had their turn, for as long as somebody may be kept waiting."""
    try:
        async with asyncio.timeout(UNDERSTOOD_WITHIN):
            for entry in entries:
                with service.live.watch(lane(service, entry)) as watch:
                    while await service.database.read(lambda link, it=entry: unread(link, service, it)):  # type: ignore[misc]
                        await watch.changed()
    except TimeoutError:
        return


def unread(connection: Connection, service: Service, entry: Entry) -> bool:
    """Whether its words still wait for their turn."""
    statement = select(inbox.c.id).where(
        inbox.c.channel == WEB,
        inbox.c.account == account(service),
        inbox.c.dedupe_key == f"feedback:{entry.thread}",
        among(inbox.c.state, "new"),
    )
    return connection.execute(statement).first() is not None
