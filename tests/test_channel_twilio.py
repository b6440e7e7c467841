"""The Twilio SMS adapter: the channel contract, and what is Twilio's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from channel_contract import ChannelContract
from fake_platform import FakePlatform, Fault
from fake_twilio import ACCOUNT_SID, AUTH_TOKEN, OUR_NUMBER, FakeTwilio, signed_headers
from pydantic import ValidationError

from channels.base import (
    Adapter,
    Blocked,
    Button,
    ChannelError,
    Misconfigured,
    OutcomeUnknown,
    Outgoing,
    Receipt,
    Rejected,
    Request,
    RetryAfter,
    Unavailable,
)
from channels.http import Http
from channels.twilio.adapter import TwilioAdapter, TwilioSettings
from channels.twilio.parts import count_parts

HOOK = "https://earful.example/hooks/twilio/main"


def refused(status: int, code: int, **headers: str) -> Fault:
    body = {"code": code, "message": "to +8613800000001: 私密 private words", "more_info": "", "status": status}
    return Fault(status=status, body=json.dumps(body).encode(), headers=headers)


class TestTwilio(ChannelContract):
    channel = "twilio"
    signature_header = "x-twilio-signature"
    secrets = (AUTH_TOKEN, base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode())
    address = "+8613800000001"
    empty_secrets = ({"auth_token": ""}, {"auth_token": " \t "})

    def adapter_type(self) -> type[Adapter[Any]]:
        return TwilioAdapter

    def credentials(self, api_base: str) -> dict[str, Any]:
        return {
            "account_sid": ACCOUNT_SID,
            "auth_token": AUTH_TOKEN,
            "from_number": OUR_NUMBER,
            "api_base": api_base,
        }

    def sign(self, body: bytes) -> Request:
        return Request(method="POST", url=HOOK, body=body, headers=signed_headers(HOOK, body))

    def unknown(self) -> bytes:
        return urlencode({"ConversationSid": "CH" + "0" * 32, "EventType": "onThoughtAdded", "Source": "SDK"}).encode()

    def text_payload(self, text: str) -> bytes:
        return FakeTwilio().write("+8613800000001", text)

    def fake(self) -> FakePlatform:
        return FakeTwilio()

    def failures(self) -> Sequence[tuple[str, Fault, type[ChannelError]]]:
        return (
            ("too many at once", refused(429, 20429), RetryAfter),
            ("too many, unreadable code", refused(429, 0), RetryAfter),
            ("queue full", refused(400, 21611), RetryAfter),
            ("opted out", refused(400, 21610), Blocked),
            ("no number", refused(400, 21211), Rejected),
            ("landline", refused(400, 21614), Rejected),
            ("country switched off", refused(400, 21408), Rejected),
            ("a code that is new", refused(400, 29999), Rejected),
            ("wrong token", refused(401, 20003), Misconfigured),
            ("suspended", refused(403, 20005), Misconfigured),
            ("no account", refused(404, 20404), Misconfigured),
            ("not our number", refused(400, 21606), Misconfigured),
            ("no such service", refused(400, 21705), Misconfigured),
            ("callback refused", refused(400, 21609), Misconfigured),
            ("redirected", Fault(status=302, headers={"Location": "https://elsewhere.example"}), Misconfigured),
            ("wrong address", Fault(status=404, body=b"<html>nginx</html>"), Misconfigured),
            ("firewall", Fault(status=407, body=b"<html>proxy</html>"), Unavailable),
            ("down", refused(503, 20503), Unavailable),
            ("down, HTML", Fault(status=503, body=b"<html>"), Unavailable),
            ("their fault", refused(500, 20500), OutcomeUnknown),
            ("gateway", Fault(status=504, body=b"<html>", taken=True), OutcomeUnknown),
            ("not JSON", Fault(status=201, body=b"created", taken=True), OutcomeUnknown),
            ("no sid", Fault(status=201, body=b'{"sid": null}', taken=True), OutcomeUnknown),
            ("a list", Fault(status=201, body=b"[]", taken=True), OutcomeUnknown),
        )


class TestSaying:
    @pytest.fixture
    async def fake(self) -> Any:
        async with FakeTwilio() as fake:
            yield fake

    @pytest.fixture
    async def adapter(self, fake: FakeTwilio) -> Any:
        http = Http()
        yield TestTwilio().make(http, fake.url)
        await http.close()

    @pytest.mark.parametrize(
        ("titles", "body"),
        [
            (["很满意", "一般", "不满意"], "请评价\n1 很满意\n2 一般\n3 不满意"),
            (["1", "2", "3", "4", "5"], "请评价\n1 2 3 4 5"),
            ([str(n) for n in range(11)], "请评价\n0 1 2 3 4 5 6 7 8 9 10"),
            (["5 ⭐", "4 ⭐", "1 ⭐"], "请评价\n5 ⭐\n4 ⭐\n1 ⭐"),
            (["3天内", "3个工作日", "不急"], "请评价\n1 3天内\n2 3个工作日\n3 不急"),
            (["👍", "👎"], "请评价\n1 👍\n2 👎"),
        ],
    )
    async def test_options_are_listed_by_number(
        self, adapter: TwilioAdapter, fake: FakeTwilio, titles: list[str], body: str
    ) -> None:
        """Where there are no buttons the options stand below the text, each behind the digit that means it."""
        buttons = tuple(Button(title, f"r:{n}") for n, title in enumerate(titles))
        await adapter.send(Outgoing(address="+8613800000001", text="请评价", key="k", buttons=buttons))
        assert fake.sent[0].body == body

    async def test_options_count_against_the_limit(self, adapter: TwilioAdapter, fake: FakeTwilio) -> None:
        """Text and options together must fit; emoji count twice."""
        for text, buttons in (("x" * 1597, (Button("ok", "1"),)), ("👍" * 801, ()), ("x", (Button(" ", "1"),))):
            with pytest.raises(Rejected):
                await adapter.send(Outgoing(address="+8613800000001", text=text, key="k", buttons=buttons))
        assert not fake.calls

    @pytest.mark.parametrize("address", ["", "13800000001", "+0123456789", "+86 138", "whatsapp:+8613800000001", "+٨٦"])
    async def test_an_address_that_is_none_is_rejected(
        self, adapter: TwilioAdapter, fake: FakeTwilio, address: str
    ) -> None:
        """An address must be a number with its country code."""
        with pytest.raises(Rejected):
            await adapter.send(Outgoing(address=address, text="x", key="k"))
        assert not fake.calls

    async def test_receipts_are_asked_for_where_there_is_a_public_address(
        self, adapter: TwilioAdapter, fake: FakeTwilio
    ) -> None:
        """With a public URL Twilio is told where to report; its report names the message that was sent."""
        await adapter.send(Outgoing(address="+8613800000001", text="x", key="k"))
        adapter.public_url = "https://earful.example"
        sent = await adapter.send(Outgoing(address="+8613800000001", text="x", key="k"))
        assert [sms.callback for sms in fake.sent] == ["", HOOK]
        body = fake.report(fake.sent[1], "delivered")
        adapter.verify(Request(method="POST", url=HOOK, body=body, headers=signed_headers(HOOK, body)))
        (receipt,) = adapter.parse(body)
        assert isinstance(receipt, Receipt)
        assert receipt.reference == sent.reference

    async def test_a_messaging_service_sends(self, fake: FakeTwilio) -> None:
        """With a messaging service no number is named."""
        http = Http()
        service = "MG" + "0" * 32
        given = {**TestTwilio().credentials(fake.url), "from_number": None, "messaging_service_sid": service}
        adapter = TwilioAdapter("main", TwilioSettings.model_validate(given), http)
        assert (await adapter.send(Outgoing(address="+8613800000001", text="x", key="k"))).parts == 1
        assert fake.sent[0].sender == service
        await http.close()

    async def test_opted_out_and_landlines(self, adapter: TwilioAdapter, fake: FakeTwilio) -> None:
        """Whoever replied STOP is Blocked; a number that takes no SMS is Rejected; both in words for the operator."""
        fake.opted_out.add("+8613800000001")
        fake.landlines.add("+8613800000002")
        with pytest.raises(Blocked, match="21610"):
            await adapter.send(Outgoing(address="+8613800000001", text="x", key="k"))
        with pytest.raises(Rejected, match="cannot receive SMS"):
            await adapter.send(Outgoing(address="+8613800000002", text="x", key="k"))

    async def test_holding_back_concerns_the_whole_account(self, adapter: TwilioAdapter, fake: FakeTwilio) -> None:
        """Twilio counts requests of an account; its Retry-After counts where it is a number."""
        for header, seconds in (("7", 7.0), ("soon", 1.0), ("0", 1.0), ("9" * 40, 3600.0)):
            fake.fail(refused(429, 20429, **{"Retry-After": header}))
            with pytest.raises(RetryAfter) as caught:
                await adapter.send(Outgoing(address="+8613800000001", text="x", key="k"))
            assert (caught.value.seconds, caught.value.scope) == (seconds, "account")

    async def test_what_no_sms_can_bear_is_mended(self, adapter: TwilioAdapter, fake: FakeTwilio) -> None:
        """NUL goes, half an emoji becomes a question mark."""
        await adapter.send(Outgoing(address="+8613800000001", text="a\x00b\ud83d", key="k"))
        assert fake.sent[0].body == "ab?"

    async def test_parts_are_what_is_billed(self, adapter: TwilioAdapter) -> None:
        """`Sent.parts` counts the text with its options."""
        text, buttons = "好" * 66, (Button("满意", "1"),)
        assert (await adapter.send(Outgoing(address="+8613800000001", text=text, key="k"))).parts == 1
        assert (await adapter.send(Outgoing(address="+8613800000001", text=text, key="k", buttons=buttons))).parts == 2


class TestParts:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("", 1),
            ("a" * 160, 1),
            ("a" * 161, 2),
            ("a" * 306, 2),
            ("a" * 307, 3),
            ("好" * 70, 1),
            ("好" * 71, 2),
            ("好" * 134, 2),
            ("好" * 135, 3),
            ("a" * 69 + "好", 1),
            ("a" * 70 + "好", 2),
            ("€" * 80, 1),
            ("€" * 81, 2),
            ("a" * 152 + "€" * 4 + "a", 2),
            ("€" * 153, 3),  # 76 in a part: none is cut in two
            ("👍" * 35, 1),
            ("👍" * 36, 2),
            ("👍" * 67, 3),  # 33 in a part
            ("`" * 71, 2),
            ("é" * 160, 1),
            ("ç" * 71, 2),
        ],
    )
    def test_parts_follow_the_alphabet(self, text: str, parts: int) -> None:
        """160 and 153 characters in the GSM alphabet, 70 and 67 outside it; escapes and emoji stay whole."""
        assert count_parts(text) == parts


class TestSettings:
    @pytest.mark.parametrize(
        ("change", "remedy"),
        [
            ({"account_sid": "AC12"}, "account_sid"),
            ({"account_sid": "../../x"}, "account_sid"),
            ({"auth_token": None}, "auth_token"),
            ({"from_number": None}, "from_number or messaging_service_sid"),
            ({"messaging_service_sid": "MG" + "0" * 32}, "either"),
            ({"from_number": "+0"}, "from_number"),
            ({"api_base": "ftp://x"}, "api_base"),
        ],
    )
    def test_bad_settings_say_what_to_do(self, change: dict[str, Any], remedy: str) -> None:
        """A setting that cannot work is refused at start, by name and without the secret."""
        with pytest.raises(ValidationError) as caught:
            TwilioSettings.model_validate({**TestTwilio().credentials("http://127.0.0.1:9"), **change})
        assert remedy in str(caught.value)
        assert AUTH_TOKEN not in str(caught.value)
