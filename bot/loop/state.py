"""LOAD: everything that a turn may read, for many lanes in a handful of statements."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Select, bindparam, func, select

from bot.cases import numbers
from bot.cases.rules import SETTLED
from bot.loop.events import LoopEvent, TimerDue, Undelivered, decode, place_of
from channels.base import Comment, Tap, Text
from storage import tables
from storage.prepared import as_prepared
from storage.records import Address, Case, Contact, Conversation, Incoming, Message, Report, Survey, Timer
from storage.sets import among, one_of, other_than
from storage.types import UtcDateTime

log = structlog.get_logger()

ROWS_A_TURN = 16
"""A lane with more unread rows than this shares the next batches with others: one noisy sender starves nobody."""


@dataclass(slots=True)
class Heard:
    """An unread inbox row with its event; `event` is None where it could not be decoded."""

    id: int
    event: LoopEvent | None
    received_at: datetime
    attempts: int
    tried_at: datetime | None = None


@dataclass(slots=True)
class LaneState:
    """What is known of one lane when its turn is decided."""

    lane: str
    channel: str
    account: str
    thread: str
    heard: list[Heard] = field(default_factory=list)
    conversation: Conversation | None = None
    address: Address | None = None
    contact: Contact | None = None
    awaiting: Survey | None = None
    surveys: dict[int, Survey] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)  # those still worked on, the newest first
    named: dict[int, Case] = field(default_factory=dict)  # others that somebody speaks of
    messages: dict[int, Message] = field(default_factory=dict)
    reports: dict[int, Report] = field(default_factory=dict)  # what joined a case, and whose button was tapped
    quoted: dict[str, int] = field(default_factory=dict)  # messages of ours by the platform's id, where one was quoted
    timers: dict[int, Timer] = field(default_factory=dict)
    last_options: Message | None = None
    queue_position: int | None = None
    noted_at: datetime | None = None  # in the queue: when we last said that their words are seen, if nothing since
    more: bool = False
    answered_lately: bool = False  # this commenter had an automatic answer within a day

    def case(self, id: int) -> Case | None:
        """A case that this turn knows."""
        return next((case for case in self.cases if case.id == id), None) or self.named.get(id)

    @property
    def public(self) -> bool:
        """A comment that everybody reads: nobody's free words go under it."""
        return self.thread.startswith("comment:")

    @property
    def unread(self) -> bool:
        """A form, or what staff typed in: its customer reads nothing here."""
        return self.thread.startswith(("form:", "api:"))

    @property
    def address_key(self) -> str:
        """The address behind the thread: a comment's author, otherwise the thread itself."""
        for heard in self.heard:
            if isinstance(heard.event, Comment):
                return f"author:{heard.event.author_scoped_id}"
        return self.thread


TAP = re.compile(r"m(\d{1,18})\.(\d{1,4})")
"""What our buttons send back: the message that bears them, and which one it is."""

_FIGURES = re.compile(r"\d{4}|[\uff10-\uff19]{4}|\d[ \-]\d")
"""What may hold a case's number."""
_DIGITS = re.compile(r"\s*\d{1,3}\s*")


def load(
    lanes: Sequence[str],
    *,
    unread: bool = True,
    first_only: bool = False,
    surveys: Sequence[int] = (),
    cases: Sequence[int] = (),
    digits: Callable[[str], bool] = bool,
) -> Callable[[Connection], dict[str, LaneState]]:
    """A read of `lanes`. `unread`: with what waits in the inbox; `first_only`: one row of each. `surveys`, `cases`:
    more of them, by id, for the only lane. `digits(channel)`: a bare number may stand for an option there."""

    def work(connection: Connection) -> dict[str, LaneState]:
        states = {lane: LaneState(lane, *place_of(lane)) for lane in lanes}
        if unread:
            _inbox(connection, states, 1 if first_only else ROWS_A_TURN)
        _conversations(connection, states)
        _dialogue(connection, states, digits, surveys)
        _named(connection, states, cases)
        return states

    return work


def _inbox(connection: Connection, states: dict[str, LaneState], limit: int) -> None:
    most = limit * len(states) + 1
    unread = as_prepared(_UNREAD, connection.dialect)
    rows = unread.all(connection, {"lanes": list(states), "limit": most})
    if len(rows) == most and len(states) > 1:  # a noisy lane would hide the others: each by itself
        rows = [row for lane in states for row in unread.all(connection, {"lanes": [lane], "limit": limit + 1})]
    for row in rows:
        incoming = Incoming(*row)
        state = states[incoming.lane]
        if len(state.heard) == limit:
            state.more = True
            continue
        state.heard.append(
            Heard(incoming.id, _decoded(incoming), incoming.received_at, incoming.attempts, incoming.tried_at)
        )


def _decoded(incoming: Incoming) -> LoopEvent | None:
    try:
        return decode(incoming.event)
    except (KeyError, TypeError, ValueError) as error:  # their messages may hold what was written
        log.error("an inbox row cannot be read", inbox=incoming.id, error=type(error).__name__)
        return None


