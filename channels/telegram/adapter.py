"""Telegram, through python-telegram-bot without its updater."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import orjson
from pydantic import Field, field_validator, model_validator
from telegram import InputFile
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, TelegramError

from channels.base import (
    AccountSettings,
    Adapter,
    AnyEvent,
    Blocked,
    Button,
    Capabilities,
    ChannelError,
    Forged,
    Misconfigured,
    OutcomeUnknown,
    Outgoing,
    OutgoingFile,
    Rejected,
    Request,
    Secret,
    Sent,
    TooLarge,
    same_secret,
    web_address,
)
from channels.http import Http, strange_answer
from channels.telegram.transport import Failed, LeanBot
from channels.telegram.updates import HEARD, parse_update

TOAST_LIMIT = 200
PHOTO_LIMIT = 10 << 20
"""Bytes of what Telegram takes as a photo; more goes as a document."""
POLL_SECONDS = 50
"""How long Telegram holds a poll open while nothing happens."""
POLL_LIMIT = 100
"""Updates that one poll brings at most; Telegram's own maximum."""


class TelegramSettings(AccountSettings):
    """`token` comes from @BotFather. `secret_token` is any long random word: it proves that a webhook call is
    Telegram's. `mode` `polling` needs no public address and no secret."""

    token: Secret = Field(description="@BotFather gives one like 123456:AbC-dEf")
    secret_token: Secret | None = Field(default=None, description="16 to 256 of A-Z, a-z, 0-9, _ and -")
    mode: Literal["webhook", "polling"] = "webhook"
    api_base: str = Field(default="https://api.telegram.org", description="or the address of your own Bot API server")

    rate_per_chat: float = Field(default=1.0, gt=0, description="messages a second to one chat")
    rate: float = Field(default=30.0, gt=0, description="messages a second in all; more where Telegram allows it")

    @field_validator("token")
    @classmethod
    def _token_is_one(cls, token: Secret) -> Secret:
        if not re.fullmatch(r"\d{1,20}:[A-Za-z0-9_-]{1,200}", token.get_secret_value()):
            raise ValueError("is not a bot token; @BotFather gives one like 123456:AbC-dEf")
        return token

    @field_validator("secret_token")
    @classmethod
    def _secret_token_is_allowed(cls, secret: Secret | None) -> Secret | None:
        if secret is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", secret.get_secret_value()):
            raise ValueError("must be 16 to 256 of A-Z, a-z, 0-9, _ and -")
        return secret

    @field_validator("api_base")
    @classmethod
    def _api_base_is_an_address(cls, address: str) -> str:
        return web_address(address)

    @model_validator(mode="after")
    def _webhook_has_secret(self) -> TelegramSettings:
        if self.mode == "webhook" and self.secret_token is None:
            raise ValueError('secret_token is missing: give a long random word, or set mode = "polling"')
        return self


