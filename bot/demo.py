"""Demo content: a few customers on the web chat, so that the desk has something to show. It comes only when asked for,
once, through the same way as everything; and it can be removed without a trace."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, delete, insert, or_, select, update

from bot.contacts.service import Person, Place
from bot.loop.episodes import Reported
from bot.service import Service
from bot.web.trial import MADE, MARK, PREFIX
from channels.base import Text
from storage import tables
from storage.database import Database
from storage.sets import one_of

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
        connection.execute(insert(mark).values(key=MARK, value=MADE))
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
    connection.execute(update(t.notes).where(t.notes.c.key == MARK).values(value="removed"))
    mine = t.contacts.c.external_id.like(f"{PREFIX}%")
    found: dict[str, list[int]] = defaultdict(list)
    found["contacts"] = list(connection.execute(select(t.contacts.c.id).where(mine)).scalars())
    ids = {"ids": found["contacts"]}
    lanes = list(
        connection.execute(
            select(t.conversations.c.lane).where(one_of(t.conversations.c.contact_id, "ids")), ids
        ).scalars()
    )
    lanes += [f"contact:{id}" for id in found["contacts"]]
    # Whatever hangs on them, and on that, by the tables' own references: parents come before what refers to them.
    order = [table for table in t.metadata.sorted_tables if "id" in table.c and table.name != "contacts"]
    for table in order:
        hanging = [(key.column.table.name, key.parent) for key in table.foreign_keys if found[key.column.table.name]]
        if hanging:
            where = or_(*(one_of(column, f"of_{column.name}") for _, column in hanging))
            given = {f"of_{column.name}": found[parent] for parent, column in hanging}
            found[table.name] = list(connection.execute(select(table.c.id).where(where), given).scalars())
    lanes += [f"case:{id}" for id in found["cases"]]
    for table in (*reversed(order), t.contacts):
        if found[table.name]:
            connection.execute(delete(table).where(one_of(table.c.id, "ids")), {"ids": found[table.name]})
    for table in (t.timers, t.inbox):
        connection.execute(delete(table).where(one_of(table.c.lane, "lanes")), {"lanes": lanes})
    return len(found["contacts"])
