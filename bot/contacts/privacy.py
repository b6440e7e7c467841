"""What is kept of one customer, over all channels they were met on: given out on request, and erased on request.

What there is says `bot.contacts.belongings`. Figures stay (that there was a rating of 40 on that day, a case about
logistics, a message), and belong to nobody any more; words, names, numbers and addresses go. Sources: GDPR, articles
15 and 17; PIPL, articles 45 and 47.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, func, insert, or_, select, update

from bot.attachments import store
from bot.cases.rules import SETTLED
from bot.contacts.belongings import THEIR_OWN, belongings, hollow
from storage import tables as t
from storage.database import Database
from storage.sets import one_of

STEP = 20_000
"""Ids of the inbox that are looked through at a time: rows that were worked have no index by conversation."""
REASON = "erased"


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


def export(connection: Connection, contact: int) -> dict[str, Any]:
    """Everything that is kept of a customer, as JSON: a list of rows for each table, times in ISO 8601 and UTC, files
    in base64. Nothing is masked, for it is theirs; answers without a name are left out, and what belongs to others
    (who of the staff did what, the settings of the house)."""
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


async def erase(database: Database, contact: int, now: datetime, actor: str) -> bool:
    """Erase a customer; False where they are erased already or are none. All of it in one unit of work, but for what
    has no index by customer (the inbox, what webhooks wait for): that is looked through before, so that dying midway
    leaves a customer who can be erased again, and once more after. Copies elsewhere (backups, what webhooks were told,
    what was read at the desk) are the operator's to erase."""
    external_id, lanes = await database.read(lambda connection: (_id(connection, contact), _lanes(connection, contact)))
    await _unheard(database, lanes)
    await _untold(database, external_id)
    done = await database.write(lambda connection: _erased(connection, contact, now, actor))
    if done:
        await _unheard(database, lanes)
        await _untold(database, external_id)
    return done


def _erased(connection: Connection, contact: int, now: datetime, actor: str) -> bool:
    connection.execute(select(t.contacts.c.id).where(t.contacts.c.id == contact).with_for_update(key_share=True))
    lanes = _lanes(connection, contact)
    if not lanes and not _known(connection, contact):
        return False
    store.erase(connection, lanes)
    _end(connection, contact, lanes, now, actor)
    for each in belongings(contact):
        if each.gone is None:
            connection.execute(delete(each.table).where(each.owned))
        elif each.gone:
            connection.execute(update(each.table).where(each.owned).values(each.gone))
    events = t.case_events.c
    withdrawn = update(t.case_events).where(events.case_id.in_(_cases(contact)), events.to_state == "withdrawn")
    connection.execute(withdrawn.where(events.at == now).values(note=REASON))
    line = {"at": now, "actor": actor[:60], "action": "contact_erased", "subject": f"contact:{contact}"}
    connection.execute(insert(t.audit).values(line))
    return True


def _id(connection: Connection, contact: int) -> str | None:
    return connection.execute(select(t.contacts.c.external_id).where(t.contacts.c.id == contact)).scalar()


def _known(connection: Connection, contact: int) -> bool:
    """Whether anything leads to them: something of their own, or an address."""
    own = or_(*(t.contacts.c[name].is_not(None) for name in THEIR_OWN))
    at = t.addresses.c
    address = select(at.id).where(at.contact_id == contact, at.address.not_like("erased:%")).limit(1)
    row = connection.execute(select(t.contacts.c.id).where(t.contacts.c.id == contact, own)).first()
    return row is not None or connection.execute(address).first() is not None


