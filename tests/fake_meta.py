"""A Graph API on port 0 that answers as Meta documents it: sending, comments, private replies, their errors."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from fake_platform import Call, FakePlatform, Fault

PAGE_ID = "102000000000001"
INSTAGRAM_ID = "17841400000000001"
APP_SECRET = "app-secret-5d3f"
VERIFY_TOKEN = "verify-token-91c2"
PAGE_TOKEN = "EAAGpagetoken77"
PERSON = "6780000000000001"
COMMENT = "900000000000001_1001"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

Reply = tuple[int, dict[str, Any]]


@dataclass
class Post:
    """A comment that the fake knows: when it was written and by whom."""

    author: str
    written: datetime
    replies: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Message:
    """A message that reached somebody."""

    recipient: str
    text: str
    mid: str
    quick_replies: tuple[dict[str, str], ...] = ()


def graph_error(code: int, subcode: int | None = None, message: str = "", **more: Any) -> dict[str, Any]:
    """The body of a Graph error."""
    error: dict[str, Any] = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code, **more}
    if subcode is not None:
        error["error_subcode"] = subcode
    return {"error": {**error, "fbtrace_id": "AbUhinTvMOkPfgH"}}


def graph_fault(code: int, subcode: int | None = None, *, status: int = 400, message: str = "", **more: Any) -> Fault:
    """The next call is answered with this Graph error."""
    body = json.dumps(graph_error(code, subcode, message, **more)).encode()
    return Fault(status=status, headers={"Content-Type": "application/json"}, body=body)


def as_meta_writes(payload: Any) -> bytes:
    """JSON as Meta sends and signs it: non-ASCII escaped in lower-case hex, slashes escaped, no spaces."""
    return json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode()


def envelope(*items: Any, entry_id: str = PAGE_ID, kind: str = "messaging") -> bytes:
    """A call with these items of one page."""
    return as_meta_writes({"object": "page", "entry": [{"id": entry_id, "time": 1764000000, kind: list(items)}]})


def said(text: str, number: int = 1) -> dict[str, Any]:
    """The item with which a person's message arrives; `number` makes it another message."""
    return {
        "sender": {"id": PERSON},
        "recipient": {"id": PAGE_ID},
        "timestamp": 1764000000000 + number,
        "message": {"mid": f"m_in{number}", "text": text},
    }


def feed(**changes: Any) -> dict[str, Any]:
    """The change with which a person's comment arrives; None takes a field away."""
    value = {
        "item": "comment",
        "verb": "add",
        "comment_id": COMMENT,
        "post_id": f"{PAGE_ID}_900000000000001",
        "parent_id": f"{PAGE_ID}_900000000000001",
        "created_time": 1764000000,
        "from": {"id": PERSON, "name": "Li Na"},
        "message": "太慢了",
    }
    value = {key: item for key, item in {**value, **changes}.items() if item is not None}
    return {"field": "feed", "value": value}


