"""What is kept of one customer, over all channels they were met on: given out on request, and erased on request.

What there is says `bot.contacts.belongings`. Figures stay (that there was a rating of 40 on that day, a case about
logistics, a message), and belong to nobody any more; words, names, numbers and addresses go. Sources: GDPR, articles
15 and 17; PIPL, articles 45 and 47.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, or_, select, update

from bot.attachments import store
from bot.cases import timeline
from bot.cases.rules import SETTLED
from bot.contacts.belongings import HOLLOW, THEIR_OWN, belongings, hollow
from bot.outgoing import events
from bot.yamlfile import Words, tongue
from storage import tables as t
from storage.database import Database
from storage.sets import among, one_of

STEP = 20_000
"""Ids of the inbox that are looked through at a time: rows that were worked have no index by conversation."""
REASON = "erased"
SAID = Words("客户的资料已应其要求删除", "Erased at the customer's request")
_RATED = frozenset({"resolved", "following_up"})
"""Solved, and only not rated: such a case counts as that still."""


class Sending(Exception):
    """A message to them is on its way: what comes of it must be known first. Try again in a moment."""


def find(connection: Connection, who: str) -> int | None:
    """The contact meant by `who`: the business system's id of a customer, `contact:12`, or an address as
    channel:account:address."""
    named = connection.execute(select(t.contacts.c.id).where(t.contacts.c.external_id == who)).scalar()
    if named is not None:
        return int(named)
    kind, _, number = who.partition(":")
    if kind == "contact" and number.isascii() and number.isdecimal() and len(number) < 19:
        row = connection.execute(select(t.contacts.c.id).where(t.contacts.c.id == int(number))).scalar()
        return None if row is None else int(row)
    channel, account, address = (*who.split(":", 2), "", "")[:3]
    at = t.addresses.c
    there = select(at.contact_id).where(at.channel == channel, at.account == account, at.address == address)
    return connection.execute(there).scalar()


def summary(connection: Connection, who: str) -> tuple[int, str] | None:
    """The contact meant, and in a line of how much is known of them: for whoever is about to erase it."""
    contact = find(connection, who)
    if contact is None:
        return None
    told = connection.execute(
        select(t.contacts.c.external_id, t.contacts.c.name).where(t.contacts.c.id == contact)
    ).one()
    counts = [
        (connection.execute(select(func.count()).where(table.c.contact_id == contact)).scalar_one(), name)
        for table, name in ((t.conversations, "conversations"), (t.cases, "cases"), (t.surveys, "surveys"))
    ]
    named = ", ".join(each for each in told if each) or "nobody by name"
    return contact, f"contact:{contact} ({named}): " + ", ".join(f"{count} {name}" for count, name in counts)


def export(connection: Connection, contact: int) -> dict[str, Any]:
    """Everything that is kept of a customer, as JSON: a list of rows for each table, times in ISO 8601 and UTC, files
    in base64. Nothing is masked, for it is theirs; colleagues' notes about them are among it. Answers without a name
    are left out, and who of the staff did what."""
    found: dict[str, Any] = {}
    for each in belongings(contact):
        if each.shown:
            columns = [each.table.c[name] for name in each.shown]
            rows = connection.execute(select(*columns).where(each.owned).order_by(each.table.c.id)).mappings()
            found[str(each.table.name)] = [{str(name): _plain(value) for name, value in row.items()} for row in rows]
    found["attachments"] = [
        {"name": name, "type": kind, "size": size, "sender": sender, "created_at": _plain(at), "content": content}
        for name, kind, size, sender, at, content in _files(connection, _lanes(connection, contact))
    ]
    return found


def _files(connection: Connection, lanes: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    a, parts = t.attachments.c, t.attachment_parts.c
    statement = select(a.id, a.name, a.type, a.size, a.sender, a.created_at).where(one_of(a.lane, "lanes"))
    for row in connection.execute(statement.order_by(a.id), {"lanes": lanes}).all():
        pieces = select(parts.content).where(parts.attachment_id == row[0]).order_by(parts.number)
        yield *row[1:], base64.b64encode(b"".join(connection.execute(pieces).scalars())).decode()


async def erase(database: Database, contact: int, now: datetime, actor: str) -> Sequence[str] | None:
    """Erase a customer. The lanes of their conversations, for whoever watches them; None where they are erased already
    or are none. One unit of work, but for old rows of what has no index by customer (the inbox, what webhooks wait
    for), which are emptied before it: who dies midway leaves a customer who can be erased again. Raises Sending.

    Copies elsewhere (backups, what webhooks were told, what was read at the desk) are the operator's to erase."""
    named, lanes, heard, told = await database.read(partial(_look, contact=contact))
    for start in range(heard.start, heard.stop, STEP) if lanes else ():
        await database.write(partial(_unheard, lanes=lanes, ids=range(start, min(start + STEP, heard.stop))))
    for start in range(told.start, told.stop, STEP) if named is not None else ():
        await database.write(partial(_untold, named=named, ids=range(start, min(start + STEP, told.stop))))
    return await database.write(lambda connection: _erased(connection, contact, now, actor, heard.stop, told.stop))


