"""Cases that became a part of another one. A part of a unit of work."""

from __future__ import annotations

from sqlalchemy import Connection, select

from storage.tables import cases


def of_others(connection: Connection, case_id: int) -> list[int]:
    """The cases that were merged into this one, however often, of other customers than its own; one for each, the
    newest."""
    own = connection.execute(select(cases.c.contact_id).where(cases.c.id == case_id)).scalar()
    found: dict[int, int] = {}
    parts, seen = [case_id], {case_id}
    while parts:
        into = select(cases.c.id, cases.c.contact_id).where(cases.c.merged_into.in_(parts)).order_by(cases.c.id)
        rows = [row for row in connection.execute(into) if row.id not in seen]
        found.update((row.contact_id, row.id) for row in rows if row.contact_id != own)
        parts = [row.id for row in rows]
        seen.update(parts)
    return sorted(found.values())
