"""What the business system tells of how a customer is cared for: consent, birthday, who looks after them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from storage.tables import audit, contacts

_who = contacts.c


def tell(
    connection: Connection,
    customer: str,
    now: datetime,
    actor: str,
    *,
    agreed: bool | None = None,
    birthday: str | None = None,
    manager_id: int | None = None,
) -> int | None:
    """Of the customer of this id of the business system; what is None stays. Each change of consent is in the audit.
    Their id; None where there is no such customer."""
    locked = select(_who.id, _who.care_agreed_at).where(_who.external_id == customer)
    known = connection.execute(locked.with_for_update(key_share=True)).first()
    if known is None:
        return None
    values: dict[str, Any] = {"birthday": birthday, "manager_id": manager_id}
    values = {name: value for name, value in values.items() if value is not None}
    if agreed is not None and agreed != (known.care_agreed_at is not None):
        values["care_agreed_at"] = now if agreed else None
        action = "care_agreed" if agreed else "care_taken_back"
        line = {"at": now, "actor": actor[:60], "action": action, "subject": f"contact:{known.id}"}
        connection.execute(insert(audit).values(line))
    if values:
        connection.execute(update(contacts).where(_who.id == known.id).values(values))
    return int(known.id)