def _look(connection: Connection, contact: int) -> tuple[str | None, list[str], range, range]:
    """Their id, their lanes, and the ids of inbox and posts that there are. Raises Sending."""
    _still(connection, contact)
    lanes = _lanes(connection, contact)
    return _id(connection, contact), lanes, _span(connection, t.inbox), _span(connection, t.posts)


def _erased(
    connection: Connection, contact: int, now: datetime, actor: str, heard: int, told: int
) -> Sequence[str] | None:
    # Whoever writes for them meanwhile waits here, in the order that all keep to; a first message finds its address
    # hollow then (bot.loop.apply).
    for table, owner in (
        (t.contacts, t.contacts.c.id),
        (t.addresses, t.addresses.c.contact_id),
        (t.conversations, t.conversations.c.contact_id),
        (t.episodes, t.episodes.c.contact_id),
        (t.surveys, t.surveys.c.contact_id),
    ):
        connection.execute(select(table.c.id).where(owner == contact).order_by(table.c.id).with_for_update()).all()
    lanes = _lanes(connection, contact)
    if not lanes and not _known(connection, contact):
        return None
    named = _id(connection, contact)
    _settle(connection, contact, now)
    _unheard(connection, lanes, range(heard, _span(connection, t.inbox).stop))
    _unworked(connection, lanes)
    _untold(connection, named, range(told, _span(connection, t.posts).stop))
    store.erase(connection, lanes)
    ended = _end(connection, contact, now)
    for each in belongings(contact):
        if each.gone is None:
            connection.execute(delete(each.table).where(each.owned))
        elif each.gone:
            connection.execute(update(each.table).where(each.owned).values(each.gone))
    _unsaid(connection, contact)
    # What others are told of it names nobody any more.
    by = actor[:60]
    line = {"actor": by, "at": now, "kind": "moved"}
    timeline.write(connection, [line | case for case in ended.cases])
    events.note(connection, [events.Event(f"survey.{state}", now, "survey", id_) for id_, state in ended.surveys])
    connection.execute(insert(t.audit).values(at=now, actor=by, action="contact_erased", subject=f"contact:{contact}"))
    return lanes


def _settle(connection: Connection, contact: int, now: datetime) -> None:
    """Nothing waits to be sent to them. Raises Sending."""
    o = t.outbox.c
    theirs = o.conversation_id.in_(select(t.conversations.c.id).where(t.conversations.c.contact_id == contact))
    waiting = update(t.outbox).where(theirs, o.state == "queued")
    connection.execute(waiting.values(state="dropped", finished_at=now))
    _still(connection, contact)


def _still(connection: Connection, contact: int) -> None:
    """Nothing is on its way to them. Raises Sending."""
    o = t.outbox.c
    theirs = o.conversation_id.in_(select(t.conversations.c.id).where(t.conversations.c.contact_id == contact))
    if connection.execute(select(o.id).where(theirs, o.state == "sending").limit(1)).first():
        raise Sending


@dataclass(frozen=True, slots=True)
class _Ended:
    """What the timelines of cases say of it; surveys by id and state."""

    cases: Sequence[dict[str, Any]]
    surveys: Sequence[tuple[int, str]]


def _end(connection: Connection, contact: int, now: datetime) -> _Ended:
    """Nobody waits for them any more: what is open ends."""
    c, s = t.cases.c, t.surveys.c
    still = select(c.id, c.state, c.language).where(c.contact_id == contact, c.state.not_in(sorted(SETTLED)))
    moved = [
        {
            "case_id": id_,
            "from_state": old,
            "to_state": "closed_unconfirmed" if old in _RATED else "withdrawn",
            "note": SAID.said(tongue(language)),
        }
        for id_, old, language in connection.execute(still.order_by(c.id))
    ]
    for each in moved:
        ended = update(t.cases).where(c.id == each["case_id"])
        connection.execute(ended.values(state=each["to_state"], closed_at=now))
    theirs = select(c.id).where(c.contact_id == contact)
    of_case, of_them = t.case_tasks.c.case_id.in_(theirs), t.case_tasks.c.contact_id == contact
    over: list[tuple[Table, ColumnElement[bool], tuple[str, ...], dict[str, Any]]] = [
        (t.deadlines, t.deadlines.c.case_id.in_(theirs), ("running", "frozen"), {"ended_at": now, "next_at": None}),
        (t.case_tasks, of_case, ("waiting", "acknowledged"), {"ended_at": now, "next_at": None}),
        (t.case_tasks, of_them, ("waiting", "acknowledged"), {"ended_at": now, "next_at": None}),
        (t.case_remedies, t.case_remedies.c.case_id.in_(theirs), ("proposed", "approved"), {}),
    ]
    for table, owned, states, values in over:
        cancelled = update(table).where(owned, table.c.state.in_(states))
        connection.execute(cancelled.values(values | {"state": "cancelled"}))
    for owned in (t.alerts.c.case_id.in_(theirs), t.alerts.c.contact_id == contact):
        taken = update(t.alerts).where(owned, t.alerts.c.taken_at.is_(None))
        connection.execute(taken.values(taken_at=now, taken_by=REASON))
    told: list[tuple[int, str]] = []
    for state, after in (("planned", "suppressed"), ("awaiting", "expired")):
        wanted = select(s.id).where(s.contact_id == contact, s.state == state)
        told += [(id_, after) for id_ in connection.execute(wanted).scalars()]
    for id_, state in told:
        connection.execute(update(t.surveys).where(s.id == id_).values(state=state, reason=REASON))
    every = [f"survey:{id_}" for id_ in connection.execute(select(s.id).where(s.contact_id == contact)).scalars()]
    timers = update(t.timers).where(one_of(t.timers.c.subject, "subjects"), t.timers.c.state == "waiting")
    connection.execute(timers.values(state="cancelled"), {"subjects": every})
    lanes = update(t.timers).where(one_of(t.timers.c.subject, "subjects"))
    connection.execute(lanes.values(lane=hollow(t.timers)), {"subjects": every})
    return _Ended(moved, told)