def signature(body: bytes, secret: str = APP_SECRET) -> str:
    """The X-Hub-Signature-256 of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class FakeMeta(FakePlatform):
    """One page and its linked Instagram account. `clock` gives the time that windows and limits are measured by.

    `heard` is when each person last wrote; `blocked` holds those who cannot be written to; `comments` is what may be
    answered. What was sent stands in `messages`, `private` (by comment id) and `comments[...].replies`.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: NOW) -> None:
        super().__init__()
        self.clock = clock
        self.heard: dict[str, datetime] = {PERSON: clock()}
        self.blocked: set[str] = set()
        self.comments: dict[str, Post] = {}
        self.messages: list[Message] = []
        self.private: dict[str, Message] = {}
        self._numbers = itertools.count(1)

    def commented(self, comment_id: str, author: str = PERSON, age: timedelta = timedelta()) -> None:
        """A person wrote this comment, so long ago."""
        self.comments[comment_id] = Post(author, self.clock() - age)

    async def answer(self, call: Call) -> web.Response:
        status, body = self._answer(call)
        return web.json_response(body, status=status)

    def _answer(self, call: Call) -> Reply:
        token = call.headers.get("Authorization", "").removeprefix("Bearer ") or call.query.get("access_token", "")
        if token != PAGE_TOKEN:
            return 401, graph_error(190, None, "Invalid OAuth access token.")
        proof = hmac.new(APP_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
        if call.query.get("appsecret_proof", proof) != proof:
            return 400, graph_error(100, None, "Invalid appsecret_proof provided in the API argument")
        try:
            given = json.loads(call.body)
        except ValueError:
            return 400, graph_error(100, None, "Invalid parameter")
        match = re.fullmatch(r"/v\d+\.\d+/([0-9A-Za-z_]+)/(messages|comments|replies)", call.path)
        if call.method != "POST" or match is None:
            return 400, graph_error(2500, None, "Unknown path components")
        node, edge = match.groups()
        if edge != "messages":
            return self._comment(node, edge, given)
        if node not in {"me", PAGE_ID}:
            return 400, graph_error(100, 33, "Unsupported post request")
        return self._message(given)

    def _comment(self, comment_id: str, edge: str, given: dict[str, Any]) -> Reply:
        comment = self.comments.get(comment_id)
        if comment is None or edge != ("comments" if "_" in comment_id else "replies"):
            return 400, graph_error(100, 33, "Unsupported post request. Object does not exist")
        if not given.get("message"):
            return 400, graph_error(100, None, "Message cannot be empty")
        comment.replies.append(given["message"])
        return 200, {"id": f"{comment_id}{next(self._numbers)}"}

    def _message(self, given: dict[str, Any]) -> Reply:
        message, recipient = given.get("message") or {}, given.get("recipient") or {}
        if given.get("messaging_type") != "RESPONSE" or not message.get("text"):
            return 400, graph_error(100, None, "Message cannot be empty, must provide valid attachment or text")
        if len(message["text"]) > 2000:
            return 400, graph_error(100, None, "Length of param message[text] must be less than or equal to 2000")
        quick = message.get("quick_replies", [])
        if len(quick) > 13:
            return 400, graph_error(105, None, "param message[quick_replies] has too many elements.")
        refusal = self._private_refusal(recipient) if "comment_id" in recipient else self._refusal(recipient)
        if refusal is not None:
            return 400, refusal
        comment_id = recipient.get("comment_id")
        person = self.comments[comment_id].author if comment_id else recipient["id"]
        titles = tuple({**each, "title": each["title"][:20]} for each in quick)  # longer ones are cut
        sent = Message(person, message["text"], f"m_{next(self._numbers)}", titles)
        self.messages.append(sent)
        if comment_id:
            self.private[comment_id] = sent
        return 200, {"recipient_id": person, "message_id": sent.mid}

    def _refusal(self, recipient: dict[str, Any]) -> dict[str, Any] | None:
        person = str(recipient.get("id"))
        if person in self.blocked:
            return graph_error(551, 1545041, "This person isn't available right now.")
        if person not in self.heard:
            return graph_error(100, 2018001, "No matching user found")
        if self.clock() - self.heard[person] > timedelta(hours=24):
            return graph_error(10, 2018278, "This message is sent outside of allowed window.")
        return None

    def _private_refusal(self, recipient: dict[str, Any]) -> dict[str, Any] | None:
        comment = self.comments.get(recipient["comment_id"])
        if comment is None:
            return graph_error(100, 2018292, "Invalid comment_id parameter")
        if recipient["comment_id"] in self.private:
            return graph_error(10900, None, "Activity already replied to")
        if comment.author == PAGE_ID or self.clock() - comment.written > timedelta(days=7):
            return graph_error(10903, None, "This user can't reply to this activity")
        if comment.author in self.blocked:
            return graph_error(551, 1545041, "This person isn't available right now.")
        return None
