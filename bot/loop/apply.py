"""APPLY: the effects of many lanes in one short transaction, each statement for all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, case, insert, select, update

from bot.cases import groups
from bot.contacts.belongings import is_hollow
from bot.loop.effects import CANCEL_TIMER, SET_TIMER, Effects
from bot.loop.telling import told_by
from bot.outgoing import events
from storage import changes
from storage.changes import Later
from storage.database import Conflict
from storage.prepared import as_prepared
from storage.sets import among, one_of
from storage.tables import addresses, inbox, knowledge, messages, outbox, rating_history, ratings, timers

_DONE = update(inbox).where(one_of(inbox.c.id, "ids"), among(inbox.c.state, "new")).values(state="done")
_DEAD = (
    update(inbox)
    .where(inbox.c.id == bindparam("row"), inbox.c.state == "new")
    .values(state="dead", reason=bindparam("why"))
)
_CANCEL = CANCEL_TIMER.where(timers.c.subject == bindparam("about"), timers.c.kind == bindparam("what"))
_FURTHER = {"sent": 1, "delivered": 2, "failed": 2, "read": 3}
"""Receipts come in any order, and only go forward."""
_other = outbox.alias()
_RECEIPT = (
    update(outbox)
    .where(
        outbox.c.channel == bindparam("on"),
        outbox.c.account == bindparam("of"),
        outbox.c.reference == bindparam("named"),
        case(_FURTHER, value=outbox.c.receipt, else_=0) < bindparam("further", type_=Integer),
    )
    .values(receipt=bindparam("status"))
)
# It may come before our own result is committed: of an address one message at a time is under way.
_EARLY = (
    update(outbox)
    .where(
        outbox.c.place == bindparam("at"),
        among(outbox.c.state, "queued", "sending"),
        outbox.c.state == "sending",
        outbox.c.reference.is_(None),
        ~select(_other.c.id)
        .where(
            _other.c.channel == bindparam("on"),
            _other.c.account == bindparam("of"),
            _other.c.reference == bindparam("named"),
        )
        .exists(),
    )
    .values(receipt=bindparam("status"), reference=bindparam("named"))
)

_RERATE = (
    update(ratings)
    .where(ratings.c.survey_id == bindparam("survey"))
    .values(
        value=bindparam("value"), score=bindparam("score"), answers=bindparam("answers"), changed_at=bindparam("when")
    )
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
    _ratings(connection, [change for effects in batch for change in effects.rating_changes])
    _votes(connection, [vote for effects in batch for vote in effects.votes])
    for effects in batch:
        for work in effects.joined:
            work(connection)
    if new := [told() for effects in batch for told in effects.told]:
        groups.gather(connection, new)
    receipts = [
        {"on": effects.state.channel, "of": effects.state.account, "named": reference, "status": status}
        | {"further": _FURTHER[status], "at": f"{effects.state.channel}:{effects.state.account}:{effects.state.thread}"}
        for effects in batch
        for reference, status in effects.receipts
    ]
    if receipts:
        connection.execute(_EARLY, receipts)
        connection.execute(_RECEIPT, receipts)
    done = sorted(row for effects in batch for row in effects.done)
    if done and as_prepared(_DONE, connection.dialect).count(connection, {"ids": done}) != len(done):
        raise Conflict("an inbox row was worked by somebody else")
    for effects in batch:
        for row, why in effects.dead.items():
            if connection.execute(_DEAD, {"row": row, "why": why[:500]}).rowcount != 1:
                raise Conflict("an inbox row was worked by somebody else")
    _erase(connection, [effects for effects in batch if effects.erase])
    _still_known(connection, [effects for effects in batch if effects.conversation_row and effects.state.address])
    events.note(connection, told_by(batch))


def _ratings(connection: Connection, changed: Sequence[dict[str, Any]]) -> None:
    """A rating changed within its window replaces the old one, which goes to the history."""
    if not changed:
        return
    known = select(ratings.c.survey_id, ratings.c.id).where(ratings.c.survey_id.in_({c["survey"] for c in changed}))
    ids = {row[0]: row[1] for row in connection.execute(known)}
    connection.execute(
        _RERATE,
        [{n: c[n] for n in ("survey", "value", "score", "answers")} | {"when": c["at"]} for c in changed],
    )
    history = [
        {
            "rating_id": ids[change["survey"]],
            "value": change["old_value"],
            "score": change["old_score"],
            "source": change["source"],
            "at": change["at"],
        }
        for change in changed
        if change["changed"]
    ]
    if history:
        connection.execute(insert(rating_history), history)


def _votes(connection: Connection, votes: Sequence[tuple[str, str, bool]]) -> None:
    for entry, language, helpful in votes:
        column = knowledge.c.helpful if helpful else knowledge.c.unhelpful
        connection.execute(
            update(knowledge)
            .where(knowledge.c.key == entry, knowledge.c.language == language)
            .values({column: column + 1})
        )


def _erase(connection: Connection, batch: Sequence[Effects]) -> None:
    """What was said in public and taken back: its words go from everywhere, also those that came in the same turn, and
    unsent answers to it too."""
    for effects in batch:
        state = effects.state
        connection.execute(
            update(inbox)
            .where(inbox.c.lane == state.lane, inbox.c.state != "new")
            .values(event={"type": "unknown", "dedupe_key": "", "thread": ""}, raw=None)
        )
        made = effects.conversation_row
        row = state.conversation.id if state.conversation else made.id if made else None
        if row is not None:
            connection.execute(
                update(messages)
                .where(messages.c.conversation_id == row, messages.c.author == "customer")
                .values(text="", data={"removed": True})
            )
            connection.execute(
                update(outbox)
                .where(outbox.c.conversation_id == row, among(outbox.c.state, "queued"))
                .values(state="dropped", reason="comment_removed")
            )


def _still_known(connection: Connection, batch: Sequence[Effects]) -> None:
    """Who was erased since these turns were loaded has no conversation yet that would say so. Raises Conflict."""
    ids = sorted({effects.state.address.id for effects in batch if effects.state.address})
    if not ids:
        return
    there = select(addresses.c.id, addresses.c.address).where(addresses.c.id.in_(ids))
    if any(is_hollow(address) for _, address in connection.execute(there.with_for_update(read=True, key_share=True))):
        raise Conflict("the customer was erased meanwhile")


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