def _conversations(connection: Connection, states: dict[str, LaneState]) -> None:
    dialect = connection.dialect
    for row in as_prepared(_TALKS, dialect).all(connection, {"lanes": list(states)}):
        talk = Conversation(*row[:_A])
        _known(states[talk.lane], talk, row[_A:])
    new = {
        f"{state.channel}:{state.account}:{state.address_key}": state
        for state in states.values()
        if state.conversation is None
    }
    if new:
        keys: dict[str, Any] = {
            "channels": {state.channel for state in new.values()},
            "accounts": {state.account for state in new.values()},
            "keys": [state.address_key for state in new.values()],
        }
        for row in as_prepared(_PEOPLE, dialect).all(connection, keys):
            address = Address(*row[: _B - _A])
            state = new.get(f"{address.channel}:{address.account}:{address.address}")
            if state:  # the statement finds a few too many: the same id on two accounts
                _known(state, None, row)
    people: dict[int, list[LaneState]] = defaultdict(list)
    for state in states.values():
        if state.contact:
            people[state.contact.id].append(state)
    for case in _all(connection, _OPEN_CASES, people, Case):
        for state in people[case.contact_id]:
            state.cases.append(case)
    for state in states.values():
        if state.conversation and state.conversation.owner == "queue":
            queued = {"since": state.conversation.queued_at, "rank": state.conversation.rank}
            state.noted_at = _noted(connection, state.conversation.id)
            state.queue_position = 1 + connection.execute(_AHEAD, queued).scalar_one()


def _known(state: LaneState, talk: Conversation | None, row: Sequence[Any]) -> None:
    """What one row says of the person behind a lane: address, contact, and the survey that awaits its answer."""
    address, contact = _B - _A, _C - _A
    state.conversation = talk
    state.address = Address(*row[:address])
    state.contact = Contact(*row[address:contact])
    if row[contact] is not None:
        state.awaiting = Survey(*row[contact:])
        state.surveys[state.awaiting.id] = state.awaiting


def _dialogue(
    connection: Connection, states: dict[str, LaneState], digits: Callable[[str], bool], surveys: Sequence[int]
) -> None:
    """What the events of this turn point to: messages whose buttons were tapped, timers, surveys."""
    asked: dict[int, list[LaneState]] = defaultdict(list)
    timers: dict[int, LaneState] = {}
    for state in states.values():
        for heard in state.heard:
            match heard.event:
                case Tap(data=data) if tap := TAP.fullmatch(data):
                    asked[int(tap[1])].append(state)
                case Undelivered(message=message):
                    asked[message].append(state)
                case TimerDue(timer=timer):
                    timers[timer] = state
                case Text(reply_to=str(quoted)) if state.conversation:
                    for message in _sent_as(connection, state, quoted):
                        state.quoted[quoted] = message
                        asked[message].append(state)
                case Text(text=text) if state.conversation and digits(state.channel) and _DIGITS.fullmatch(text):
                    state.last_options = _last_options(connection, state.conversation.id)
        if state.address and any(isinstance(heard.event, Comment) for heard in state.heard):
            state.answered_lately = _answered(connection, state.address.id, state.heard[-1].received_at)
    for message in _all(connection, _MESSAGES, asked, Message):
        for state in asked[message.id]:
            # A tap counts only on a button of its own conversation.
            if state.conversation and message.conversation_id == state.conversation.id:
                state.messages[message.id] = message
    for timer in _all(connection, _TIMERS, timers, Timer):
        timers[timer.id].timers[timer.id] = timer
    reported: dict[int, LaneState] = {}
    for state in states.values():
        for message in (*state.messages.values(), *((state.last_options,) if state.last_options else ())):
            report = (message.data or {}).get("report")
            if isinstance(report, int):
                reported[report] = state
    for found in _all(connection, _REPORTS, reported, Report):
        reported[found.id].reports[found.id] = found
    wanted = {survey: state for state in states.values() for survey in surveys if survey not in state.surveys}
    for state in states.values():
        for survey in _surveys_named(state):
            if survey not in state.surveys:
                wanted[survey] = state
    for each in _all(connection, _SURVEYS, wanted, Survey):
        wanted[each.id].surveys[each.id] = each


def _named(connection: Connection, states: dict[str, LaneState], more: Sequence[int]) -> None:
    """Cases that are spoken of and are not among those still worked on: by their number, by an old follow-up. A number
    names a case only to the customer whose case it is."""
    wanted: dict[int, list[LaneState]] = defaultdict(list)
    said: set[tuple[str, int]] = set()
    for state in states.values():
        known = {survey.case_id for survey in state.surveys.values() if survey.case_id is not None} | {*more}
        for heard in state.heard:
            if isinstance(heard.event, Text) and state.contact and _FIGURES.search(heard.event.text):
                spoken = numbers.parse(heard.event.text)
                if spoken is not None and spoken not in known:
                    said.add((state.lane, spoken))
                    known.add(spoken)
        for id in known:
            if state.case(id) is None:
                wanted[id].append(state)
    while wanted:
        following: dict[int, list[LaneState]] = defaultdict(list)
        for case in _all(connection, _CASES, wanted, Case):
            for state in wanted[case.id]:
                theirs = state.contact is not None and case.contact_id == state.contact.id
                if theirs or (state.lane, case.id) not in said:
                    state.named[case.id] = case
                    if case.merged_into is not None and state.case(case.merged_into) is None:
                        following[case.merged_into].append(state)
        wanted = following