def _unsaid(connection: Connection, contact: int) -> None:
    """Of the answers to questions the words go; what was ticked counts as it did."""
    theirs = select(t.surveys.c.id).where(t.surveys.c.contact_id == contact)
    rows = connection.execute(select(t.ratings.c.id, t.ratings.c.answers).where(t.ratings.c.survey_id.in_(theirs)))
    for id_, answers in rows.all():
        ticked = [{name: each.get(name) for name in _TICKED if name in each} for each in answers or ()]
        connection.execute(update(t.ratings).where(t.ratings.c.id == id_).values(answers=ticked or None))


def _unheard(connection: Connection, lanes: Collection[str], ids: range) -> None:
    """Their events as they came, of these ids and worked already: the keys stay, by which a platform's repetition is
    known for one."""
    theirs = update(t.inbox).where(t.inbox.c.id >= ids.start, t.inbox.c.id < ids.stop, t.inbox.c.state != "new")
    connection.execute(theirs.where(one_of(t.inbox.c.lane, "lanes")).values(_EMPTY), {"lanes": lanes})


def _unworked(connection: Connection, lanes: Collection[str]) -> None:
    """And what waits to be worked, which nobody is to work any more."""
    theirs = update(t.inbox).where(among(t.inbox.c.state, "new"), one_of(t.inbox.c.lane, "lanes"))
    connection.execute(theirs.values(_EMPTY), {"lanes": lanes})


def _untold(connection: Connection, named: str | None, ids: range) -> None:
    """Webhooks are no longer told whose it was; what was told is with the receivers."""
    posts = t.posts.c
    page = select(posts.id, posts.data).where(posts.id >= ids.start, posts.id < ids.stop)
    for id_, data in connection.execute(page).all():
        cleared = _without(data, named)
        if cleared != data:
            connection.execute(update(t.posts).where(posts.id == id_).values(data=cleared))


def _without(data: Any, named: str | None) -> Any:
    if isinstance(data, dict):
        gone = {"customer": None, "episode": None} if named is not None and data.get("customer") == named else {}
        return {name: gone.get(name, _without(value, named)) for name, value in data.items()}
    return data


def _span(connection: Connection, table: Table) -> range:
    """The ids that there are."""
    first, last = connection.execute(select(func.min(table.c.id), func.max(table.c.id))).one()
    return range(0) if first is None else range(first, last + 1)


def _id(connection: Connection, contact: int) -> str | None:
    return connection.execute(select(t.contacts.c.external_id).where(t.contacts.c.id == contact)).scalar()


def _known(connection: Connection, contact: int) -> bool:
    """Whether anything of their own is left."""
    own = or_(*(t.contacts.c[name].is_not(None) for name in THEIR_OWN))
    return connection.execute(select(t.contacts.c.id).where(t.contacts.c.id == contact, own)).first() is not None


def _lanes(connection: Connection, contact: int) -> list[str]:
    """Of their conversations, and of addresses where there is none yet; none where they were erased."""
    talks, at = t.conversations.c, t.addresses.c
    said = select(talks.lane).where(talks.contact_id == contact, talks.thread.not_like(f"{HOLLOW}%"))
    known = select(at.channel, at.account, at.address).where(
        at.contact_id == contact, at.address.not_like(f"{HOLLOW}%")
    )
    places = [f"chat:{channel}:{account}:{address}" for channel, account, address in connection.execute(known)]
    return sorted({*connection.execute(said).scalars(), *places})


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


_TICKED = ("question", "option", "options", "value", "score")
_EMPTY: Mapping[str, Any] = {
    "event": {"type": "unknown", "dedupe_key": "", "thread": ""},
    "raw": None,
    "reason": None,
    "state": "done",
    "lane": hollow(t.inbox),
}
