"""The one HTTP client that adapters send through.

What matters to a sender is whether a failed request may have reached the platform, so every failure is one of two:
`Unavailable` (certainly not sent) or `OutcomeUnknown` (it may have been).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from channels.base import ChannelError, Misconfigured, OutcomeUnknown, Unavailable

BODY_LIMIT = 1 << 20
"""Bytes of an answer that are read; a longer answer is not waited for."""

CONNECTIONS = 100
"""Connections open at once; a request beyond that waits its turn within its own timeout."""

IDLE_SECONDS = 20.0
"""How long an idle connection is kept. Shorter than servers keep theirs, so that it is seldom they who close it."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer. Header names are lower case; of a repeated header the last counts."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Http:
    """A client that keeps connections alive, follows no redirects, keeps no cookies and unpacks nothing.

    It may be made before there is an event loop and is used from one; nothing is opened until the first request.
    `tls` replaces the system's trust store, for platforms behind a private certificate authority.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = 20.0,
    ) -> HttpResponse:
        """Send one request and read the whole answer, all within `timeout` seconds.

        Any status is an answer, redirects included. Raises Unavailable if nothing was sent (no address, no connection,
        no trusted certificate), OutcomeUnknown if the request went out and no whole answer came back, Misconfigured if
        the URL is none. Errors name the host and never bear path, query, headers or body.
        """
        host = _host(url)
        failure: ChannelError
        try:
            async with self._open().request(
                method,
                url,
                headers=headers,
                data=body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout, ceil_threshold=timeout + 1.0),
            ) as response:
                content = await _read(response)
                if content is not None:
                    return HttpResponse(response.status, {k.lower(): v for k, v in response.headers.items()}, content)
                response.close()
                failure = OutcomeUnknown(f"{host} answered more than {BODY_LIMIT} bytes")
        except aiohttp.InvalidURL:
            failure = Misconfigured(f"not an address that can be called on {host}; check api_base in the settings")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            failure = Unavailable(f"cannot connect to {host}: {_reason(error)}; nothing was sent")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Also a kept connection that the server closed as we wrote to it: it may have read the request first.
            failure = OutcomeUnknown(f"no whole answer from {host}: {_reason(error)}")
        raise failure  # outside the handlers, so that no cause with a URL in it hangs on the error

    async def close(self) -> None:
        """Close every connection. Requests after this raise RuntimeError."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("this Http is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS, keepalive_timeout=IDLE_SECONDS, ssl=True if self._tls is None else self._tls
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity", "User-Agent": "Earful"},
            )
        return self._session


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


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "no host"
    except ValueError:
        return "no host"


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > BODY_LIMIT:
            return None
        parts.append(part)
    return b"".join(parts)


def _reason(error: BaseException) -> str:
    """A few words that cannot bear a URL: the kind of error and the system's own description of it."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message})"
    if isinstance(cause, TimeoutError | asyncio.TimeoutError):
        return "time is up"
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else type(cause).__name__
