"""A server that says to the byte what a test wants said, for what well-behaved servers never say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from channels.http import Http, HttpResponse

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Scripted:
    """A server that answers the n-th request of each connection with the n-th of its scripts, and keeps what it was
    sent. A script is bytes, or a coroutine function on the writer."""

    def __init__(self, *scripts: bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.scripts = scripts
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            for script in self.scripts:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
                self.requests.append(head + await reader.readexactly(length))
                if isinstance(script, bytes):
                    writer.write(script)
                    await writer.drain()
                else:
                    await script(writer)
            await reader.read()  # until the client goes
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(*scripts: Any, **options: Any) -> AsyncIterator[Scripted]:
    script = Scripted(*scripts)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0, **options)
    script.url = f"{'https' if options else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield script
    finally:
        server.close()


async def post(http: Http, url: str, timeout: float = 5.0) -> HttpResponse:
    return await http.request("POST", url, headers={"Content-Type": "text/plain"}, body=b"hello", timeout=timeout)


async def until(met: Callable[[], bool]) -> None:
    """Let the event loop run until something has come about; fails after five seconds."""
    async with asyncio.timeout(5):
        while not met():  # noqa: ASYNC110 - what it waits for is a socket's doing, which sets no event
            await asyncio.sleep(0)
