"""Contacts as the business system tells of them: one person under their own id, and where they are reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, UniqueConstraint, bindparam, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.contacts import care_messages as cared
from nlu.understanding import Language
from storage.records import Address, Contact
from storage.sets import one_of
from storage.tables import addresses, audit, cases, contacts, conversations, metadata, surveys

Place = tuple[str, str, str]
"""(channel, account, address)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A customer by the business system's own id. What is None is not said, and stays as it was."""

    external_id: str
    name: str | None = None
    language: Language | None = None
    segment: str | None = None
    revenue: float | None = None


@dataclass(frozen=True, slots=True)
class Met:
    """`addresses` in the order given, each once; `moved`: lanes of conversations that are this contact's since now."""

    contact: int
    addresses: tuple[Address, ...]
    moved: tuple[str, ...]


def meet(connection: Connection, person: Person, places: Sequence[Place], now: datetime, actor: str) -> Met:
    """Know `person`, and that they are reached at `places`.

    An address known of somebody whom nobody identified yet is theirs from now on, with everything said there; that
    somebody was this person, and with the last of its addresses it is gone. An address of another identified contact
    moves too, for the business system's newest word wins, and so does the conversation, of which there is one for an
    address; what was concluded with the other (episodes, surveys, cases) stays with the other. Each move is in the
    audit as `actor`'s. Conversations and cases that change hands move their version, so that no turn decided before
    is applied after.
    """
    contact = _upserted(connection, person, now)
    wanted = list(dict.fromkeys(places))
    known = _known(connection, contact, wanted, now)
    owners = sorted({address.contact_id for address in known.values()} - {contact})
    moved: list[str] = []
    for owner in owners:
        theirs = sorted(address.id for address in known.values() if address.contact_id == owner)
        moved += _move(connection, owner, contact, theirs, now, actor)
    if owners:
        known = _known(connection, contact, wanted, now)
    return Met(contact, tuple(known[place] for place in wanted), tuple(moved))


def _upserted(connection: Connection, person: Person, now: datetime) -> int:
    values = {
        "external_id": person.external_id,
        "name": person.name,
        "language": person.language,
        "segment": person.segment,
        "segment_told": person.segment is not None,
        "revenue": person.revenue,
        "created_at": now,
    }
    return int(connection.execute(_UPSERT[connection.dialect.name], values).scalar_one())


def _known(connection: Connection, contact: int, places: Sequence[Place], now: datetime) -> dict[Place, Address]:
    """The rows of `places`, made where there were none, and locked."""
    if not places:
        return {}
    channels, accounts, names = (sorted(set(part)) for part in zip(*places, strict=True))
    at = {"places": places, "channels": channels, "accounts": accounts, "names": names}
    found = _by_place(connection.execute(_AT, at))
    new = sorted(set(places) - set(found))
    if new:
        rows = [
            {"contact_id": contact, "channel": channel, "account": account, "address": address, "created_at": now}
            for channel, account, address in new
        ]
        # Somebody who writes at this very moment makes their address themselves; then it is theirs, and moves.
        connection.execute(_INSERT[connection.dialect.name], rows)
        found = _by_place(connection.execute(_AT, at))
    return found


def _by_place(rows: Any) -> dict[Place, Address]:
    found = [Address(*row) for row in rows]
    return {(address.channel, address.account, address.address): address for address in found}


def _move(
    connection: Connection, old: int, new: int, address_ids: Sequence[int], now: datetime, actor: str
) -> list[str]:
    """Addresses and their conversations from one contact to another. The lanes that moved."""
    former = Contact.one(connection, contacts.c.id == old)
    anonymous = former is not None and former.external_id is None
    connection.execute(update(addresses).where(addresses.c.id.in_(address_ids)).values(contact_id=new))
    talks = connection.execute(
        select(conversations.c.id, conversations.c.lane)
        .where(conversations.c.address_id.in_(address_ids))
        .order_by(conversations.c.id)
        .with_for_update(key_share=True)
    ).all()
    ids = [row[0] for row in talks]
    connection.execute(
        update(conversations)
        .where(conversations.c.id.in_(ids))
        .values(contact_id=new, version=conversations.c.version + 1)
    )
    if former is not None and anonymous:
        _decided_twice(connection, old, new)
        there = surveys.c.address_id.in_(address_ids) | surveys.c.conversation_id.in_(ids)
        connection.execute(update(surveys).where(surveys.c.contact_id == old, there).values(contact_id=new))
        connection.execute(
            update(cases)
            .where(cases.c.contact_id == old, cases.c.conversation_id.in_(ids))
            .values(contact_id=new, version=cases.c.version + 1)
        )
        _part_with(connection, former, new, now)
    connection.execute(
        insert(audit),
        [
            {
                "at": now,
                "actor": actor[:60],
                "action": "address_moved",
                "subject": f"contact:{new}",
                "detail": {"address": address, "from": old, "anonymous": anonymous},
            }
            for address in address_ids
        ],
    )
    return [row[1] for row in talks]


