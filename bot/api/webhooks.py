"""Webhooks: who listens to what, what did not arrive, and another try for it."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection, select

from bot.api.operation import Call, Nothing, Operations
from bot.api.pages import Page, Paging, Rows, page_of
from bot.api.problems import CONFLICT, NOT_FOUND, Problem, at
from bot.api.values import Given, Line60
from bot.outgoing import events
from bot.outgoing.service import Webhook, WebhookRefused
from storage import tables

operations = Operations("webhooks")
T = TypeVar("T")
post = tables.posts.c

Url = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
Kinds = Annotated[list[Line60], Field(min_length=1, max_length=100, description="Kinds of events; * is every kind.")]
_ONE = r"/webhooks/{id:\d{1,18}}"


class WebhookIn(Given):
    name: Line60 = Field(description="Which system listens.")
    url: Url = Field(description="Where we post to: https, and a public address.")
    events: Kinds


class WebhookChange(Given):
    """What is left out stays."""

    url: Url | None = None
    events: Kinds | None = None
    on: bool | None = Field(None, description="false: nothing is sent; what waits becomes dead letters.")


class WebhookView(BaseModel):
    """A webhook, without its secret."""

    id: int
    name: str
    url: str
    events: list[str]
    state: Literal["on", "off", "gone"] = Field(description="gone: it answered 410, and is told nothing more.")
    reason: str | None
    created_at: datetime
    waiting: int = Field(description="Posts that are still tried.")
    dead: int = Field(description="Posts that were given up.")


class WebhookMade(WebhookView):
    """A webhook with its secret, which is shown this once."""

    secret: str = Field(description="whsec_…: what signatures are verified with, as Standard Webhooks says.")


class WebhookList(BaseModel):
    """Every webhook."""

    items: list[WebhookView]
    kinds: list[str] = Field(description="Every kind of event that there is.")


class PostFilter(Paging):
    state: Literal["waiting", "sent", "dead"] | None = None


class PostView(BaseModel):
    """An event on its way to a webhook."""

    id: int
    key: str = Field(description="Its webhook-id: the same with every attempt.")
    kind: str
    state: Literal["waiting", "sent", "dead", "dropped"]
    attempts: int
    status: int | None = Field(description="Of the last answer.")
    reason: str | None = Field(description="Why the last attempt failed.")
    at: datetime = Field(description="When it happened.")
    next_at: datetime | None = Field(description="When it is tried again.")
    finished_at: datetime | None


class Replay(Given):
    posts: list[int] | None = Field(None, max_length=1_000, description="Which dead ones; left out: all.")


class Replayed(BaseModel):
    """So many are tried anew, for another day."""

    count: int


class Tested(BaseModel):
    """A test is on its way."""

    key: str = Field(description="Its webhook-id.")


class Removed(BaseModel):
    """It is gone, with what waited for it."""

    id: int


@operations.get("/webhooks", scope="webhooks:write", answer=WebhookList)
async def list_webhooks(call: Call[Nothing, Nothing]) -> WebhookList:
    """List webhooks."""
    found = await call.service.webhooks.all()
    kinds = [*events.KINDS, events.TEST]
    return WebhookList(items=[WebhookView(**_shown(each)) for each in found], kinds=kinds)


@operations.post(
    "/webhooks", scope="webhooks:write", body=WebhookIn, answer=WebhookMade, status=201, problems=(409,), secret=True
)
async def create_webhook(call: Call[WebhookIn, Nothing]) -> WebhookMade:
    """Register a webhook. Its secret is in this answer and is never shown again."""
    body, service = call.body, call.service.webhooks
    id, secret = await _done(call, service.create(body.name, body.url, body.events, call.caller.actor))
    return WebhookMade(**_shown(await _done(call, service.one(id))), secret=secret)


@operations.post(f"{_ONE}/change", scope="webhooks:write", body=WebhookChange, answer=WebhookView, problems=(404, 409))
async def change_webhook(call: Call[WebhookChange, Nothing]) -> WebhookView:
    """Change where it is, what it listens to, or turn it off and on."""
    id, body, service = int(call.path["id"]), call.body, call.service.webhooks
    await _done(call, service.change(id, call.caller.actor, url=body.url, kinds=body.events, on=body.on))
    return WebhookView(**_shown(await _done(call, service.one(id))))


@operations.post(
    f"{_ONE}/secret", scope="webhooks:write", body=Nothing, answer=WebhookMade, problems=(404,), secret=True
)
async def rotate_secret(call: Call[Nothing, Nothing]) -> WebhookMade:
    """Give it a new secret. For a day everything is signed with both."""
    id, service = int(call.path["id"]), call.service.webhooks
    secret = await _done(call, service.rotate(id, call.caller.actor))
    return WebhookMade(**_shown(await _done(call, service.one(id))), secret=secret)


@operations.post(f"{_ONE}/test", scope="webhooks:write", body=Nothing, answer=Tested, problems=(404,))
async def test_webhook(call: Call[Nothing, Nothing]) -> Tested:
    """Send it webhook.test, at once."""
    return Tested(key=await _done(call, call.service.webhooks.test(int(call.path["id"]))))


@operations.post(f"{_ONE}/remove", scope="webhooks:write", body=Nothing, answer=Removed, problems=(404,))
async def remove_webhook(call: Call[Nothing, Nothing]) -> Removed:
    """Remove it, with everything that waits for it."""
    id = int(call.path["id"])
    await _done(call, call.service.webhooks.remove(id, call.caller.actor))
    return Removed(id=id)


@operations.get(f"{_ONE}/posts", scope="webhooks:write", query=PostFilter, answer=Page[PostView], problems=(404,))
async def list_posts(call: Call[Nothing, PostFilter]) -> Page[PostView]:
    """List what was sent to it, what waits, and what was given up (dead letters)."""
    id, asked = int(call.path["id"]), call.query
    await _done(call, call.service.webhooks.one(id))
    names = list(PostView.model_fields)
    statement = select(*(post[name] for name in names)).where(post.webhook_id == id)
    if asked.state is not None:
        statement = statement.where(post.state == asked.state)

    def shown(_: Connection, rows: Rows) -> list[PostView]:
        told = (dict(zip(names, row, strict=True)) for row in rows)
        return [PostView(**each | ({} if each["state"] == "waiting" else {"next_at": None})) for each in told]

    items, following = await page_of(call.service, f"posts:{id}", asked, statement, post.id, shown)
    return Page[PostView](items=items, next=following)


@operations.post(f"{_ONE}/replay", scope="webhooks:write", body=Replay, answer=Replayed, problems=(404,))
async def replay_posts(call: Call[Replay, Nothing]) -> Replayed:
    """Try dead letters again, for another day, under the same webhook-ids."""
    id, body = int(call.path["id"]), call.body
    return Replayed(count=await _done(call, call.service.webhooks.replay(id, body.posts, call.caller.actor)))


async def _done(call: Call[Any, Any], work: Awaitable[T]) -> T:
    try:
        return await work
    except WebhookRefused as refused:
        said = refused.said(call.language)
        match refused.code:
            case "none":
                raise Problem(NOT_FOUND, said) from None
            case "name_taken" | "many":
                raise Problem(CONFLICT, said, code=refused.code) from None
            case code:
                where = {"kinds": "/events", "unknown_kind": "/events", "target": "/url", "name": "/name"}[code]
                raise at(where, said) from None


def _shown(found: Webhook) -> dict[str, Any]:
    told = {name: getattr(found, name) for name in WebhookView.model_fields if name != "events"}
    return told | {"events": list(found.kinds)}
