"""Remedies of a case at the desk: proposed with an amount, approved within the limit of a role, carried out, told."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, cast

from sqlalchemy import Connection, select

from bot.cases import remedies as rules
from bot.cases.remedies import KINDS, MOVES, Remedies, State
from bot.desk import case_timeline
from bot.desk.case_acts import Given, Wrong
from bot.desk.case_sheet import Reader
from bot.desk.transcript import without_keys
from storage.tables import case_remedies


async def propose(given: Given) -> None:
    """The `kind`, the `amount` and what for. Within the limit of whoever proposes it, it is approved at once."""
    kind, figure, note = given.fields.get("kind", ""), given.fields.get("amount", ""), given.text("note", needed=False)
    if kind not in KINDS:
        raise Wrong("no_kind")
    amount = None
    if figure:
        try:
            amount = rules.hundredths(Decimal(figure.replace(",", "")))
        except (InvalidOperation, ValueError):
            raise Wrong("no_amount") from None
    if kind == "apology" and not note:
        raise Wrong("empty")
    work = given.room.service.remedying
    await work.propose(given.case, given.by, kind, amount, note, approve=True, version=given.version)


def shown(connection: Connection, reader: Reader, remedies: Remedies, case_id: int) -> list[dict[str, Any]]:
    """The remedies of a case in words, each with the moves that are open to it."""
    table = case_remedies.c
    rows = connection.execute(select(case_remedies).where(table.case_id == case_id).order_by(table.id)).all()
    who = case_timeline.names(connection, [f"{row.made_by} {row.decided_by} {row.done_by}" for row in rows])
    return [
        {
            "id": row.id,
            "what": rules.words(remedies, row.kind, row.amount, reader.language),
            "state": row.state,
            "note": without_keys(row.note) if row.note else None,
            "reason": row.reason,
            "made_by": case_timeline.actor(row.made_by, who, reader.language),
            "made": reader.stamp(row.made_at),
            "promised": reader.stamp(row.promised_until),
            "moves": [to for to in ("approved", "done", "refused", "cancelled") if to in MOVES[cast(State, row.state)]],
        }
        for row in rows
    ]


def belongs(connection: Connection, remedy_id: int, case_id: int) -> bool:
    """Whether this remedy is one of this case."""
    table = case_remedies.c
    return (
        connection.execute(select(table.id).where(table.id == remedy_id, table.case_id == case_id)).first() is not None
    )