def _decided_twice(connection: Connection, old: int, new: int) -> None:
    """Of a scheduled survey's period both were decided on: the customer's own decision stands for it, and the other
    stays on record without it."""
    own = surveys.alias()
    same = select(own.c.id).where(
        own.c.contact_id == new, own.c.definition == surveys.c.definition, own.c.period == surveys.c.period
    )
    connection.execute(
        update(surveys)
        .where(surveys.c.contact_id == old, surveys.c.period.is_not(None), same.exists())
        .values(period=None)
    )


def _part_with(connection: Connection, former: Contact, new: int, now: datetime) -> None:
    """An anonymous contact without an address left was this person: what it still has is theirs, and it is gone."""
    left = select(addresses.c.id).where(addresses.c.contact_id == former.id).limit(1)
    if connection.execute(left).first() is not None:
        return
    cared.hand_over(connection, former.id, new, now)
    for table in _THEIRS:
        _give_way(connection, table, former.id, new)
        connection.execute(update(table).where(table.c.contact_id == former.id).values(contact_id=new))
    person = Contact.one(connection, contacts.c.id == new)
    told = {
        name: said
        for name in ("name", "language", "segment", "phone", "email")
        if getattr(person, name) is None and (said := getattr(former, name)) is not None
    }
    if told:
        connection.execute(update(contacts).where(contacts.c.id == new).values(told))
    connection.execute(delete(contacts).where(contacts.c.id == former.id))


def _give_way(connection: Connection, table: Table, old: int, new: int) -> None:
    """Where there may be one for a contact, the customer's own stands."""
    for names in _ONE_EACH.get(table.name, ()):
        own = table.alias()
        same = select(own.c.id).where(own.c.contact_id == new, *(own.c[name] == table.c[name] for name in names))
        connection.execute(delete(table).where(table.c.contact_id == old, same.exists()))


def _upsert(dialect: Any) -> Any:
    """What is not told stays. It takes the row's lock in any case: two reports of one customer are worked one after
    the other."""
    made = dialect.insert(contacts)
    told: dict[str, Any] = {name: func.coalesce(made.excluded[name], contacts.c[name]) for name in _TOLD}
    told["segment_told"] = or_(made.excluded.segment_told, contacts.c.segment_told)
    values: dict[str, Any] = {name: bindparam(name) for name in ("external_id", "created_at", "segment_told", *_TOLD)}
    changed = made.values(values).on_conflict_do_update(index_elements=["external_id"], set_=told)
    return changed.returning(contacts.c.id)


_THEIRS = tuple(
    table
    for table in metadata.sorted_tables
    if table is not addresses and any(key.column.table is contacts for key in table.foreign_keys)
)
"""Where something is somebody's: all of it goes with them."""
_ONE_EACH = {
    table.name: [
        [column.name for column in rule.columns if column.name != "contact_id"]
        for rule in table.constraints
        if isinstance(rule, UniqueConstraint) and "contact_id" in rule.columns
    ]
    for table in _THEIRS
}
"""Of those with which there may be one for a contact, what tells them apart."""
_TOLD = ("name", "language", "segment", "revenue")
_DIALECTS: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql}
_UPSERT = {name: _upsert(dialect) for name, dialect in _DIALECTS.items()}
_INSERT = {name: dialect.insert(addresses).on_conflict_do_nothing() for name, dialect in _DIALECTS.items()}
_AT = (
    Address.select()
    .where(
        tuple_(addresses.c.channel, addresses.c.account, addresses.c.address).in_(bindparam("places", expanding=True)),
        # The same once more, and less exactly: of two triples and more SQLite asks no index.
        one_of(addresses.c.channel, "channels"),
        one_of(addresses.c.account, "accounts"),
        one_of(addresses.c.address, "names"),
    )
    .order_by(addresses.c.id)
    .with_for_update(key_share=True)
)
