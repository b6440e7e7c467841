"""The second look: what a complaint is about and how urgent, by the slow understanding, soon after the reply.

A reply waits for the fast heads alone. What they were unsure of is looked at again within a minute; the case is put
right, and where it turns out to be urgent people are called and the customer is told. Never the other way: what was
urgent stays so. What a person has taken in hand is theirs: it may become more urgent, nothing else is changed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from sqlalchemy import Connection, bindparam, literal_column, select, update

from bot.cases import departments
from bot.cases.rules import outweighs
from bot.loop.case_moves import more_urgent, told
from bot.loop.cases import Desk
from bot.loop.closer_look import Closer
from bot.loop.effects import Effects
from bot.loop.notices import Notices
from bot.loop.state import LaneState
from bot.loop.talking import Talking
from bot.loop.turn import Turns
from nlu.blending import Task
from nlu.understanding import Language, Nature, Understanding, Urgency
from storage.database import Conflict, Database
from storage.prepared import as_prepared
from storage.records import Case
from storage.sets import one_of
from storage.tables import cases, conversations, messages
from storage.types import UtcDateTime

log = structlog.get_logger()

AT_ONCE = 16
EVERY = 2.0
"""Seconds between two looks: with AT_ONCE it bounds what a flood of complaints may take of the processor."""
TOO_LATE = timedelta(hours=1)
"""A case older than this was not looked at for want of an encoder, or during an outage: people have seen it since."""
_UNTOUCHED = frozenset({"received", "acknowledged"})
_A_CASE_NEEDS: tuple[Task, ...] = ("sentiment", "nature", "urgency")


@dataclass(slots=True)
class _Unseen:
    """A case that had no second look, and the customer's own words."""

    case: Case
    lane: str
    words: str

    @property
    def language(self) -> Language:
        return cast(Language, self.case.language)


