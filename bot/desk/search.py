"""Finding a conversation again: by case number, by who it was with, by what was said."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection, or_, select

from bot.cases import numbers
from bot.desk import rows, transcript
from bot.desk.guard import api
from bot.desk.room import Room
from bot.desk.table import routes
from bot.staff.sessions import Member
from storage.tables import cases, contacts, conversations, messages
from storage.types import clean

MOST = 30
LONGEST = 100
"""Characters of what is searched for."""

_PEOPLE, _WORDS = 50_000, 20_000
"""The newest customers and messages that are looked through: a search must not hold up the desks of all others."""


@routes.get("/desk/api/search")
@api
async def search(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`conversations` for `q`, the best guess first: the case of this number, people, then words."""
    text = " ".join(clean(request.query.get("q", "")[:LONGEST]).split())
    if not text:
        return {"conversations": []}

    def work(connection: Connection) -> dict[str, Any]:
        ids = list(
            dict.fromkeys([*_cases(connection, text), *_people(connection, text), *_said(connection, member, text)])
        )
        ids = ids[:MOST]
        found = rows.rows(connection, conversations.c.id.in_(ids)) if ids else []
        place = {number: at for at, number in enumerate(ids)}
        found.sort(key=lambda row: place[row.id])
        return {"conversations": rows.described(connection, member, found)}

    return await room.service.database.read(work)


def _cases(connection: Connection, text: str) -> list[int]:
    number = numbers.parse(text)
    if number is None or number > 2**63 - 1:
        return []
    return list(connection.execute(select(cases.c.conversation_id).where(cases.c.id == number)).scalars())


def _people(connection: Connection, text: str) -> list[int]:
    newest = select(contacts).order_by(contacts.c.id.desc()).limit(_PEOPLE).subquery()
    fields = (newest.c.name, newest.c.phone, newest.c.email, newest.c.external_id)
    matching = (
        select(newest.c.id).where(or_(*(field.icontains(text, autoescape=True) for field in fields))).limit(2 * MOST)
    )
    who = list(connection.execute(matching).scalars())
    if not who:
        return []
    statement = select(conversations.c.id).where(conversations.c.contact_id.in_(who))
    return list(connection.execute(statement.order_by(conversations.c.active_at.desc()).limit(MOST)).scalars())


def _said(connection: Connection, member: Member, text: str) -> list[int]:
    newest = (
        select(messages.c.conversation_id, messages.c.text, messages.c.author)
        .order_by(messages.c.id.desc())
        .limit(_WORDS)
        .subquery()
    )
    statement = (
        select(newest.c.conversation_id, conversations.c.contact_id)
        .join(conversations, conversations.c.id == newest.c.conversation_id)
        .where(newest.c.author != "system", newest.c.text.icontains(text, autoescape=True))
        .limit(4 * MOST)
    )
    found = {row[0]: row[1] for row in connection.execute(statement)}
    # Where somebody was judged, words that are found could be those of the judgement.
    judged = transcript.judging(connection, member, sorted(set(found.values())))
    return [number for number, contact in found.items() if contact not in judged]
