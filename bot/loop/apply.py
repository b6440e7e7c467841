"""APPLY: the effects of many lanes in one short transaction, each statement for all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, update

from bot.loop.effects import CANCEL_TIMER, SET_TIMER, Effects
from storage import changes
from storage.changes import Later
from storage.database import Conflict
from storage.tables import inbox, outbox, timers

_DONE = (
    update(inbox).where(inbox.c.id.in_(bindparam("ids", expanding=True)), inbox.c.state == "new").values(state="done")
)
_DEAD = update(inbox).where(inbox.c.id == bindparam("row")).values(state="dead", reason=bindparam("why"))
_CANCEL = CANCEL_TIMER.where(timers.c.subject == bindparam("about"), timers.c.kind == bindparam("what"))
_RECEIPT = (
    update(outbox)
    .where(
        outbox.c.channel == bindparam("on"),
        outbox.c.account == bindparam("of"),
        outbox.c.reference == bindparam("named"),
    )
    .values(receipt=bindparam("status"))
)


def apply(connection: Connection, batch: Sequence[Effects]) -> None:
    """Write the effects of turns that were decided apart. Raises Conflict, and writes nothing, where a version moved
    or an inbox row was worked by somebody else."""
    changes.apply(
        connection,
        [guard for effects in batch for guard in effects.guards],
        [change for effects in batch for change in effects.changes],
    )
    _timers(connection, batch)
    receipts = [
        {"on": effects.state.channel, "of": effects.state.account, "named": reference, "status": status}
        for effects in batch
        for reference, status in effects.receipts
    ]
    if receipts:
        connection.execute(_RECEIPT, receipts)
    done = sorted(row for effects in batch for row in effects.done)
    if done and connection.execute(_DONE, {"ids": done}).rowcount != len(done):
        raise Conflict("an inbox row was worked by somebody else")
    dead = [{"row": row, "why": why[:500]} for effects in batch for row, why in effects.dead.items()]
    if dead:
        connection.execute(_DEAD, dead)


def _timers(connection: Connection, batch: Sequence[Effects]) -> None:
    wanted = [
        {
            "subject": _settle(timer.subject),
            "kind": timer.kind,
            "lane": effects.state.lane,
            "due_at": timer.due_at,
            "late": timer.late,
            "skip_after": timer.skip_after,
        }
        for effects in batch
        for timer in effects.timers
    ]
    if wanted:
        wanted.sort(key=lambda row: (row["subject"], row["kind"]))
        connection.execute(SET_TIMER[connection.dialect.name], wanted)
    cancelled = [{"about": _settle(subject), "what": kind} for effects in batch for subject, kind in effects.cancelled]
    if cancelled:
        connection.execute(_CANCEL, sorted(cancelled, key=lambda row: (row["about"], row["what"])))


def _settle(value: str | Later) -> Any:
    return value.of() if isinstance(value, Later) else value
