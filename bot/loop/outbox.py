"""The outbox's rows: queued, sending, then sent, failed, unknown or dropped. Only an address's oldest is claimable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Float, Integer, Select, and_, bindparam, case, func, or_, select, update

from bot.loop.events import Undelivered, encode
from bot.loop.intake import insert_new
from bot.loop.planner import AHEAD, Waiting
from storage.clock import database_now
from storage.prepared import as_prepared, insert_into
from storage.sets import among, one_of
from storage.tables import addresses, attempts, conversations, outbox

Place = tuple[str, str, str]


@dataclass(slots=True)
class Result:
    """What came of one attempt."""

    row: Waiting
    outcome: str  # sent, retry, failed, unknown
    state: str
    reason: str | None = None
    reference: str | None = None
    not_before: datetime | None = None
    milliseconds: float = 0.0
    blocked: bool = False
    held: bool = False  # too fast, or not let in: not tried at all
    at: datetime | None = None


def heads(connection: Connection, places: Sequence[Place]) -> list[Waiting]:
    """The oldest row of each place, where it is queued."""
    named = {"places": [":".join(place) for place in places]}
    return [Waiting(*row) for row in as_prepared(_HEADS, connection.dialect).all(connection, named)]


def claim(connection: Connection, ids: Sequence[int], me: str, lease: float) -> set[int]:
    """Mark rows as being sent by `me` for `lease` seconds; those it got. A reply whose conversation changed hands is
    not claimed, in the same statement."""
    if not ids:
        return set()
    mine = {"ids": list(ids), "me": me, "lease": lease}
    return {row[0] for row in as_prepared(_CLAIM, connection.dialect).all(connection, mine)}


def drop(connection: Connection, reasons: Sequence[tuple[Waiting, str]], now: datetime) -> None:
    """Rows that must never be sent, each with its reason."""
    if reasons:
        connection.execute(_DROP, [{"row": row.id, "why": why, "when": now} for row, why in reasons])
        _tell(connection, reasons, now)


def _tell(connection: Connection, reasons: Sequence[tuple[Waiting, str]], now: datetime) -> None:
    """A survey that never reached anybody has its reason: its lane is told."""
    insert_new(
        connection,
        [
            {
                "channel": "system",
                "account": "outbox",
                "dedupe_key": str(row.id),
                "lane": row.lane,
                "event": encode(Undelivered(dedupe_key=str(row.id), thread="", message=row.message_id, reason=why)),
                "raw": None,
                "state": "new",
                "received_at": now,
            }
            for row, why in reasons
            if row.kind == "survey" and row.message_id is not None
        ],
    )


def record(connection: Connection, finished: Sequence[Result], me: str, now: datetime) -> None:
    """What came of the attempts that `me` made. A row that was settled by others meanwhile, for they thought us dead,
    stays as it is."""
    blocked = [{"talk": result.row.conversation_id, "when": now} for result in finished if result.blocked]
    if blocked:
        connection.execute(_BLOCKED, blocked)
    dialect = connection.dialect
    as_prepared(_RECORD, dialect).run(
        connection,
        [
            {
                "row": result.row.id,
                "me": me,
                "to": result.state,
                "why": result.reason,
                "named": result.reference,
                "wait": result.not_before or result.row.not_before,
                "when": None if result.state == "queued" else now,
                "back": int(result.held),  # being told to wait uses up no attempt
            }
            for result in sorted(finished, key=lambda result: result.row.id)
        ],
    )
    made: list[dict[str, Any]] = [
        {
            "outbox_id": result.row.id,
            "at": result.at or now,
            "outcome": result.outcome,
            "detail": result.reason,
            "milliseconds": result.milliseconds,
        }
        for result in finished
    ]
    lost = [(r.row, "blocked" if r.blocked else "refused") for r in finished if r.state == "failed"]
    _tell(connection, lost, now)
    insert_into(attempts, tuple(made[0]), connection.dialect).run(connection, made)


def give_up_lost(connection: Connection, now: datetime, idempotent: Sequence[str]) -> list[str]:
    """Rows whose sender's lease ran out become unknown: nobody can tell whether they arrived. On `idempotent` channels
    they go again, under the same key. The lanes of the others."""
    connection.execute(_RETURNED.where(outbox.c.lease_until < database_now()), {"on": list(idempotent)})
    lost = connection.execute(_LOST.where(outbox.c.lease_until < database_now()), {"when": now}).scalars()
    touched = sorted(set(lost))
    lanes = select(conversations.c.lane).where(one_of(conversations.c.id, "touched"))
    return list(connection.execute(lanes, {"touched": touched}).scalars()) if touched else []


def give_up_all(connection: Connection, now: datetime, idempotent: Sequence[str]) -> int:
    """Every row in flight becomes unknown, whatever its lease says, or goes again on `idempotent` channels. The number
    of the unknown."""
    connection.execute(_RETURNED, {"on": list(idempotent)})
    return len(connection.execute(_LOST, {"when": now}).scalars().all())


def due(connection: Connection, now: datetime) -> list[Place]:
    """Places with something to send by now, or written by a clock that ran far ahead of ours."""
    foreign = and_(outbox.c.created_at > now + AHEAD, outbox.c.not_before >= outbox.c.created_at)
    statement = (
        # Each place once. Grouped by its name, for which there is an index of what is open; three columns that are to
        # be DISTINCT would lead SQLite to an index of everything.
        select(func.min(outbox.c.channel), func.min(outbox.c.account), func.min(outbox.c.address))
        .where(_open, among(outbox.c.state, "queued"), or_(outbox.c.not_before <= now, foreign))
        .group_by(outbox.c.place)
        .limit(5_000)
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(statement)]


_OWN = [field.name for field in fields(Waiting)][:15]  # the rest is the conversation's and the address's
_open = among(outbox.c.state, "queued", "sending")
_queue = (
    select(func.min(outbox.c.id).label("first"), func.max(outbox.c.id).label("last"))
    .where(_open, one_of(outbox.c.place, "places"))
    .group_by(outbox.c.place)
    .subquery()
)
_HEADS: Select[Any] = (
    select(
        *(outbox.c[name] for name in _OWN),
        conversations.c.lane,
        conversations.c.owner_epoch,
        addresses.c.stopped_at,
        addresses.c.blocked_at,
        addresses.c.heard_at,
        _queue.c.last,
    )
    .select_from(_queue)
    .join(outbox, outbox.c.id == _queue.c.first)
    .join(conversations, conversations.c.id == outbox.c.conversation_id)
    .join(addresses, addresses.c.id == conversations.c.address_id)
    .where(outbox.c.state == "queued")
    # A takeover that commits while we look would be overlooked: hold the owner still until the claim is committed.
    .with_for_update(read=True, of=conversations)
)
_CLAIM = (
    update(outbox)
    .where(
        one_of(outbox.c.id, "ids"),
        outbox.c.state == "queued",
        or_(
            outbox.c.kind != "reply",
            outbox.c.owner_epoch
            == select(conversations.c.owner_epoch)
            .where(conversations.c.id == outbox.c.conversation_id)
            .scalar_subquery(),
        ),
    )
    .values(
        state="sending",
        attempts=outbox.c.attempts + 1,
        lease_owner=bindparam("me"),
        lease_until=database_now() + bindparam("lease", type_=Float),
    )
    .returning(outbox.c.id)
)
_DROP = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"), outbox.c.state == "queued")
    .values(state="dropped", reason=bindparam("why"), finished_at=bindparam("when"))
)
_RECORD = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"), outbox.c.state == "sending", outbox.c.lease_owner == bindparam("me"))
    .values(
        state=bindparam("to"),
        reason=bindparam("why"),
        reference=bindparam("named"),
        receipt=case((outbox.c.reference == bindparam("named"), outbox.c.receipt)),  # it may have come before us
        not_before=bindparam("wait"),
        finished_at=bindparam("when"),
        attempts=outbox.c.attempts - bindparam("back", type_=Integer),
    )
)
_BLOCKED = (
    update(addresses)
    .where(
        addresses.c.id
        == select(conversations.c.address_id).where(conversations.c.id == bindparam("talk")).scalar_subquery()
    )
    .values(blocked_at=bindparam("when"))
)


_LOST = (
    update(outbox)
    .where(_open, among(outbox.c.state, "sending"))
    .values(state="unknown", reason="the sender died while it was under way", finished_at=bindparam("when"))
    .returning(outbox.c.conversation_id)
)
_RETURNED = (  # found through what is open: by its channel would be all that was ever sent there
    update(outbox)
    .where(
        outbox.c.id.in_(select(outbox.c.id).where(_open, among(outbox.c.state, "sending"))),
        one_of(outbox.c.channel, "on"),
    )
    .values(state="queued")
)
