"""What makes good, as people give it: proposed, approved within a limit, promised where that holds, done, told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection, select

from bot.cases import clocks
from bot.cases import remedies as rules
from bot.cases.calendar import moment_words
from bot.cases.remedies import COUNTED, Kind, Remedies, RemedyRefused, State
from bot.cases.rules import SETTLED
from bot.loop.case_moves import told
from bot.loop.casework import CaseRefused, Casework, NoCase, Worker
from bot.loop.effects import Effects
from bot.staff.sessions import Role
from storage.changes import Insert
from storage.records import Case, Remedy
from storage.tables import case_remedies as table
from storage.tables import cases, staff

TRIES = 5


@dataclass(frozen=True, slots=True)
class Remedying:
    """Raises RemedyRefused and what Casework raises; then nothing was changed."""

    casework: Casework
    remedies: Remedies

    async def propose(
        self,
        case_id: int,
        by: Worker,
        kind: Kind,
        amount: int | None,
        note: str,
        *,
        approve: bool,
        version: int | None = None,
    ) -> int:
        """A remedy, `amount` in hundredths. With `approve` it is approved at once where that is within the limit of
        who proposes it. Its id."""
        rules.checked(kind, amount)

        def decide(effects: Effects, case: Case, known: Sequence[Remedy], role: Role | None) -> Insert:
            if case.state in SETTLED:
                raise CaseRefused("settled")
            if case.state in ("resolved", "following_up"):  # the customer judges what was done, not what is to come
                raise CaseRefused("resolved")
            values = {"case_id": case.id, "kind": kind, "amount": amount, "note": note, "state": "proposed"}
            row = Insert(table, values | {"made_by": by.actor[:60], "made_at": effects.now})
            line = self._line(kind, amount, note)
            told(effects, case.id, "remedy_proposed", actor=by.actor, at=effects.now, note=line)
            effects.change_guarded(cases, case.id, case.version, {})
            if approve and self._within(role, kind, amount, _spent(known)):
                self._approve(effects, case, row, kind, amount, note, by)
            effects.add(row)
            return row

        made = await self._act(case_id, by, decide, version)
        if made.id is None:
            raise AssertionError("the remedy is not written")
        return int(made.id)

    async def move(self, remedy_id: int, new: State, by: Worker, reason: str = "", *, approver: bool) -> None:
        """Approve, refuse, carry out or cancel one. Who decides on it needs the right to (`approver`) and, to approve
        it, a limit that it is within; to cancel what is approved, too."""
        case_id = await self.casework.database.read(lambda connection: _case_of(connection, remedy_id))

        def decide(effects: Effects, case: Case, known: Sequence[Remedy], role: Role | None) -> None:
            found = next(each for each in known if each.id == remedy_id)
            kind, amount = cast(Kind, found.kind), found.amount
            rules.move(cast(State, found.state), new, reason)
            if new in ("approved", "refused") or (new == "cancelled" and found.state == "approved"):
                others = _spent(known) - (amount or 0 if found.state == "approved" else 0)
                rules.may_approve(self.remedies, role if approver else None, kind, amount, others)
            if new == "approved":
                self._approve(effects, case, found.id, kind, amount, found.note or "", by)
            else:
                self._end(effects, case, found, new, by, reason)
            effects.change_guarded(cases, case.id, case.version, {})

        await self._act(case_id, by, decide, None)

    # ---- within ----

    def _within(self, role: Role | None, kind: Kind, amount: int | None, spent: int) -> bool:
        try:
            rules.may_approve(self.remedies, role, kind, amount, spent)
        except RemedyRefused:
            return False
        return True

    def _approve(
        self, effects: Effects, case: Case, row: Insert | int, kind: Kind, amount: int | None, note: str, by: Worker
    ) -> None:
        """The customer is told, with a time where the conditions of a promise hold; that time is a deadline. An
        apology is made by being told."""
        house, at, notices = self.casework.asking.desk.house, effects.now, self.casework.notices
        values: dict[str, Any] = {"state": "approved", "decided_by": by.actor[:60], "decided_at": at}
        line = self._line(kind, amount)
        told(effects, case.id, "remedy_approved", actor=by.actor, at=at, note=line)
        if kind == "apology":
            values |= {"state": "done", "done_by": by.actor[:60], "done_at": at}
            self.casework.tell(effects, notices.remedy_apology, case, apology=note)
            told(effects, case.id, "remedy_done", actor=by.actor, at=at, note=line)
        elif rules.is_promised(self.remedies, kind, amount, case.fields) and self.casework.reachable(effects):
            clock = clocks.values(house, "remedy", at, case.department)
            values["promised_until"] = clock["due_at"]
            language = effects.tongue
            until = moment_words(house.calendar, clock["due_at"], at, language, clock_first=True)
            self._tell(effects, case, "remedy_promised", kind, amount, by=until)

            def start(connection: Connection) -> None:
                id = row.id if isinstance(row, Insert) else row
                clocks.start(connection, case.id, clock | {"subject": f"remedy:{id}"})

            effects.joined.append(start)
        else:
            self._tell(effects, case, "remedy_approved", kind, amount)
        if isinstance(row, Insert):
            row.values |= values
        else:
            effects.change(table, row, values)

    def _end(self, effects: Effects, case: Case, found: Remedy, new: State, by: Worker, reason: str) -> None:
        house, at = self.casework.asking.desk.house, effects.now
        kind, amount = cast(Kind, found.kind), found.amount
        if new == "done":
            values = {"done_by": by.actor[:60], "done_at": at}
            self._tell(effects, case, "remedy_done", kind, amount)
        else:
            values = {"decided_by": by.actor[:60], "decided_at": at}
            if found.state == "approved":  # they were told of it
                self._tell(effects, case, "remedy_cancelled", kind, amount, reason=reason)
        how: clocks.Ending = "met" if new == "done" else "cancelled"
        effects.joined.append(
            lambda c: clocks.end(c, case.id, ("remedy",), at, how, subject=f"remedy:{found.id}", house=house)
        )
        effects.change(table, found.id, values | {"state": new, "reason": reason.strip() or found.reason})
        told(effects, case.id, f"remedy_{new}", actor=by.actor, at=at, note=self._line(kind, amount, reason))

    def _tell(self, effects: Effects, case: Case, notice: str, kind: Kind, amount: int | None, **more: str) -> None:
        remedy = rules.words(self.remedies, kind, amount, effects.tongue)
        self.casework.tell(effects, getattr(self.casework.notices, notice), case, remedy=remedy, **more)

    def _line(self, kind: Kind, amount: int | None, note: str = "") -> str:
        figure = f" {rules.figure(amount)}" if amount is not None else ""
        return f"{kind}{figure}" + (f": {note}" if note else "")

    async def _act(self, case_id: int, by: Worker, decide: _Decide, version: int | None) -> Any:
        """Decide on the remedies as they are; where somebody changed the case meanwhile, look again."""
        for _ in range(TRIES):
            now, known, role = await self.casework.database.read(lambda c: _look(c, case_id, by))
            if version is not None and version != now:
                break
            try:
                return await self.casework.act(case_id, partial(_decided, decide, known, role), now)
            except CaseRefused as refused:
                if refused.code != "moved_on":
                    raise
        raise CaseRefused("moved_on")


_Decide = Callable[[Effects, Case, Sequence[Remedy], "Role | None"], Any]


def _decided(decide: _Decide, known: Sequence[Remedy], role: Role | None, effects: Effects, case: Case) -> Any:
    return decide(effects, case, known, role)


def _look(connection: Connection, case_id: int, by: Worker) -> tuple[int, list[Remedy], Role | None]:
    version = connection.execute(select(cases.c.version).where(cases.c.id == case_id)).scalar()
    if version is None:
        raise NoCase(case_id)
    role = None
    if by.staff_id is not None:
        there = select(staff.c.role).where(staff.c.id == by.staff_id, staff.c.disabled_at.is_(None))
        role = cast("Role | None", connection.execute(there).scalar())
    return version, Remedy.find(connection, table.c.case_id == case_id), role


def _case_of(connection: Connection, remedy_id: int) -> int:
    found = connection.execute(select(table.c.case_id).where(table.c.id == remedy_id)).scalar()
    if found is None:
        raise RemedyRefused("no_remedy")
    return int(found)


def _spent(known: Sequence[Remedy]) -> int:
    return sum(each.amount or 0 for each in known if each.state in COUNTED)
