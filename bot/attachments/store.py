"""Files in the database: so that every machine has them, a backup holds them, and an erasure reaches them.

A file is a row, and its bytes in parts: no transaction holds more than a part, so that a large file does not keep
messages waiting. `coming` while its parts are written, `kept` once it is whole, `said` once it stands in a message; a
platform's file is `wanted` until it is fetched, and `lost` where it cannot be.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from bot.attachments.kinds import Kind, name_of
from storage.database import Database
from storage.sets import among, one_of
from storage.tables import attachment_parts, attachments

PART = 256 << 10
"""Bytes."""

FORGOTTEN = timedelta(days=1)
"""What was sent up and stands in no message by then is thrown away."""

OLDER = 20
"""Files of a page: their bytes go with them, in one transaction."""

_a = attachments.c


@dataclass(frozen=True, slots=True)
class File:
    """A file without its bytes. `key` names it to whoever may see it; nobody can guess one."""

    id: int
    key: str
    lane: str
    sender: str  # customer, agent
    staff_id: int | None
    name: str
    type: str
    family: str
    size: int
    state: str
    reason: str | None

    @property
    def whole(self) -> bool:
        return self.state in ("kept", "said")

    def as_json(self) -> dict[str, Any]:
        """For a browser."""
        shown = {"key": self.key, "name": self.name, "family": self.family, "size": self.size, "state": self.state}
        return shown | ({"reason": self.reason} if self.reason else {})


COLUMNS = [_a[field.name] for field in fields(File)]
"""Of a `File`, in the order of its fields."""


def new_key() -> str:
    return secrets.token_hex(16)


async def keep(
    database: Database,
    content: bytes,
    kind: Kind,
    name: str,
    now: datetime,
    *,
    lane: str,
    sender: str,
    staff_id: int | None = None,
) -> File:
    """A new file, whole when this returns."""
    key, named = new_key(), name_of(name, kind)
    values = {"key": key, "lane": lane, "sender": sender, "staff_id": staff_id, "created_at": now, "state": "coming"}
    values |= {"name": named, "type": kind.type, "family": kind.family, "size": len(content), "not_before": now}
    made = insert(attachments).values(values).returning(_a.id)
    id_ = await database.write(lambda connection: connection.execute(made).scalar_one())
    await _write(database, id_, content)
    settled = {"state": "kept", "digest": hashlib.sha256(content).hexdigest()}
    await database.write(lambda link: link.execute(update(attachments).where(_a.id == id_).values(settled)).rowcount)
    return File(id_, key, lane, sender, staff_id, named, kind.type, kind.family, len(content), "kept", None)


async def fetched(database: Database, wanted: File, content: bytes, kind: Kind) -> None:
    """What a platform had of a file is here now."""
    await _write(database, wanted.id, content)
    values = {"state": "said", "type": kind.type, "family": kind.family, "size": len(content), "reason": None}
    values |= {"name": name_of(wanted.name, kind), "digest": hashlib.sha256(content).hexdigest()}
    statement = update(attachments).where(_a.id == wanted.id, _a.state == "wanted").values(values)
    await database.write(lambda connection: connection.execute(statement).rowcount)


async def content(database: Database, file: File) -> bytes | None:
    """Its bytes; None if they are not whole (any more)."""
    columns = select(attachment_parts.c.content).where(attachment_parts.c.attachment_id == file.id)
    found: list[bytes] = []
    number = 0
    while True:
        part = columns.where(attachment_parts.c.number == number)
        read = await database.read(lambda connection, part=part: connection.execute(part).scalar())  # type: ignore[misc] # bound here
        if read is None:
            break
        found.append(bytes(read))
        number += 1
    whole = b"".join(found)
    return whole if len(whole) == file.size and file.whole else None


def find(connection: Connection, keys: Collection[str]) -> dict[str, File]:
    """Files by key, those that there are."""
    if not keys:
        return {}
    rows = connection.execute(select(*COLUMNS).where(one_of(_a.key, "keys")), {"keys": sorted(set(keys))})
    return {row.key: File(*row) for row in rows}


def said(connection: Connection, keys: Collection[str]) -> int:
    """These stand in a message now. Part of a unit of work."""
    kept = update(attachments).where(one_of(_a.key, "keys"), _a.state == "kept").values(state="said")
    return connection.execute(kept, {"keys": sorted(keys)}).rowcount


def unsaid(connection: Connection, keys: Collection[str]) -> int:
    """The message that they stood in was taken back: they may go with another. Part of a unit of work."""
    if not keys:
        return 0
    gone = update(attachments).where(one_of(_a.key, "keys"), _a.state == "said").values(state="kept")
    return connection.execute(gone, {"keys": sorted(keys)}).rowcount


def keys_of(data: Iterable[Any]) -> list[str]:
    """The files that messages name in their data."""
    return [str(key) for each in data if isinstance(each, dict) for key in each.get("files") or ()]


def sent_up(connection: Connection, since: datetime) -> int:
    """Bytes that customers sent up by themselves since then."""
    statement = select(func.coalesce(func.sum(_a.size), 0)).where(_a.created_at >= since, _a.sender == "customer")
    return int(connection.execute(statement).scalar_one())


def erase(connection: Connection, lanes: Sequence[str]) -> int:
    """Everything that was sent in these conversations goes; how many files. Part of a unit of work."""
    ids = list(connection.execute(select(_a.id).where(one_of(_a.lane, "lanes")), {"lanes": list(lanes)}).scalars())
    return _drop(connection, ids)


def older(connection: Connection, before: datetime, after: int) -> Sequence[Any]:
    """Files, by id and lane, that stood in a message before then: a page of OLDER, of ids after this one."""
    statement = select(_a.id, _a.lane).where(_a.created_at < before, _a.id > after, _a.state.in_(["said", "lost"]))
    return connection.execute(statement.order_by(_a.id).limit(OLDER)).all()


def remove(connection: Connection, ids: Sequence[int]) -> int:
    """These files go; how many there were. Part of a unit of work."""
    return _drop(connection, ids)


async def sweep(database: Database, now: datetime) -> int:
    """Throw away what nobody sent in the end; how many files."""
    old = select(_a.id).where(among(_a.state, "coming", "kept"), _a.created_at < now - FORGOTTEN).limit(100)
    return await database.write(lambda connection: _drop(connection, list(connection.execute(old).scalars())))


def _drop(connection: Connection, ids: Sequence[int]) -> int:
    if not ids:
        return 0
    named = {"ids": list(ids)}
    connection.execute(delete(attachment_parts).where(one_of(attachment_parts.c.attachment_id, "ids")), named)
    return connection.execute(delete(attachments).where(one_of(_a.id, "ids")), named).rowcount


async def _write(database: Database, id_: int, content: bytes) -> None:
    gone = delete(attachment_parts).where(attachment_parts.c.attachment_id == id_)
    await database.write(lambda connection: connection.execute(gone).rowcount)  # of a try that broke off
    for number, start in enumerate(range(0, len(content), PART)):
        values = {"attachment_id": id_, "number": number, "content": content[start : start + PART]}
        part = insert(attachment_parts).values(values)
        await database.write(lambda connection, part=part: connection.execute(part).rowcount)  # type: ignore[misc] # bound here
