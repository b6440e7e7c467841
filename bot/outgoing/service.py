"""Webhooks as they are registered: who listens to what, where, with which secret. Changes stand in the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot.clock import Clock
from bot.outgoing import events, posts, signing, targets
from bot.outgoing.targets import BadTarget, Network
from bot.yamlfile import Words
from nlu.understanding import Language
from storage.database import Database
from storage.sets import among
from storage.tables import audit, webhook_kinds, webhooks
from storage.tables import posts as post_rows

MOST = 50
"""Webhooks at most."""
OLD_SECRET = timedelta(hours=24)
"""How long the secret before signs beside the new one."""

State = Literal["on", "off", "gone"]
Code = Literal["name", "name_taken", "many", "kinds", "unknown_kind", "target", "none"]


class WebhookRefused(Exception):
    """Nothing was changed. `said` gives the reason in a language; `code` is stable."""

    def __init__(self, code: Code, **values: object) -> None:
        super().__init__(code)
        self.code: Code = code
        self.values = values

    def said(self, language: Language) -> str:
        told = {
            name: each.said(language) if isinstance(each, BadTarget) else each for name, each in self.values.items()
        }
        return _REFUSALS[self.code].said(language, **told)


_REFUSALS: dict[Code, Words] = {
    "name": Words("名称请写 1 到 50 个字", "A name has 1 to 50 printable characters: say which system listens"),
    "name_taken": Words("已经有一个叫“{name}”的回调了", 'There is a webhook called "{name}" already'),
    "many": Words("回调已经有 {most} 个，请先删掉不用的", "There are {most} webhooks: remove one that is not used"),
    "kinds": Words("请至少选一种事件", "Choose at least one kind of event, or * for all"),
    "unknown_kind": Words("没有“{kind}”这种事件", 'There is no event "{kind}"'),
    "target": Words("这个地址不能用：{why}", "This address cannot be used: {why}"),
    "none": Words("没有这个回调", "There is no such webhook"),
}


@dataclass(frozen=True, slots=True)
class Webhook:
    """As it may be shown: never its secret. `kinds`: * is everything."""

    id: int
    name: str
    url: str
    kinds: tuple[str, ...]
    state: State
    reason: str | None
    created_at: datetime
    waiting: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Raises WebhookRefused; then nothing was changed. `by` stands in the audit."""

    database: Database
    clock: Clock
    server: bytes  # the server's secret
    networks: tuple[Network, ...] = ()

    async def all(self) -> list[Webhook]:
        """Every webhook, by name."""
        return await self.database.read(_all)

    async def one(self, id: int) -> Webhook:
        found = next((each for each in await self.all() if each.id == id), None)
        if found is None:
            raise WebhookRefused("none")
        return found

    async def create(self, name: str, url: str, kinds: Sequence[str], by: str) -> tuple[int, str]:
        """A new webhook: its id, and its secret, shown this once."""
        name = name.strip()
        if not 1 <= len(name) <= 50 or not name.isprintable():
            raise WebhookRefused("name")
        url, wanted, salt, now = self._url(url), _kinds(kinds), signing.new_salt(), self.clock.now()

        def work(connection: Connection) -> int:
            if len(connection.execute(select(webhooks.c.id)).all()) >= MOST:
                raise WebhookRefused("many", most=MOST)
            values = {"name": name, "url": url, "salt": salt, "mark": signing.mark_of(self.server, salt)}
            made = insert(webhooks).values(values | {"made_by": by[:60], "created_at": now})
            id = int(connection.execute(made.returning(webhooks.c.id)).scalar_one())
            connection.execute(insert(webhook_kinds), [{"webhook_id": id, "kind": kind} for kind in wanted])
            _note(connection, now, by, "webhook_created", id, {"name": name, "url": url, "kinds": list(wanted)})
            return id

        try:
            return await self.database.write(work), signing.secret_of(self.server, salt)
        except IntegrityError:
            raise WebhookRefused("name_taken", name=name) from None

    async def change(
        self, id: int, by: str, *, url: str | None = None, kinds: Sequence[str] | None = None, on: bool | None = None
    ) -> None:
        """Another address, other events, on or off. What waited for one that is turned off is given up, to be replayed
        or not."""
        url = None if url is None else self._url(url)
        wanted, now = None if kinds is None else _kinds(kinds), self.clock.now()

        def work(connection: Connection) -> None:
            _known(connection, id)
            values: dict[str, Any] = {"url": url} if url is not None else {}
            if on is not None:
                values |= {"state": "on" if on else "off", "reason": None}
            if values:
                connection.execute(update(webhooks).where(webhooks.c.id == id).values(values))
            if wanted is not None:
                connection.execute(delete(webhook_kinds).where(webhook_kinds.c.webhook_id == id))
                connection.execute(insert(webhook_kinds), [{"webhook_id": id, "kind": kind} for kind in wanted])
            if on is False:
                rows = update(post_rows).where(post_rows.c.webhook_id == id, among(post_rows.c.state, "waiting"))
                connection.execute(rows.values(state="dead", reason="the webhook was turned off", finished_at=now))
            _note(connection, now, by, "webhook_changed", id, values | ({"kinds": list(wanted)} if wanted else {}))

        await self.database.write(work)

    async def rotate(self, id: int, by: str) -> str:
        """A new secret, shown this once; the one before signs beside it for a day."""
        salt, now = signing.new_salt(), self.clock.now()

        def work(connection: Connection) -> None:
            old = _known(connection, id)
            same = signing.mark_of(self.server, old.salt) == old.mark
            values: dict[str, Any] = {"salt": salt, "mark": signing.mark_of(self.server, salt)}
            values |= {"old_salt": old.salt if same else None, "old_until": now + OLD_SECRET if same else None}
            connection.execute(update(webhooks).where(webhooks.c.id == id).values(values))
            _note(connection, now, by, "webhook_secret", id, {})

        await self.database.write(work)
        return signing.secret_of(self.server, salt)

    async def remove(self, id: int, by: str) -> None:
        """With everything that waits for it."""
        now = self.clock.now()

        def work(connection: Connection) -> None:
            name = _known(connection, id).name
            connection.execute(delete(post_rows).where(post_rows.c.webhook_id == id))
            connection.execute(delete(webhook_kinds).where(webhook_kinds.c.webhook_id == id))
            connection.execute(delete(webhooks).where(webhooks.c.id == id))
            _note(connection, now, by, "webhook_removed", id, {"name": name})

        await self.database.write(work)

    async def test(self, id: int) -> str:
        """An event that means nothing, on its way at once. Its webhook-id."""
        key, now = events.new_key(), self.clock.now()

        def work(connection: Connection) -> None:
            name = _known(connection, id).name
            posts.put(connection, [events.post(id, events.TEST, now, {"webhook": name}, key)])

        await self.database.write(work)
        return key

    async def replay(self, id: int, ids: Sequence[int] | None, by: str) -> int:
        """Dead letters are tried again, for another day: those of `ids`, or all. How many."""
        now = self.clock.now()

        def work(connection: Connection) -> int:
            _known(connection, id)
            count = posts.replay(connection, id, ids, now)
            _note(connection, now, by, "webhook_replayed", id, {"count": count})
            return count

        return await self.database.write(work)

    def _url(self, url: str) -> str:
        try:
            return targets.check(url, self.networks)
        except BadTarget as error:
            raise WebhookRefused("target", why=error) from None


