"""Leases: what one process at a time has in hand, by name, until a moment of the database's own clock.

A lease only keeps processes from doing the same work twice. It protects nothing: whoever was stopped for a while still
believes in one that ran out, so what must hold is decided by versions and states, never by a lease.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.clock import database_now
from storage.sets import one_of
from storage.tables import leases


def hold(connection: Connection, owner: str, names: Iterable[str], seconds: float) -> set[str]:
    """Take those of `names` that nobody holds, and renew those that `owner` holds already. Those held now."""
    insert = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(leases)
    until = database_now() + seconds
    # In one order, so that two who take the same ones at once wait for each other rather than lock each other out.
    rows = [{"name": name, "owner": owner, "until": until} for name in sorted(set(names))]
    if not rows:
        return set()
    taken = insert.values(rows).on_conflict_do_update(
        index_elements=["name"],
        set_={"owner": insert.excluded.owner, "until": insert.excluded.until},
        where=or_(leases.c.owner == owner, leases.c.until < database_now()),
    )
    return set(connection.execute(taken.returning(leases.c.name)).scalars())


def held(connection: Connection) -> dict[str, str]:
    """Who holds what, of what has not run out."""
    statement = select(leases.c.name, leases.c.owner).where(leases.c.until >= database_now())
    return {row[0]: row[1] for row in connection.execute(statement)}


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
