"""Sends one post to a webhook: signed, over our own client, which follows no redirect and reads little of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import orjson

from bot.clock import Clock
from bot.outgoing import signing
from bot.outgoing.posts import DAY, Outcome, Post
from channels.base import ChannelError, Misconfigured
from channels.http import Http

TIMEOUT = 15.0
"""Seconds for the whole of an attempt; as Standard Webhooks advises."""
ANSWER_LIMIT = 64 << 10


@dataclass(frozen=True, slots=True)
class Hooks:
    http: Http
    clock: Clock
    server: bytes  # the server's secret

    async def send(self, post: Post) -> Outcome:
        """Any 2xx is delivered, 410 means never again; a redirect is a failure like any other."""
        if signing.mark_of(self.server, post.salts[0]) != post.mark:
            return Outcome(
                ok=False, reason="the server's secret has changed: give the webhook a new secret", final=True
            )
        body = body_of(post)
        stamp = int(self.clock.now().timestamp())
        headers = signing.headers(self.server, post.salts, post.key, stamp, body)
        try:
            answer = await self.http.request(
                "POST",
                post.url,
                headers={"Content-Type": "application/json", **headers},
                body=body,
                timeout=TIMEOUT,
                limit=ANSWER_LIMIT,
            )
        except ChannelError as error:
            return Outcome(ok=False, reason=str(error), final=isinstance(error, Misconfigured))
        status = answer.status
        if 200 <= status < 300:
            return Outcome(ok=True, status=status)
        if status == 410:
            return Outcome(ok=False, reason="it answered 410 Gone", status=status, gone=True)
        said = "it answered with a redirect, which is not followed" if 300 <= status < 400 else f"it answered {status}"
        wait = _pause(answer.headers.get("retry-after", "")) if status in (429, 503) else timedelta(0)
        return Outcome(ok=False, reason=said, status=status, wait=wait)


def body_of(post: Post) -> bytes:
    """As Standard Webhooks shapes it; the same with each attempt."""
    told = {"type": post.kind, "timestamp": post.at.isoformat(), "data": post.data}
    return orjson.dumps(told)


def _pause(said: str) -> timedelta:
    """Seconds of a Retry-After; a date is not worth reading."""
    return (
        min(timedelta(seconds=int(said)), DAY) if said.isascii() and said.isdigit() and len(said) < 7 else timedelta(0)
    )
