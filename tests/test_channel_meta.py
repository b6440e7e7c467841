"""Meta: comments, Messenger and Instagram on a fake Graph API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import fake_meta
import pytest
from channel_case import FIXTURES
from channel_contract import BatchContract, ButtonContract
from fake_meta import COMMENT, FakeMeta, envelope, graph_fault, said, signature
from fake_platform import FakePlatform, Fault
from pydantic import ValidationError

from channels.base import (
    Adapter,
    Blocked,
    Button,
    ChannelError,
    Forged,
    Malformed,
    Misconfigured,
    OutcomeUnknown,
    Rejected,
    Request,
    RetryAfter,
    Unavailable,
)
from channels.meta import MetaAdapter, MetaSettings


class TestMeta(ButtonContract, BatchContract):
    channel: ClassVar[str] = "meta"
    signature_header: ClassVar[str] = "x-hub-signature-256"
    secrets: ClassVar[tuple[str, ...]] = (fake_meta.APP_SECRET, fake_meta.VERIFY_TOKEN, fake_meta.PAGE_TOKEN)
    address: ClassVar[str] = fake_meta.PERSON
    empty_secrets = ({"app_secret": " "}, {"verify_token": ""}, {"page_access_token": "\n"})

    def adapter_type(self) -> type[Adapter[Any]]:
        return MetaAdapter

    def credentials(self, api_base: str) -> dict[str, Any]:
        return {
            "app_secret": fake_meta.APP_SECRET,
            "verify_token": fake_meta.VERIFY_TOKEN,
            "page_access_token": fake_meta.PAGE_TOKEN,
            "page_id": fake_meta.PAGE_ID,
            "instagram_id": fake_meta.INSTAGRAM_ID,
            "api_base": api_base,
        }

    def sign(self, body: bytes) -> Request:
        headers = {"x-hub-signature-256": signature(body), "content-type": "application/json"}
        return Request(method="POST", url="https://earful.example/hooks/meta/main", body=body, headers=headers)

    def unknown(self) -> bytes:
        return b'{"object":"permissions","entry":[{"id":"1","changes":[{"field":"new","value":{"verb":"granted"}}]}]}'

    def text_payload(self, text: str) -> bytes:
        return envelope(said(text))

    def fake(self) -> FakePlatform:
        return FakeMeta()

    def tapped(self, platform: FakePlatform, position: int) -> bytes:
        assert isinstance(platform, FakeMeta)
        quick = platform.messages[-1].quick_replies[position]
        item = said(quick["title"])
        item["message"]["quick_reply"] = {"payload": quick["payload"]}
        return envelope(item)

    def batch(self, count: int) -> bytes:
        return envelope(*(said(f"第{n}条", n) for n in range(count)))

    def batch_with_bad_item(self, count: int) -> bytes:
        items = [said(f"第{n}条", n) for n in range(count)]
        return envelope(*items[: count // 2], {"sender": [], "message": {"mid": {}}}, *items[count // 2 :])

    def failures(self) -> Sequence[tuple[str, Fault, type[ChannelError]]]:
        json_type = {"Content-Type": "application/json"}
        return [
            ("app calls", graph_fault(4, is_transient=True), RetryAfter),
            ("user calls", graph_fault(17), RetryAfter),
            ("page calls", graph_fault(32), RetryAfter),
            ("calls a second", graph_fault(613), RetryAfter),
            ("pages' quota", graph_fault(80001), RetryAfter),
            ("Messenger's quota", graph_fault(80006), RetryAfter),
            ("held for abuse", graph_fault(368), RetryAfter),
            ("429 of a proxy", Fault(status=429), RetryAfter),
            ("bad token", graph_fault(190, 463, status=401), Misconfigured),
            ("session over", graph_fault(102), Misconfigured),
            ("no permission", graph_fault(10), Misconfigured),
            ("page restricted", graph_fault(10, 1893063), Misconfigured),
            ("permission of 200", graph_fault(200), Misconfigured),
            ("pages_messaging missing", graph_fault(230), Misconfigured),
            ("another app's secret", graph_fault(100, message="Invalid appsecret_proof provided"), Misconfigured),
            ("redirect", Fault(status=302, headers={"Location": "https://elsewhere.example"}), Misconfigured),
            ("not the Graph API", Fault(status=404, body=b"<html>"), Misconfigured),
            ("gone", graph_fault(551), Blocked),
            ("gone, with subcode", graph_fault(551, 1545041), Blocked),
            ("gone, as permission", graph_fault(200, 1545041), Blocked),
            ("takes no messages", graph_fault(10, 2018108), Blocked),
            ("window closed", graph_fault(10, 2018278), Rejected),
            ("window closed, Instagram", graph_fault(10, 2534022), Rejected),
            ("bad parameter", graph_fault(100), Rejected),
            ("no such person", graph_fault(100, 2018001), Rejected),
            ("new code", graph_fault(99_999), Rejected),
            ("400 without a code", Fault(status=400, body=b'{"error":"no"}', headers=json_type), Unavailable),
            ("send failed", graph_fault(1200, 2018024), Unavailable),
            ("down, try the same again", graph_fault(2, status=500, is_transient=True), Unavailable),
            ("unknown error", graph_fault(1, 99, status=500), OutcomeUnknown),
            ("sent although it fails", graph_fault(1, 1357046, status=500, is_transient=True), OutcomeUnknown),
            ("unexpected error", graph_fault(2, status=500), OutcomeUnknown),
            ("new code, 5xx", graph_fault(99_999, status=503), OutcomeUnknown),
            ("a proxy that refuses", Fault(status=403, body=b"<html>"), Unavailable),
            ("503 without a code", Fault(status=503), Unavailable),
            ("gateway", Fault(status=502, body=b"bad gateway"), OutcomeUnknown),
            ("success without id", Fault(status=200, body=b"{}"), OutcomeUnknown),
            ("success that is no JSON", Fault(status=200, body=b"<html>ok</html>"), OutcomeUnknown),
            ("deep nesting", Fault(status=500, body=b"[" * 50_000), OutcomeUnknown),
        ]

    # ---- the webhook's set-up ----

    def test_the_handshake_returns_the_challenge(self) -> None:
        """With the right verify token Meta's challenge comes back as plain text."""
        answer = self.parser().handshake(self.asked("subscribe", fake_meta.VERIFY_TOKEN, "1158201444"))
        assert (answer.status, answer.body, answer.content_type) == (200, b"1158201444", "text/plain")

    @pytest.mark.parametrize(
        ("mode", "token"),
        [("subscribe", "wrong"), ("subscribe", ""), ("unsubscribe", fake_meta.VERIFY_TOKEN), ("subscribe", "\udcff好")],
    )
    def test_a_handshake_with_another_token_is_forged(self, mode: str, token: str) -> None:
        """Another mode or token is Forged, and the error does not tell the right one."""
        with pytest.raises(Forged) as caught:
            self.parser().handshake(self.asked(mode, token, "1"))
        assert fake_meta.VERIFY_TOKEN not in str(caught.value)

    @pytest.mark.parametrize("challenge", ["", "<script>alert(1)</script>", "a b", "好", "1" * 300])
    def test_a_challenge_that_is_none_is_not_echoed(self, challenge: str) -> None:
        """Nothing that a browser could take for a page is sent back."""
        with pytest.raises(Malformed):
            self.parser().handshake(self.asked("subscribe", fake_meta.VERIFY_TOKEN, challenge))

    def test_a_handshake_without_parameters_is_forged(self) -> None:
        """A curious GET on the hook is Forged."""
        with pytest.raises(Forged):
            self.parser().handshake(Request(method="GET", url="https://earful.example/hooks/meta/main", body=b""))

    def asked(self, mode: str, token: str, challenge: str) -> Request:
        query = {"hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge}
        return Request(method="GET", url="https://earful.example/hooks/meta/main", body=b"", query=query)

    # ---- the signature ----

    def test_the_signature_is_over_the_bytes_as_they_came(self) -> None:
        """Escaped as Meta escapes it verifies; the same JSON written anew, even unchanged in meaning, does not."""
        body = (FIXTURES / "meta" / "comment_add.json").read_bytes()
        assert rb"\u7b49" in body
        assert rb"http:\/\/" in body
        adapter = self.parser()
        adapter.verify(self.sign(body))
        tree = json.loads(body)
        for again in (json.dumps(tree), json.dumps(tree, ensure_ascii=False), json.dumps(tree, separators=(",", ":"))):
            with pytest.raises(Forged):
                adapter.verify(replace(self.sign(body), body=again.encode()))

    def test_the_old_signature_and_a_bare_one_are_refused(self) -> None:
        """SHA-1 in X-Hub-Signature, a missing prefix, another secret or upper case do not pass."""
        body = b"{}"
        right = signature(body)
        others = (
            {"x-hub-signature": "sha1=" + "0" * 40},
            {"x-hub-signature-256": right.removeprefix("sha256=")},
            {"x-hub-signature-256": right.upper()},
            {"x-hub-signature-256": signature(body, "another app's secret")},
        )
        for headers in others:
            with pytest.raises(Forged):
                self.parser().verify(replace(self.sign(body), headers=headers))

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"api_base": "http://graph.facebook.com"}, "https"),
            ({"api_base": "graph.facebook.com"}, "api_base"),
            ({"api_base": "https://graph.facebook.com/?x=1"}, "api_base"),
            ({"page_id": "my page"}, "page_id"),
            ({"instagram_id": "@me"}, "instagram_id"),
            ({"api_version": "25"}, "api_version"),
            ({"app_secre": "x"}, "app_secre"),
        ],
    )
    def test_settings_that_cannot_work_are_refused(self, change: dict[str, str], word: str) -> None:
        """A token that would travel unencrypted, an id that is none and a misspelt name are named at start."""
        with pytest.raises(ValidationError) as caught:
            MetaSettings.model_validate({**self.credentials("https://graph.facebook.com"), **change})
        assert word in str(caught.value)

    # ---- what is said ----

    async def test_a_text_goes_to_the_person_with_its_quick_replies(
        self, adapter: Adapter[Any], platform: FakeMeta
    ) -> None:
        """A message is a RESPONSE to a page-scoped id; token and proof never stand in the path."""
        sent = await adapter.send(
            self.outgoing("请评价", buttons=(Button("很满意", "s:1:5"), Button("不满意", "s:1:1")))
        )
        (call,) = platform.calls
        assert call.path == "/v25.0/me/messages"
        assert json.loads(call.body) == {
            "recipient": {"id": fake_meta.PERSON},
            "messaging_type": "RESPONSE",
            "message": {
                "text": "请评价",
                "quick_replies": [
                    {"content_type": "text", "title": "很满意", "payload": "s:1:5"},
                    {"content_type": "text", "title": "不满意", "payload": "s:1:1"},
                ],
            },
        }
        assert sent.reference == platform.messages[0].mid
        assert list(call.query) == ["appsecret_proof"]
        assert fake_meta.PAGE_TOKEN not in call.query["appsecret_proof"]

    async def test_a_comment_is_answered_in_public(self, adapter: Adapter[Any], platform: FakeMeta) -> None:
        """A public reply goes under the comment: on Facebook to its comments, on Instagram to its replies."""
        platform.commented(COMMENT)
        platform.commented("17870000000000001")
        for target in (COMMENT, "ig:17870000000000001"):
            sent = await adapter.send(self.outgoing("谢谢您告诉我们", kind="public_reply", target=target))
            assert sent.reference
        assert [c.path for c in platform.calls] == [f"/v25.0/{COMMENT}/comments", "/v25.0/17870000000000001/replies"]
        assert platform.comments[COMMENT].replies == ["谢谢您告诉我们"]

    async def test_a_comments_author_is_answered_in_private_once(
        self, adapter: Adapter[Any], platform: FakeMeta
    ) -> None:
        """The private reply names the comment as its recipient, may bear quick replies, and a second one is refused."""
        platform.commented(COMMENT)
        private = self.outgoing("请告诉我们", kind="private_reply", target=COMMENT, buttons=(Button("好", "go"),))
        sent = await adapter.send(private)
        (call,) = platform.calls
        assert call.path == f"/v25.0/{fake_meta.PAGE_ID}/messages"
        assert json.loads(call.body)["recipient"] == {"comment_id": COMMENT}
        assert sent.reference == platform.private[COMMENT].mid
        with pytest.raises(Rejected, match="one private reply"):
            await adapter.send(private)
        assert len(platform.messages) == 1

    async def test_a_private_reply_comes_too_late_after_seven_days(
        self, adapter: Adapter[Any], platform: FakeMeta
    ) -> None:
        """Within 7 days it goes, after that it is Rejected for good."""
        platform.commented(COMMENT, age=timedelta(days=6, hours=23))
        platform.commented("900000000000001_1002", age=timedelta(days=7, minutes=1))
        await adapter.send(self.outgoing(kind="private_reply", target=COMMENT))
        with pytest.raises(Rejected):
            await adapter.send(self.outgoing(kind="private_reply", target="900000000000001_1002"))

    async def test_a_private_reply_does_not_open_the_window(self, adapter: Adapter[Any], platform: FakeMeta) -> None:
        """Only the person's own message does: writing to somebody who was only answered in private is Rejected."""
        platform.heard[fake_meta.PERSON] = fake_meta.NOW - timedelta(hours=25)
        platform.commented(COMMENT)
        await adapter.send(self.outgoing(kind="private_reply", target=COMMENT))
        with pytest.raises(Rejected, match="24 hours"):
            await adapter.send(self.outgoing())

    async def test_a_removed_comment_cannot_be_answered(self, adapter: Adapter[Any], platform: FakeMeta) -> None:
        """An answer to a comment that is gone is Rejected, in public and in private."""
        for kind in ("public_reply", "private_reply"):
            with pytest.raises(Rejected):
                await adapter.send(self.outgoing(kind=kind, target=COMMENT))

    async def test_a_person_who_blocked_us_is_blocked(self, adapter: Adapter[Any], platform: FakeMeta) -> None:
        """Blocked, not Rejected: the planner must stop writing to them."""
        platform.blocked.add(fake_meta.PERSON)
        with pytest.raises(Blocked):
            await adapter.send(self.outgoing())

    @pytest.mark.parametrize(
        "target", [None, "", "ig:", "../me", "1/../../me/messages?x=", "1?access_token=x", "好", "\ud800"]
    )
    @pytest.mark.parametrize("kind", ["public_reply", "private_reply"])
    async def test_a_target_that_is_no_comment_never_becomes_a_path(
        self, adapter: Adapter[Any], platform: FakeMeta, kind: str, target: str | None
    ) -> None:
        """Nothing but an id is put into the address that is called."""
        with pytest.raises(Rejected):
            await adapter.send(self.outgoing(kind=kind, target=target))
        assert not platform.calls

    async def test_a_public_reply_bears_no_buttons(self, adapter: Adapter[Any], platform: FakeMeta) -> None:
        """Rejected rather than sent without them."""
        platform.commented(COMMENT)
        with pytest.raises(Rejected):
            await adapter.send(self.outgoing(kind="public_reply", target=COMMENT, buttons=(Button("a", "b"),)))
        assert not platform.calls

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            (
                {"X-Business-Use-Case-Usage": '{"102":[{"type":"messenger","estimated_time_to_regain_access":19}]}'},
                1140,
            ),
            ({"X-Business-Use-Case-Usage": '{"1":[{"estimated_time_to_regain_access":99999}]}'}, 6 * 3600),
            ({"X-Business-Use-Case-Usage": '{"1":[{"estimated_time_to_regain_access":0}]}'}, 300),
            ({"X-Business-Use-Case-Usage": '{"1":[{"estimated_time_to_regain_access":NaN}]}'}, 300),
            ({"X-Business-Use-Case-Usage": "[1]"}, 300),
            ({"X-Business-Use-Case-Usage": "{"}, 300),
            ({"Retry-After": "42"}, 42),
            ({"Retry-After": "-1"}, 300),
            ({}, 300),
        ],
    )
    async def test_a_rate_limit_waits_as_long_as_the_platform_says(
        self, adapter: Adapter[Any], platform: FakeMeta, headers: dict[str, str], seconds: float
    ) -> None:
        """The estimate in the header counts, within reason; without a usable one a default does."""
        platform.fail(replace(graph_fault(32), headers=headers))
        with pytest.raises(RetryAfter) as caught:
            await adapter.send(self.outgoing())
        assert caught.value.seconds == seconds
        assert caught.value.scope == "account"

    async def test_what_the_platform_says_is_not_repeated(self, adapter: Adapter[Any], platform: FakeMeta) -> None:
        """The platform's own words may quote the message: an error bears code and trace only."""
        platform.fail(graph_fault(100, message="param text is wrong: 私密 private words", fbtrace_id="x"))
        with pytest.raises(Rejected) as caught:
            await adapter.send(self.outgoing("私密 private words"))
        assert "private words" not in str(caught.value)
        assert "100" in str(caught.value)
        assert "AbUhinTvMOkPfgH" in str(caught.value)

    async def test_a_token_of_another_app_is_told_apart(self, adapter: Adapter[Any], platform: FakeMeta) -> None:
        """If app_secret and token are of two apps the operator is told, instead of every message being Rejected."""
        settings = MetaSettings.model_validate({**self.credentials(platform.url), "app_secret": "another"})
        with pytest.raises(Misconfigured, match="same app"):
            await MetaAdapter("main", settings, adapter.http).send(self.outgoing())
