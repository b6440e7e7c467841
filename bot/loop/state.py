"""LOAD: everything that a turn may read, for many lanes in a handful of statements."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import BindParameter, Connection, bindparam, func, select, tuple_

from bot.cases.rules import SETTLED
from bot.loop.events import LoopEvent, TimerDue, decode, place_of
from channels.base import Comment, Tap, Text
from storage import tables
from storage.records import Address, Case, Contact, Conversation, Incoming, Message, Survey, Timer

log = structlog.get_logger()

ROWS_A_TURN = 32
"""A lane with more unread rows than this shares the next batches with others: one noisy sender starves nobody."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An unread inbox row with its event; `event` is None where it could not be decoded."""

    id: int
    event: LoopEvent | None
    received_at: datetime
    attempts: int


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
    cases: list[Case] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)
    timers: dict[int, Timer] = field(default_factory=dict)
    last_options: Message | None = None
    queue_position: int | None = None
    more: bool = False
    answered_lately: bool = False  # this commenter had an automatic answer within a day

    @property
    def address_key(self) -> str:
        """The address behind the thread: a comment's author, otherwise the thread itself."""
        for heard in self.heard:
            if isinstance(heard.event, Comment):
                return f"author:{heard.event.author_scoped_id}"
        return self.thread


TAP = re.compile(r"m(\d{1,18})\.(\d{1,4})")
"""What our buttons send back: the message that bears them, and which one it is."""

_DIGITS = re.compile(r"\s*\d{1,3}\s*")


def load(
    lanes: Sequence[str],
    *,
    unread: bool = True,
    first_only: bool = False,
    surveys: Sequence[int] = (),
    digits: Callable[[str], bool] = bool,
) -> Callable[[Connection], dict[str, LaneState]]:
    """A read of `lanes`. `unread`: with what waits in the inbox; `first_only`: one row of each. `surveys`: more
    of them, by id, for the only lane. `digits(channel)`: a bare number may stand for an option there."""

    def work(connection: Connection) -> dict[str, LaneState]:
        states = {lane: LaneState(lane, *place_of(lane)) for lane in lanes}
        if unread:
            _inbox(connection, states, 1 if first_only else ROWS_A_TURN)
        _conversations(connection, states)
        _dialogue(connection, states, digits, surveys)
        return states

    return work


def _inbox(connection: Connection, states: dict[str, LaneState], limit: int) -> None:
    most = limit * len(states) + 1
    rows = connection.execute(_UNREAD, {"lanes": list(states), "limit": most}).all()
    if len(rows) == most and len(states) > 1:  # a noisy lane would hide the others: each by itself
        rows = [row for lane in states for row in connection.execute(_UNREAD, {"lanes": [lane], "limit": limit + 1})]
    for row in rows:
        incoming = Incoming(*row)
        state = states[incoming.lane]
        if len(state.heard) == limit:
            state.more = True
            continue
        state.heard.append(Heard(incoming.id, _decoded(incoming), incoming.received_at, incoming.attempts))


def _decoded(incoming: Incoming) -> LoopEvent | None:
    try:
        return decode(incoming.event)
    except (KeyError, TypeError, ValueError):
        log.error("an inbox row cannot be read", inbox=incoming.id, exc_info=True)
        return None


def _conversations(connection: Connection, states: dict[str, LaneState]) -> None:
    found = [Conversation(*row) for row in connection.execute(_CONVERSATIONS, {"lanes": list(states)})]
    for conversation in found:
        states[conversation.lane].conversation = conversation
    addresses = _by_id(connection, _ADDRESSES, (c.address_id for c in found), Address)
    new = {
        (state.channel, state.account, state.address_key): state
        for state in states.values()
        if state.conversation is None
    }
    if new:
        for row in connection.execute(_ADDRESSES_BY_KEY, {"keys": list(new)}):
            address = Address(*row)
            addresses[address.id] = new[address.channel, address.account, address.address].address = address
    contacts = _by_id(connection, _CONTACTS, (a.contact_id for a in addresses.values()), Contact)
    awaiting = {s.address_id: s for s in _all(connection, _AWAITING, addresses, Survey)}
    cases: dict[int, list[Case]] = defaultdict(list)
    for case in _all(connection, _OPEN_CASES, contacts, Case):
        cases[case.contact_id].append(case)
    for state in states.values():
        talk = state.conversation
        state.address = addresses[talk.address_id] if talk else state.address
        if state.address is None:
            continue
        state.contact = contacts[state.address.contact_id]
        state.cases = cases[state.contact.id]
        state.awaiting = awaiting.get(state.address.id)
        if state.awaiting:
            state.surveys[state.awaiting.id] = state.awaiting
        if talk and talk.owner == "queue":
            ahead = select(func.count()).select_from(tables.conversations)
            waiting = tables.conversations.c
            state.queue_position = (
                1
                + connection.execute(
                    ahead.where(waiting.owner == "queue", waiting.queued_at < talk.queued_at)
                ).scalar_one()
            )


