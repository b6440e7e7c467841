"""How far something has read on: noted in the transaction that does the work, so that of two processes one wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.database import Conflict
from storage.tables import notes

LOOK = timedelta(minutes=1)
"""Between two looks at what is new. Longer than any transaction takes: what was not there yet is there at the next."""

READ = 1_000
"""New rows of a table that a look reads."""


@dataclass(slots=True)
class Seen:
    """How far each table was read. An id that was not committed when later ones were read would be lost, so what came
    since the look before is read twice: by then it is there. `fresh` counts what had not been read before."""

    places: dict[str, list[int]]
    at: float
    fresh: int = 0

    @classmethod
    def of(cls, note: str | None) -> Seen:
        found: dict[str, Any] = orjson.loads(note) if note else {"at": 0.0, "read": {}}
        return cls(found["read"], found["at"])

    def after(self, name: str) -> int:
        return self.places.setdefault(name, [0, 0, 0])[0]

    def read(self, name: str, ids: Sequence[int], now: datetime) -> None:
        again, before, head = self.places[name]
        self.fresh += sum(id > head for id in ids)
        last = max(ids[-1], head) if ids else head
        if len(ids) == READ:  # far behind: what is near the end is read again
            self.places[name] = [ids[READ * 9 // 10], last, last]
        elif abs(now.timestamp() - self.at) >= LOOK.total_seconds():
            self.places[name] = [before, last, last]
        else:
            self.places[name] = [again, before, last]

    def as_note(self, before: str | None, now: datetime) -> str:
        """What to note after `before`; the same where nothing moved."""
        known = Seen.of(before)
        moved = [each[:2] for each in known.places.values()] != [each[:2] for each in self.places.values()]
        at = now.timestamp() if moved or before is None else self.at
        return orjson.dumps({"at": at, "read": self.places}).decode()


def note(connection: Connection, key: str) -> str | None:
    """What is noted; None: nothing yet."""
    found = connection.execute(select(notes.c.value).where(notes.c.key == key)).scalar()
    return None if found is None else str(found)


def move(connection: Connection, key: str, old: str | None, new: str) -> None:
    """Note how far it has come. Raises Conflict where another process was faster."""
    if old is None:
        dialect = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
        made = dialect.insert(notes).values(key=key, value=new).on_conflict_do_nothing()
        moved = connection.execute(made).rowcount
    else:
        where = (notes.c.key == key, notes.c.value == old)
        moved = connection.execute(update(notes).where(*where).values(value=new)).rowcount
    if moved != 1:
        raise Conflict("another process looks after the customers")
