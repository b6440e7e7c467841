"""The rows of posts: waiting, then sent, dead or dropped. Whoever takes one has it for a while; if they die, others
take it again, under the same key."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from bot.cases import alerts
from bot.cases.alerts import Alert
from storage.prepared import as_prepared
from storage.sets import among
from storage.tables import posts, webhooks
from storage.types import UtcDateTime

LEASE = timedelta(seconds=60)
"""How long one who takes a post has it: longer than an attempt may last."""
DAY = timedelta(hours=24)
WEBHOOK_DELAYS = tuple(
    timedelta(seconds=each) for each in (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600, 36_000)
)
"""Before each further attempt: eleven in all, the last one as the day ends."""
MAIL_DELAYS = tuple(timedelta(seconds=each) for each in (5, 15, 60, 120, 240))
"""A page is repeated anyway; it need not be tried for longer than until then."""
KEPT = timedelta(days=7)
"""How long what was delivered, or dropped, can be looked at."""
DEAD_KEPT = timedelta(days=30)
"""And what was given up can be replayed."""
FORGET = 500


@dataclass(frozen=True, slots=True)
class Post:
    """Something to be sent. `attempts` counts the present one; for a webhook `url` and `salts`, newest first."""

    id: int
    key: str
    kind: str
    data: Mapping[str, Any]
    at: datetime
    since: datetime
    attempts: int
    webhook_id: int | None = None
    address: str | None = None
    url: str = ""
    salts: tuple[str, ...] = ()
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. `status`: of the answer. `final`: another attempt would come to the same. `gone`:
    whoever was there wants no more. `wait`: they asked for so long a pause."""

    ok: bool
    reason: str = ""
    status: int | None = None
    final: bool = False
    gone: bool = False
    wait: timedelta = timedelta(0)


def due(connection: Connection, now: datetime) -> list[int | None]:
    """Whom something waits for by now: ids of webhooks, None for mail."""
    return [row[0] for row in as_prepared(_DUE, connection.dialect).all(connection, {"now": now})]


