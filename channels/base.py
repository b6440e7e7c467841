"""What a channel is: the events it hears, the messages it sends, and how each can fail.

An adapter translates between one platform and these types. It knows nothing of the bot, of the database
or of language; windows, quotas and opt-outs belong to the send planner, which reads `Capabilities`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

if TYPE_CHECKING:
    from channels.http import Http

# ---- what comes in ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened on a platform.

    `dedupe_key` is the platform's own id, unique within (channel, account): the same key twice is one event.
    `thread` is the conversation on the platform (chat id, phone number, page-scoped user id, `comment:ID`).
    `sent_at` is the platform's time, UTC, where it tells one.
    """

    dedupe_key: str
    thread: str
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Event):
    """Words from a person. `reply_to` is the platform's id of the message they answer, if they quote one."""

    text: str
    sender_name: str | None = None
    language: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap(Event):
    """A button was pressed. `data` is what `Button.data` was; `handle` answers the tap (Telegram's callback query
    id); `message` is the platform's id of the message that bears the button."""

    data: str
    handle: str | None = None
    message: str | None = None
    sender_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media(Event):
    """Something other than words: `kind` is image, video, audio, voice, file, sticker, location, contact or other;
    `caption` is the words beside it, or the emoji that a sticker stands for. `file` is what `Adapter.fetch` takes to
    bring its bytes, where it has any; `name` and `size` are what the platform says of it, not to be believed."""

    kind: str
    caption: str = ""
    sender_name: str | None = None
    file: str | None = None
    name: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent(Event):
    """The person, or the platform for them, changed whether we may write."""

    change: Literal["stop", "start", "help", "blocked", "unblocked"]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(Event):
    """What became of a message that we sent. `reference` is `Sent.reference`."""

    reference: str
    status: Literal["sent", "delivered", "read", "failed"]
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment(Event):
    """A public comment, or its edit or removal. `thread` is `comment:<comment_id>`; a removal has no text."""

    post_id: str
    comment_id: str
    parent_id: str | None
    author_scoped_id: str
    author_name: str | None
    text: str
    verb: Literal["add", "edited", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Event):
    """A payload nobody here understands: it is kept raw, and acknowledged. `thread` is `unknown` where none is told."""

    raw: bytes


AnyEvent = Text | Tap | Media | Consent | Receipt | Comment | Unknown

# ---- what goes out ----


@dataclass(frozen=True, slots=True)
class Button:
    """`title` is what the person reads, `data` what comes back in `Tap.data`: opaque ASCII of 1 to 64 bytes."""

    title: str
    data: str