def _surveys_named(state: LaneState) -> Iterable[int]:
    for message in state.messages.values():
        survey = (message.data or {}).get("survey")
        if isinstance(survey, int):
            yield survey
    for timer in state.timers.values():
        kind, _, number = timer.subject.partition(":")
        if kind == "survey" and number.isdecimal():
            yield int(number)


def _answered(connection: Connection, address: int, now: datetime) -> bool:
    sent, talks = tables.outbox.c, tables.conversations.c
    statement = (
        select(sent.id)
        .join(tables.conversations, talks.id == sent.conversation_id)
        .where(
            talks.address_id == address,
            sent.form.in_(["public_reply", "private_reply"]),
            sent.created_at > now - timedelta(days=1),
        )
        .limit(1)
    )
    return connection.execute(statement).first() is not None


def _sent_as(connection: Connection, state: LaneState, reference: str) -> Sequence[int]:
    """The message of this conversation that the platform knows by this id."""
    sent = tables.outbox.c
    statement = select(sent.message_id).where(
        sent.channel == state.channel,
        sent.account == state.account,
        sent.reference == reference,
        sent.conversation_id == (state.conversation.id if state.conversation else None),
        sent.message_id.is_not(None),
    )
    return connection.execute(statement.limit(1)).scalars().all()


def _noted(connection: Connection, conversation: int) -> datetime | None:
    table = tables.messages
    statement = select(table.c.data, table.c.created_at).where(
        table.c.conversation_id == conversation, table.c.author == "bot"
    )
    row = connection.execute(statement.order_by(table.c.id.desc()).limit(1)).first()
    return row.created_at if row is not None and (row.data or {}).get("noted") else None


def _last_options(connection: Connection, conversation: int) -> Message | None:
    """The last message of ours, if it offers options: what a bare number may answer."""
    table = tables.messages
    row = connection.execute(
        Message.select()
        .where(table.c.conversation_id == conversation, table.c.author != "customer")
        .order_by(table.c.id.desc())
        .limit(1)
    ).first()
    message = Message(*row) if row else None
    return message if message and (message.data or {}).get("buttons") else None


_inbox_table = tables.inbox
_UNREAD = (
    Incoming.select()
    .where(
        one_of(_inbox_table.c.lane, "lanes"),
        among(_inbox_table.c.state, "new"),
    )
    .order_by(_inbox_table.c.id)
    .limit(bindparam("limit"))
)
_A = len(fields(Conversation))
_B = _A + len(fields(Address))
_C = _B + len(fields(Contact))
_talks, _a, _people, _s = tables.conversations, tables.addresses, tables.contacts, tables.surveys
_behind = (*Address.columns(), *Contact.columns(), *Survey.columns())
_awaiting = (_s.c.address_id == _a.c.id) & among(_s.c.state, "awaiting")
_TALKS: Select[Any] = (
    select(*Conversation.columns(), *_behind)
    .select_from(_talks)
    .join(_a, _a.c.id == _talks.c.address_id)
    .join(_people, _people.c.id == _a.c.contact_id)
    .outerjoin(_s, _awaiting)
    .where(one_of(_talks.c.lane, "lanes"))
)
_PEOPLE: Select[Any] = (
    select(*_behind)
    .select_from(_a)
    .join(_people, _people.c.id == _a.c.contact_id)
    .outerjoin(_s, _awaiting)
    # The account as well: without it the index leads no further than to the channel, with all of its addresses.
    .where(one_of(_a.c.channel, "channels"), one_of(_a.c.account, "accounts"), one_of(_a.c.address, "keys"))
)
_AHEAD = (
    select(func.count())
    .select_from(_talks)
    .where(
        other_than(_talks.c.owner, "bot"),
        _talks.c.owner == "queue",
        (_talks.c.rank < bindparam("rank"))
        | ((_talks.c.rank == bindparam("rank")) & (_talks.c.queued_at < bindparam("since", type_=UtcDateTime))),
    )
)
_MESSAGES = Message.select().where(one_of(tables.messages.c.id, "ids"))
_TIMERS = Timer.select().where(one_of(tables.timers.c.id, "ids"))
_REPORTS = Report.select().where(one_of(tables.case_reports.c.id, "ids"))
_SURVEYS = Survey.select().where(one_of(tables.surveys.c.id, "ids"))
_OPEN_CASES = (
    Case.select()
    .where(one_of(tables.cases.c.contact_id, "ids"), ~among(tables.cases.c.state, *sorted(SETTLED)))
    .order_by(tables.cases.c.id.desc())
)


_CASES = Case.select().where(one_of(tables.cases.c.id, "ids"))


def _all(connection: Connection, statement: Any, ids: Iterable[int], record: type[Any]) -> list[Any]:
    wanted = sorted(set(ids))
    if not wanted:
        return []
    return [record(*row) for row in as_prepared(statement, connection.dialect).all(connection, {"ids": wanted})]
