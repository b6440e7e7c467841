"""python-telegram-bot on our own HTTP client.

Its `Bot` makes the calls and names the errors; what it builds that nobody looks at, and what it logs, is left out.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import orjson
from telegram import Bot, InputFile
from telegram.error import NetworkError
from telegram.request import BaseRequest, RequestData

from channels.base import ChannelError, RetryAfter
from channels.http import BODY_LIMIT, Http, strange_answer

RETRY_SECONDS = 5.0
"""How long to hold back where Telegram says "too many requests" without saying for how long."""
LONGEST_RETRY = 86_400.0
"""Seconds that are waited at most, whatever Telegram says."""
POLL_BYTES = 32 << 20
"""What a hundred updates may come to: Telegram escapes each Chinese character to six bytes, and quotes come twice."""


class Failed(NetworkError):
    """A call whose failure we know better than by its HTTP status: carries what to raise through the library."""

    def __init__(self, error: ChannelError) -> None:
        super().__init__(str(error))
        self.error = error


class LeanBot(Bot):
    """A `Bot` that gives results as Telegram sent them. `Bot.send_message` would build a `Message` of a hundred
    attributes from each answer, eight times the cost of the call, and all that we want of it is the id."""

    def __init__(self, token: str, api_base: str, http: Http) -> None:
        transport = Transport(http)
        super().__init__(token, f"{api_base}/bot", request=transport, get_updates_request=transport)

    async def call(self, method: str, parameters: dict[str, Any], seconds: float) -> Any:
        """Call a Bot API method within `seconds`; parameters that are None are left out. Raises TelegramError."""
        if any(isinstance(value, InputFile) for value in parameters.values()):
            return await self._post(method, parameters, read_timeout=seconds)
        # What is plain JSON needs none of the objects that the library makes of each parameter.
        plain = cast(RequestData, Plain({name: value for name, value in parameters.items() if value is not None}))
        return await self.request.post(f"{self.base_url}/{method}", plain, read_timeout=seconds)


class Plain(NamedTuple):
    """Parameters without files, as far as `Transport` asks of the library's RequestData."""

    parameters: dict[str, Any]
    contains_files: bool = False


class Transport(BaseRequest):
    """The library's request interface over `Http`, which owns the connections: here is nothing to open or shut."""

    __slots__ = ("_http",)

    def __init__(self, http: Http) -> None:
        self._http = http

    @property
    def read_timeout(self) -> float:
        return 20.0

    async def initialize(self) -> None:
        return

    async def shutdown(self) -> None:
        return

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = None,
        write_timeout: Any = None,
        connect_timeout: Any = None,
        pool_timeout: Any = None,
    ) -> tuple[int, bytes]:
        headers, body = _written(request_data)
        seconds = read_timeout if isinstance(read_timeout, float | int) else self.read_timeout
        try:
            response = await self._http.request(
                method,
                url,
                headers=headers,
                body=body,
                timeout=seconds,
                limit=POLL_BYTES if url.endswith("/getUpdates") else BODY_LIMIT,
            )
        except ChannelError as error:
            failure = error
        else:
            found = _failure(response.status, response.body)
            if found is None:
                return response.status, response.body
            failure = found
        raise Failed(failure)

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        # The library's own logs a payload that it cannot read. By now it has been read once: see _failure.
        return orjson.loads(payload)


_HEADERS = {"Content-Type": "application/json"}


def _written(data: RequestData | None) -> tuple[Mapping[str, str], bytes]:
    """The parameters as JSON; with files, as a form of several parts (RFC 7578)."""
    if data is None or not data.contains_files:
        return _HEADERS, orjson.dumps({} if data is None else data.parameters)
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in data.json_parameters.items()
    ]
    for name, (filename, content, kind) in (data.multipart_data or {}).items():
        shown = re.sub(r'[\r\n"\\]', "_", str(filename))
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{shown}"\r\n'
            f"Content-Type: {kind}\r\n\r\n"
        )
        parts += [head.encode(), content if isinstance(content, bytes) else content.read(), b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, b"".join(parts)


def _failure(status: int, body: bytes) -> ChannelError | None:
    """What the library could not tell apart, or would fail to read; None if it may judge for itself."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    readable = isinstance(answer, dict)
    if status == 429:
        parameters = answer.get("parameters") if readable else None
        seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
        if not isinstance(seconds, int | float) or seconds <= 0:
            seconds = RETRY_SECONDS
        return RetryAfter("Telegram asks to slow down", float(min(seconds, LONGEST_RETRY)))
    if status >= 500 or not readable or (status < 300 and "result" not in answer):
        return strange_answer("Telegram", status)
    return None


class _Quiet(logging.Filter):
    """The library logs URLs with the token, and messages with their text, at DEBUG: nobody may switch that on."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


for _name in ("telegram.Bot", "telegram.request.BaseRequest"):
    logging.getLogger(_name).addFilter(_Quiet())