class TelegramAdapter(Adapter[TelegramSettings]):
    """A thread is a private chat's id; references and targets are message ids in it, a toast's target is the tap's
    handle. A tap's toast lasts some seconds on the platform: after about a minute it is Rejected."""

    channel = "telegram"
    Settings = TelegramSettings
    capabilities = Capabilities(
        text_limit=4096,  # code points, not UTF-16 units: an emoji counts as one
        buttons=32,  # 100 are allowed, but only as long as titles and data stay within some 10 kB together
        button_title_limit=64,
        toasts=True,
        edits=True,
        file_limit=50 << 20,
        typing=True,
        rate_per_address=1.0,
        rate_per_account=30.0,
    )

    def __init__(self, account: str, settings: TelegramSettings, http: Http) -> None:
        super().__init__(account, settings, http)
        limits = replace(
            type(self).capabilities, rate_per_address=settings.rate_per_chat, rate_per_account=settings.rate
        )
        self.capabilities = limits  # type: ignore[misc] # this account's own rates
        self._bot = LeanBot(settings.token.get_secret_value(), settings.api_base, http)
        self._secret = settings.secret_token.get_secret_value() if settings.secret_token else ""

    def verify(self, request: Request) -> None:
        """Compare the secret that Telegram repeats in a header. In polling mode nobody may call: Forged."""
        if not same_secret(request.headers.get("x-telegram-bot-api-secret-token", ""), self._secret):
            raise Forged("the secret token is missing or wrong; register the webhook again if it was changed")

    def parse(self, body: bytes) -> list[AnyEvent]:
        return parse_update(body)

    async def send(self, outgoing: Outgoing) -> Sent:
        if outgoing.kind == "toast":
            words = outgoing.text if len(outgoing.text) <= TOAST_LIMIT else outgoing.text[: TOAST_LIMIT - 1] + "…"
            if not outgoing.target:
                raise Rejected("a toast needs the handle of the tap that it answers")
            await self._call("answerCallbackQuery", callback_query_id=outgoing.target, text=_sound(words) or None)
            return Sent()
        if outgoing.kind == "file":
            return await self._send_file(outgoing)
        if outgoing.kind not in {"text", "edit"}:
            raise Rejected(f"Telegram has no {outgoing.kind}")
        parameters: dict[str, Any] = {
            "chat_id": _number(outgoing.address, "address"),
            "text": self._text(outgoing.text),
            "reply_markup": self._keyboard(outgoing.buttons),
        }
        if "." in outgoing.text:  # there may be a link: signed ones are not for Telegram's servers to open
            parameters["link_preview_options"] = {"is_disabled": True}
        if outgoing.kind == "text":
            return Sent(_reference(await self._call("sendMessage", **parameters)))
        target = _number(outgoing.target or "", "target")
        with suppress(_NotModified):  # it reads so already, which is what was wanted
            # Without reply_markup the buttons go: an answered question cannot be tapped again.
            await self._call("editMessageText", message_id=target, **parameters)
        return Sent(outgoing.target)

    async def _send_file(self, outgoing: Outgoing) -> Sent:
        """A picture as one where Telegram can show it so, anything else to be saved."""
        file = outgoing.file
        if file is None or not file.content:
            raise Rejected("there is no file to send")
        if len(file.content) > self.capabilities.file_limit:
            raise TooLarge(f"the file has more than {self.capabilities.file_limit} bytes")
        chat = _number(outgoing.address, "address")
        if file.picture and len(file.content) <= PHOTO_LIMIT:
            try:
                return Sent(_reference(await self._call("sendPhoto", chat_id=chat, photo=_upload(file))))
            except Rejected:
                pass  # too long and thin for a photo, or of a kind that is none there: it goes as a document
        return Sent(_reference(await self._call("sendDocument", chat_id=chat, document=_upload(file))))

    async def fetch(self, reference: str, limit: int) -> bytes:
        """Ask Telegram where the file is, then take it from there."""
        try:
            found = await self._call("getFile", file_id=reference)
        except Rejected as refused:
            if "too big" in str(refused):
                raise TooLarge("Telegram hands out no file as large as this") from None
            raise
        path, size = (found.get("file_path"), found.get("file_size")) if isinstance(found, dict) else (None, None)
        if not isinstance(path, str) or not re.fullmatch(r"[A-Za-z0-9_./-]{1,300}", path) or ".." in path:
            raise Rejected("Telegram did not say where the file is")
        if isinstance(size, int) and size > limit:
            raise TooLarge(f"the file has more than {limit} bytes")
        token = self.settings.token.get_secret_value()
        address = f"{self.settings.api_base}/file/bot{token}/{path}"
        response = await self.http.request("GET", address, timeout=self.timeout, limit=limit + 1)
        if response.status != 200:
            if response.status in (400, 404):
                raise Rejected("Telegram does not have this file any more")
            raise strange_answer("Telegram", response.status)
        if len(response.body) > limit:
            raise TooLarge(f"the file has more than {limit} bytes")
        return response.body

    async def show_typing(self, address: str) -> None:
        await self._call("sendChatAction", chat_id=_number(address, "address"), action="typing")

    async def register(self, public_url: str) -> None:
        """Tell Telegram where to call, and with which secret; in polling mode, to stop calling. Waiting updates stay.

        `public_url` is the https address of this service, without a path. Raises as `send` does, and Misconfigured if
        the address cannot serve as a webhook.
        """
        if self.settings.mode == "polling":
            await self._call("deleteWebhook")
            return
        own_server = self.settings.api_base != TelegramSettings.model_fields["api_base"].default
        if not public_url.startswith("https://") and not own_server:
            raise Misconfigured(
                "Telegram calls https addresses only; set EARFUL_PUBLIC_URL to one,"
                ' or mode = "polling" for this account'
            )
        await self._call(
            "setWebhook",
            url=f"{public_url.rstrip('/')}/hooks/{self.channel}/{self.account}",
            secret_token=self._secret,
            allowed_updates=HEARD,
        )

    @property
    def polls(self) -> bool:
        """Whether updates are fetched instead of delivered."""
        return self.settings.mode == "polling"

    async def poll(self, offset: int | None) -> tuple[list[bytes], int | None]:
        """Wait up to `POLL_SECONDS` for updates: their raw bytes for `parse`, and the offset for the next call.

        Passing that offset confirms the updates, so pass it only after they are committed; `None` begins with the
        oldest unconfirmed. Raises Misconfigured where a webhook is set or somebody else polls with the same token,
        else RetryAfter, Unavailable or OutcomeUnknown, after all of which the same offset may be asked again.
        """
        updates = await self._call(
            "getUpdates",
            seconds=POLL_SECONDS + self.timeout,
            offset=offset,
            timeout=POLL_SECONDS,
            limit=POLL_LIMIT,
            allowed_updates=HEARD,
        )
        if not isinstance(updates, list):
            raise OutcomeUnknown("Telegram's answer to a poll is no list of updates")
        ids = [u["update_id"] for u in updates if isinstance(u, dict) and type(u.get("update_id")) is int]
        return [orjson.dumps(update) for update in updates], max(ids) + 1 if ids else offset

    async def _call(self, method: str, *, seconds: float | None = None, **parameters: Any) -> Any:
        failure: ChannelError
        try:
            return await self._bot.call(method, parameters, seconds or self.timeout)
        except TelegramError as error:
            failure = _named(error)
        raise failure  # here, so that nothing of the library's hangs on it

    def _text(self, text: str) -> str:
        if not text.strip():
            raise Rejected("Telegram takes no empty message")
        if len(text) > self.capabilities.text_limit:
            raise Rejected(f"the text has {len(text)} characters, Telegram takes {self.capabilities.text_limit}")
        return _sound(text)

    def _keyboard(self, buttons: Sequence[Button]) -> dict[str, Any] | None:
        if not buttons:
            return None
        if len(buttons) > self.capabilities.buttons:
            raise Rejected(f"{len(buttons)} buttons; one message bears {self.capabilities.buttons}")
        for button in buttons:
            if not button.title.strip() or len(button.title) > self.capabilities.button_title_limit:
                raise Rejected(f"a button's title must have 1 to {self.capabilities.button_title_limit} characters")
            if not button.data.isascii() or not 1 <= len(button.data) <= 64:
                raise Rejected("a button's data must be 1 to 64 ASCII bytes")
        return {
            "inline_keyboard": [
                [{"text": _sound(button.title), "callback_data": button.data} for button in row]
                for row in keyboard_rows(buttons)
            ]
        }