def claim(connection: Connection, room: Mapping[int | None, int], now: datetime) -> list[Post]:
    """Take what is due, at most `room` of each receiver, the longest waiting first."""
    taken: list[Any] = []
    for receiver, most in sorted(room.items(), key=lambda each: each[0] or 0):
        statement = (
            select(posts)
            .where(
                among(posts.c.state, "waiting"),
                posts.c.webhook_id.is_(None) if receiver is None else posts.c.webhook_id == receiver,
                posts.c.next_at <= now,
            )
            .order_by(posts.c.next_at, posts.c.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        taken += connection.execute(statement).all()
    if not taken:
        return []
    connection.execute(_TAKE, [{"row": row.id, "lost": now + LEASE} for row in taken])
    receivers = {row.webhook_id for row in taken if row.webhook_id is not None}
    known = {row.id: row for row in connection.execute(select(webhooks).where(webhooks.c.id.in_(sorted(receivers))))}
    return [_post(row, known.get(row.webhook_id), now) for row in taken]


def record(
    connection: Connection,
    post: Post,
    outcome: Outcome,
    delays: Sequence[timedelta],
    jitter: random.Random,
    now: datetime,
) -> None:
    """Note what came of it; whoever took the post again meanwhile notes it themselves."""
    values: dict[str, Any] = {"status": outcome.status, "reason": outcome.reason[:300] or None}
    again = None if outcome.ok else next_attempt(post, outcome, delays, jitter, now)
    if again is not None:
        values |= {"next_at": again}
    else:
        values |= {"state": "sent" if outcome.ok else "dead", "finished_at": now}
    mine = (posts.c.id == post.id, posts.c.attempts == post.attempts, among(posts.c.state, "waiting"))
    noted = connection.execute(update(posts).where(*mine).values(values)).rowcount == 1
    if post.webhook_id is not None and outcome.gone:
        _leave(connection, post.webhook_id, now)
    elif noted and post.webhook_id is not None and values.get("state") == "dead":
        _call(connection, post.webhook_id, now)


def next_attempt(
    post: Post, outcome: Outcome, delays: Sequence[timedelta], jitter: random.Random, now: datetime
) -> datetime | None:
    """When to try again; None: never. What a webhook is told late is of no use after a day."""
    if outcome.final or outcome.gone or post.attempts > len(delays):
        return None
    delay = delays[post.attempts - 1] * (0.9 + 0.2 * jitter.random())
    last = post.since + DAY
    if now >= last:
        return None
    return min(now + max(delay, outcome.wait), last) if post.webhook_id is not None else now + delay


def replay(connection: Connection, webhook: int, ids: Sequence[int] | None, now: datetime) -> int:
    """Try what was given up anew, for another day, under the same keys: those of `ids`, or all of this webhook's."""
    again = update(posts).where(posts.c.webhook_id == webhook, among(posts.c.state, "dead"))
    if ids is not None:
        again = again.where(posts.c.id.in_(list(ids)))
    values = {"state": "waiting", "attempts": 0, "since": now, "next_at": now, "finished_at": None}
    return connection.execute(again.values(values)).rowcount


def forget(connection: Connection, now: datetime) -> int:
    """What is over for long, at most FORGET of each at a time."""
    over = posts.c.state.in_(["sent", "dropped"])
    # Two, because of a condition with OR no index is used.
    conditions = ((posts.c.finished_at < now - DEAD_KEPT,), (posts.c.finished_at < now - KEPT, over))
    gone = 0
    for old in conditions:
        ids = select(posts.c.id).where(*old).order_by(posts.c.finished_at).limit(FORGET)
        gone += connection.execute(delete(posts).where(posts.c.id.in_(ids.scalar_subquery()))).rowcount
    return gone


def counts(connection: Connection) -> dict[int | None, dict[str, int]]:
    """How many of each receiver's wait, and are dead."""
    found: dict[int | None, dict[str, int]] = {}
    for state in ("waiting", "dead"):
        statement = select(posts.c.webhook_id, func.count()).where(among(posts.c.state, state))
        for receiver, count in connection.execute(statement.group_by(posts.c.webhook_id)):
            found.setdefault(receiver, {})[state] = count
    return found


def mail(address: str, alert: int | None, kind: str, data: Mapping[str, Any], key: str, at: datetime) -> dict[str, Any]:
    """A row of posts for an address."""
    return {"address": address, "alert_id": alert, "key": key, "kind": kind, "data": data, "at": at} | {
        "since": at,
        "next_at": at,
    }


def put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(posts), [dict(row) for row in rows])


def _post(row: Any, webhook: Any, now: datetime) -> Post:
    salts: tuple[str, ...] = ()
    if webhook is not None:
        both = webhook.old_salt is not None and webhook.old_until is not None and now < webhook.old_until
        salts = (webhook.salt, webhook.old_salt) if both else (webhook.salt,)
    return Post(
        id=row.id,
        key=row.key,
        kind=row.kind,
        data=row.data,
        at=row.at,
        since=row.since,
        attempts=row.attempts + 1,
        webhook_id=row.webhook_id,
        address=row.address,
        url=webhook.url if webhook is not None else "",
        salts=salts,
        mark=webhook.mark if webhook is not None else "",
    )


def _leave(connection: Connection, webhook: int, now: datetime) -> None:
    """410 Gone: they want no more. What waits can be replayed if that was a mistake."""
    off = update(webhooks).where(webhooks.c.id == webhook, among(webhooks.c.state, "on"))
    connection.execute(off.values(state="gone", reason="it answered 410 Gone"))
    waiting = update(posts).where(posts.c.webhook_id == webhook, among(posts.c.state, "waiting"))
    connection.execute(waiting.values(state="dead", reason="the webhook answered 410 Gone", finished_at=now))
    _call(connection, webhook, now)


def _call(connection: Connection, webhook: int, now: datetime) -> None:
    """Administrators hear of it once a day, not once for each event."""
    subject = f"webhook:{webhook}:{now:%Y-%m-%d}"
    alerts.raise_all(connection, [Alert("undelivered", subject, "admin", now, detail={"webhook": webhook})])


_DUE = (
    select(posts.c.webhook_id)
    .where(among(posts.c.state, "waiting"), posts.c.next_at <= bindparam("now", type_=UtcDateTime))
    .group_by(posts.c.webhook_id)
)
_TAKE = (
    update(posts).where(posts.c.id == bindparam("row")).values(attempts=posts.c.attempts + 1, next_at=bindparam("lost"))
)
