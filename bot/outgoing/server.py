"""The mail server of the house, as a value."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server, and who we are there. Without a `host` there is none. `tls`: starttls, tls or none."""

    host: str = ""
    port: int = 587
    tls: str = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""
    trust: ssl.SSLContext | None = None  # for one behind a private certificate authority
