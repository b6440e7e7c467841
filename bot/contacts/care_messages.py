"""Care messages: to whom, when, and why not. Planned as surveys are: every one not sent has its reason.

`hindrance` is pure; the others are parts of a unit of work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.cases.rules import SETTLED
from bot.contacts import risk
from bot.contacts.care import Care, CareMessage
from bot.surveys.selection import after_quiet
from storage.database import Conflict
from storage.sets import among, one_of
from storage.tables import care_messages as table
from storage.tables import cases, contacts, episodes

Reason = Literal[
    "other_segment",
    "no_consent",
    "opted_out",
    "cooldown",
    "open_case",
    "no_address",
    "window_closed",
    "blocked",
    "too_late",
    "no_message",
    "with_person",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
OF_USE = timedelta(days=2)
"""A message that could not go for this long after it was due is not sent any more."""

LATELY = timedelta(days=7)
"""A welcome greets whom agreed within this time; a service that ended longer before its tips are due gets none."""

BATCH = 500
_m, _who, _e = table.c, contacts.c, episodes.c


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a customer when a message is due."""

    segment: str | None
    agreed: bool
    open_case: bool
    last_sent: datetime | None


def hindrance(care: Care, message: CareMessage | None, due_at: datetime, now: datetime, of: Situation) -> Reason | None:
    """Why the message is not sent; None: nothing stands against it but perhaps the way to them."""
    if message is None:
        return "no_message"
    if message.segments and of.segment not in message.segments:
        return "other_segment"
    if not of.agreed:
        return "no_consent"
    if now > due_at + OF_USE:
        return "too_late"
    if of.open_case:
        return "open_case"
    if of.last_sent is not None and now < of.last_sent + care.cooldown:
        return "cooldown"
    return None


def allowed(care: Care, at: datetime, zone: ZoneInfo) -> datetime:
    """`at`, or the end of the quiet hours that it lies in."""
    return at if care.quiet is None else after_quiet(care.quiet, at, zone)


# ---- planning ----


def plan_welcomes(connection: Connection, care: Care, now: datetime, zone: ZoneInfo) -> int:
    """For those who agreed of late; at most BATCH of each message."""
    made = 0
    for message in care.messages:
        if message.occasion == "agreed":
            known = select(_m.id).where(_m.contact_id == _who.id, _m.key == message.key).exists()
            fresh = _who.care_agreed_at.is_not(None), _who.care_agreed_at > now - LATELY - message.after
            people = select(_who.id, _who.segment, _who.care_agreed_at).where(*fresh, ~known).limit(BATCH)
            rows = connection.execute(people).all()
            made += _plan(
                connection,
                (
                    _row(care, message, each, "once", allowed(care, each.care_agreed_at + message.after, zone), now)
                    for each in rows
                ),
            )
    return made


def plan_birthdays(connection: Connection, care: Care, day: date, after: int, now: datetime, zone: ZoneInfo) -> int:
    """For those whose birthday it is, BATCH of them after the contact `after`. The last one looked at; 0: no more."""
    wanted = [message for message in care.messages if message.occasion == "birthday"]
    if not wanted:
        return 0
    # Who was born on the 29th of February is congratulated on the 28th where there is none.
    days = {f"{day:%m-%d}"} | ({"02-29"} if day.month == 2 and (day + timedelta(days=1)).month == 3 else set())
    people = (
        select(_who.id, _who.segment, _who.care_agreed_at)
        .where(_who.birthday.in_(sorted(days)), _who.id > after)
        .order_by(_who.id)
        .limit(BATCH)
    )
    rows = connection.execute(people).all()
    # In the evening it is too late, which is found when it is due: at once.
    due_at = allowed(care, now, zone)
    due_at = due_at if due_at.astimezone(zone).date() == day else now
    _plan(connection, (_row(care, message, each, str(day.year), due_at, now) for message in wanted for each in rows))
    return rows[-1].id if len(rows) == BATCH else 0


def plan_tips(connection: Connection, care: Care, ids: Sequence[int], now: datetime, zone: ZoneInfo) -> int:
    """For these episodes."""
    wanted = [message for message in care.messages if message.occasion == "service"]
    if not wanted or not ids:
        return 0
    served = (
        select(_e.id.label("episode"), _e.touchpoint, _e.product, _e.ended_at)
        .add_columns(_who.id, _who.segment, _who.care_agreed_at)
        .join(contacts, _who.id == _e.contact_id)
        .where(one_of(_e.id, "ids"))
    )
    rows: list[dict[str, Any]] = []
    for each in connection.execute(served, {"ids": list(ids)}):
        for message in wanted:
            due_at = each.ended_at + message.after
            fits = (not message.touchpoints or each.touchpoint in message.touchpoints) and (
                not message.products or each.product in message.products
            )
            if fits and due_at > now - LATELY:
                rows.append(_row(care, message, each, f"episode:{each.episode}", allowed(care, due_at, zone), now))
    return _plan(connection, rows)