def _end(connection: Connection, contact: int, lanes: Sequence[str], now: datetime, actor: str) -> None:
    """Nobody waits for them any more: what is open ends, each with its reason."""
    c, s, o = t.cases.c, t.surveys.c, t.outbox.c
    still = c.state.not_in(sorted(SETTLED))
    rows = connection.execute(select(c.id, c.state).where(c.contact_id == contact, still)).all()
    moved = [
        {"case_id": row[0], "at": now, "actor": actor[:60], "kind": "moved", "from_state": row[1]}
        | {"to_state": "withdrawn"}
        for row in rows
    ]
    if moved:
        connection.execute(insert(t.case_events), moved)
        connection.execute(
            update(t.cases).where(c.contact_id == contact, still).values(state="withdrawn", closed_at=now)
        )
    theirs = _cases(contact)
    ended: list[tuple[Table, ColumnElement[bool], tuple[str, ...], dict[str, Any]]] = [
        (t.deadlines, t.deadlines.c.case_id.in_(theirs), ("running", "frozen"), {"ended_at": now, "next_at": None}),
        (
            t.case_tasks,
            or_(t.case_tasks.c.case_id.in_(theirs), t.case_tasks.c.contact_id == contact),
            ("waiting", "acknowledged"),
            {"ended_at": now, "next_at": None},
        ),
        (t.case_remedies, t.case_remedies.c.case_id.in_(theirs), ("proposed", "approved"), {}),
    ]
    for table, owned, states, values in ended:
        connection.execute(
            update(table).where(owned, table.c.state.in_(states)).values(values | {"state": "cancelled"})
        )
    for state, after in (("planned", "suppressed"), ("awaiting", "expired")):
        of_them = update(t.surveys).where(s.contact_id == contact, s.state == state)
        connection.execute(of_them.values(state=after, reason=REASON))
    talks = select(t.conversations.c.id).where(t.conversations.c.contact_id == contact)
    waiting = update(t.outbox).where(o.conversation_id.in_(talks), o.state == "queued")
    connection.execute(waiting.values(state="dropped", finished_at=now))
    timers = update(t.timers).where(one_of(t.timers.c.lane, "lanes"))
    connection.execute(timers.values(state="cancelled", lane=hollow(t.timers)), {"lanes": lanes})


async def _untold(database: Database, external_id: str | None) -> None:
    """Webhooks are no longer told whose it was; what was told is with the receivers."""
    if external_id is None:
        return
    posts = t.posts.c
    last = await database.read(lambda connection: connection.execute(select(func.max(posts.id))).scalar() or 0)

    def page(connection: Connection, start: int) -> list[tuple[int, Any]]:
        rows = connection.execute(select(posts.id, posts.data).where(posts.id > start, posts.id <= start + STEP)).all()
        cleared = [(id_, data, _without(data, external_id)) for id_, data in rows]
        return [(id_, after) for id_, before, after in cleared if after != before]

    def clear(connection: Connection, changed: list[tuple[int, Any]]) -> None:
        for id_, data in changed:
            connection.execute(update(t.posts).where(posts.id == id_).values(data=data))

    for start in range(0, last, STEP):
        if changed := await database.read(partial(page, start=start)):
            await database.write(partial(clear, changed=changed))


def _without(data: Any, external_id: str) -> Any:
    if isinstance(data, dict):
        gone = {"customer": None, "episode": None} if data.get("customer") == external_id else {}
        return {name: gone.get(name, _without(value, external_id)) for name, value in data.items()}
    return data


async def _unheard(database: Database, lanes: Sequence[str]) -> None:
    """Their events as they came: the keys stay, by which a platform's repetition is known for one."""
    inbox = t.inbox.c
    last = await database.read(lambda connection: connection.execute(select(func.max(inbox.id))).scalar() or 0)
    empty = {"type": "unknown", "dedupe_key": "", "thread": ""}
    values = {"event": empty, "raw": None, "reason": None, "state": "done", "lane": hollow(t.inbox)}

    def page(connection: Connection, start: int) -> list[int]:
        theirs = select(inbox.id).where(inbox.id > start, inbox.id <= start + STEP, one_of(inbox.lane, "lanes"))
        return list(connection.execute(theirs, {"lanes": lanes}).scalars())

    def clear(connection: Connection, ids: list[int]) -> None:
        connection.execute(update(t.inbox).where(one_of(inbox.id, "ids")).values(values), {"ids": ids})

    for start in range(0, last, STEP) if lanes else ():
        if ids := await database.read(partial(page, start=start)):
            await database.write(partial(clear, ids=ids))


def _cases(contact: int) -> Select[Any]:
    return select(t.cases.c.id).where(t.cases.c.contact_id == contact)


def _lanes(connection: Connection, contact: int) -> list[str]:
    """Of their conversations; none where they were erased."""
    at = t.conversations.c
    found = select(at.lane).where(at.contact_id == contact, at.lane.not_like("erased:%"))
    return list(connection.execute(found.order_by(at.id)).scalars())


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
