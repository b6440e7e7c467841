"""How the HTTP client finds a host, with names and addresses that no test machine has."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from scripted_server import OK, post, scripted

from channels import http as http_module
from channels.base import Unavailable
from channels.http import Http


async def test_an_unknown_host_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not resolve is Unavailable, with the name and the system's reason."""

    http = Http()

    async def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
    with pytest.raises(Unavailable, match=r"platform\.example: Name or service not known"):
        await post(http, "http://platform.example/secret-path")


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with an unreachable first address is reached at its second."""
    http = Http()
    loop = asyncio.get_running_loop()
    connect: Any = loop.create_connection
    monkeypatch.setattr(http_module, "ADDRESS_SECONDS", 0.05)
    async with scripted(OK) as server:
        port = int(server.url.rpartition(":")[2])

        async def two(*_: object, **__: object) -> list[Any]:
            return [(0, 0, 0, "", ("192.0.2.1", port)), (0, 0, 0, "", ("127.0.0.1", port))]

        async def black_hole(make: Any, address: str, *rest: Any, **options: Any) -> Any:
            if address == "192.0.2.1":
                await asyncio.Event().wait()
            return await connect(make, address, *rest, **options)

        monkeypatch.setattr(loop, "getaddrinfo", two)
        monkeypatch.setattr(loop, "create_connection", black_hole)
        assert (await post(http, f"http://platform.example:{port}/")).body == b"ok"
