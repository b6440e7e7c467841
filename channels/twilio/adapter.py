"""SMS through Twilio."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

import orjson
from pydantic import AfterValidator, Field, model_validator

from channels.base import (
    AccountSettings,
    Adapter,
    Answer,
    AnyEvent,
    Button,
    Capabilities,
    Forged,
    Malformed,
    OutcomeUnknown,
    Outgoing,
    Rejected,
    Request,
    Secret,
    Sent,
    option_numbers,
    same_secret,
    web_address,
)
from channels.http import Http, strange_answer
from channels.twilio.errors import refusal
from channels.twilio.parts import count_parts
from channels.twilio.webhooks import called_urls, form, parse_form, signature

SIGNATURE = "x-twilio-signature"


class TwilioSettings(AccountSettings):
    """All of it stands in Twilio's console. `auth_token` also signs the webhooks, so it is the account's primary one.
    Messages go out from `from_number` (+15005550006, a short code, or a sender's name where that is allowed) or from a
    messaging service, one of the two."""

    account_sid: str = Field(
        pattern=r"^AC[0-9a-fA-F]{32}$", description="AC and 32 hexadecimal digits, from the first page of the console"
    )
    auth_token: Secret = Field(description="the account's primary one, from the first page of the console")
    from_number: str | None = Field(
        default=None,
        pattern=r"^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 ]{1,11})$",
        description="a number such as +15005550006, a short code, or a sender's name of at most 11 letters and digits",
    )
    messaging_service_sid: str | None = Field(
        default=None, pattern=r"^MG[0-9a-fA-F]{32}$", description="MG and 32 hexadecimal digits"
    )
    api_base: Annotated[str, AfterValidator(web_address)] = "https://api.twilio.com"

    @model_validator(mode="after")
    def _has_one_sender(self) -> TwilioSettings:
        if (self.from_number is None) == (self.messaging_service_sid is None):
            raise ValueError("give either from_number or messaging_service_sid: it is whom customers see")
        return self


class TwilioAdapter(Adapter[TwilioSettings]):
    """A thread is the person's phone number with its country code; references are message SIDs.

    Options are listed by `option_numbers` below the text, which counts against the limit with them.
    """

    channel = "twilio"
    Settings = TwilioSettings
    capabilities = Capabilities(
        text_limit=1600,  # UTF-16 units, options included: an emoji counts as two
        digits=True,
        receipts=True,
        rate_per_address=1.0,
        rate_per_account=10.0,  # Twilio queues for hours what its number cannot send at once; so do not flood it
        starts_conversations=True,
        answers_stop=True,
    )

    def __init__(self, account: str, settings: TwilioSettings, http: Http) -> None:
        super().__init__(account, settings, http)
        self._token = settings.auth_token.get_secret_value()
        self._url = f"{settings.api_base}/2010-04-01/Accounts/{settings.account_sid}/Messages.json"
        pair = base64.b64encode(f"{settings.account_sid}:{self._token}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {pair}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }

    def verify(self, request: Request) -> None:
        try:
            fields = form(request.body)
        except Malformed:
            fields = []  # signed as if it were empty, which it is not: Forged
        given = request.headers.get(SIGNATURE, "")
        urls = called_urls(request.url)
        # No short cut on the first match: how long it takes tells nothing.
        matches = [same_secret(given, signature(self._token, url, fields)) for url in urls]
        if not any(matches):
            raise Forged(
                "the signature does not fit: check auth_token, and that EARFUL_PUBLIC_URL is what Twilio calls"
            )

    def parse(self, body: bytes) -> list[AnyEvent]:
        return parse_form(body, self.settings.from_number)

    def acknowledge(self) -> Answer:
        return Answer(body=b'<?xml version="1.0" encoding="UTF-8"?><Response/>', content_type="text/xml")

    async def send(self, outgoing: Outgoing) -> Sent:
        if outgoing.kind != "text":
            raise Rejected(f"an SMS cannot be a {outgoing.kind}")
        if not re.fullmatch(r"\+[1-9][0-9]{6,14}", outgoing.address):
            raise Rejected("the address is no phone number with its country code, like +8613800000000")
        text = with_options(_sound(outgoing.text), outgoing.buttons)
        if (units := len(text.encode("utf-16-le")) // 2) > self.capabilities.text_limit:
            raise Rejected(
                f"the text has {units} characters with its options, an SMS takes {self.capabilities.text_limit}"
            )
        fields = {"To": outgoing.address, "Body": text}
        if self.settings.messaging_service_sid:
            fields["MessagingServiceSid"] = self.settings.messaging_service_sid
        else:
            fields["From"] = self.settings.from_number or ""
        if self.hook:
            fields["StatusCallback"] = self.hook
        response = await self.http.request(
            "POST", self._url, headers=self._headers, body=urlencode(fields).encode(), timeout=self.timeout
        )
        try:
            answer = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict) or 300 <= response.status < 400:
            raise strange_answer("Twilio", response.status)
        if response.status >= 300:
            raise refusal(response.status, answer.get("code"), response.headers.get("retry-after", ""))
        if not isinstance(sid := answer.get("sid"), str):
            raise OutcomeUnknown("Twilio took the message, but gave no SID for it")
        return Sent(sid, count_parts(text))


def with_options(text: str, buttons: Sequence[Button]) -> str:
    """The text, and below it each option behind the number that stands for it; options that are nothing but their
    numbers share a line. Raises Rejected for a text or an option without words."""
    if not text.strip() or not all(button.title.strip() for button in buttons):
        raise Rejected("an SMS and each of its options must have words")
    if not buttons:
        return text
    titles = [_sound(button.title).strip() for button in buttons]
    if all(re.fullmatch(r"[0-9]+", title) for title in titles):
        return f"{text}\n{' '.join(titles)}"
    numbers = option_numbers(buttons)
    lines = [
        title if re.match(rf"0*{n}(?![0-9])", title) else f"{n} {title}"
        for n, title in zip(numbers, titles, strict=True)
    ]
    return "\n".join([text, *lines])


def _sound(text: str) -> str:
    """Without what no SMS can bear: NUL, and half an emoji, which becomes a question mark."""
    return text.replace("\x00", "").encode(errors="replace").decode()