def _upload(file: OutgoingFile) -> InputFile:
    return InputFile(file.content, filename=file.name)


class _NotModified(ChannelError):
    """An edit that changed nothing."""


def keyboard_rows(buttons: Sequence[Button]) -> list[Sequence[Button]]:
    """Rows of equal length, as few as a phone's width allows: five stars or five digits stand in one, eleven points of
    NPS in two, long titles one below the other. Never more than eight in a row, which is all that clients show."""
    across = _across(tuple([button.title for button in buttons]))
    return [buttons[start : start + across] for start in range(0, len(buttons), across)]


@lru_cache(256)  # the same few questions are asked all day
def _across(titles: tuple[str, ...]) -> int:
    widest = max(map(_columns, titles))
    most = next(n for n in (8, 7, 6, 5, 4, 3, 2, 1) if n == 1 or widest <= 34 // n - 2)
    rows = -(-len(titles) // most)
    return -(-len(titles) // rows)


def _columns(title: str) -> int:
    """Width in columns of half a Chinese character."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in title)


def _sound(text: str) -> str:
    """Half an emoji cannot be written as UTF-8; it becomes a question mark rather than a message that never goes."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _number(value: str, what: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise Rejected(f"this {what} is none of Telegram's: it must be a number")
    return int(value)


def _reference(message: Any) -> str:
    reference = message.get("message_id") if isinstance(message, dict) else None
    if type(reference) is not int:
        raise OutcomeUnknown("Telegram took the message, but gave no id for it")
    return str(reference)


def _named(error: TelegramError) -> ChannelError:
    """The library's error as what the caller should do. Chats unknown to Telegram have never been, or are no more,
    ours to write to, so they are Blocked, too."""
    if isinstance(error, Failed):
        return error.error
    said = _quotable(error.message)
    if isinstance(error, BadRequest) and "message is not modified" in error.message.lower():
        return _NotModified("unchanged")
    if type(error) is NetworkError and error.message.startswith("Unknown error in HTTP"):
        return OutcomeUnknown("the call to Telegram broke off")
    if isinstance(error, Forbidden) or "chat not found" in error.message.lower():
        return Blocked(f"Telegram: {said}")
    if isinstance(error, InvalidToken):
        return Misconfigured("Telegram does not know this bot token; take it from @BotFather and set `token` anew")
    if isinstance(error, Conflict):
        return Misconfigured(
            f"Telegram: {said}. A bot is either polled by one process or called at its webhook: stop the other process,"
            ' or set mode = "webhook"; `mode = "polling"` takes the webhook away when the service starts'
        )
    return Rejected(f"Telegram: {said}")


def _quotable(description: str) -> str:
    """Telegram's words without what it may quote of ours."""
    # The library appends parameters that it does not know, whatever they are.
    own = re.split(r"\. The server response contained", description, flags=re.IGNORECASE)[0]
    plain = re.sub(r'"[^"]*"?', "…", own)
    return re.sub(r"[^\x20-\x7e…]+", "…", plain)[:120]
