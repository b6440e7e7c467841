"""What helps to answer: replies kept ready, and the knowledge base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

from aiohttp import web
from sqlalchemy import Connection, select

from bot.desk.guard import Problem, api
from bot.desk.room import Room
from bot.desk.table import routes
from bot.staff.sessions import Member
from bot.yamlfile import Sheet, Words
from nlu.understanding import Language
from storage.tables import canned_replies

VARIABLES = ("customer", "agent", "company", "case")
"""What `{name}` in a reply stands for; the desk fills it in."""

_QUESTION = 200


@dataclass(frozen=True, slots=True)
class Canned:
    """A reply kept ready, as it ships. `shortcut` is what is typed after a slash."""

    shortcut: str
    title: Words
    text: Words


@routes.get("/desk/api/canned")
@api
async def canned(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`replies` in a language: the house's own, of every department, then those that ship and have no namesake."""
    language = _language(request)

    def work(connection: Connection) -> list[Any]:
        statement = select(canned_replies).where(canned_replies.c.language == language)
        return list(connection.execute(statement.order_by(canned_replies.c.shortcut, canned_replies.c.id)))

    own = [
        {"shortcut": row.shortcut, "title": row.title, "text": row.text, "department": row.department or None}
        for row in await room.service.database.read(work)
    ]
    taken = {each["shortcut"] for each in own if not each["department"]}
    ready = [
        {"shortcut": each.shortcut, "title": each.title.said(language), "text": each.text.said(language)}
        for each in shipped()
        if each.shortcut not in taken
    ]
    return {"replies": own + ready}


@routes.get("/desk/api/knowledge")
@api
async def knowledge(request: web.Request, room: Room, member: Member) -> dict[str, Any]:
    """`entries` that may answer `q`, the best first."""
    language, question = _language(request), request.query.get("q", "")[:_QUESTION].strip()
    found = room.service.policy.talking.answers.search(question, language) if question else []
    return {"entries": [{"key": hit.key, "question": hit.question, "answer": hit.answer} for hit in found]}


@cache
def shipped() -> Sequence[Canned]:
    """The replies of `canned.yml`. Raises ContentError."""
    sheet = Sheet(Path(__file__).with_name("canned.yml"))
    found: list[Canned] = []
    with sheet.part():
        for shortcut, item in sheet.entries(sheet.root, "canned.yml").items():
            with sheet.part():
                parts = sheet.mapping(item, shortcut, needs=("title", "text"))
                title = sheet.words(parts["title"], f"the title of {shortcut}", limit=60)
                text = sheet.words(parts["text"], f"the text of {shortcut}", may=VARIABLES)
                found.append(Canned(shortcut, title, text))
    sheet.check()
    return tuple(found)


def _language(request: web.Request) -> Language:
    language = request.query.get("language", "")
    if language not in get_args(Language):
        raise Problem(422, "bad_request")
    return cast(Language, language)
