"""Reading an HTTP answer on a connection without a network."""

from __future__ import annotations

import asyncio
from typing import Any

from channel_contract import fuzz
from hypothesis import given
from hypothesis import strategies as st

from channels.http_connection import Connection, HttpResponse, NoAnswer


class TestParser:
    """The reading alone, on a connection without a network."""

    class Wire(asyncio.Transport):
        def __init__(self) -> None:
            super().__init__()
            self.closed = False

        def write(self, data: Any) -> None: ...

        def is_closing(self) -> bool:
            return self.closed

        def abort(self) -> None:
            self.closed = True

    async def read(self, pieces: list[bytes], eof: bool = False) -> tuple[HttpResponse | str, bool]:
        """The answer, or why there is none, and whether the connection stands."""
        connection = Connection(set())
        connection.connection_made(self.Wire())
        task = asyncio.ensure_future(connection.exchange(b"", 60))
        await asyncio.sleep(0)
        for piece in pieces:
            connection.data_received(piece)
        reusable = connection.reusable
        if eof:
            connection.eof_received()
        connection.connection_lost(None)
        try:
            return await task, reusable
        except NoAnswer as error:
            return str(error), reusable

    async def test_an_answer_reads_the_same_however_it_is_cut(self) -> None:
        """Split at every byte, or come byte by byte, an answer is the same."""
        answers = [
            b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nhel\r\n2;x\r\nlo\r\n0\r\nT: 1\r\n\r\n",
        ]
        for raw in answers:
            whole, stands = await self.read([raw])
            assert isinstance(whole, HttpResponse)
            assert (whole.body, stands) == (b"hello", True)
            for cut in range(1, len(raw)):
                assert await self.read([raw[:cut], raw[cut:]]) == (whole, stands)
                cut_off, _ = await self.read([raw[:cut]], eof=True)
                assert isinstance(cut_off, str)
            assert await self.read([raw[n : n + 1] for n in range(len(raw))]) == (whole, stands)

    def test_any_bytes_are_an_answer_or_none(self) -> None:
        """Random bytes, and HTTP with random parts, end in an answer or NoAnswer; nothing else escapes."""
        tokens = st.sampled_from(
            [
                b"HTTP/1.1 200 OK\r\n",
                b"Content-Length: 3\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"\r\n",
                b"3\r\n",
                b"abc",
                b"0\r\n",
                b"HTTP/1.1 100 C\r\n\r\n",
                b"Connection: close\r\n",
                b"\n",
                b":",
                b"\x00",
            ]
        )

        @fuzz
        @given(st.lists(tokens | st.binary(max_size=12), max_size=12), st.booleans())
        def check(pieces: list[bytes], eof: bool) -> None:
            answer, _ = asyncio.run(self.read(pieces, eof))
            assert isinstance(answer, HttpResponse | str)

        check()
