"""Whom the Twilio adapter lets in, and what it makes of each kind of call."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from channel_case import FIXTURES
from channel_contract import fuzz
from fake_twilio import ACCOUNT_SID, AUTH_TOKEN, OUR_NUMBER, signed_headers
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from channels.base import Consent, Forged, Media, Receipt, Request, Text, Unknown
from channels.http import Http
from channels.twilio.adapter import TwilioAdapter, TwilioSettings
from channels.twilio.webhooks import consent

HOOK = "https://earful.example/hooks/twilio/main"
PAYLOADS = {path.stem: path.read_bytes() for path in sorted((FIXTURES / "twilio").iterdir())}


def listener() -> TwilioAdapter:
    settings = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "from_number": OUR_NUMBER}
    return TwilioAdapter("main", TwilioSettings.model_validate(settings), Http())


def heard(name: str) -> Any:
    """The one event of a recorded payload, or None where it has none."""
    events = listener().parse(PAYLOADS[name])
    assert len(events) <= 1
    return events[0] if events else None


class TestSignature:
    def test_whatever_twilios_library_signs_is_let_in(self) -> None:
        """Twilio's own validator, an independent oracle, and the adapter agree on any fields: repeated, blank, spaced,
        with any characters and in any order."""
        adapter = listener()

        class Fields(dict[str, str]):
            def __init__(self, pairs: list[tuple[str, str]]) -> None:
                super().__init__(pairs)
                self.pairs = pairs

            def getlist(self, name: str) -> list[str]:
                return [value for key, value in self.pairs if key == name]

        text = st.text(max_size=12, alphabet=st.characters(exclude_categories=["Cs"]))

        @fuzz
        @given(st.lists(st.tuples(text, text), max_size=8), st.booleans(), st.data())
        def check(pairs: list[tuple[str, str]], repeat: bool, data: st.DataObject) -> None:
            if repeat and pairs:
                pairs = [*pairs, (pairs[0][0], data.draw(text)), pairs[0]]
            signed = RequestValidator(AUTH_TOKEN).compute_signature(HOOK, Fields(pairs))
            body = urlencode(data.draw(st.permutations(pairs))).encode()
            adapter.verify(Request(method="POST", url=HOOK, body=body, headers={"x-twilio-signature": signed}))
            other = urlencode([*pairs, ("added", "1")]).encode()
            with pytest.raises(Forged):
                adapter.verify(Request(method="POST", url=HOOK, body=other, headers={"x-twilio-signature": signed}))

        check()

    @pytest.mark.parametrize(
        ("called", "seen"),
        [
            (HOOK, HOOK),
            ("https://earful.example:443/hooks/twilio/main", HOOK),
            (HOOK, "https://earful.example:443/hooks/twilio/main"),
            ("https://earful.example:8443/h", "https://earful.example:8443/h"),
            (f"{HOOK}?a=1&b=%E4%BD%A0&a=", f"{HOOK}?a=1&b=%E4%BD%A0&a="),
            ("http://earful.example/h?", "http://earful.example/h?"),
        ],
    )
    def test_the_url_counts_to_the_letter_but_for_the_implied_port(self, called: str, seen: str) -> None:
        """Twilio signs the URL that it calls; only the port that the scheme implies may be there or not."""
        body = PAYLOADS["text"]
        headers = signed_headers(called, body)
        listener().verify(Request(method="POST", url=seen, body=body, headers=headers))
        for other in (f"{seen}x", seen.replace("earful", "Earful"), seen.replace("://", "://u@"), "//", "http://[::1"):
            with pytest.raises(Forged):
                listener().verify(Request(method="POST", url=other, body=body, headers=headers))

    def test_another_accounts_token_is_no_signature(self) -> None:
        """What another account's token signed is Forged."""
        body = PAYLOADS["text"]
        headers = signed_headers(HOOK, body, "0" * 32)
        with pytest.raises(Forged):
            listener().verify(Request(method="POST", url=HOOK, body=body, headers=headers))

    def test_a_flood_of_fields_is_forged(self) -> None:
        """A form of ten thousand fields is refused before it is sorted."""
        body = b"&".join(b"a%d=" % n for n in range(10_000))
        with pytest.raises(Forged):
            listener().verify(Request(method="POST", url=HOOK, body=body, headers=signed_headers(HOOK, body)))