def _dialogue(
    connection: Connection, states: dict[str, LaneState], digits: Callable[[str], bool], surveys: Sequence[int]
) -> None:
    """What the events of this turn point to: messages whose buttons were tapped, timers, surveys."""
    asked: dict[int, LaneState] = {}
    timers: dict[int, LaneState] = {}
    for state in states.values():
        for heard in state.heard:
            match heard.event:
                case Tap(data=data) if tap := TAP.fullmatch(data):
                    asked[int(tap[1])] = state
                case TimerDue(timer=timer):
                    timers[timer] = state
                case Text(text=text) if state.conversation and digits(state.channel) and _DIGITS.fullmatch(text):
                    state.last_options = _last_options(connection, state.conversation.id)
        if state.address and any(isinstance(heard.event, Comment) for heard in state.heard):
            state.answered_lately = _answered(connection, state.address.id, state.heard[-1].received_at)
    for message in _all(connection, _MESSAGES, asked, Message):
        state = asked[message.id]
        # A tap counts only on a button of its own conversation.
        if state.conversation and message.conversation_id == state.conversation.id:
            state.messages[message.id] = message
    for timer in _all(connection, _TIMERS, timers, Timer):
        timers[timer.id].timers[timer.id] = timer
    wanted = {survey: state for state in states.values() for survey in surveys if survey not in state.surveys}
    for state in states.values():
        for survey in _surveys_named(state):
            if survey not in state.surveys:
                wanted[survey] = state
    for each in _all(connection, _SURVEYS, wanted, Survey):
        wanted[each.id].surveys[each.id] = each


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
        _inbox_table.c.lane.in_(bindparam("lanes", expanding=True)),
        _inbox_table.c.state == "new",
    )
    .order_by(_inbox_table.c.id)
    .limit(bindparam("limit"))
)
_CONVERSATIONS = Conversation.select().where(tables.conversations.c.lane.in_(bindparam("lanes", expanding=True)))
_ids: BindParameter[Any] = bindparam("ids", expanding=True)
_ADDRESSES = Address.select().where(tables.addresses.c.id.in_(_ids))
_a = tables.addresses.c
_ADDRESSES_BY_KEY = Address.select().where(
    tuple_(_a.channel, _a.account, _a.address).in_(bindparam("keys", expanding=True))
)
_CONTACTS = Contact.select().where(tables.contacts.c.id.in_(_ids))
_MESSAGES = Message.select().where(tables.messages.c.id.in_(_ids))
_TIMERS = Timer.select().where(tables.timers.c.id.in_(_ids))
_SURVEYS = Survey.select().where(tables.surveys.c.id.in_(_ids))
_AWAITING = Survey.select().where(tables.surveys.c.address_id.in_(_ids), tables.surveys.c.state == "awaiting")
_OPEN_CASES = (
    Case.select()
    .where(tables.cases.c.contact_id.in_(_ids), tables.cases.c.state.not_in(sorted(SETTLED)))
    .order_by(tables.cases.c.id.desc())
)


def _all(connection: Connection, statement: Any, ids: Iterable[int], record: type[Any]) -> list[Any]:
    wanted = sorted(set(ids))
    return [record(*row) for row in connection.execute(statement, {"ids": wanted})] if wanted else []


def _by_id(connection: Connection, statement: Any, ids: Iterable[int], record: type[Any]) -> dict[int, Any]:
    return {each.id: each for each in _all(connection, statement, ids, record)}
