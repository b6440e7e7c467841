"""Deadlines, calendar, departments and surveys, changed by administrators: by a form, or as the file itself. It is
looked over before it counts, checked as at the start, and kept in versions of which any may be brought back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast, get_args
from zoneinfo import available_timezones

from aiohttp import web
from sqlalchemy import Connection

from bot.cases.clocks import House
from bot.cases.deadlines import TASKS, URGENCIES
from bot.cases.departments import NATURES
from bot.cases.rulebook import FILES, LONGEST, VERSIONS, File, Overtaken
from bot.desk import rulebook_forms, rulebook_preview, survey_forms, survey_preview
from bot.desk.request import fields_of
from bot.desk.room import Room
from bot.desk.rulebook_forms import Wrong
from bot.desk.rulebook_preview import Change, in_use
from bot.desk.sheets import back, done, sheet, show
from bot.desk.table import routes
from bot.desk.words import language_of, said
from bot.errors import ContentError
from bot.staff.service import names
from bot.staff.sessions import Member
from bot.takeover.assignment import RULES
from nlu.understanding import Language

HOUSE = "/desk/admin/house"
FILE = HOUSE + "/{file:" + "|".join(each.replace(".", r"\.") for each in FILES) + "}"


@routes.get(FILE)
@sheet("admin")
async def rules_file(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """The file as it holds now; `version`: as it was then, to be looked at and brought back."""
    file, wanted = _file(request), request.query.get("version", "")
    text: str | None = None
    if wanted == "0":
        text = room.service.rulebook.shipped(file)
    elif wanted:
        number = _number(wanted)
        found = await room.service.database.read(lambda link: VERSIONS.version(link, file, number))
        if found is None:
            raise web.HTTPNotFound
        text = found.content if found.content is not None else room.service.rulebook.shipped(file)
    return await _page(request, room, member, file, text=text)


@routes.get(FILE + "/text")
@sheet("admin")
async def rules_text(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """The file as it holds now, to be kept with the assistant's own."""
    file = _file(request)
    headers = {"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-store"}
    return web.Response(text=room.service.rulebook.text(file), content_type="application/yaml", headers=headers)


