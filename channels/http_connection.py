"""One HTTP/1.1 connection: a request written at once, its answer read strictly.

Strict because a sender acts on the answer: what cannot be read for certain is no answer, and an answer with anything
left over ends the connection, so that one platform's bytes are never taken for the answer to another request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

BODY_LIMIT = 1 << 20
"""Bytes of an answer that are read where nothing else is said; a longer answer is not waited for."""
HEAD_LIMIT = 32 << 10
"""Bytes of status line and headers, and of the lines between chunks."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_LENGTH = re.compile(rb"[0-9]{1,12}")

_UNTIL_CLOSE = -1
_CHUNKED = -2


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer. Header names are lower case; of a repeated header the last counts."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class NoAnswer(Exception):
    """The request went out and no whole, readable answer came. The message is fit for an operator."""


class Connection(asyncio.Protocol):
    """Used by one request at a time: `exchange`, then `reusable` says whether it may be used again."""

    __slots__ = (
        "_answer",
        "_buffer",
        "_chunks",
        "_head",
        "_left",
        "_limit",
        "_open",
        "_scanned",
        "_size",
        "_transport",
        "idle_since",
    )

    _left: int  # bytes of the body, or how its end is told

    def __init__(self, opened: set[Connection]) -> None:
        """`opened` holds the connection as long as it stands."""
        self.idle_since = 0.0
        self._open = opened
        self._limit = BODY_LIMIT
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[HttpResponse] | None = None
        self._reset()

    @property
    def reusable(self) -> bool:
        """Whether the connection stands, as far as this side has heard."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, seconds: float, limit: int = BODY_LIMIT) -> HttpResponse:
        """Write the request and read its answer, of `limit` bytes at most. Raises NoAnswer; that and a cancellation end
        the connection."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise NoAnswer("the connection closed before the request")
        loop = asyncio.get_running_loop()
        self._answer, self._limit = loop.create_future(), limit
        timer = loop.call_later(seconds, self._fail, "time is up")
        try:
            transport.write(request)
            return await self._answer
        except asyncio.CancelledError:
            if self._answer.done() and not self._answer.cancelled():
                self._answer.exception()  # fetched, so that asyncio does not complain of it
            transport.abort()
            raise
        finally:
            timer.cancel()
            self._answer = None

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # ---- what the event loop calls ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._open.add(self)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.abort()  # nothing was asked: whatever this is, it answers nothing that will be
            return
        self._buffer += data
        try:
            while self._head is None:
                if not self._read_head():
                    return
            if self._left == _CHUNKED:
                whole = self._read_chunks()
            else:
                whole = self._left >= 0 and len(self._buffer) >= self._left
                if self._left < 0 and len(self._buffer) > self._limit:
                    raise NoAnswer(f"an answer of more than {self._limit} bytes")
            if whole:
                self._finish()
        except NoAnswer as error:
            self._fail(str(error))

    def eof_received(self) -> None:
        if self._head is not None and self._left == _UNTIL_CLOSE and self._answer is not None:
            self._left = len(self._buffer)
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._open.discard(self)
        begun = self._head is not None or bool(self._buffer)
        self._fail("the connection closed in the middle of the answer" if begun else "the connection closed unanswered")

    # ---- reading ----

    def _reset(self) -> None:
        self._buffer = bytearray()
        self._head: tuple[int, dict[str, str], bool] | None = None
        self._left = 0
        self._chunks: list[bytes] = []
        self._size = 0
        self._scanned = 0

    def _read_head(self) -> bool:
        """Read one head; False if it is not whole yet. That of an interim answer leaves `_head` None."""
        end = self._buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if end < 0:
            self._scanned = len(self._buffer)
            if self._scanned > HEAD_LIMIT:
                raise NoAnswer("an answer with endless headers")
            return False
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        self._scanned = 0
        found = _STATUS.fullmatch(lines[0])
        if found is None or end > HEAD_LIMIT:
            raise NoAnswer("an answer that is not HTTP")
        status, headers = int(found[2]), _headers(lines[1:])
        if status == 101:
            raise NoAnswer("an answer in another protocol")
        if status < 200:
            return True  # an interim answer: the real one follows
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        connection = headers.get("connection", "").lower()
        keep = "close" not in connection and (found[1] == b"1" or "keep-alive" in connection)
        if status in (204, 304):
            self._left = 0
        elif coding is not None:
            if coding.lower() != "chunked":
                raise NoAnswer("an answer in an encoding that was not asked for")
            self._left, keep = _CHUNKED, keep and length is None
        elif length is not None:
            self._left = int(length)
            if self._left > self._limit:
                raise NoAnswer(f"an answer of more than {self._limit} bytes")
        else:
            self._left, keep = _UNTIL_CLOSE, False
        self._head = (status, headers, keep)
        return True

    def _read_chunks(self) -> bool:
        """Move whole chunks out of the buffer; True after the last one and its trailers."""
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_LIMIT:
                    raise NoAnswer("an answer with an endless chunk size")
                return False
            found = _CHUNK.fullmatch(self._buffer[:end])
            if found is None:
                raise NoAnswer("an answer with a broken chunk")
            size = int(found[1], 16)
            if size == 0:
                return self._read_trailers(end)
            if self._size + size > self._limit:
                raise NoAnswer(f"an answer of more than {self._limit} bytes")
            after = end + 2 + size
            if len(self._buffer) < after + 2:
                return False
            if self._buffer[after : after + 2] != b"\r\n":
                raise NoAnswer("an answer with a broken chunk")
            self._chunks.append(bytes(self._buffer[end + 2 : after]))
            self._size += size
            del self._buffer[: after + 2]

    def _read_trailers(self, end: int) -> bool:
        stop = self._buffer.find(b"\r\n\r\n", end)
        if stop < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise NoAnswer("an answer with endless trailers")
            return False
        del self._buffer[: stop + 4]
        return True

    def _finish(self) -> None:
        assert self._head is not None  # noqa: S101 - for the type checker
        status, headers, keep = self._head
        if self._left == _CHUNKED:
            body, rest = b"".join(self._chunks), len(self._buffer)
        else:
            body, rest = bytes(self._buffer[: self._left]), len(self._buffer) - self._left
        if rest or not keep:
            self.abort()
        answer = self._answer
        self._reset()
        if answer is not None and not answer.done():
            answer.set_result(HttpResponse(status, headers, body))

    def _fail(self, reason: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NoAnswer(reason))
        self.abort()


def _headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(name) is None or b"\n" in value or b"\r" in value:
            raise NoAnswer("an answer with a broken header")
        key, text = name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")
        if key == "content-length" and (
            _LENGTH.fullmatch(value.strip(b" \t")) is None or headers.get(key, text) != text
        ):
            raise NoAnswer("an answer of unclear length")
        if key == "transfer-encoding" and key in headers:
            raise NoAnswer("an answer in an encoding that was not asked for")
        headers[key] = text
    return headers
