"""The house at the desk: channels and their addresses, ready replies."""

from __future__ import annotations

from typing import Any, get_args

from aiohttp import web
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot.desk.answering import VARIABLES, shipped
from bot.desk.room import Room
from bot.desk.sheets import back, done, sheet, show
from bot.desk.table import routes
from bot.desk.words import language_of, said, texts
from bot.staff.service import record
from bot.staff.sessions import Member
from channels.base import ChannelError, Outgoing
from nlu.understanding import Language
from storage.tables import canned_replies
from storage.types import clean

CHANNELS, REPLIES = "/desk/admin/channels", "/desk/admin/replies"


# ---- channels ----


@routes.get(CHANNELS)
@sheet("admin")
async def channels(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    return _channels(request, room, member, done=done(request))


@routes.post(CHANNELS + "/{channel}/{account}/test")
@sheet("admin")
async def test_message(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """A message to an address of the administrator's own, straight through the channel: what it answers is told."""
    channel, account = request.match_info["channel"], request.match_info["account"]
    adapter, language = room.service.adapter(channel, account), language_of(request)
    address = clean(str((await request.post()).get("address", "")).strip())[:300]
    if adapter is None or channel == "web" or not address:
        raise web.HTTPNotFound
    by, place = f"staff:{member.id}", f"{channel}:{account}"[:100]
    await record(room.service.database, room.service.clock, by, "channel_tested", place)
    text = said("channels.hello", language, company=room.service.settings.company)
    try:
        await adapter.send(Outgoing(address=address, text=text, key=f"earful-test-{room.service.clock.now():%s%f}"))
    except ChannelError as error:
        return _channels(request, room, member, 502, said("channels.failed", language, why=str(error)))
    raise back(request, CHANNELS, "sent")


def _channels(
    request: web.Request, room: Room, member: Member, status: int = 200, problem: str = "", **values: Any
) -> web.Response:
    language, address = language_of(request), room.service.settings.address
    accounts = [
        {
            "channel": channel,
            "account": account,
            "name": said(f"channel.{channel}", language) if f"channel.{channel}" in texts() else channel,
            "hook": None if channel == "web" else f"{address}/hooks/{channel}/{account}",
            "sends": channel != "web",
            "limit": adapter.capabilities.text_limit,
            "files": adapter.capabilities.file_limit,
            "typing": adapter.capabilities.typing,
            "window": int(window.total_seconds()) // 3600 if (window := adapter.capabilities.window) else None,
        }
        for (channel, account), adapter in sorted(room.service.adapters.items())
    ]
    return show(request, member, "channels", status=status, problem=problem, accounts=accounts, **values)


# ---- ready replies ----


@routes.get(REPLIES)
@sheet("supervisor", "admin")
async def replies(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    return await _replies(request, room, member, edit=request.query.get("edit", ""), done=done(request))


@routes.post(REPLIES)
@sheet("supervisor", "admin")
async def write_reply(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Write a reply anew; one of the same shortcut, language and department is replaced."""
    form, language, now = await request.post(), language_of(request), room.service.clock.now()
    given = {
        name: clean(str(form.get(name, "")).strip()) for name in ("shortcut", "language", "department", "title", "text")
    }
    problem = _wrong(given, room)
    if problem:
        return await _replies(request, room, member, 422, said(f"replies.{problem}", language), given=given)
    table = canned_replies.c

    def work(connection: Connection) -> None:
        same = (
            (table.shortcut == given["shortcut"])
            & (table.language == given["language"])
            & (table.department == given["department"])
        )
        values = {"title": given["title"], "text": given["text"], "updated_at": now}
        if connection.execute(update(canned_replies).where(same).values(values)).rowcount == 0:
            connection.execute(insert(canned_replies).values(given | {"updated_at": now}))

    try:
        await room.service.database.write(work)
    except IntegrityError:
        await room.service.database.write(work)  # written twice at once: it is there now
    what = f"reply:{given['language']}:{given['shortcut']}"[:100]
    await record(room.service.database, room.service.clock, f"staff:{member.id}", "reply_written", what)
    raise back(request, REPLIES, "saved")


@routes.post(REPLIES + "/{id}/remove")
@sheet("supervisor", "admin")
async def remove_reply(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    wanted = request.match_info["id"]
    if not wanted.isascii() or not wanted.isdecimal() or len(wanted) > 17:
        raise web.HTTPNotFound
    gone = delete(canned_replies).where(canned_replies.c.id == int(wanted))
    await room.service.database.write(lambda connection: connection.execute(gone).rowcount)
    await record(room.service.database, room.service.clock, f"staff:{member.id}", "reply_removed", f"reply:{wanted}")
    raise back(request, REPLIES, "removed")


def _wrong(given: dict[str, str], room: Room) -> str:
    """What is wrong with a reply; empty: nothing."""
    shortcut = given["shortcut"]
    if not 1 <= len(shortcut) <= 40 or any(sign.isspace() or sign == "/" for sign in shortcut):
        return "bad_shortcut"
    if given["language"] not in get_args(Language) or not 1 <= len(given["title"]) <= 60:
        return "bad_title"
    if given["department"] and given["department"] not in room.service.content.departments.names:
        return "bad_title"
    return "" if 1 <= len(given["text"]) <= 2_000 else "bad_text"


async def _replies(
    request: web.Request,
    room: Room,
    member: Member,
    status: int = 200,
    problem: str = "",
    edit: str = "",
    **values: Any,
) -> web.Response:
    statement = select(canned_replies).order_by(canned_replies.c.shortcut, canned_replies.c.language)
    found = [row._asdict() for row in await room.service.database.read(lambda link: link.execute(statement).all())]
    given = next((row for row in found if str(row["id"]) == edit), {})
    language = language_of(request)
    ready = [
        {"id": None, "shortcut": each.shortcut, "language": language, "title": each.title.said(language)}
        | {"text": each.text.said(language), "department": ""}
        for each in shipped()
        if not any(row["shortcut"] == each.shortcut and row["language"] == language for row in found)
    ]
    filled = {"given": given, "replies": found + ready, "variables": VARIABLES} | values
    return show(request, member, "replies", status=status, problem=problem, **filled)