def _row(
    care: Care, message: CareMessage, person: Any, occasion: str, due_at: datetime, now: datetime
) -> dict[str, Any]:
    """Decided at once where it can be: what nobody agreed to is not kept waiting, nor sent because they agree later."""
    other = bool(message.segments) and person.segment not in message.segments
    reason: Reason | None = "other_segment" if other else None if person.care_agreed_at else "no_consent"
    return {
        "contact_id": person.id,
        "key": message.key,
        "occasion": occasion,
        "state": "suppressed" if reason else "planned",
        "reason": reason,
        "due_at": due_at,
        "created_at": now,
    }


def _plan(connection: Connection, rows: Iterable[dict[str, Any]]) -> int:
    wanted = sorted(rows, key=lambda row: (row["contact_id"], row["key"], row["occasion"]))
    if not wanted:
        return 0
    connection.execute(_PLAN[connection.dialect.name], wanted)
    return len(wanted)


# ---- due ----


def due(connection: Connection, now: datetime, most: int) -> Sequence[Any]:
    """Planned messages whose time has come: id, contact_id, key, due_at."""
    statement = select(_m.id, _m.contact_id, _m.key, _m.due_at).where(among(_m.state, "planned"), _m.due_at <= now)
    return connection.execute(statement.order_by(_m.due_at, _m.id).limit(most)).all()


def next_due(connection: Connection) -> datetime | None:
    statement = select(_m.due_at).where(among(_m.state, "planned")).order_by(_m.due_at).limit(1)
    return connection.execute(statement).scalar()


def situations(connection: Connection, customers: Iterable[int]) -> Mapping[int, Situation]:
    """What is known of these customers now."""
    given = {"ids": sorted(set(customers))}
    people = select(_who.id, _who.segment, _who.care_agreed_at).where(one_of(_who.id, "ids"))
    busy = select(cases.c.contact_id).where(one_of(cases.c.contact_id, "ids"), ~among(cases.c.state, *sorted(SETTLED)))
    sent = select(_m.contact_id, _m.sent_at).where(one_of(_m.contact_id, "ids"), _m.sent_at.is_not(None))
    working = set(connection.execute(busy, given).scalars())
    last: dict[int, datetime] = {}
    for row in connection.execute(sent, given):
        last[row.contact_id] = max(row.sent_at, last.get(row.contact_id, row.sent_at))
    return {
        row.id: Situation(row.segment, row.care_agreed_at is not None, row.id in working, last.get(row.id))
        for row in connection.execute(people, given)
    }


def hand_over(connection: Connection, former: int, new: int, now: datetime) -> None:
    """`former` turned out to be `new`, who has their consent and messages from now on, and is looked at again."""
    was, there = contacts.alias("was"), table.alias("there")
    kept = {
        name: func.coalesce(_who[name], select(was.c[name]).where(was.c.id == former).scalar_subquery())
        for name in ("care_agreed_at", "birthday", "manager_id")
    }
    connection.execute(update(contacts).where(_who.id == new).values(kept))
    same = (there.c.contact_id == new) & (there.c.key == _m.key) & (there.c.occasion == _m.occasion)
    theirs = _m.contact_id == former
    connection.execute(update(table).where(theirs, ~select(there.c.id).where(same).exists()).values(contact_id=new))
    connection.execute(table.delete().where(theirs))
    risk.forget(connection, former, new, now)


def sent(connection: Connection, id: int, address_id: int, at: datetime) -> None:
    """It is sent now. Raises Conflict where it is not planned any more, or consent was taken back meanwhile."""
    agreed = select(_who.id).where(_who.id == _m.contact_id, _who.care_agreed_at.is_not(None)).exists()
    done = update(table).where(_m.id == id, among(_m.state, "planned"), agreed)
    if connection.execute(done.values(state="sent", sent_at=at, address_id=address_id)).rowcount != 1:
        raise Conflict("a care message is not to be sent any more")


_PLAN = {
    name: dialect.insert(table).on_conflict_do_nothing(index_elements=["contact_id", "key", "occasion"])
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
