"""The HTTP client of the channels over TLS: only a certificate that is trusted and fits is spoken to."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from scripted_server import OK, post, scripted

from channels.base import Unavailable
from channels.http import Http

# The hook that is to follow this fixture belongs in conftest.py, where it would double every test there is.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture"),
    pytest.mark.asyncio(loop_scope="function"),  # of each kind, and not the one that all other tests share
]


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """The two event loops have TLS of their own each."""
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


def certificate(folder: Path, name: str, *, expired: bool = False) -> Path:
    """A self-signed certificate and its key in one file, for an IP address or a host name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * day)
        .not_valid_after(now - day if expired else now + day)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{name}.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def serving(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def trusting(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(path))


async def test_a_trusted_server_is_spoken_to_and_kept(tmp_path: Path) -> None:
    """With a certificate that is trusted and names the host, requests go over one kept connection."""
    path = certificate(tmp_path, "127.0.0.1")
    http = Http(tls=trusting(path))
    async with scripted(OK, OK, ssl=serving(path)) as server:
        for _ in range(2):
            assert (await post(http, server.url)).body == b"ok"
        assert (server.connections, len(server.requests)) == (1, 2)
    await http.close()


async def test_a_stranger_gets_nothing(tmp_path: Path) -> None:
    """An untrusted, a mismatched and an expired certificate are Unavailable, and no byte of the request is sent."""
    mine, other = certificate(tmp_path, "127.0.0.1"), certificate(tmp_path, "platform.example")
    old = tmp_path / "old"
    old.mkdir()
    stale = certificate(old, "127.0.0.1", expired=True)
    for shown, trust in ((mine, None), (other, trusting(other)), (stale, trusting(stale))):
        http = Http(tls=trust)
        async with scripted(OK, ssl=serving(shown)) as server:
            with pytest.raises(Unavailable, match="not trusted"):
                await post(http, server.url)
            assert server.requests == []
        await http.close()


async def test_a_server_without_tls_is_unavailable() -> None:
    """A plain server under an https address gets no request, whether it answers or is silent."""
    http = Http()

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")

    silent_done = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent_done.wait()
        writer.close()

    for behave in (greet, silent):
        server = await asyncio.start_server(behave, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable, match="nothing was sent"):
            await post(http, f"https://127.0.0.1:{port}/", timeout=0.3)
        server.close()
    silent_done.set()
    await http.close()
