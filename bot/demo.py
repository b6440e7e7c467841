"""Demo content: a few customers on the web chat, so that the desk has something to show. It comes only when asked for,
once, through the same way as everything; and it can be removed without a trace."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from bot.contacts.service import Person, Place
from bot.loop.episodes import Reported
from bot.loop.events import chat_lane
from bot.service import Service
from channels.base import Text
from storage import tables
from storage.database import Database

MARK = "demo"
PREFIX = "demo:"

_CUSTOMERS = (
    ("li", "李雷", "zh", ("你好", "快递三天没到，客服也不理我，太气人了", "订单号 20260301123", "转人工")),
    ("emma", "Emma Stone", "en", ("Hi", "How long does a refund take?", "My parcel arrived broken")),
    ("han", "韩梅梅", "zh", ("你们几点上班？",)),
)


async def seed(service: Service) -> None:
    """Make the demo's customers, unless they were made before (also if they were removed since)."""
    database = service.database
    mark = tables.notes

    def first(connection: Connection) -> bool:
        if connection.execute(select(mark.c.key).where(mark.c.key == MARK)).first():
            return False
        connection.execute(insert(mark).values(key=MARK, value="made"))
        return True

    if not await database.write(first):
        return
    for key, name, language, lines in _CUSTOMERS:
        place: Place = ("web", "default", f"demo-{key}")
        person = Person(external_id=PREFIX + key, name=name, language="en" if language == "en" else "zh")
        for number, line in enumerate(lines):
            said = Text(dedupe_key=f"demo-{key}-{number}", thread=place[2], text=line, sender_name=name)
            await service.intake.accept(place[0], place[1], [said])
            await service.settle()
        await service.episodes.take(
            Reported(
                external_id=PREFIX + key,
                touchpoint="after_sales",
                ended_at=service.clock.now(),
                person=person,
                places=(place,),
            ),
            "demo",
        )
        await service.settle()


async def remove(database: Database) -> int:
    """Remove every demo customer and all that hangs on them. Their number."""
    return await database.write(_remove)


def _remove(connection: Connection) -> int:
    t = tables
    contacts = connection.execute(select(t.contacts.c.id).where(t.contacts.c.external_id.like(f"{PREFIX}%"))).scalars()
    ids = list(contacts)
    if not ids:
        return 0
    talks = select(t.conversations.c.id).where(t.conversations.c.contact_id.in_(ids))
    surveys = select(t.surveys.c.id).where(t.surveys.c.contact_id.in_(ids))
    cases = select(t.cases.c.id).where(t.cases.c.contact_id.in_(ids))
    rated = select(t.ratings.c.id).where(t.ratings.c.survey_id.in_(surveys))
    sent = select(t.outbox.c.id).where(t.outbox.c.conversation_id.in_(talks))
    lanes = [chat_lane("web", "default", f"demo-{key}") for key, *_ in _CUSTOMERS]
    for table, where in (
        (t.attempts, t.attempts.c.outbox_id.in_(sent)),
        (t.outbox, t.outbox.c.conversation_id.in_(talks)),
        (t.messages, t.messages.c.conversation_id.in_(talks)),
        (t.rating_history, t.rating_history.c.rating_id.in_(rated)),
        (t.ratings, t.ratings.c.survey_id.in_(surveys)),
        (t.case_events, t.case_events.c.case_id.in_(cases)),
        (t.surveys, t.surveys.c.contact_id.in_(ids)),
        (t.cases, t.cases.c.contact_id.in_(ids)),
        (t.episodes, t.episodes.c.contact_id.in_(ids)),
        (t.conversations, t.conversations.c.contact_id.in_(ids)),
        (t.addresses, t.addresses.c.contact_id.in_(ids)),
        (t.contacts, t.contacts.c.id.in_(ids)),
        (t.timers, t.timers.c.lane.in_(lanes)),
        (t.inbox, t.inbox.c.lane.in_(lanes)),
    ):
        connection.execute(delete(table).where(where))
    return len(ids)