@dataclass(slots=True)
class SecondLook:
    """Looks again at new cases, of the lanes that are `mine`. `closer` None: nothing looks twice."""

    database: Database
    turns: Turns
    desk: Desk
    talking: Talking
    notices: Notices
    closer: Closer | None
    mine: Callable[[str], bool] = lambda _: True
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "second-look"))

    async def run(self) -> None:
        """Look until cancelled. An outage passes; what was missed is found again."""
        if self.closer is None:
            return
        try:
            if self.closer.ready:
                await self._ready(self.closer)
            while True:
                try:
                    await self.look()
                except Exception as error:
                    log.error("the second look failed; it is tried again", error=type(error).__name__)
                await asyncio.sleep(EVERY)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _ready(self, closer: Closer) -> None:
        """Ask it something, so that it is started before somebody waits for it."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, closer.parse_many, ["hello"])
        except Exception as error:
            log.error("encoders cannot be started; it is tried again when needed", error=type(error).__name__)

    async def look(self) -> int:
        """Look at what waits now, at most AT_ONCE cases; their number."""
        if self.closer is None or not self.closer.ready:
            return 0
        closer, since = self.closer, self.turns.now() - TOO_LATE
        waiting = await self.database.read(lambda connection: _unseen(connection, since))
        unseen = [each for each in waiting if self.mine(each.lane)]
        if not unseen:
            return 0
        found = await asyncio.get_running_loop().run_in_executor(self._thread, _understood, closer, unseen)
        right: list[int] = []
        for each, understood in zip(unseen, found, strict=True):
            if understood is None or not _puts_right(each.case, understood):
                right.append(each.case.id)
            else:
                await self._tell(each, understood)
        if right:
            await self._settle(right)
        return len(unseen)

    async def _tell(self, unseen: _Unseen, understood: Understanding) -> None:
        def decide(state: LaneState, effects: Effects) -> bool:
            case = next((case for case in state.cases if case.id == unseen.case.id), None)
            if case is not None and case.looked_at is None:
                self._correct(effects, case, understood)
            return case is not None

        # Where others change the conversation all the time, the next round finds the case again.
        with contextlib.suppress(Conflict):
            if not await self.turns.act(unseen.lane, decide):
                await self._settle([unseen.case.id])

    async def _settle(self, ids: Sequence[int]) -> None:
        """There is nothing to put right: they are not looked at again."""
        given = {"ids": ids, "now": self.turns.now()}
        await self.database.write(lambda connection: as_prepared(_SETTLE, connection.dialect).count(connection, given))

    def _correct(self, effects: Effects, case: Case, understood: Understanding) -> None:
        values: dict[str, Any] = {"looked_at": effects.now}
        said: dict[str, str] = {}
        if outweighs(understood.urgency, cast(Urgency, case.urgency)):
            values |= more_urgent(effects, self.desk.house, case, understood.urgency)
            said["urgency"] = f"{case.urgency} → {understood.urgency}"
        if natures := _other_natures(case, understood):
            values |= self._about(natures, understood.aspect)
            said["nature"] = f"{', '.join(case.nature)} → {', '.join(natures)}"
        effects.change_guarded(cases, case.id, case.version, values)
        if not said:
            return
        note = "; ".join(f"{name}: {change}" for name, change in said.items())
        if understood.evidence:
            note += f" ({', '.join(understood.evidence)})"
        told(effects, case.id, "reclassified", actor="bot", at=effects.now, note=note)
        if values.get("urgency") != "urgent" or not self.talking.hand_off(effects, "urgent", effects.now):
            return
        if not effects.state.public:
            language = effects.tongue
            effects.say(self.notices.second_look_urgent.said(language), kind="notice")

    def _about(self, natures: Sequence[Nature], aspect: Sequence[str]) -> dict[str, Any]:
        lead = departments.assign(self.desk.departments, natures).lead
        return {"nature": list(natures), "aspect": list(aspect), "department": lead}


def _understood(closer: Closer, unseen: Sequence[_Unseen]) -> list[Understanding | None]:
    """None for words that cannot be understood: they keep no others waiting."""
    try:
        languages = [each.language for each in unseen]
        return [*closer.parse_many([each.words for each in unseen], languages=languages, needs=_A_CASE_NEEDS)]
    except Exception as error:
        if len(unseen) > 1:
            return [found for each in unseen for found in _understood(closer, [each])]
        log.error("a case cannot be looked at again", case=unseen[0].case.id, error=type(error).__name__)
        return [None]


def _puts_right(case: Case, understood: Understanding) -> bool:
    """Whether there is anything in the case to correct."""
    return outweighs(understood.urgency, cast(Urgency, case.urgency)) or bool(_other_natures(case, understood))


def _other_natures(case: Case, understood: Understanding) -> list[Nature]:
    """What the case is about instead; nothing where it stands so already, or is in a person's hands."""
    untouched = case.owner_id is None and case.state in _UNTOUCHED
    natures: list[Nature] = [nature for nature in understood.nature if nature not in ("none", "praise")]
    return natures if untouched and natures != case.nature else []


def _unseen(connection: Connection, since: datetime) -> list[_Unseen]:
    found = []
    for row in as_prepared(_UNSEEN, connection.dialect).all(connection, {"since": since}):
        *columns, lane, last = row
        case = Case(*columns)
        # A title is cut short; the message that it is the beginning of is not. Another may have come after it, as a
        # "yes" to whether it shall become a case.
        found.append(_Unseen(case, lane, last if last and last.strip().startswith(case.title) else case.title))
    return found


_LAST_WORDS = (
    select(messages.c.text)
    .where(
        messages.c.conversation_id == cases.c.conversation_id,
        messages.c.author == "customer",
        messages.c.created_at <= cases.c.opened_at,
    )
    .order_by(messages.c.id.desc())
    .limit(1)
    .correlate(cases)
    .scalar_subquery()
)
_UNSEEN = (
    Case.select()
    .add_columns(conversations.c.lane, _LAST_WORDS)
    .join(conversations, conversations.c.id == cases.c.conversation_id)
    .where(cases.c.looked_at.is_(None), cases.c.opened_at > bindparam("since", type_=UtcDateTime))
    .order_by(cases.c.opened_at)
    .limit(literal_column(str(AT_ONCE)))
)
_SETTLE = (
    update(cases)
    .where(one_of(cases.c.id, "ids"), cases.c.looked_at.is_(None))
    .values(looked_at=bindparam("now", type_=UtcDateTime))
)
