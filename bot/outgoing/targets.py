"""Where webhooks may go: out into the world over https, and into those private networks that the operator names.

Whoever may register a webhook could otherwise have us call what only we can reach: the cloud's metadata, a database's
console. The name is looked at when it is registered; what counts is the address that is connected to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from bot.yamlfile import Words
from nlu.understanding import Language

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST = 500
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class BadTarget(ValueError):
    """Nothing is sent there. `words` say why and what to do."""

    def __init__(self, words: Words, **values: object) -> None:
        super().__init__(words.said("en", **values))
        self.words = words
        self.values = values

    def said(self, language: Language) -> str:
        return self.words.said(language, **self.values)


_SHAPE = Words(
    "请写成 https://example.com/hook 这样，最多 {most} 个字符",
    "write it like https://example.com/hook, in {most} characters at most",
)
_BARE = Words(
    "地址里不要带用户名、密码和 #，发出的内容自带签名", "leave user, password and # out of it: what is sent is signed"
)
_PLAIN = Words(
    "请用 https://；http:// 只能发往 EARFUL_WEBHOOK_NETWORKS 列出的内网",
    "use https://; http:// goes only into networks that EARFUL_WEBHOOK_NETWORKS names",
)
_PRIVATE = Words(
    "{host} 不是公网地址；允许的内网写在 EARFUL_WEBHOOK_NETWORKS 里",
    "{host} is no public address; EARFUL_WEBHOOK_NETWORKS names private ones that are allowed",
)


def networks_of(names: Sequence[str]) -> tuple[Network, ...]:
    """Raises ValueError for what is no network."""
    return tuple(ipaddress.ip_network(name) for name in names)


def permits(networks: Sequence[Network]) -> Callable[[str, bool], bool]:
    """Whether a numeric address may be connected to, with or without TLS."""

    def permitted(host: str, tls: bool) -> bool:
        try:
            address = inner(ipaddress.ip_address(host.partition("%")[0]))
        except ValueError:
            return False
        if any(address in network for network in networks if network.version == address.version):
            return True
        return tls and address.is_global and not address.is_multicast

    return permitted


def inner(address: Address) -> Address:
    """The IPv4 address that one of IPv6 stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def check(url: str, networks: Sequence[Network]) -> str:
    """The address to call, as it is written. Raises BadTarget."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    printable = url.isascii() and url.isprintable() and " " not in url
    if not host or port == 0 or not printable or len(url) > LONGEST or parts.scheme not in ("http", "https"):
        raise BadTarget(_SHAPE, most=LONGEST)
    if parts.username is not None or parts.fragment:
        raise BadTarget(_BARE)
    if parts.scheme == "http" and not networks:
        raise BadTarget(_PLAIN)
    try:
        numeric = str(ipaddress.ip_address(host))
    except ValueError:
        return url  # a name: where it leads is looked at with each connection
    if not permits(networks)(numeric, parts.scheme == "https"):
        raise BadTarget(_PRIVATE, host=host)
    return url
