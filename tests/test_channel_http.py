"""The HTTP client of the channels: what it reads, and that unsent is never confused with unknown."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import traceback
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvloop
from fake_platform import FakePlatform, Fault
from scripted_server import OK, post, scripted, until

from channels import http as http_module
from channels.base import ChannelError, Misconfigured, OutcomeUnknown, Unavailable
from channels.http import BODY_LIMIT, Http, HttpResponse, strange_answer

# The hook that is to follow this fixture belongs in conftest.py, where it would double every test there is.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture"),
    pytest.mark.asyncio(loop_scope="function"),  # of each kind, and not the one that all other tests share
]


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Everything here holds on both event loops: the service runs on uvloop where there is one."""
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


@pytest_asyncio.fixture(loop_scope="function")
async def http() -> AsyncIterator[Http]:
    http = Http()
    yield http
    await http.close()


class TestAnswers:
    @pytest.mark.parametrize(
        ("raw", "body"),
        [
            (OK, b"ok"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
            (b"HTTP/1.1 200\r\ncontent-length:2 \r\n\r\nok", b"ok"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;x=y\r\no\r\nA\r\n"
                b"kkkkkkkkkk\r\n0\r\nT: 1\r\n\r\n",
                b"o" + b"k" * 10,
            ),
            (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
            (b"HTTP/1.1 100 C\r\n\r\n" * 3000 + OK, b"ok"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", b"ok"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
            (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
            (b"HTTP/1.1 200 OK\r\nX: \xff\xfe\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        ],
    )
    async def test_bodies_end_where_they_say(self, http: Http, raw: bytes, body: bytes) -> None:
        """Bodies by length or in chunks are read to their end, and the connection serves the next request."""
        async with scripted(raw, OK) as server:
            response = await post(http, f"{server.url}/x")
            assert (response.body, response.status // 100) == (body, 2)
            assert (await post(http, f"{server.url}/y")).body == b"ok"
            assert server.connections == 1

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        ],
        ids=["close", "http-1.0", "two-lengths", "more-than-asked"],
    )
    async def test_a_doubtful_connection_is_not_used_again(self, http: Http, raw: bytes) -> None:
        """After an answer that ends the connection, or that has more behind it, the next request goes over a new one,
        so no bytes of one answer are taken for another."""
        async with scripted(raw, OK) as server:
            assert (await post(http, server.url)).body == b"ok"
            assert (await post(http, server.url)).body == b"ok"
            assert server.connections == 2

    async def test_a_body_may_last_until_the_connection_closes(self, http: Http) -> None:
        """Without any length the close is the end."""

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of")
            await writer.drain()
            writer.write(b" it")
            writer.close()

        async with scripted(answer) as server:
            assert (await post(http, server.url)).body == b"all of it"

    async def test_what_is_written_is_http(self, http: Http) -> None:
        """The request line, host, length, headers and body are as given; nothing is compressed or added by guess."""
        async with scripted(OK, OK) as server:
            await post(http, f"{server.url}/a/b?c=%20d#fragment")
            await http.request("GET", f"{server.url}?q")
            host = server.url.removeprefix("http://").encode()
            assert server.requests[0] == (
                b"POST /a/b?c=%20d HTTP/1.1\r\nHost: "
                + host
                + b"\r\nUser-Agent: Earful\r\nAccept-Encoding: identity\r\n"
                b"Content-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"
            )
            assert server.requests[1].startswith(b"GET /?q HTTP/1.1\r\n")

    async def test_a_compressed_answer_stays_as_it_came(self, http: Http) -> None:
        """Nothing is unpacked, so a small answer cannot become a huge one."""
        packed = gzip.compress(b"0" * 5_000_000)
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        async with scripted(head + packed) as server:
            assert (await post(http, server.url)).body == packed

    async def test_redirects_are_answers(self, http: Http) -> None:
        """A redirect is not followed: credentials go to the host that was named and no other."""
        async with scripted(b"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as server:
            response = await post(http, server.url)
            assert (response.status, response.headers["location"]) == (307, "http://127.0.0.1:1/")

    async def test_a_real_server_is_understood(self, http: Http) -> None:
        """aiohttp's server and this client agree on a hundred requests at once."""
        async with FakePlatform() as platform:
            answers = await asyncio.gather(*(post(http, f"{platform.url}/{n}") for n in range(100)))
            assert {answer.body for answer in answers} == {b"{}"}
            assert sorted(call.path for call in platform.calls) == sorted(f"/{n}" for n in range(100))
            assert {call.body for call in platform.calls} == {b"hello"}


class TestUnknown:
    @pytest.mark.parametrize(
        "raw",
        [
            b"\x00\x01\x02\r\n\r\n",
            b"SSH-2.0-OpenSSH\r\n\r\n",
            b"HTTP/2 200 OK\r\n\r\n",
            b"HTTP/1.1 99 OK\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokXX0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 40_000,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"x" * 40_000,
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT + 1),
            b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (BODY_LIMIT + 1),
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"8000\r\n"
            + (b"x" * 0x8000 + b"\r\n8000\r\n") * 33,
        ],
        ids=lambda raw: repr(raw[-24:]),
    )
    async def test_a_bad_answer_is_unknown(self, http: Http, raw: bytes) -> None:
        """What is not HTTP/1.1 to the letter, or longer than is read, is no answer; and it ends the connection."""
        async with scripted(raw) as server:
            with pytest.raises(OutcomeUnknown, match=r"127\.0\.0\.1"):
                await post(http, server.url)
            with pytest.raises(OutcomeUnknown):
                await post(http, server.url)
            assert server.connections == 2

    async def test_a_kept_connection_closed_in_silence_is_unknown(self, http: Http) -> None:
        """A server may read a request and then close: the request is not sent a second time, although not a byte of an
        answer came."""

        async def close(writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        async with scripted(OK, close) as server:
            await post(http, server.url)
            with pytest.raises(OutcomeUnknown, match="unanswered"):
                await post(http, server.url)
            assert (len(server.requests), server.connections) == (2, 1)

    async def test_a_connection_closed_while_idle_is_replaced(self, http: Http) -> None:
        """A connection that the server closed between requests is known to be gone: nothing is lost."""
        answered = asyncio.Event()

        async def answer_and_close(writer: asyncio.StreamWriter) -> None:
            writer.write(OK)
            await answered.wait()
            writer.close()

        async with scripted(answer_and_close) as server:
            for _ in range(3):
                answered.clear()
                assert (await post(http, server.url)).body == b"ok"
                answered.set()
                await until(lambda: not http.open_connections)
            assert server.connections == 3

    async def test_unasked_bytes_end_an_idle_connection(self, http: Http) -> None:
        """What a server says before it is asked is never taken for the next answer."""
        answered = asyncio.Event()

        async def answer_twice(writer: asyncio.StreamWriter) -> None:
            writer.write(OK)
            await answered.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")

        async with scripted(answer_twice, OK) as server:
            assert (await post(http, server.url)).body == b"ok"
            answered.set()
            await until(lambda: not http.open_connections)
            assert (await post(http, server.url)).body == b"ok"
            assert server.connections == 2

    async def test_an_answer_that_stops_is_unknown_when_time_is_up(self, http: Http) -> None:
        """The time is for the whole answer: one that began in time and then stopped is no answer."""
        over = asyncio.Event()

        async def begin(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 1999)
            await over.wait()

        async with scripted(begin) as server:
            with pytest.raises(OutcomeUnknown, match="time is up"):
                await post(http, server.url, timeout=0.1)
            over.set()

    async def test_a_cancelled_request_takes_its_connection_with_it(self, http: Http) -> None:
        """The late answer to a request that was given up is never the next one's."""
        async with FakePlatform() as platform:
            platform.fail(Fault(act="slow"))
            task = asyncio.create_task(post(http, f"{platform.url}/one"))
            await platform.arrived(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            platform.release()
            assert (await post(http, f"{platform.url}/two")).body == b"{}"
            assert [call.path for call in platform.calls] == ["/one", "/two"]

    async def test_hosts_that_nobody_uses_are_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """However many hosts were called, only some are remembered; the others' connections are closed."""
        monkeypatch.setattr(http_module, "HOSTS", 2)
        http = Http()
        async with scripted(OK) as one, scripted(OK) as two, scripted(OK) as three:
            for server in (one, two, three):
                assert (await post(http, server.url)).body == b"ok"
            await until(lambda: http.open_connections == 1)
        await http.close()

    async def test_closing_ends_what_is_under_way(self) -> None:
        """Whoever still waits when the client is closed is told that the outcome is unknown; nobody may begin anew."""
        async with FakePlatform() as platform:
            http = Http()
            platform.fail(Fault(act="hang"))
            task = asyncio.create_task(post(http, platform.url))
            await platform.arrived(1)
            await http.close()
            with pytest.raises(OutcomeUnknown):
                await task
            with pytest.raises(Unavailable):
                await post(http, platform.url)


class TestUnsent:
    async def test_a_refused_connection_is_unavailable(self, http: Http) -> None:
        """Where nothing listens nothing was sent."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(Unavailable, match="nothing was sent"):
            await post(http, f"http://127.0.0.1:{port}/secret-path")

    @pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..b", ".", "x" * 300])
    async def test_a_host_that_can_be_no_name_is_unavailable(self, http: Http, host: str) -> None:
        """A name too long or empty in its parts is refused in words, not with a traceback of the resolver's."""
        with pytest.raises(Unavailable, match="nothing was sent"):
            await post(http, f"http://{host}:9/")

    async def test_a_turn_that_never_comes_is_unavailable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With all connections waiting for answers, the next request ends unsent when its time is up, and those that
        wait go on when one is free."""
        monkeypatch.setattr(http_module, "CONNECTIONS", 2)
        http = Http()
        async with FakePlatform() as platform:
            platform.fail(Fault(act="slow"), Fault(act="slow"))
            held = [asyncio.create_task(post(http, f"{platform.url}/held")) for _ in range(2)]
            await platform.arrived(2)
            with pytest.raises(Unavailable, match="nothing was sent"):
                await post(http, f"{platform.url}/late", timeout=0.05)
            waiting = asyncio.create_task(post(http, f"{platform.url}/patient"))
            platform.release()
            assert [(await task).status for task in (*held, waiting)] == [200, 200, 200]
            assert [call.path for call in platform.calls] == ["/held", "/held", "/patient"]
        await http.close()

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "telegram",
            "ftp://host/x",
            "http://",
            "http:///x",
            "http://user:word@host/",
            "http://host:99999/",
            "http://host:x/",
            "http://[::1",
            "http://host/a b",
            "http://host\\@other/",
            "http://host/a\r\nX: y",
            "http://host/路",
            "http://主机/",
        ],
    )
    async def test_a_url_that_is_none_is_misconfigured(self, http: Http, url: str) -> None:
        """An address that cannot be called is the operator's to mend, and is not quoted: it may hold a token."""
        with pytest.raises(Misconfigured) as caught:
            await post(http, url)
        assert "word" not in str(caught.value)

    @pytest.mark.parametrize("value", ["a\r\nInjected: yes", "a\nb", "a\x00b", "令牌", "a\r"])
    async def test_a_header_cannot_carry_another(self, http: Http, value: str) -> None:
        """A line break in a header's value or name is refused before anything is sent."""
        async with scripted(OK) as server:
            for headers in ({"X-Token": value}, {value: "x"}):
                with pytest.raises(Misconfigured) as caught:
                    await http.request("GET", server.url, headers=headers)
                assert value not in str(caught.value)
            assert server.connections == 0


class TestDiscretion:
    async def test_no_error_and_no_log_bears_url_header_or_body(
        self, http: Http, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever fails, path, query, headers and bodies stay out of errors, their causes and the logs."""
        caplog.set_level(logging.DEBUG)
        words: list[str] = []

        async def attempt(url: str) -> None:
            marked = f"{url}/SECRET-path?token=SECRET-query"
            with pytest.raises(ChannelError) as caught:
                await http.request("POST", marked, headers={"A": "SECRET-header"}, body=b"SECRET-body", timeout=0.1)
            error: BaseException | None = caught.value
            while error is not None:
                words.append(f"{error!r} {error}")
                error = error.__cause__ or error.__context__
            words.extend(line for line in traceback.format_exception(caught.value) if "http.request(" not in line)

        async with scripted(b"HTTP/1.1 200 SECRET-answer\r\nbroken SECRET-answer\r\n\r\n") as server:
            await attempt(server.url)
        async with FakePlatform() as platform:
            platform.fail(Fault(act="hang"), Fault(act="close"), Fault(act="half"), Fault(body=b"x" * (BODY_LIMIT + 1)))
            for _ in range(4):
                await attempt(platform.url)
            await platform.stop()
            await attempt(platform.url)
        await attempt("https://127.0.0.1:9")
        await attempt("http://[broken")
        assert "SECRET" not in "".join(words) + caplog.text

    async def test_a_response_does_not_show_its_body(self) -> None:
        """The repr of an answer has its status only."""
        assert repr(HttpResponse(200, {"set-cookie": "secret"}, b"secret")) == "HttpResponse(status=200)"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, OutcomeUnknown),
        (301, Misconfigured),
        (404, Misconfigured),
        (403, Unavailable),
        (407, Unavailable),
        (500, OutcomeUnknown),
        (502, OutcomeUnknown),
        (503, Unavailable),
        (504, OutcomeUnknown),
    ],
)
async def test_a_strange_answer_is_judged_by_what_may_have_been_sent(status: int, error: type[ChannelError]) -> None:
    """Only a status that says so means that nothing was sent."""
    assert type(strange_answer("Platform", status)) is error
