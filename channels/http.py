"""The one HTTP client that adapters send through.

What matters to a sender is whether a failed request may have reached the platform, so every failure is one of two:
`Unavailable` (certainly not sent) or `OutcomeUnknown` (it may have been). General clients blur the two, some repeat
requests of their own accord, and a send through them costs a multiple of the CPU.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from channels.base import ChannelError, Misconfigured, OutcomeUnknown, Unavailable
from channels.http_connection import BODY_LIMIT, Connection, HttpResponse, NoAnswer

__all__ = ["BODY_LIMIT", "CONNECTIONS", "IDLE_SECONDS", "Http", "HttpResponse", "strange_answer"]

CONNECTIONS = 100
"""Connections to one host at once; a request beyond that waits its turn within its own timeout."""
IDLE_SECONDS = 20.0
"""How long an idle connection is kept. Shorter than servers keep theirs, so that it is seldom they who close it."""
ADDRESS_SECONDS = 4.0
"""How long each of a host's addresses but the last is tried: many have an IPv6 one that many networks do not reach."""
HOSTS = 256
"""Hosts remembered at once; beyond that those that nobody uses are forgotten."""

_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[\x21-\x7e]+")


class Http:
    """A client that keeps connections alive, follows no redirects, keeps no cookies and unpacks nothing.

    It may be made before there is an event loop and is used from one; nothing is opened until the first request.
    `tls` replaces the system's trust store, for platforms behind a private certificate authority. `permits` is asked
    of each numeric address that a name leads to, with whether TLS is spoken there, before it is connected to: of
    addresses that others give us not all may be called.
    """

    def __init__(
        self, tls: ssl.SSLContext | None = None, permits: Callable[[str, bool], bool] = lambda address, tls: True
    ) -> None:
        self._tls = tls
        self._permits = permits
        self._hosts: dict[tuple[str, str, int], _Host] = {}
        self._open: set[Connection] = set()
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = 20.0,
        limit: int = BODY_LIMIT,
    ) -> HttpResponse:
        """Send one request and read the whole answer, of `limit` bytes at most, all within `timeout` seconds.

        Any status is an answer, redirects included. Raises Unavailable if nothing was sent (no address, no connection,
        no trusted certificate, a closed client), OutcomeUnknown if the request went out and no whole answer came back,
        Misconfigured if the URL or a header is none. Errors name the host and never bear path, query, headers or body.
        """
        if self._closed:
            raise Unavailable("the service is closing; nothing was sent")
        target = _target(url)
        request = _head(method, target, headers or {}, len(body)) + body
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        host = self._host(target)
        host.users += 1
        failure: ChannelError
        try:
            await host.take_turn(deadline)
            try:
                connection = host.take_idle(loop.time()) or await self._connect(target, deadline)
                response = await connection.exchange(request, deadline - loop.time(), limit)
                if connection.reusable:
                    connection.idle_since = loop.time()
                    host.idle.append(connection)
                return response
            finally:
                host.slots.release()
        except TimeoutError:
            failure = Unavailable(f"all connections to {target.host} are waiting for answers; nothing was sent")
        except NoAnswer as error:
            # Also a kept connection that the server closed as we wrote to it: it may have read the request first.
            failure = OutcomeUnknown(f"no whole answer from {target.host}: {error}")
        finally:
            host.users -= 1
        raise failure  # outside the handlers, so that nothing hangs on it

    @property
    def open_connections(self) -> int:
        """Connections that stand, idle ones included."""
        return len(self._open)

    async def close(self) -> None:
        """Close every connection: requests under way end as OutcomeUnknown, later ones as Unavailable."""
        self._closed = True
        for connection in self._open:
            connection.abort()
        await asyncio.sleep(0)  # for the event loop to let go of them

    def _host(self, target: _Target) -> _Host:
        host = self._hosts.get(target.key)
        if host is None:
            if len(self._hosts) >= HOSTS:
                for key in [key for key, known in self._hosts.items() if not known.users]:
                    for connection in self._hosts.pop(key).idle:
                        connection.abort()
            host = self._hosts[target.key] = _Host()
        return host

    async def _connect(self, target: _Target, deadline: float) -> Connection:
        """Raises Unavailable, whatever went wrong: without a connection nothing is sent."""
        loop = asyncio.get_running_loop()
        tls = None
        if target.scheme == "https":
            self._tls = tls = self._tls or ssl.create_default_context()
        reason = ""
        try:
            async with asyncio.timeout_at(deadline):
                found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
                addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
                for address in addresses:
                    if not self._permits(address, tls is not None):
                        reason = "its address is not one that may be called"
                        continue
                    try:
                        async with asyncio.timeout(ADDRESS_SECONDS if address != addresses[-1] else None):
                            _, connection = await loop.create_connection(
                                lambda: Connection(self._open),
                                address,
                                target.port,
                                ssl=tls,
                                server_hostname=target.host if tls else None,
                            )
                        return connection
                    except (OSError, ssl.CertificateError) as error:
                        reason = _reason(error)
        except (OSError, UnicodeError) as error:  # the latter for a host that no name server could be asked for
            reason = _reason(error)
        raise Unavailable(f"cannot connect to {target.host}: {reason}; nothing was sent")


