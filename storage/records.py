"""Rows as values: what the loop and the services read. Field names are column names.

Nobody changes one. They are not frozen only because making a frozen one takes three times as long, and every message
makes several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar, Self

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from storage import tables


@dataclass(slots=True)
class Record:
    """A row of `table`, its columns in the order of the fields."""

    table: ClassVar[Table]

    @classmethod
    def select(cls) -> Select[Any]:
        return select(*cls.columns())

    @classmethod
    def columns(cls) -> Sequence[ColumnElement[Any]]:
        """The columns of `table` that the fields are read from, in their order."""
        return [cls.table.c[field.name] for field in fields(cls)]

    @classmethod
    def find(cls, connection: Connection, *where: ColumnElement[bool]) -> list[Self]:
        """The rows that match, by id ascending."""
        statement = cls.select().where(*where).order_by(cls.table.c.id)
        return [cls(*row) for row in connection.execute(statement)]

    @classmethod
    def one(cls, connection: Connection, *where: ColumnElement[bool]) -> Self | None:
        row = connection.execute(cls.select().where(*where).limit(1)).first()
        return None if row is None else cls(*row)


@dataclass(slots=True)
class Contact(Record):
    table = tables.contacts
    id: int
    external_id: str | None
    name: str | None
    language: str | None
    segment: str | None
    risk: str | None
    phone: str | None
    email: str | None


@dataclass(slots=True)
class Address(Record):
    table = tables.addresses
    id: int
    contact_id: int
    channel: str
    account: str
    address: str
    stopped_at: datetime | None
    blocked_at: datetime | None
    heard_at: datetime | None


@dataclass(slots=True)
class Conversation(Record):
    table = tables.conversations
    id: int
    lane: str
    channel: str
    account: str
    thread: str
    contact_id: int
    address_id: int
    owner: str
    owner_epoch: int
    agent_id: int | None
    reason: str | None
    queued_at: datetime | None
    rank: int
    language: str
    tracker: dict[str, Any] | None
    version: int
    active_at: datetime


@dataclass(slots=True)
class Incoming(Record):
    table = tables.inbox
    id: int
    channel: str
    account: str
    lane: str
    event: dict[str, Any]
    attempts: int
    received_at: datetime
    tried_at: datetime | None


@dataclass(slots=True)
class Message(Record):
    table = tables.messages
    id: int
    conversation_id: int
    author: str
    staff_id: int | None
    text: str
    data: dict[str, Any] | None
    created_at: datetime


@dataclass(slots=True)
class Timer(Record):
    table = tables.timers
    id: int
    subject: str
    kind: str
    lane: str
    generation: int
    due_at: datetime
    late: str
    skip_after: datetime | None
    state: str


@dataclass(slots=True)
class Episode(Record):
    table = tables.episodes
    id: int
    external_id: str
    contact_id: int
    touchpoint: str
    ended_at: datetime
    agent: str | None


@dataclass(slots=True)
class Survey(Record):
    table = tables.surveys
    id: int
    episode_id: int | None
    case_id: int | None
    conversation_id: int | None
    contact_id: int
    address_id: int | None
    definition: str
    state: str
    reason: str | None
    progress: dict[str, Any] | None
    judged: str | None
    created_at: datetime
    expires_at: datetime | None
    answered_at: datetime | None


@dataclass(slots=True)
class Case(Record):
    table = tables.cases
    id: int
    contact_id: int
    conversation_id: int
    origin: str
    state: str
    title: str
    nature: list[str]
    aspect: list[str]
    urgency: str
    department: str | None
    fields: dict[str, Any]
    language: str
    owner_id: int | None
    version: int
    opened_at: datetime
    respond_by: datetime
    responded_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    looked_at: datetime | None
    attempt: int
    reports: int
    reported_at: datetime | None
    waiting_since: datetime | None
    handed_at: datetime | None
    merged_into: int | None
    group_id: int | None


@dataclass(slots=True)
class Report(Record):
    table = tables.case_reports
    id: int
    case_id: int
    conversation_id: int
    at: datetime
    text: str
    nature: list[str]
    aspect: list[str]
    urgency: str
    fields: dict[str, Any]
    split_into: int | None


@dataclass(slots=True)
class Remedy(Record):
    table = tables.case_remedies
    id: int
    case_id: int
    kind: str
    amount: int | None
    note: str | None
    state: str
    made_by: str
    made_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    promised_until: datetime | None
    done_by: str | None
    done_at: datetime | None


@dataclass(slots=True)
class Improvement(Record):
    table = tables.improvements
    id: int
    title: str
    topic: str
    state: str
    made_at: datetime
    done_at: datetime | None
    version: int


@dataclass(slots=True)
class Deadline(Record):
    table = tables.deadlines
    id: int
    case_id: int
    kind: str
    subject: str
    department: str | None
    counted: str
    state: str
    attempt: int
    started_at: datetime
    warn_at: datetime
    due_at: datetime
    warned_at: datetime | None
    breached_at: datetime | None
    level: int
    next_at: datetime | None
    frozen_at: datetime | None
    left_seconds: float | None
    warn_left_seconds: float | None
    spent_seconds: float
    counted_from: datetime


@dataclass(slots=True)
class Staff(Record):
    table = tables.staff
    id: int
    login: str
    name: str
    password: str
    role: str
    must_change: bool
    disabled_at: datetime | None
