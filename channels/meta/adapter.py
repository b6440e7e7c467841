"""Facebook Page comments, Messenger and Instagram through Meta's Graph API."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from channels.base import (
    AccountSettings,
    Adapter,
    Answer,
    AnyEvent,
    Button,
    Capabilities,
    Forged,
    Malformed,
    Outgoing,
    Rejected,
    Request,
    Secret,
    Sent,
    same_secret,
)
from channels.http import HttpResponse
from channels.meta.errors import error_of
from channels.meta.events import INSTAGRAM, events_of

PRIVATE_REPLY_WITHIN = timedelta(days=7)
"""How long after a comment its author may be answered in private, once. It does not open the 24-hour window."""

_COMMENT = re.compile(r"[0-9A-Za-z_=-]{1,240}")  # it becomes part of a path
_CHALLENGE = re.compile(r"[0-9A-Za-z_-]{1,255}")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _safe_base(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not an address like https://graph.facebook.com")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("must begin with https://, or the page access token could be read on the way")
    return url.rstrip("/")


class MetaSettings(AccountSettings):
    """`[channels.meta.<account>]`: one Facebook page, and the Instagram account that is linked to it.

    `app_secret` signs what Meta sends, `verify_token` is the word agreed on in the app's dashboard, `page_access_token`
    lets us answer. `instagram_id` is the Instagram professional account's id; without it Instagram is not heard.
    """

    app_secret: Secret = Field(description="from the app's dashboard, under Settings, Basic")
    verify_token: Secret = Field(description="any word; the same stands in the app's dashboard, under Webhooks")
    page_access_token: Secret = Field(description="the page's, from the app's dashboard, under Messenger")
    page_id: str = Field(pattern=r"^[0-9]{1,32}$", description="digits alone, from the page's About")
    instagram_id: str | None = Field(default=None, pattern=r"^[0-9]{1,32}$", description="digits alone")
    api_base: Annotated[str, AfterValidator(_safe_base)] = "https://graph.facebook.com"
    api_version: str = Field(default="v25.0", pattern=r"^v[0-9]{1,3}\.[0-9]{1,2}$", description="such as v25.0")


class MetaAdapter(Adapter[MetaSettings]):
    """Hears comments and messages, answers in public, in private and in Messenger."""

    channel: ClassVar[str] = "meta"
    Settings: ClassVar[type[AccountSettings]] = MetaSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        text_limit=2000,
        buttons=13,
        button_title_limit=20,
        receipts=True,
        rate_per_account=300.0,
        window=timedelta(hours=24),
    )

    def handshake(self, request: Request) -> Answer:
        """Meta asks once, when the webhook is set up, and wants its challenge back. Raises Forged, Malformed."""
        wanted = self.settings.verify_token.get_secret_value()
        given = request.query.get("hub.verify_token", "")
        if request.query.get("hub.mode") != "subscribe" or not same_secret(given, wanted):
            raise Forged("the verify token is not the one in the settings; both ends must have the same")
        challenge = request.query.get("hub.challenge", "")
        if not _CHALLENGE.fullmatch(challenge):  # nothing is echoed that a browser could take for a page
            raise Malformed("hub.challenge is not a number")
        return Answer(body=challenge.encode())

    def verify(self, request: Request) -> None:
        """HMAC-SHA256 of the bytes as they came: Meta escapes non-ASCII and slashes its own way, and signs that."""
        secret = self.settings.app_secret.get_secret_value().encode()
        right = "sha256=" + hmac.new(secret, request.body, hashlib.sha256).hexdigest()
        if not same_secret(request.headers.get("x-hub-signature-256", ""), right):
            raise Forged("X-Hub-Signature-256 does not fit the body; check that app_secret is this app's")

    def parse(self, body: bytes) -> list[AnyEvent]:
        return events_of(body, self.settings.page_id, self.settings.instagram_id)

    async def send(self, outgoing: Outgoing) -> Sent:
        self._check(outgoing)
        if outgoing.kind == "public_reply":
            comment = outgoing.target or ""
            edge = "replies" if comment.startswith(INSTAGRAM) else "comments"
            path = f"{comment.removeprefix(INSTAGRAM)}/{edge}"
            return await self._post(path, {"message": outgoing.text}, "id")
        message: dict[str, Any] = {"text": outgoing.text}
        if outgoing.buttons:
            message["quick_replies"] = [
                {"content_type": "text", "title": button.title, "payload": button.data} for button in outgoing.buttons
            ]
        if outgoing.kind == "private_reply":
            recipient = {"comment_id": (outgoing.target or "").removeprefix(INSTAGRAM)}
            path = f"{self.settings.page_id}/messages"
        else:
            recipient, path = {"id": outgoing.address}, "me/messages"
        return await self._post(
            path, {"recipient": recipient, "messaging_type": "RESPONSE", "message": message}, "message_id"
        )

    def _check(self, outgoing: Outgoing) -> None:
        """Refuse what Meta would refuse, or worse, cut off silently."""
        if outgoing.kind in {"toast", "edit"}:
            raise Rejected(f"Meta's channels have no {outgoing.kind}")
        if not outgoing.text.strip():
            raise Rejected("a message needs words")
        if len(outgoing.text) > self.capabilities.text_limit:
            raise Rejected(f"a message has at most {self.capabilities.text_limit} characters")
        if outgoing.kind == "text" and not outgoing.address.strip():
            raise Rejected("a message needs the id of a person")
        if outgoing.kind != "text" and not _COMMENT.fullmatch((outgoing.target or "").removeprefix(INSTAGRAM)):
            raise Rejected(f"a {outgoing.kind} needs the id of a comment as its target")
        if outgoing.buttons and outgoing.kind == "public_reply":
            raise Rejected("a comment bears no buttons")
        if len(outgoing.buttons) > self.capabilities.buttons:
            raise Rejected(f"a message bears at most {self.capabilities.buttons} buttons")
        if not all(self._fits(button) for button in outgoing.buttons):
            limit = self.capabilities.button_title_limit
            raise Rejected(f"a button has a title of 1 to {limit} characters and 1 to 64 bytes of ASCII data")

    def _fits(self, button: Button) -> bool:
        title = len(button.title) <= self.capabilities.button_title_limit and bool(button.title.strip())
        return title and 1 <= len(button.data) <= 64 and button.data.isascii()

    async def _post(self, path: str, payload: dict[str, Any], reference: str) -> Sent:
        token = self.settings.page_access_token.get_secret_value()
        secret = self.settings.app_secret.get_secret_value()
        # The proof shows that the caller knows the app's secret too: a stolen token alone is then of no use.
        proof = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        response = await self.http.request(
            "POST",
            f"{self.settings.api_base}/{self.settings.api_version}/{path}?appsecret_proof={proof}",
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            body=json.dumps(payload).encode(),
            timeout=self.timeout,
        )
        found = _reference(response, reference)
        if found is None:
            raise error_of(response)
        return Sent(reference=found)


def _reference(response: HttpResponse, name: str) -> str | None:
    """The id that a success bears; None if this is none."""
    if response.status // 100 != 2:
        return None
    try:
        found = json.loads(response.body)[name]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if isinstance(found, str) and found else None