@routes.post(FILE)
@sheet("admin")
async def write_rules(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """What was filled in (`as`: form, or text), only looked over (`do`: preview) or from now on what counts (save)."""
    file, form, language = _file(request), await fields_of(request), language_of(request)
    book, seen = room.service.rulebook, _number(form.get("seen", "0"))
    fields = {name: value for name, value in form.items() if name not in ("text", "seen", "as", "do")}
    by_text = form.get("as") == "text"
    kept: dict[str, Any] = {"seen": seen, "by_text": by_text} | ({} if by_text else {"fields": fields})
    text = form.get("text", "") if by_text else book.text(file)
    try:
        if not by_text:
            text = rulebook_forms.text_of(file, text, fields)
        if len(text) > LONGEST:
            raise Wrong("too_long", count=LONGEST)
        text = text.rstrip() + "\n"
        tried = book.tried(file, text)
    except Wrong as wrong:
        words = _worded(wrong, language)
        return await _page(request, room, member, file, text=text, status=422, problem=words, **kept)
    except ContentError as error:
        return await _page(request, room, member, file, text=text, status=422, problems=error.problems, **kept)
    problem = await _needed(room, tried, language)
    if problem:
        return await _page(request, room, member, file, text=text, status=409, problem=problem, **kept)
    if form.get("do") != "save":
        return await _page(request, room, member, file, text=text, tried=tried, **kept)
    return await _write(request, room, member, file, seen, text, kept)


@routes.post(FILE + "/restore")
@sheet("admin")
async def restore_rules(request: web.Request, room: Room, member: Member) -> web.StreamResponse:
    """A `version` counts again; 0: the file itself."""
    file, form, language = _file(request), await fields_of(request), language_of(request)
    book, number = room.service.rulebook, _number(form.get("version", ""))
    text: str | None = None
    if number:
        found = await room.service.database.read(lambda link: VERSIONS.version(link, file, number))
        if found is None or found.content is None:
            raise web.HTTPNotFound
        text = found.content
    try:
        tried = book.tried(file, book.shipped(file) if text is None else text)
    except ContentError as error:
        return await _page(request, room, member, file, status=422, problems=error.problems)
    problem = await _needed(room, tried, language)
    if problem:
        return await _page(request, room, member, file, status=409, problem=problem)
    return await _write(request, room, member, file, _number(form.get("seen", "0")), text, {})


async def _write(
    request: web.Request, room: Room, member: Member, file: File, seen: int, text: str | None, kept: dict[str, Any]
) -> web.StreamResponse:
    service = room.service
    try:
        await service.rulebook.write(service.database, service.clock, file, seen, text, actor=f"staff:{member.id}")
    except Overtaken:
        problem = said("rulebook.overtaken", language_of(request))
        kept = {name: value for name, value in kept.items() if name != "seen"}
        return await _page(request, room, member, file, text=text, status=409, problem=problem, **kept)
    await service.follow()
    raise back(request, f"{HOUSE}/{file}", "saved")


async def _needed(room: Room, tried: House, language: Any) -> str:
    """Why a department cannot be taken away; empty: nothing needs it."""
    old = room.service.rulebook.house.departments
    found = await room.service.database.read(lambda link: in_use(link, old, tried.departments))
    parts = [
        said(
            "rulebook.needed",
            language,
            name=old.names[key].said(language),
            what=", ".join(said(f"rulebook.needed_{name}", language, count=count) for name, count in needs.items()),
        )
        for key, needs in found
    ]
    return " ".join(parts)


def _worded(wrong: Wrong, language: Any) -> str:
    values = dict(wrong.values)
    if isinstance(values.get("day"), int):
        values["day"] = said(f"day.{values['day']}", language)
    if wrong.key == "gone":
        name = str(values["name"])
        key = f"rulebook.{name}" if name in ("hub", "coordinator") else ""
        values["name"] = said(key, language) if key else rulebook_preview.nature_words(name, language)
    return said(f"rulebook.{wrong.key}", language, **values)


async def _page(
    request: web.Request,
    room: Room,
    member: Member,
    file: File,
    *,
    text: str | None = None,
    fields: dict[str, str] | None = None,
    seen: int | None = None,
    by_text: bool = False,
    tried: House | None = None,
    status: int = 200,
    problem: str = "",
    problems: Any = (),
) -> web.Response:
    book, language, now = room.service.rulebook, language_of(request), room.service.clock.now()
    shown = book.text(file) if text is None else text
    try:
        house, read = book.tried(file, shown), shown
    except ContentError:
        house, read = book.house, book.text(file)
    history = await room.service.database.read(lambda link: _history(link, file))
    written, usual = book.written.get(file), room.service.assigning.usual
    filled = {"most": str(usual.most)} | (fields or rulebook_forms.fields_of(file, house, read))
    found: list[Change] | None = None if tried is None else rulebook_preview.changes(book.house, tried, now, language)
    return show(
        request,
        member,
        "rulebook",
        status=status,
        problem=problem,
        problems=[str(each) for each in problems],
        done=done(request),
        file=file,
        content=shown,
        fields=filled,
        rows=_rows(filled),
        by_text=by_text,
        seen=seen if seen is not None else history[0]["number"] if history else 0,
        changes=found,
        versions=history,
        at_desk=written is not None,
        urgencies=URGENCIES,
        tasks=TASKS[1:],
        natures=[(each, rulebook_preview.nature_words(each, language)) for each in NATURES],
        names={key: words.said(language) for key, words in house.departments.names.items()},
        own=[
            key
            for key in house.departments.names
            if any(filled.get(f"own_{key}_{part}") for part in rulebook_forms.OWN)
        ],
        usual_giving=usual,
        giving_rules=[(rule, said(f"rulebook.rule_{rule}", language)) for rule in RULES],
        steps=range(rulebook_forms.STEPS),
        zones=_zones() if file == "calendar.yml" else (),
        shapes=survey_forms.shapes(read) if file == "surveys.yml" else None,
        usual=survey_forms.usual,
        touched=_touched(filled, rulebook_forms.fields_of(file, book.house, book.text(file))),
        worded=lambda path: survey_preview.part(path, language),
        asked=[] if tried is None else _asked(room, tried, language),
    )


def _asked(room: Room, tried: House, language: Language) -> list[tuple[Language, dict[str, Any]]]:
    """The surveys that would be others, as customers of each language would get them; the reader's own first."""
    old, now = room.service.rulebook.house.surveys, room.service.clock.now()
    spoken = sorted(get_args(Language), key=lambda each: each != language)
    return [
        (each, survey_preview.as_asked(room.service, definition, each, now))
        for key, definition in tried.surveys.definitions.items()
        if (known := old.get(key)) is None or known.version != definition.version
        for each in spoken
    ]


def _touched(filled: dict[str, str], held: dict[str, str]) -> set[str]:
    """The parts of a form (what stands before _ in its fields) that say something else than holds now."""
    return {name.partition("_")[0] for name, value in filled.items() if value != held.get(name, "")}


@cache
def _zones() -> Sequence[str]:
    """Those that people live in."""
    return sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "System")))


def _rows(fields: dict[str, str]) -> range:
    """The rows of departments that the form shows, with room for more."""
    numbers = [
        int(name[3:]) for name, value in fields.items() if name.startswith("key") and name[3:].isdecimal() and value
    ]
    return range(max(numbers, default=-1) + 1 + rulebook_forms.ROOM)


def _history(connection: Connection, file: File) -> list[dict[str, Any]]:
    """The versions of a file, with the names of those who made them."""
    found = VERSIONS.history(connection, file)
    called = names(connection, (each.actor for each in found))
    return [
        {"number": each.number, "kind": each.kind, "by": called.get(each.actor, each.actor), "at": each.at}
        for each in found
    ]


def _file(request: web.Request) -> File:
    return cast(File, request.match_info["file"])


def _number(text: str) -> int:
    """A version's number. Raises HTTPNotFound for what cannot be one."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise web.HTTPNotFound
    return int(text)
