"""The web chat: our own page and widget. Its mailbox is the transcript, which the browser reads over its own socket, so
a message is delivered when it is on the transcript and allowed to be seen there."""

from __future__ import annotations

from channels.base import AccountSettings, Adapter, AnyEvent, Capabilities, Forged, Outgoing, Request, Sent


class WebSettings(AccountSettings):
    """The web chat needs no credentials: sessions are signed with the server's own secret."""


class WebAdapter(Adapter[WebSettings]):
    channel = "web"
    capabilities = Capabilities(
        text_limit=4000,
        buttons=20,
        button_title_limit=200,
        idempotent=True,
        starts_conversations=False,
        file_limit=1 << 30,
        own_files=True,
        typing=True,
    )
    Settings = WebSettings

    def verify(self, request: Request) -> None:
        raise Forged("the web chat is reached at /chat, not by a webhook")

    def parse(self, body: bytes) -> list[AnyEvent]:
        return []

    async def send(self, outgoing: Outgoing) -> Sent:
        return Sent()
