"""HTTP/1.1 as lean as a load generator needs it: a client connection, and a platform that answers every call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request in flight. Only answers with a content-length are understood."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionError("closed by the server"))

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; its answer as (status, body)."""
        assert self.transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        cut = whole(self._buffer)
        if cut is not None and self._waiting and not self._waiting.done():
            head, body = cut
            self._waiting.set_result((int(head[9:12]), body))


def whole(buffer: bytearray) -> tuple[bytes, bytes] | None:
    """Cut one whole message off the buffer: (head, body), or None if more must come."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(buffer[:end])
    low = head.lower()
    at = low.find(b"content-length:")
    size = int(low[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    if len(buffer) < end + 4 + size:
        return None
    body = bytes(buffer[end + 4 : end + 4 + size])
    del buffer[: end + 4 + size]
    return head, body


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Platform(asyncio.Protocol):
    """Stands for Telegram's API: answers every call at once, and tells `heard` its path and body."""

    def __init__(self, heard: Callable[[bytes, bytes], bytes]) -> None:
        self._heard = heard
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (cut := whole(self._buffer)) is not None:
            head, body = cut
            answer = self._heard(head, body)
            assert self._transport is not None
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(answer), answer)
            )