def _kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    if not kinds:
        raise WebhookRefused("kinds")
    unknown = [kind for kind in kinds if kind not in (*events.KINDS, events.EVERYTHING)]
    if unknown:
        raise WebhookRefused("unknown_kind", kind=unknown[0][:60])
    return (events.EVERYTHING,) if events.EVERYTHING in kinds else tuple(dict.fromkeys(kinds))


def _all(connection: Connection) -> list[Webhook]:
    kinds: dict[int, list[str]] = {}
    for row in connection.execute(select(webhook_kinds).order_by(webhook_kinds.c.id)):
        kinds.setdefault(row.webhook_id, []).append(row.kind)
    counted = posts.counts(connection)
    return [
        Webhook(
            id=row.id,
            name=row.name,
            url=row.url,
            kinds=tuple(kinds.get(row.id, ())),
            state=row.state,
            reason=row.reason,
            created_at=row.created_at,
            waiting=counted.get(row.id, {}).get("waiting", 0),
            dead=counted.get(row.id, {}).get("dead", 0),
        )
        for row in connection.execute(select(webhooks).order_by(webhooks.c.name))
    ]


def _known(connection: Connection, id: int) -> Any:
    found = connection.execute(select(webhooks).where(webhooks.c.id == id).with_for_update()).first()
    if found is None:
        raise WebhookRefused("none")
    return found


def _note(connection: Connection, now: datetime, by: str, action: str, webhook: int, detail: Mapping[str, Any]) -> None:
    values = {"at": now, "actor": by[:60], "action": action, "subject": f"webhook:{webhook}", "detail": dict(detail)}
    connection.execute(insert(audit).values(values))
