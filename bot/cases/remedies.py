"""What makes good: refund, exchange, compensation, apology; who may approve it, and what is promised (R4.6).

Pure but for the reading of `remedies.yml`, and the parts of a unit of work at the end. Amounts are hundredths of the
house's currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, cast, get_args

from sqlalchemy import ColumnElement, Connection, select, update

from bot.staff.sessions import Role
from bot.yamlfile import Sheet, Words
from nlu.understanding import Language
from storage.sets import among
from storage.tables import case_remedies as table

Kind = Literal["refund", "exchange", "compensation", "apology"]
State = Literal["proposed", "approved", "refused", "done", "cancelled"]
Code = Literal["no_remedy", "over", "over_limit", "no_person", "needs_reason", "needs_amount", "no_amount"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOVES: Mapping[State, frozenset[State]] = {
    "proposed": frozenset({"approved", "refused", "cancelled"}),
    "approved": frozenset({"done", "cancelled"}),
    "refused": frozenset(),
    "done": frozenset(),
    "cancelled": frozenset(),
}
COUNTED: frozenset[State] = frozenset({"approved", "done"})
OPEN: frozenset[State] = frozenset({"proposed", "approved"})
MOST = 10**11
"""Hundredths: beyond this an amount is a slip."""
_FIELDS = ("order_number", "place", "contact")
_NAMES: Mapping[Kind, Words] = {
    "refund": Words("退款", "refund"),
    "exchange": Words("换货", "exchange"),
    "compensation": Words("补偿", "compensation"),
    "apology": Words("道歉", "apology"),
}
_STATES: Mapping[State, Words] = {
    "proposed": Words("待批准", "proposed"),
    "approved": Words("已批准", "approved"),
    "refused": Words("未批准", "refused"),
    "done": Words("已办好", "done"),
    "cancelled": Words("已取消", "cancelled"),
}
_REFUSALS: Mapping[Code, Words] = {
    "no_remedy": Words("没有这项补救", "There is no such remedy"),
    "over": Words("这项补救已经是“{state}”，不能再这样操作", 'This remedy is "{state}": that cannot be done any more'),
    "over_limit": Words(
        "超出可批准的额度：这个工单累计 {total}，您最多可批 {limit}，请交给上一级批准",
        "Over your limit: {total} on this case together, and you may approve {limit}. Ask somebody above you",
    ),
    "no_person": Words("批准要由有权限的人来做", "Only a person with the right to do so decides on a remedy"),
    "needs_reason": Words("要写明原因", "Say why"),
    "needs_amount": Words("退款和补偿要写明金额", "A refund or a compensation needs an amount"),
    "no_amount": Words("道歉没有金额", "An apology has no amount"),
}


class RemedyRefused(Exception):
    """Nothing was changed. `said` gives the reason; `code` is stable."""

    def __init__(self, code: Code, state: State | None = None, **values: object) -> None:
        super().__init__(code)
        self.code: Code = code
        self.state = state
        self.values = values

    def said(self, language: Language) -> str:
        values = dict(self.values)
        if self.state is not None:
            values["state"] = _STATES[self.state].said(language)
        return _REFUSALS[self.code].said(language, **values)


class RemediesOpen(Exception):
    """A case cannot go on: a remedy of it is proposed or approved, and not done."""


@dataclass(frozen=True, slots=True)
class Remedies:
    """What `remedies.yml` says. `limits` in hundredths, of roles that have one."""

    money: Words
    limits: Mapping[Role, int]
    kinds: frozenset[Kind]
    up_to: int
    needs: tuple[str, ...]


DEFAULT = Remedies(
    money=Words("{amount} 元", "CNY {amount}"),
    limits={"agent": 20_000, "supervisor": 200_000},
    kinds=frozenset({"refund"}),
    up_to=50_000,
    needs=("order_number",),
)


def checked(kind: Kind, amount: int | None) -> None:
    """Raises RemedyRefused for an amount that is missing, or is none."""
    if kind == "apology" and amount is not None:
        raise RemedyRefused("no_amount")
    if kind in ("refund", "compensation") and amount is None:
        raise RemedyRefused("needs_amount")


def may_approve(remedies: Remedies, role: Role | None, kind: Kind, amount: int | None, approved: int) -> None:
    """Whether somebody of this role may approve it, where `approved` is what the case has cost so far. Many small
    ones are a large one. Raises RemedyRefused."""
    if role is None:
        raise RemedyRefused("no_person")
    limit, total = remedies.limits.get(role), approved + (amount or 0)
    if amount and limit is not None and total > limit:
        raise RemedyRefused("over_limit", total=figure(total), limit=figure(limit))


def move(old: State, new: State, reason: str) -> None:
    """Raises RemedyRefused where it cannot go there, or where the reason is missing."""
    if new not in MOVES[old]:
        raise RemedyRefused("over", old)
    if new in ("refused", "cancelled") and not reason.strip():
        raise RemedyRefused("needs_reason")


def is_promised(remedies: Remedies, kind: Kind, amount: int | None, fields: Mapping[str, object]) -> bool:
    """Whether the customer is promised it within the remedy's time: all conditions hold."""
    known = all(fields.get(each) for each in remedies.needs)
    return known and kind in remedies.kinds and (amount or 0) <= remedies.up_to


