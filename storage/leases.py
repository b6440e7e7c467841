"""Leases: what one process at a time has in hand, by name, until a moment of the database's own clock.

A lease only keeps processes from doing the same work twice. It protects nothing: whoever was stopped for a while still
believes in one that ran out, so what must hold is decided by versions and states, never by a lease.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Dialect, Float, Select, Text, bindparam, delete, func, or_, select, true
from sqlalchemy.dialects import postgresql, sqlite

from storage.clock import database_now
from storage.prepared import Prepared, as_prepared, prepared
from storage.sets import one_of, set_of
from storage.tables import leases


def hold(connection: Connection, owner: str, names: Iterable[str], seconds: float) -> set[str]:
    """Take those of `names` that nobody holds, and renew those that `owner` holds already. Those held now."""
    given = {"names": sorted(set(names)), "me": owner, "seconds": seconds}
    return {row[0] for row in _hold(connection.dialect).all(connection, given)} if given["names"] else set()


def _hold(dialect: Dialect) -> Prepared:
    def make() -> Prepared:
        names = bindparam("names", type_=set_of(Text))
        insert: Any
        if dialect.name == "sqlite":
            insert, name = sqlite.insert(leases), func.json_each(names).table_valued("value").c.value
        else:
            insert, name = postgresql.insert(leases), func.unnest(names).column_valued("name")
        until = database_now() + bindparam("seconds", type_=Float)
        # In one order, so that two who take the same ones at once wait for each other rather than lock each other out.
        rows = select(name, bindparam("me", type_=Text), until).where(true()).order_by(name)
        taken = insert.from_select(["name", "owner", "until"], rows).on_conflict_do_update(
            index_elements=["name"],
            set_={"owner": insert.excluded.owner, "until": insert.excluded.until},
            where=or_(leases.c.owner == insert.excluded.owner, leases.c.until < database_now()),
        )
        return Prepared(taken.returning(leases.c.name), dialect)

    return prepared(dialect, "hold leases", make)


def held(connection: Connection) -> dict[str, str]:
    """Who holds what, of what has not run out."""
    return dict(as_prepared(_HELD, connection.dialect).all(connection, {}))


_HELD: Select[tuple[str, str]] = select(leases.c.name, leases.c.owner).where(leases.c.until >= database_now())


def release(connection: Connection, owner: str, names: Iterable[str] | None = None) -> None:
    """Give back `names`, or everything that `owner` holds."""
    statement = delete(leases).where(leases.c.owner == bindparam("me"))
    given: dict[str, object] = {"me": owner}
    if names is not None:
        statement = statement.where(one_of(leases.c.name, "names"))
        given["names"] = sorted(names)
    connection.execute(statement, given)


def forget(connection: Connection, seconds: float) -> None:
    """Remove what ran out so long ago that nobody will renew it: names of processes that are no more."""
    connection.execute(delete(leases).where(leases.c.until < database_now() - seconds))
