"""The knowledge base at the desk: what nobody could answer, what there are answers to, and how an entry is written.

What is saved answers the next customer, in every process. Nothing is overwritten: each change is a version, and any may
be brought back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from aiohttp import web
from multidict import MultiDictProxy
from sqlalchemy import Connection

from bot.actions.facts import LIKELY, SURE
from bot.desk import entry_forms
from bot.desk.entry_forms import Fields
from bot.desk.room import Room
from bot.desk.sheets import back, done, sheet, show
from bot.desk.table import routes
from bot.desk.words import language_of, said
from bot.knowledge import service, unanswered
from bot.knowledge.entries import KEY, BadEntry, Entry, as_yaml, checked, new_key
from bot.knowledge.index import Found
from bot.knowledge.versions import VERSIONS, Kind, Overtaken, Version
from bot.staff.service import names
from bot.staff.sessions import Member
from nlu.understanding import Language

KNOWLEDGE = "/desk/admin/knowledge"
ENTRY = KNOWLEDGE + "/entry/{key}"
_SINCE = timedelta(days=30)
_GROUPS = 20
_LOOKED_THROUGH = 500
"""Questions without an answer that are looked through, the newest."""

_ASKED = 200  # characters of a question that is tried out


# ---- reading ----


@routes.get(KNOWLEDGE)
@sheet("supervisor", "admin")
async def knowledge(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """What nobody could answer, and what there are answers to. `ask` tries a question out, `find` looks for entries."""
    since, library, language = room.service.clock.now() - _SINCE, room.service.library, language_of(request)

    def work(connection: Connection) -> tuple[list[unanswered.Question], service.Votes]:
        return unanswered.asked(connection, since, chunks=4)[:_LOOKED_THROUGH], service.votes(connection)

    asked, votes = await room.service.database.read(work)
    # What has an answer by now is no longer a question.
    open_ones = [each for each in asked if not _answered(library.search(each.text, language))]
    find, ask = request.query.get("find", "").strip()[:_ASKED], request.query.get("ask", "").strip()[:_ASKED]
    entries = [_listed(entry, room, votes, language) for entry in library.entries.values() if _fits(entry, find)]
    removed = [
        {"key": key, "question": entry.question}
        for key, version in library.changed.items()
        if version.kind == "removed" and (entry := await _before(room, version)) and _fits(entry, find)
    ]
    return show(
        request,
        member,
        "knowledge",
        done=done(request),
        groups=[_group(group, room, language) for group in unanswered.grouped(open_ones)[:_GROUPS]],
        entries=sorted(entries, key=lambda entry: (not entry["changed"], entry["question"])),
        removed=removed,
        find=find,
        ask=ask,
        found=_tried(library.search(ask, language)) if ask else [],
    )


@routes.get(KNOWLEDGE + "/knowledge.yml")
@sheet("supervisor", "admin")
async def export(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Everything as a content file has it, to be kept beside the assistant's own."""
    headers = {"Content-Disposition": 'attachment; filename="knowledge.yml"', "Cache-Control": "no-store"}
    text = as_yaml(room.service.library.entries.values())
    return web.Response(text=text, content_type="application/yaml", headers=headers)


