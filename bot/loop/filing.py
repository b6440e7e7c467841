"""Files in a turn: what a customer sent stands on the transcript at once; a platform's file is fetched after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.attachments import store
from bot.attachments.store import File
from bot.loop.effects import Effects
from channels.base import Media, OutgoingFile, Rejected
from storage import tables
from storage.changes import Insert
from storage.database import Database

NAME_LIMIT = 100


class NotThere(Exception):
    """A file that is to be sent is not there."""


def heard(effects: Effects, event: Media) -> dict[str, Any]:
    """What the customer's message says of its file, and what is to be done about it. Nothing where there is none."""
    if not event.file:
        return {}
    if effects.capabilities.own_files:  # it is here already
        key = event.file
        effects.joined.append(lambda connection: store.said(connection, [key]))
        return {"files": [key]}
    key = store.new_key()
    row = {
        "key": key,
        "lane": effects.state.lane,
        "sender": "customer",
        "staff_id": None,
        "name": (event.name or "")[:NAME_LIMIT],
        "type": "",
        "family": event.kind if event.kind in ("image", "audio", "video") else "file",
        "size": event.size or 0,
        "state": "wanted",
        "reference": event.file[:300],
        "not_before": effects.now,
        "created_at": effects.now,
    }
    effects.add(Insert(tables.attachments, row))
    return {"files": [key]}


def said(effects: Effects, files: Sequence[File]) -> dict[str, Any]:
    """What an agent's message says of the files that go with it."""
    if not files:
        return {}
    keys = [file.key for file in files]
    effects.joined.append(lambda connection: store.said(connection, keys))
    return {"files": keys, "media": files[0].family}


async def ready(database: Database, lane: str, staff_id: int, keys: Sequence[str]) -> list[File]:
    """Files that this member sent up for this conversation, in the order given, each once. Raises NotThere where one
    is not there to be sent, or is another's."""
    found = await database.read(lambda connection: store.find(connection, keys))
    files = [found[key] for key in dict.fromkeys(keys) if key in found]
    if len(files) != len(set(keys)) or not all(
        (file.lane, file.staff_id, file.state) == (lane, staff_id, "kept") for file in files
    ):
        raise NotThere
    return files


async def outgoing(database: Database, key: str | None) -> OutgoingFile:
    """The file of a row that goes out, with its bytes. Raises Rejected where it is gone."""
    found = await database.read(lambda connection: store.find(connection, [key or ""]))
    file = found.get(key or "")
    content = await store.content(database, file) if file else None
    if file is None or content is None:
        raise Rejected("the file is gone")
    return OutgoingFile(name=file.name, type=file.type, content=content, picture=file.family == "image")
