"""What people do to a case at the desk, each act with what its form says. What the rules refuse changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from sqlalchemy import Connection, select

from bot.cases import assignment, numbers
from bot.desk import case_scope, case_sheet
from bot.desk.room import Room
from bot.loop import handwork, merging
from bot.loop.cases import TITLE_LIMIT
from bot.loop.casework import Casework, NoCase, Worker
from bot.loop.splitting import Part
from bot.staff.sessions import Member
from storage.tables import cases, staff

LONGEST = 2_000
LOAD = "load"
"""Instead of a colleague: whoever is there, knows most of it and has least to do."""


class Wrong(Exception):
    """A field of a form; `key` names the text `case.<key>` that says what to do."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


@dataclass(frozen=True, slots=True)
class Given:
    """What a form says."""

    room: Room
    case: int
    by: Worker
    member: Member
    fields: Mapping[str, str]

    def text(self, name: str, *, needed: bool = True, longest: int = LONGEST) -> str:
        found = self.fields.get(name, "")
        if needed and not found:
            raise Wrong("empty")
        if len(found) > longest:
            raise Wrong("too_long", count=longest)
        return found

    @property
    def version(self) -> int | None:
        found = self.fields.get("version", "")
        return int(found) if found.isascii() and found.isdecimal() and len(found) < 10 else None

    @property
    def department(self) -> str:
        found = self.fields.get("department", "")
        if found not in self.room.service.content.departments.names:
            raise Wrong("no_department")
        return found

    @property
    def due_at(self) -> datetime | None:
        """A browser's own date and time, in the operator's zone."""
        service = self.room.service
        try:
            return moment_of(self.fields.get("due", ""), service.content.calendar.zone, service.clock.now())
        except ValueError as wrong:
            raise Wrong(str(wrong)) from None


# ---- the acts ----


async def _take(given: Given) -> None:
    await _work(given).assign(given.case, given.by, owner_id=given.member.id, version=given.version)


async def _assign(given: Given) -> None:
    whom = given.fields.get("owner", "")
    if whom == LOAD:
        await _work(given).assign_by_load(given.case, given.by, version=given.version)
        return
    if not whom.isascii() or not whom.isdecimal() or len(whom) > 17:
        raise Wrong("nobody_there")

    def look(connection: Connection) -> tuple[bool, int | None]:
        there = select(staff.c.id).where(staff.c.id == int(whom), staff.c.disabled_at.is_(None))
        origin = connection.execute(select(cases.c.origin).where(cases.c.id == given.case)).scalar_one()
        return connection.execute(there).first() is not None, assignment.judged(connection, origin)

    known, judged = await given.room.service.database.read(look)
    if not known:
        raise Wrong("nobody_there")
    if judged == int(whom):
        raise Wrong("judged")
    note = given.text("required", needed=False)
    await _work(given).assign(given.case, given.by, owner_id=int(whom), required=note, version=given.version)


async def _hand_over(given: Given) -> None:
    await _work(given).assign(
        given.case,
        given.by,
        department=given.department,
        required=given.text("required"),
        due_at=given.due_at,
        version=given.version,
    )


async def _give_part(given: Given) -> None:
    await handwork.give_part(
        _work(given),
        given.case,
        given.by,
        department=given.department,
        required=given.text("required"),
        due_at=given.due_at,
        version=given.version,
    )


async def _give_back(given: Given) -> None:
    await _work(given).give_back(given.case, given.by, given.text("reason"), version=given.version)


async def _plan(given: Given) -> None:
    tell = "tell" in given.fields
    await _work(given).plan(given.case, given.by, given.text("plan"), tell=tell, version=given.version)


async def _begin(given: Given) -> None:
    await _work(given).begin(given.case, given.by, version=given.version)


async def _ask(given: Given) -> None:
    await _work(given).ask(given.case, given.by, given.text("question"), version=given.version)


async def _resume(given: Given) -> None:
    await _work(given).resume(given.case, given.by, version=given.version)


async def _resolve(given: Given) -> None:
    await _work(given).resolve(given.case, given.by, given.text("result"), version=given.version)