@routes.get(KNOWLEDGE + "/new")
@sheet("supervisor", "admin")
async def blank(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    return await _form(request, room, member, "", {})


@routes.get(ENTRY)
@sheet("supervisor", "admin")
async def entry(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """An entry to change. `version`: as it was then, to be looked at and brought back."""
    key, wanted = _key(request), request.query.get("version", "")
    known: Entry | None
    if wanted.isascii() and wanted.isdecimal() and len(wanted) < 9:
        found = await room.service.database.read(lambda link: VERSIONS.version(link, key, int(wanted)))
        known = found.content if found else None
    else:
        known = await _known(room, key)
    if known is None:
        raise web.HTTPNotFound
    return await _form(request, room, member, key, entry_forms.fields_of(known))


# ---- writing ----


@routes.post(KNOWLEDGE + "/new")
@sheet("supervisor", "admin")
async def draft(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """A new entry, begun with the words that customers asked in; or these words as further phrasings of `key`."""
    form = await request.post()
    words = [str(each)[:1_000] for each in form.getall("words", [])][:10]
    key = str(form.get("key", ""))
    if not key:
        return await _form(request, room, member, "", entry_forms.begun(words))
    found = room.service.library.entries.get(key)
    if found is None:
        raise web.HTTPNotFound
    return await _form(request, room, member, key, entry_forms.fields_of(entry_forms.joined(found, words)))


@routes.post(KNOWLEDGE + "/save")
@sheet("supervisor", "admin")
async def save(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """Write the entry, or only show what it would say (`do=preview`)."""
    form, library = await request.post(), room.service.library
    fields, key, seen = entry_forms.given(form), str(form.get("key", "")), _seen(form)
    if key and not KEY.fullmatch(key):
        raise web.HTTPNotFound
    try:
        wanted = checked(entry_forms.entry_of(key, fields))
    except BadEntry as bad:
        where = f"{said(f'language.{bad.language}', language_of(request))}: " if bad.language else ""
        problem = where + said(f"entry.{bad.code}", language_of(request))
        return await _form(request, room, member, key, fields, status=422, problem=problem, seen=seen)
    if form.get("do") == "preview":
        return await _form(request, room, member, key, fields, seen=seen, draft=wanted)
    if not key:
        wanted = Entry(new_key(wanted.languages, {*library.shipped, *library.changed}), wanted.languages)
    try:
        await _change(room, member, wanted.key, seen, "written", wanted)
    except Overtaken:
        problem = said("entry.overtaken", language_of(request))
        return await _form(request, room, member, key, fields, status=409, problem=problem)
    raise back(request, KNOWLEDGE, "saved")


@routes.post(ENTRY + "/{act}")
@sheet("supervisor", "admin")
async def change(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """`remove` it, give it the words that it was `shipped` with, or `restore` a version."""
    key, form, act = _key(request), await request.post(), request.match_info["act"]
    library, number = room.service.library, str(form.get("version", ""))
    kind: Kind
    found: Entry | None = None
    if act == "remove" and key in library.entries:
        kind = "removed"
    elif act == "shipped" and key in library.shipped:
        kind = "shipped"
    elif act == "restore" and number.isascii() and number.isdecimal() and len(number) < 9:
        older = await room.service.database.read(lambda link: VERSIONS.version(link, key, int(number)))
        if older is None or older.content is None:
            raise web.HTTPNotFound
        kind, found = "written", older.content
    else:
        raise web.HTTPNotFound
    try:
        await _change(room, member, key, _seen(form), kind, found)
    except Overtaken:
        known = await _known(room, key)
        fields = entry_forms.fields_of(known) if known else {}
        problem = said("entry.overtaken", language_of(request))
        return await _form(request, room, member, key, fields, status=409, problem=problem)
    raise back(request, KNOWLEDGE, "removed" if kind == "removed" else "saved")


async def _change(room: Room, member: Member, key: str, seen: int, kind: Kind, found: Entry | None) -> None:
    here = room.service
    await service.change(here.database, here.clock, key, seen, kind, found, actor=f"staff:{member.id}")
    await here.library.follow(here.database)


# ---- what is shown ----


async def _form(
    request: web.Request,
    room: Room,
    member: Member,
    key: str,
    fields: Fields,
    *,
    status: int = 200,
    problem: str = "",
    seen: int | None = None,
    draft: Entry | None = None,
) -> web.Response:
    library, language = room.service.library, language_of(request)
    found = await room.service.database.read(lambda link: _history(link, key)) if key else []
    preview = await entry_forms.preview(room.service, draft, language) if draft else None
    return show(
        request,
        member,
        "entry",
        status=status,
        problem=problem,
        key=key,
        fields=fields,
        seen=seen if seen is not None else found[0]["number"] if found else 0,
        there=key in library.entries,
        ships=key in library.shipped,
        changed=bool(found) and found[0]["kind"] != "shipped",
        versions=found,
        preview=preview,
    )


def _history(connection: Connection, key: str) -> list[dict[str, Any]]:
    """The versions of an entry, with the names of those who made them."""
    found = VERSIONS.history(connection, key)
    called = names(connection, (each.actor for each in found))
    return [
        {"number": each.number, "kind": each.kind, "by": called.get(each.actor, each.actor), "at": each.at}
        | {"question": each.content.question if each.content else ""}
        for each in found
    ]


def _listed(found: Entry, room: Room, votes: service.Votes, language: Language) -> dict[str, Any]:
    spoken = found.languages.get(language) or next(iter(found.languages.values()))
    given = [votes.get((found.key, each), (0, 0)) for each in found.languages]
    changed = room.service.library.changed.get(found.key)
    return {
        "key": found.key,
        "question": spoken.question,
        "answer": spoken.answer,
        "phrasings": sum(len(each.phrasings) for each in found.languages.values()),
        "only": next(iter(found.languages)) if len(found.languages) == 1 else "",
        "helpful": sum(each[0] for each in given),
        "unhelpful": sum(each[1] for each in given),
        "changed": changed is not None and changed.kind == "written",
    }


def _group(group: unanswered.Group, room: Room, language: Language) -> dict[str, Any]:
    """Questions alike, and the entry nearest to them, of which they may be another phrasing."""
    words = list(unanswered.phrasings(group, most=6))
    near = room.service.library.search(words[0], language)[:1]
    return {
        "count": len(group.questions),
        "words": words,
        "near": {"key": near[0].key, "question": near[0].question} if near else None,
    }


def _tried(hits: Sequence[Found]) -> list[dict[str, Any]]:
    """What the bot would do with what it found."""
    sure = _answered(hits)
    return [
        {"key": hit.key, "question": hit.question, "how": "answers" if sure else "asks"}
        for hit in (hits[:1] if sure else hits)
        if hit.score >= LIKELY
    ]


def _answered(hits: Sequence[Found]) -> bool:
    return bool(hits) and hits[0].score >= SURE


def _fits(found: Entry, words: str) -> bool:
    wanted = words.casefold()
    return not wanted or any(
        wanted in text.casefold()
        for each in found.languages.values()
        for text in (each.question, each.answer, *each.phrasings)
    )


async def _known(room: Room, key: str) -> Entry | None:
    """The entry as it is, or was before it was removed."""
    library = room.service.library
    version = library.changed.get(key)
    return library.entries.get(key) or (await _before(room, version) if version else None)


async def _before(room: Room, version: Version) -> Entry | None:
    """The words that an entry had before this version took them away."""
    found = await room.service.database.read(lambda link: VERSIONS.history(link, version.key))
    written = next((each.content for each in found if each.number < version.number and each.kind != "removed"), None)
    return written or room.service.library.shipped.get(version.key)


def _key(request: web.Request) -> str:
    key = request.match_info["key"]
    if not KEY.fullmatch(key):
        raise web.HTTPNotFound
    return key


def _seen(form: MultiDictProxy[Any]) -> int:
    given = str(form.get("seen", "0"))
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 9 else 0