def figure(amount: int) -> str:
    """120, or 120.50."""
    whole, rest = divmod(amount, 100)
    return f"{whole}.{rest:02d}" if rest else str(whole)


def hundredths(amount: Decimal) -> int:
    """Raises ValueError for one that is not above zero, is beyond MOST, or is finer than a hundredth."""
    scaled = amount * 100
    if not scaled.is_finite() or scaled != scaled.to_integral_value() or not 0 < scaled <= MOST:
        raise ValueError("an amount is above zero, with two decimals at most")
    return int(scaled)


def words(remedies: Remedies, kind: Kind, amount: int | None, language: Language) -> str:
    """退款 120 元, "refund of CNY 120", as the customer is told."""
    name = _NAMES[kind].said(language)
    if amount is None:
        return name
    money = remedies.money.said(language, amount=figure(amount))
    return f"{name} {money}" if language == "zh" else f"{name} of {money}"


def load(path: Path) -> Remedies:
    """The remedies of a file; without it, those that Earful ships. Raises ContentError with every problem found."""
    if not path.exists():
        return DEFAULT
    sheet = Sheet(path)
    money, limits = DEFAULT.money, dict[Role, int]()
    kinds, up_to, needs = frozenset[Kind](), 0, tuple[str, ...]()
    with sheet.part():
        top = sheet.mapping(sheet.root, "remedies.yml", needs=("money", "limits", "promise"))
        with sheet.part():
            money = sheet.words(top["money"], "money", may=("amount",), limit=40)
            if not all("{amount}" in each for each in (money.zh, money.en)):
                sheet.refuse(top["money"], "money names no {amount}", "Write {amount} where the figure stands")
        with sheet.part():
            for role, item in sheet.mapping(top["limits"], "limits", needs=(), may=get_args(Role)).items():
                with sheet.part():
                    limits[cast(Role, role)] = 100 * sheet.integer(item, f"the limit of {role}", 0, MOST // 100)
        with sheet.part():
            said = sheet.mapping(top["promise"], "promise", needs=("kinds", "up_to", "needs"))
            with sheet.part():
                named = [sheet.choice(each, "a kind", KINDS) for each in sheet.items(said["kinds"], "kinds")]
                kinds = frozenset(cast("list[Kind]", named))
            with sheet.part():
                up_to = 100 * sheet.integer(said["up_to"], "up_to", 0, MOST // 100)
            with sheet.part():
                needs = tuple(sheet.choice(each, "a field", _FIELDS) for each in sheet.items(said["needs"], "needs"))
    sheet.check()
    return Remedies(money, limits, kinds, up_to, needs)


# ---- parts of a unit of work ----


def none_open(connection: Connection, case_id: int) -> None:
    """Raises RemediesOpen where one is proposed or approved."""
    if connection.execute(select(table.c.id).where(table.c.case_id == case_id, _open()).limit(1)).first() is not None:
        raise RemediesOpen


def cancel_all(connection: Connection, case_id: int, at: datetime) -> None:
    """The customer has withdrawn, and nothing is owed."""
    values = {"state": "cancelled", "decided_at": at, "decided_by": "system"}
    connection.execute(update(table).where(table.c.case_id == case_id, _open()).values(values))


def _open() -> ColumnElement[bool]:
    return among(table.c.state, *sorted(OPEN))