async def _follow_up(given: Given) -> None:
    await handwork.follow_up(_work(given), given.case, given.by, version=given.version)


async def _answered(given: Given) -> None:
    score = given.fields.get("score", "")
    if not score.isascii() or not score.isdecimal() or int(score[:4]) > 100:
        raise Wrong("no_score")
    note = given.text("note", needed=False, longest=500)
    await _work(given).answered(given.case, given.by, float(score), note, version=given.version)


async def _reopen(given: Given) -> None:
    await handwork.reopen(_work(given), given.case, given.by, given.text("reason"), version=given.version)


async def _merge(given: Given) -> None:
    into = number_of(given.text("into", longest=40))
    if into is None:
        raise Wrong("no_number")
    # Joined is only what they may touch on both sides.
    if not await admitted(given.room, given.member, into):
        raise NoCase(into)
    same = "same" in given.fields
    reason = given.text("reason")
    await merging.merge(_work(given), given.case, into, given.by, reason, same=same, version=given.version)


async def _split(given: Given) -> None:
    """A part of it, or something else that it also is, becomes a case of its own."""
    kind, _, which = given.fields.get("part", "").partition(":")
    title = given.text("title", needed=not kind, longest=TITLE_LIMIT) or None
    if kind and (kind not in ("report", "merged") or not which.isascii() or not which.isdecimal() or len(which) > 17):
        raise Wrong("no_part")
    part = Part(
        title=title,
        report=int(which) if kind == "report" else None,
        merged=int(which) if kind == "merged" else None,
    )
    await given.room.service.splitting.split(given.case, given.by, part, given.text("reason"), version=given.version)


async def _call_back(given: Given) -> None:
    await given.room.service.calling.ask(given.by, given.text("required"), case_id=given.case, due_at=given.due_at)


async def _findings(given: Given) -> None:
    texts = {name: text for name in case_sheet.FINDINGS if (text := given.text(name, needed=False))}
    row = await given.room.service.database.read(lambda link: case_scope.visible(link, given.member, given.case))
    new = {name: text for name, text in texts.items() if getattr(row, name) != text}
    if not new:
        raise Wrong("nothing_new")
    await _work(given).note(given.case, given.by, version=given.version, **new)


ACTS: Mapping[str, Callable[[Given], Awaitable[None]]] = {
    "take": _take,
    "plan": _plan,
    "begin": _begin,
    "resolve": _resolve,
    "follow_up": _follow_up,
    "answered": _answered,
    "ask": _ask,
    "resume": _resume,
    "assign": _assign,
    "hand_over": _hand_over,
    "give_part": _give_part,
    "give_back": _give_back,
    "reopen": _reopen,
    "merge": _merge,
    "split": _split,
    "call_back": _call_back,
    "findings": _findings,
}


def _work(given: Given) -> Casework:
    return given.room.service.casework


# ---- what they stand on ----


def number_of(text: str) -> int | None:
    """The case that these digits name: only the whole number, whose last digit catches a slip."""
    digits = text.strip().lstrip("#").strip()
    found = numbers.parse(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None
    return found if found is not None and numbers.number(found) == digits else None


def moment_of(text: str, zone: tzinfo, now: datetime) -> datetime | None:
    """A moment to come, as a browser's field gives it; None where it was left empty. Raises ValueError with the key of
    the text that says what to do."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("no_time") from None
    at = at if at.tzinfo else at.replace(tzinfo=zone)
    if at <= now or at.year > 9000:
        raise ValueError("past")
    return at.astimezone(UTC)


async def admitted(room: Room, member: Member, case_id: int) -> bool | None:
    """Whether this member may act on the case; None where there is none for them."""

    def look(connection: Connection) -> bool | None:
        row = case_scope.visible(connection, member, case_id)
        if row is None:
            return None
        scope = case_scope.scope(connection, member, room.service.content.departments.hub)
        return scope.acts_on(row, case_scope.holds(connection, member, row.conversation_id))

    return await room.service.database.read(look)