def option_numbers(buttons: Sequence[Button]) -> list[int]:
    """What a person types for each option where there are no buttons (`Capabilities.digits`).

    Where every title begins with a number of its own ("5 ⭐", "0 to 10") that is it; otherwise they count from 1.
    The adapter lists options by these, and the loop must resolve what is typed by the same.
    """
    own = [int(found[0]) for button in buttons if (found := re.match(r"[0-9]{1,3}", button.title))]
    return own if len(own) == len(buttons) == len(set(own)) else list(range(1, len(buttons) + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingFile:
    """A file that goes out. `picture`: it is one, to be shown where it stands."""

    name: str
    type: str
    content: bytes
    picture: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message to one address.

    `kind`: `text`; `file`, without words; `toast` answers the tap `target`; `edit` replaces the message `target` (and
    its buttons);
    `public_reply` answers the comment `target` in public; `private_reply` answers its author in private.
    `key` is unique to the outgoing row: where the platform takes an idempotency key, this is it.
    """

    address: str
    text: str
    key: str
    kind: Literal["text", "file", "toast", "edit", "public_reply", "private_reply"] = "text"
    buttons: tuple[Button, ...] = ()
    target: str | None = None
    file: OutgoingFile | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform took it. `reference` is its id for the message; `parts` is how many it was split or counted into."""

    reference: str | None = None
    parts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a channel can do. The planner and the renderer read this; nothing else may assume.

    `text_limit` counts characters, or UTF-8 bytes where `limit_in_bytes`. `buttons` is how many one message bears;
    0 with `digits` means options are listed by number and a typed digit is the tap. Rates are messages a second,
    0.0 for none. `window` is how long after their last message a person may be written to; None: always.
    `idempotent`: a send repeated under the same `Outgoing.key` is one message. `answers_stop`: the platform itself
    answers STOP and HELP, and takes nothing from us after a STOP. `file_limit`: bytes of the largest file that can be
    sent, 0: none can. `own_files`: what people send is with us already, `Media.file` is our own name of it. `typing`:
    the person can be shown that somebody writes.
    """

    text_limit: int
    limit_in_bytes: bool = False
    buttons: int = 0
    button_title_limit: int = 64
    digits: bool = False
    toasts: bool = False
    edits: bool = False
    receipts: bool = False
    rate_per_address: float = 0.0
    rate_per_account: float = 0.0
    window: timedelta | None = None
    idempotent: bool = False
    starts_conversations: bool = False
    answers_stop: bool = False
    file_limit: int = 0
    own_files: bool = False
    typing: bool = False


# ---- how it fails: named by what the caller should do ----


class ChannelError(Exception):
    """Root of all. The message tells the operator what to do; it never bears message text or a secret."""


class Forged(ChannelError):
    """Incoming: the signature or secret is wrong. Answer 401, keep nothing."""


class Malformed(ChannelError):
    """Incoming: signed, but not what the platform documents to the point of not being parseable. Answer 400."""


class RetryAfter(ChannelError):
    """Outgoing: too fast. Nothing was sent; send again after `seconds`. `scope` says whom it holds back."""

    def __init__(self, message: str, seconds: float, scope: Literal["address", "account"] = "address") -> None:
        super().__init__(message)
        self.seconds = seconds
        self.scope = scope


class Unavailable(ChannelError):
    """Outgoing: the platform was not reached or said it is down; certainly nothing was sent. Try again later."""


class OutcomeUnknown(ChannelError):
    """Outgoing: the request went out and no answer came back. It may have been sent: never blindly repeat it."""


class Blocked(ChannelError):
    """Outgoing: this person cannot be written to here (blocked us, opted out, left). Permanent until they return."""


class Rejected(ChannelError):
    """Outgoing: this message will never be taken (too long, window closed, unknown target). Other messages may."""


class TooLarge(Rejected):
    """The file has more bytes than are taken."""


class Misconfigured(ChannelError):
    """Outgoing: our credentials or settings are wrong. Hold the whole account and tell the operator."""


# ---- the adapter ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A webhook call as it arrived. Header names are lower case; `url` is the public address that the platform called,
    query included; `body` the raw bytes."""

    method: str
    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a webhook call is answered with."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"


def _not_blank(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if not value.strip():
        raise ValueError(
            "is empty: without it anybody could pose as the platform; give the value or remove the account"
        )
    if value != value.strip():
        raise ValueError("begins or ends with a space or a line break; remove it")
    return secret


Secret = Annotated[SecretStr, AfterValidator(_not_blank)]
"""A credential that must be there: an empty one is refused when the settings are read."""


def web_address(value: str) -> str:
    """An address of the web without a slash at its end. Raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an address such as https://api.example.com")
    return value.rstrip("/")


class AccountSettings(BaseModel):
    """`[channels.<channel>.<account>]` in the settings. Adapters add their credentials as `Secret` fields."""

    # Without hide_input_in_errors a mistyped token would be quoted in the error.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


S = TypeVar("S", bound=AccountSettings)


class Adapter(ABC, Generic[S]):
    """One account on one platform. `Settings` names the credentials that it needs."""

    channel: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    Settings: ClassVar[type[AccountSettings]]
    timeout: float = 20.0
    """Seconds that one send may take, from connecting to the last byte of the answer."""
    public_url: str = ""
    """The https address of this service, without a slash at the end, set by whoever wires the adapter; empty: none."""

    def __init__(self, account: str, settings: S, http: Http) -> None:
        """`http` is shared by all adapters and closed by whoever made it. Nothing is opened here."""
        self.account = account
        self.settings = settings
        self.http = http

    @property
    def hook(self) -> str:
        """Where the platform calls this account; empty without a public address."""
        return f"{self.public_url}/hooks/{self.channel}/{self.account}" if self.public_url else ""

    @abstractmethod
    def verify(self, request: Request) -> None:
        """Check that the platform sent these bytes; constant-time. Raises Forged. Without a secret: refuse."""

    @abstractmethod
    def parse(self, body: bytes) -> list[AnyEvent]:
        """Raw bytes to events, purely: no clock, no network, no state. One bad item in a batch does not lose the
        others; what is not understood is Unknown. Our own messages coming back are left out. Raises Malformed."""

    @abstractmethod
    async def send(self, outgoing: Outgoing) -> Sent:
        """Send one message. Raises RetryAfter, Unavailable, OutcomeUnknown, Blocked, Rejected, Misconfigured."""

    def handshake(self, request: Request) -> Answer:
        """Answer the platform's GET on the hook. Raises Forged."""
        return Answer(status=405, body=b"POST only")

    def acknowledge(self) -> Answer:
        """What to say once the events are committed."""
        return Answer()

    async def fetch(self, reference: str, limit: int) -> bytes:
        """The bytes of a file that a person sent, by `Media.file`; at most `limit`. Raises as `send`, and TooLarge.
        Asking twice does no harm: OutcomeUnknown only means to ask again."""
        raise Rejected("this channel brings no files")

    async def show_typing(self, address: str) -> None:
        """Show the person that somebody writes to them, for some seconds. Raises as `send` does."""

    async def close(self) -> None:
        """Let go of connections."""


def same_secret(given: str, expected: str) -> bool:
    """Constant-time comparison of two secrets; False when either is empty."""
    if not expected or not given:
        return False
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


def body_key(body: bytes) -> str:
    """The dedupe key of a payload in which the platform gave none: the same bytes are the same event."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
