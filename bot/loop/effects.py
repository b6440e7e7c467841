"""DECIDE's result: everything that one turn changes, as a plain value. Nothing here touches the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Table, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert as SqlInsert

from bot.cases.groups import Told
from bot.loop.render import split
from bot.loop.state import LaneState
from bot.takeover.rules import rank
from bot.yamlfile import tongue
from channels.base import Capabilities
from nlu.understanding import Language
from storage import tables
from storage.changes import Change, Guard, Insert, Later, Update

Kind = Literal["reply", "notice", "survey", "consent", "agent", "public", "care"]
Form = Literal["text", "file", "toast", "edit", "public_reply", "private_reply"]


HIGH_VALUE = "high_value"
"""The segment whose customers are given to a person, before others."""


@dataclass(frozen=True, slots=True)
class Option:
    """A button: what the person reads, and the payload that a tap on it stands for. A payload is `/intent{...}` for
    the engine, or `{"question": ..., "answer": ...}` for the survey that the message belongs to."""

    title: str
    payload: Any


@dataclass(frozen=True, slots=True)
class TimerSet:
    """Set or move the timer (subject, kind). `subject` may be a Later. A timer moved gets a new generation."""

    subject: str | Later
    kind: str
    due_at: datetime
    late: Literal["fire", "skip", "replan"] = "fire"
    skip_after: datetime | None = None


@dataclass(slots=True)
class Effects:
    """What a turn of `state.lane` changes. `lane` names the conversation; the first thing said in it makes it."""

    state: LaneState
    now: datetime
    capabilities: Capabilities
    changes: list[Change] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    dead: dict[int, str] = field(default_factory=dict)
    timers: list[TimerSet] = field(default_factory=list)
    cancelled: list[tuple[str | Later, str]] = field(default_factory=list)
    receipts: list[tuple[str, str]] = field(default_factory=list)
    votes: list[tuple[str, str, bool]] = field(default_factory=list)
    rating_changes: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[int, dict[str, Any]] = field(default_factory=dict)
    joined: list[Callable[[Connection], object]] = field(default_factory=list)  # services' work, committed with it
    told: list[Callable[[], Told]] = field(default_factory=list)  # new cases that may be one of many
    erase: bool = False  # the words of this conversation must go
    conversation: dict[str, Any] = field(default_factory=dict)
    conversation_row: Insert | None = None
    address_row: Insert | None = None
    contact_row: Insert | None = None
    epoch: int = 0
    owner: str = "bot"
    language: str = "zh"
    tracker: dict[str, Any] | None = None
    _spoken: bool = False
    _fenced: list[Insert] = field(default_factory=list)
    _filled: dict[str, Callable[[], str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = self.state.conversation
        if known:
            self.epoch, self.owner, self.language, self.tracker = (
                known.owner_epoch,
                known.owner,
                known.language,
                known.tracker,
            )
        elif self.state.contact and self.state.contact.language:
            self.language = self.state.contact.language

    @property
    def tongue(self) -> Language:
        """The language of our words to this customer."""
        return tongue(self.language)

    # ---- rows that the others hang on ----

    @property
    def conversation_id(self) -> int | Insert:
        if self.state.conversation:
            return self.state.conversation.id
        if self.conversation_row is None:
            state = self.state
            values = {
                "lane": state.lane,
                "channel": state.channel,
                "account": state.account,
                "thread": state.thread,
                "contact_id": self.contact_id,
                "address_id": self.address_id,
                "created_at": self.now,
            }
            self.conversation_row = self.add(Insert(tables.conversations, values))
        return self.conversation_row

    @property
    def contact_id(self) -> int | Insert:
        if self.state.contact:
            return self.state.contact.id
        if self.contact_row is None:
            self.contact_row = self.add(
                Insert(tables.contacts, {"language": Later(lambda: self.language), "created_at": self.now})
            )
        return self.contact_row

    @property
    def address_id(self) -> int | Insert:
        if self.state.address:
            return self.state.address.id
        if self.address_row is None:
            values = {
                "contact_id": self.contact_id,
                "channel": self.state.channel,
                "account": self.state.account,
                "address": self.state.address_key,
                "created_at": self.now,
            }
            self.address_row = self.add(Insert(tables.addresses, values))
        return self.address_row

    def add(self, row: Insert) -> Insert:
        self.changes.append(row)
        return row

    def change(self, table: Table, row: int | Insert, values: dict[str, Any]) -> None:
        """New values for a row, joined with what this turn already changes of it."""
        for known in self.changes:
            if isinstance(known, Update) and known.table is table and known.id == row:
                known.values |= values
                return
        if isinstance(row, Insert) and row.id is None:
            row.values |= values
            return
        self.changes.append(Update(table, row, values))

    def change_guarded(self, table: Table, row: int, version: int, values: dict[str, Any]) -> None:
        """New values for a row that has a version, which must still be `version`; it moves by one."""
        guard = Guard(table, row, version)
        if guard not in self.guards:
            self.guards.append(guard)
        self.change(table, row, values | {"version": version + 1})

    def change_address(self, **values: Any) -> None:
        self.change(tables.addresses, self.address_id, values)

    def change_contact(self, **values: Any) -> None:
        self.change(tables.contacts, self.contact_id, values)

    # ---- the conversation ----

    def hear(self, text: str, *, at: datetime, data: dict[str, Any] | None = None) -> Insert:
        """A message from the customer, on the transcript."""
        self.change_address(heard_at=at)
        return self.record("customer", text, data=data, at=at)

    def mark_heard(self, **facts: Any) -> None:
        """Facts beside the customer's last message of this turn."""
        for change in reversed(self.changes):
            if isinstance(change, Insert) and change.table is tables.messages and change.values["author"] == "customer":
                change.values["data"] = (change.values["data"] or {}) | facts
                return

    def record(
        self,
        author: str,
        text: str | Later,
        *,
        data: Any = None,
        at: datetime | None = None,
        staff_id: int | None = None,
        client_key: str | None = None,
    ) -> Insert:
        """A row of the transcript."""
        self._spoken = True
        values = {
            "conversation_id": self.conversation_id,
            "author": author,
            "staff_id": staff_id,
            "text": text,
            "data": data,
            "client_key": client_key,
            "created_at": at or self.now,
        }
        return self.add(Insert(tables.messages, values))

    def say(
        self,
        text: str,
        options: Sequence[Option] = (),
        *,
        kind: Kind = "reply",
        author: str = "bot",
        staff_id: int | None = None,
        client_key: str | None = None,
        data: Mapping[str, Any] | None = None,
        form: Form = "text",
        target: str | None = None,
        survey: int | Insert | None = None,
        report: Insert | None = None,
    ) -> Insert:
        """A message to the customer: on the transcript, and in the outbox in as many parts as the channel needs.
        Words in [[double brackets]] are filled when the rows they speak of are written."""
        text_value: str | Later = Later(lambda: self._fill(text)) if "[[" in text else text
        if self.state.unread and author == "bot":
            return Insert(tables.messages, {"text": text_value})  # nobody would read it: it is not said
        stored = dict(data or {})
        if options:
            stored["buttons"] = [{"title": option.title, "payload": option.payload} for option in options]
        stored_value: Any = stored or None
        if report is not None:
            stored_value = Later(lambda: stored | {"report": report.id})
        elif survey is not None:
            stored_value = Later(lambda: stored | {"survey": survey.id if isinstance(survey, Insert) else survey})
        message = self.record(author, text_value, data=stored_value, staff_id=staff_id, client_key=client_key)
        if isinstance(text_value, Later):
            parts: list[str | Later] = [text_value]  # short by nature: a number or a link comes in
        else:
            parts = list(split(text, self.capabilities.text_limit, in_bytes=self.capabilities.limit_in_bytes))
        for place, part in enumerate(parts, start=1):
            last = place == len(parts)
            self.send(part, kind=kind, form=form, target=target, message=message, options=options if last else ())
        return message

    def send(
        self,
        text: str | Later,
        *,
        kind: Kind,
        form: Form,
        target: str | None = None,
        message: Insert | None = None,
        options: Sequence[Option] = (),
        hold: timedelta = timedelta(0),
    ) -> None:
        """A row of the outbox alone: a toast or an edit says nothing new, so the transcript does not show it. It waits
        for `hold` before it goes out."""
        row = {
            "conversation_id": self.conversation_id,
            "message_id": message,
            "channel": self.state.channel,
            "account": self.state.account,
            "address": self.state.thread,
            "place": f"{self.state.channel}:{self.state.account}:{self.state.thread}",
            "kind": kind,
            "form": form,
            "owner_epoch": None,
            "text": text,
            "buttons": [option.title for option in options] or None,
            "target": target,
            "not_before": self.now + hold,
            "created_at": self.now,
        }
        outgoing = self.add(Insert(tables.outbox, row))
        if kind == "reply":
            self._fenced.append(outgoing)

    def fill(self, name: str, value: Callable[[], str]) -> None:
        """What `[[name]]` stands for in everything that this turn says."""
        self._filled[name] = value

    def _fill(self, text: str) -> str:
        for name, value in self._filled.items():
            if f"[[{name}]]" in text:
                text = text.replace(f"[[{name}]]", value())
        if "[[" in text and "]]" in text.partition("[[")[2]:
            name = text.partition("[[")[2].partition("]]")[0]
            raise LookupError(f"a text speaks of [[{name}]], which nothing in its turn provides")
        return text

    def own(self, owner: str, epoch: int, **more: Any) -> None:
        """Who owns the conversation from now on; `epoch` is the one that the ownership rules gave."""
        self.owner, self.epoch = owner, epoch
        self.conversation |= {"owner": owner, "owner_epoch": epoch, **more}

    # ---- time ----

    def set_timer(self, timer: TimerSet) -> None:
        self.timers.append(timer)

    def cancel_timer(self, subject: str | Later, kind: str) -> None:
        self.cancelled.append((subject, kind))

    # ---- the end of the turn ----

    def finish(self) -> None:
        """Close the turn: the conversation's own values, its version, and the epoch that fences its replies."""
        for outgoing in self._fenced:
            outgoing.values["owner_epoch"] = self.epoch
        known = self.state.conversation
        if self.state.unread:
            self.tracker = None  # nor is an answer waited for
        values = {"language": self.language, "tracker": self.tracker, **self.conversation}
        if self.owner == "queue" and (known is None or known.rank != self._rank()):
            values["rank"] = self._rank()
        if known is None or self._spoken:
            values["active_at"] = self.now
        if known:
            self.guards.append(Guard(tables.conversations, known.id, known.version))
            self.changes.append(Update(tables.conversations, known.id, values | {"version": known.version + 1}))
        elif self.conversation_row:
            self.conversation_row.values |= values

    def _rank(self) -> int:
        """The customer's place among those who wait, with what this turn made of their cases."""
        known, contact = self.state.conversation, self.state.contact
        reason = self.conversation.get("reason", known.reason if known else None)
        changed = (change.values for change in self.changes if change.table is tables.cases)
        urgent = (
            reason == "urgent"
            or any(case.urgency == "urgent" for case in self.state.cases)
            or any(values.get("urgency") == "urgent" for values in changed)
        )
        return rank(urgent=urgent, priority=contact is not None and bool(contact.risk or contact.segment == HIGH_VALUE))

    def outgoing(self) -> set[tuple[str, str, str]]:
        """The addresses that this turn writes to: (channel, account, address)."""
        return {
            (change.values["channel"], change.values["account"], change.values["address"])
            for change in self.changes
            if isinstance(change, Insert) and change.table is tables.outbox
        }


def _upsert(insert: Any) -> SqlInsert:
    made = insert(tables.timers)
    moved = {name: made.excluded[name] for name in ("lane", "due_at", "late", "skip_after")}
    statement: SqlInsert = made.on_conflict_do_update(
        index_elements=["subject", "kind"],
        set_=moved | {"state": "waiting", "generation": tables.timers.c.generation + 1},
    )
    return statement


SET_TIMER = {"sqlite": _upsert(sqlite.insert), "postgresql": _upsert(postgresql.insert)}
CANCEL_TIMER = update(tables.timers).values(state="cancelled")