class TestHearing:
    def test_a_message_is_text_from_a_number(self) -> None:
        """The sender's number is the thread, the message's SID the key."""
        assert heard("text") == Text(
            dedupe_key="SM" + "0" * 31 + "1", thread="+8613800000001", text="快递三天了还没到，单号 SF100200"
        )
        assert heard("digit").text == "5"

    @pytest.mark.parametrize(
        ("text", "change"),
        [
            *(
                (word, "stop")
                for word in ("STOP", "stop", " Stop\n", "STOPALL", "Unsubscribe", "cancel", "END", "quit")
            ),
            *((word, "stop") for word in ("REVOKE", "OptOut", "stop.", "Stop!", "ＳＴＯＰ", "\u200bstop\ufeff")),
            *((word, "stop") for word in ("退订", "退订。", "退訂", "取消订阅", "TD", "td", "T", "ｔ", "退订！")),
            *((word, "start") for word in ("START", "unstop", "恢复订阅")),
            *((word, "help") for word in ("HELP", "info", "帮助")),
            *((word, None) for word in ("cancel my order", "YES", "yes", "stop it please", "END OF STORY", "The end")),
            *(
                (word, None)
                for word in ("退订单", "我要退订酒店", "取消", "TT", "t恤破了", "to", "5", "", ".", "help me")
            ),
            *((word, None) for word in ("恢复", "startle", "帮助我", "STOP ALL", "don't stop", "信息")),
        ],
    )
    def test_only_a_whole_keyword_is_consent(self, text: str, change: str | None) -> None:
        """A keyword counts when it is all there is, whatever its case, width or full stop; else it is words."""
        assert consent(text) == change

    @pytest.mark.parametrize(
        ("name", "change"),
        [("stop", "stop"), ("stop_zh", "stop"), ("start", "start"), ("help", "help"), ("advanced_opt_out", "stop")],
    )
    def test_keywords_become_consent(self, name: str, change: str) -> None:
        """An opt-out, an opt-in and a call for help are Consent, as are the operator's own words that Twilio marks."""
        event = heard(name)
        assert isinstance(event, Consent)
        assert (event.change, event.thread) == (change, "+8613800000001")

    def test_a_picture_is_media(self) -> None:
        """An MMS is Media with its words, also when those are a keyword."""
        event = heard("picture")
        assert isinstance(event, Media)
        assert (event.kind, event.caption) == ("image", "see the box")

    @pytest.mark.parametrize(
        ("content", "kind"),
        [("audio/amr", "audio"), ("video/3gpp", "video"), ("text/x-vcard", "contact"), ("application/pdf", "file")],
    )
    def test_media_has_its_kind(self, content: str, kind: str) -> None:
        """The kind comes from the first medium's content type."""
        body = PAYLOADS["picture"].replace(b"image%2Fjpeg", content.replace("/", "%2F").encode())
        (event,) = listener().parse(body)
        assert isinstance(event, Media)
        assert event.kind == kind

    def test_receipts_tell_what_became_of_a_message(self) -> None:
        """Each status of a message is one event; a message on its way is none."""
        assert heard("status_undelivered") == Receipt(
            dedupe_key=f"SM{102:032x}:undelivered",
            thread="+8613800000001",
            reference=f"SM{102:032x}",
            status="failed",
            code="30003",
        )
        sent, delivered = heard("status_sent"), heard("status_delivered")
        assert (sent.status, delivered.status) == ("sent", "delivered")
        assert sent.reference == delivered.reference
        assert sent.dedupe_key != delivered.dedupe_key
        assert heard("status_queued") is None

    def test_our_own_number_is_not_talked_to(self) -> None:
        """A message from the number we send from would be answered for ever: it is left out."""
        assert heard("from_ourselves") is None

    @pytest.mark.parametrize(
        "change",
        [
            {"MessageSid": "SM1"},
            {"From": ""},
            {"From": "+1\n2345"},
            {"From": "WhatsApp"},
            {"MessageStatus": "dreaming"},
        ],
    )
    def test_odd_fields_are_unknown(self, change: dict[str, str]) -> None:
        """A SID, number or status that is none makes the call Unknown, not an error."""
        fields = {**dict(parse_qsl(PAYLOADS["text"].decode(), keep_blank_values=True)), **change}
        (event,) = listener().parse(urlencode(fields).encode())
        assert isinstance(event, Unknown)

    def test_the_answer_to_a_call_says_nothing_to_the_customer(self) -> None:
        """A call is acknowledged with TwiML that sends no message."""
        answer = listener().acknowledge()
        assert (answer.status, answer.content_type) == (200, "text/xml")
        assert answer.body.endswith(b"<Response/>")
