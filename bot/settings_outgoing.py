"""Settings of what goes out to systems and to staff: networks for webhooks, a mail server for pages."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from bot.outgoing.server import Server
from bot.outgoing.targets import Network, networks_of

ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,255}")
"""An address as mail servers take it; who reads there only a mail can tell."""
_NEAR = ("localhost", "127.0.0.1", "::1")


class OutgoingSettings(BaseSettings):
    """Without `smtp_host` no mail is sent; webhooks go to public addresses over https, as long as nothing else is
    allowed."""

    webhook_networks: tuple[str, ...] = Field((), description="Private networks that webhooks may go to, as a list.")
    smtp_host: str = Field("", description="The mail server through which staff are paged; empty: none.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_tls: str = Field("starttls", pattern="^(starttls|tls|none)$", description="starttls, tls or none.")
    smtp_username: str = Field("", description="Whom we are there; empty: it wants to know from nobody.")
    smtp_password: SecretStr | None = Field(None, description="The password.")
    smtp_from: str = Field("", description="The address that pages come from.")

    @field_validator("webhook_networks")
    @classmethod
    def _networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            try:
                networks_of([value])
            except ValueError as error:
                raise ValueError(f"'{value}' is not a network: write for example 10.0.0.0/8 or 127.0.0.1/32") from error
        return values

    @model_validator(mode="after")
    def _whole_mail(self) -> Self:
        if not self.smtp_host:
            return self
        if not ADDRESS.fullmatch(self.smtp_from):
            raise ValueError("smtp_from is missing or no address: write the one that pages come from")
        if bool(self.smtp_username) != bool(self.smtp_password):
            raise ValueError("smtp_username and smtp_password go together: set both, or neither")
        if self.smtp_password and self.smtp_tls == "none" and self.smtp_host not in _NEAR:
            raise ValueError("smtp_password would go over the network in the clear: set smtp_tls to starttls or tls")
        return self

    @property
    def networks(self) -> tuple[Network, ...]:
        return networks_of(self.webhook_networks)

    @property
    def mail_server(self) -> Server:
        return Server(
            host=self.smtp_host,
            port=self.smtp_port,
            tls=self.smtp_tls,
            username=self.smtp_username,
            password=self.smtp_password.get_secret_value() if self.smtp_password else "",
            sender=self.smtp_from,
        )
