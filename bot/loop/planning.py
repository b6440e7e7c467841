"""What planning a survey looks at in the database: when a customer was asked before, how many are asked that day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, select

from bot.surveys.definitions import Definition
from bot.surveys.selection import Send, Suppressed
from storage.tables import contacts, surveys
from storage.types import UtcDateTime

LATELY = 50
"""Surveys of a customer that are looked back at."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A customer's segment, and when surveys were put to them of late, or are going to be."""

    segment: str | None
    at: tuple[datetime, ...]


def asked_of(connection: Connection, contact: int) -> Asked:
    """What was asked of a contact."""
    at = tuple(connection.execute(_OF_LATE, {"whose": contact}).scalars())
    return Asked(connection.execute(_SEGMENT, {"whose": contact}).scalar(), at)


def planned(connection: Connection, send: Send, asked: Asked, zone: ZoneInfo) -> Send | Suppressed:
    """`send`, unless the customer was asked too lately or the day's quota is used.

    Of what is planned at the same moment the quota may let a few more through: it is counted, not locked.
    """
    definition = send.definition
    if not rested(definition, send.at, asked.at):
        return Suppressed("cooldown", definition, send.address_id)
    if (
        definition.per_day is not None
        and sent_that_day(connection, definition.key, send.at, zone) >= definition.per_day
    ):
        return Suppressed("quota", definition, send.address_id)
    return send


def rested(definition: Definition, at: datetime, asked: Iterable[datetime]) -> bool:
    """Whether the cooldown lets `definition` be asked at `at`. It looks both ways: a survey that is planned for later
    must not come right after this one."""
    return all(abs(at - before) >= definition.cooldown for before in asked)


def sent_that_day(connection: Connection, definition: str, at: datetime, zone: ZoneInfo) -> int:
    """Surveys of a definition that are asked on the day of `at`, by the office's clock."""
    begins = datetime.combine(at.astimezone(zone).date(), time(0), zone)
    day = {"which": definition, "begins": begins, "ends": begins + timedelta(days=1)}
    return int(connection.execute(_THAT_DAY, day).scalar_one())


_s = surveys.c
_SEGMENT = select(contacts.c.segment).where(contacts.c.id == bindparam("whose"))
_OF_LATE = (
    select(_s.asked_at)
    .where(_s.contact_id == bindparam("whose"), _s.asked_at.is_not(None))
    .order_by(_s.id.desc())
    .limit(LATELY)
)
_THAT_DAY = (
    select(func.count())
    .select_from(surveys)
    .where(
        _s.definition == bindparam("which"),
        _s.asked_at >= bindparam("begins", type_=UtcDateTime),
        _s.asked_at < bindparam("ends", type_=UtcDateTime),
    )
)