class _Host:
    """The connections to one host. `users` are the requests that hold one or wait for one."""

    __slots__ = ("idle", "slots", "users")

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(CONNECTIONS)
        self.idle: list[Connection] = []
        self.users = 0

    async def take_turn(self, deadline: float) -> None:
        """Take a slot, to be released. Raises TimeoutError."""
        if self.slots.locked():
            async with asyncio.timeout_at(deadline):
                await self.slots.acquire()
        else:
            await self.slots.acquire()

    def take_idle(self, now: float) -> Connection | None:
        """The one used last, so that those not needed grow old; None if there is none fit for use."""
        while self.idle:
            connection = self.idle.pop()
            if connection.reusable and now - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.abort()
        return None


class _Target(NamedTuple):
    """A URL taken apart for a request: `path` with its query, `authority` for the Host header."""

    scheme: str
    host: str
    port: int
    path: str
    authority: str

    @property
    def key(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


@lru_cache(256)
def _target(url: str) -> _Target:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        host = port = None
    if not host or not port or parts.scheme not in _PORTS or "@" in parts.netloc or not _PLAIN.fullmatch(url):
        raise Misconfigured("not an http or https address that can be called; check api_base in the settings")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(parts.scheme, host, port, path, parts.netloc)


def _head(method: str, target: _Target, headers: Mapping[str, str], length: int) -> bytes:
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    head = (
        f"{method} {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nUser-Agent: Earful\r\n"
        f"Accept-Encoding: identity\r\nContent-Length: {length}\r\n{fields}\r\n"
    )
    lines = len(headers) + 6
    if not head.isascii() or head.count("\n") != lines or head.count("\r") != lines or "\x00" in head:
        raise Misconfigured(
            "a header that is sent would break the request: a setting has a line break or odd characters"
        )
    return head.encode()


def strange_answer(platform: str, status: int) -> ChannelError:
    """The error for an answer that is not in the platform's own format: often something on the way gave it."""
    if status == 503:
        return Unavailable(f"{platform} is unavailable (503); nothing was sent")
    if status >= 500:
        # A gateway that lost its backend, or a server that restarts, says so too of requests that it had passed on.
        return OutcomeUnknown(f"{platform} answered {status}; the message may have been sent")
    if 200 <= status < 300:
        return OutcomeUnknown(f"{platform} took the request, but its answer cannot be read")
    if status == 404 or status < 400:
        return Misconfigured(f"{platform} does not answer at this address ({status}); check api_base in the settings")
    return Unavailable(f"something between here and {platform} answered {status}; check the proxy or firewall")


def _reason(error: BaseException) -> str:
    """A few words that cannot bear a URL: the system's own description, or the kind of error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "time is up"
    return error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
