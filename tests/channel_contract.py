"""What every adapter must withstand and do. An adapter's tests inherit `ChannelContract` and add what is its own;
`ButtonContract` is for channels with buttons, `BatchContract` for platforms that deliver several items in one call.
"""

from __future__ import annotations

import json
import logging
import traceback
from abc import abstractmethod
from dataclasses import replace
from typing import Any

import pytest
from channel_case import NOWHERE, ChannelCase, assert_sound, mutated
from fake_platform import FakePlatform, Fault
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.base import (
    Adapter,
    Button,
    ChannelError,
    Forged,
    OutcomeUnknown,
    Rejected,
    Tap,
    Text,
    Unavailable,
    Unknown,
)

fuzz = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.differing_executors])


class ChannelContract(ChannelCase):
    """Subclasses give the adapter, its recorded payloads and its fake platform; the tests come along."""

    # ---- who may speak ----

    def test_a_rightly_signed_payload_is_let_in(self) -> None:
        """Every recorded payload passes verification when the platform's secret signed it."""
        for body in self.payloads().values():
            self.parser().verify(self.sign(body))

    def test_a_forged_signature_is_refused(self) -> None:
        """A signature that differs in one character, is cut, is empty or is not ASCII is Forged, never a traceback."""
        body = next(iter(self.payloads().values()))
        request = self.sign(body)
        right = request.headers[self.signature_header]
        for wrong in (right[:-1] + ("A" if right[-1] != "A" else "B"), right[:-1], right + "=", "", "签名", "\udcff"):
            forged = replace(request, headers={**request.headers, self.signature_header: wrong})
            with pytest.raises(Forged):
                self.parser().verify(forged)

    def test_a_missing_signature_is_refused(self) -> None:
        """A call without the signature header is Forged."""
        for body in self.payloads().values():
            request = self.sign(body)
            headers = {k: v for k, v in request.headers.items() if k != self.signature_header}
            with pytest.raises(Forged):
                self.parser().verify(replace(request, headers=headers))

    def test_a_body_changed_on_the_way_is_refused(self) -> None:
        """Where the body is signed, a changed or another payload's body is Forged."""
        if not self.signs_body:
            return
        bodies = list(self.payloads().values())
        request = self.sign(bodies[0])
        for body in (bodies[1], bodies[0] + b"&x=1", b""):
            with pytest.raises(Forged):
                self.parser().verify(replace(request, body=body))

    def test_a_refusal_names_no_secret(self) -> None:
        """The Forged error does not tell what would have been right."""
        request = self.sign(b"{}")
        right = request.headers[self.signature_header]
        with pytest.raises(Forged) as caught:
            self.parser().verify(replace(request, headers={self.signature_header: "wrong"}))
        assert right not in str(caught.value)
        assert not any(secret in str(caught.value) for secret in self.secrets)

    def test_an_empty_secret_is_refused_when_settings_are_read(self) -> None:
        """No adapter exists with an empty or blank secret, and the error does not quote the other secrets."""
        kind = self.adapter_type()
        assert self.empty_secrets
        for change in self.empty_secrets:
            with pytest.raises(ValidationError) as caught:
                kind.Settings.model_validate({**self.credentials(NOWHERE), **change})
            assert next(iter(change)) in str(caught.value)
            assert not any(secret in str(caught.value) for secret in self.secrets)

    def test_secrets_do_not_show_in_a_repr(self) -> None:
        """Neither the adapter's nor the settings' repr bears a credential."""
        adapter = self.parser()
        shown = (
            f"{adapter!r} {adapter.settings!r} {adapter.settings.model_dump()!r} {adapter.settings.model_dump_json()}"
        )
        assert not any(secret in shown for secret in self.secrets)

    # ---- what is heard ----

    def test_recorded_payloads_become_sound_events(self) -> None:
        """Every recorded payload parses, and every field of every event is of its declared type and can be stored."""
        for body in self.payloads().values():
            for event in self.parser().parse(body):
                assert_sound(event)

    def test_a_replayed_payload_has_the_same_keys(self) -> None:
        """The same bytes give equal events, whatever was parsed in between: parsing keeps no state."""
        adapter = self.parser()
        first = {name: adapter.parse(body) for name, body in self.payloads().items()}
        again = {name: adapter.parse(body) for name, body in reversed(self.payloads().items())}
        assert again == first
        assert self.parser().parse(next(iter(self.payloads().values()))) == next(iter(first.values()))

    def test_different_payloads_have_different_keys(self) -> None:
        """No two recorded payloads share a dedupe key."""
        keys = [event.dedupe_key for body in self.payloads().values() for event in self.parser().parse(body)]
        assert len(keys) == len(set(keys))

    def test_a_truncated_payload_is_malformed_or_sound(self) -> None:
        """A payload cut anywhere gives sound events or Malformed, and nothing else."""
        for body in self.payloads().values():
            for end in range(0, len(body), max(1, len(body) // 60)):
                self.events_or_malformed(body[:end])

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\x00",
            b"\xff\xfe{}",
            b"null",
            b"[]",
            b"{}",
            b"7",
            b'"text"',
            b'{"a": NaN}',
            b"{" * 5,
            b'{"update_id": 1e400}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"message":' * 900 + b"1" + b"}" * 900,
            b"9" * 10_000,
        ],
        ids=lambda body: repr(body[:12]),
    )
    def test_malformed_or_deeply_nested_bytes_are_survived(self, body: bytes) -> None:
        """Bytes that are no payload give Malformed, or Unknown with the bytes kept; never a traceback."""
        for event in self.events_or_malformed(body):
            assert isinstance(event, Unknown)

    def test_unknown_payloads_are_kept(self) -> None:
        """A kind of payload nobody here understands is Unknown, and its bytes are kept."""
        body = self.unknown()
        events = self.parser().parse(body)
        assert events
        for event in events:
            assert isinstance(event, Unknown)
            assert event.raw
            assert event.raw == body or event.raw in body or json.loads(event.raw)

    @pytest.mark.parametrize(
        "text",
        [
            "好" * 100_000,
            "x" * 100_000,
            "a\x00b",
            "\u202eabc\u202c",
            "👍🏽" * 50,
            " \n ",
            "{{7*7}} ${x} <b>&amp;</b> [[case_number]]",
            "/payload{}",
        ],
        ids=["long-zh", "long-en", "nul", "right-to-left", "emoji", "blank", "markup", "payload"],
    )
    def test_words_arrive_as_they_were_written(self, text: str) -> None:
        """Text of any length and kind comes through letter for letter."""
        (event,) = self.parser().parse(self.text_payload(text))
        assert isinstance(event, Text)
        assert event.text == text
        assert_sound(event)

    def test_any_bytes_give_events_or_malformed(self) -> None:
        """Random bytes never give anything but sound events or Malformed."""

        @fuzz
        @given(st.binary(max_size=300))
        def check(body: bytes) -> None:
            self.events_or_malformed(body)

        check()

    def test_payloads_with_any_part_replaced_give_events_or_malformed(self) -> None:
        """A recorded payload in which any value is replaced by any other still gives sound events or Malformed."""
        bodies = list(self.payloads().values())

        @settings(fuzz, max_examples=150)
        @given(st.data())
        def check(data: st.DataObject) -> None:
            body = data.draw(st.sampled_from(bodies))
            self.events_or_malformed(mutated(body, data.draw))

        check()

    # ---- what is said ----

    async def test_a_text_is_sent(self, adapter: Adapter[Any], platform: FakePlatform) -> None:
        """A plain text goes out in one call and comes back with the platform's reference."""
        sent = await adapter.send(self.outgoing())
        assert sent.reference
        assert sent.parts >= 1
        assert len(platform.calls) == 1

    async def test_text_at_the_limit_goes_and_beyond_it_is_rejected(
        self, adapter: Adapter[Any], platform: FakePlatform
    ) -> None:
        """The declared limit is the real one; one character more is Rejected before anything is sent."""
        limit = self.capabilities().text_limit // (3 if self.capabilities().limit_in_bytes else 1)
        await adapter.send(self.outgoing("好" * limit))
        before = len(platform.calls)
        with pytest.raises(Rejected):
            await adapter.send(self.outgoing("好" * (limit + 1)))
        assert len(platform.calls) == before

    async def test_what_a_channel_cannot_do_is_rejected(self, adapter: Adapter[Any], platform: FakePlatform) -> None:
        """A kind of message that the capabilities do not name, and a text of nothing, are Rejected, unsent."""
        able = self.capabilities()
        beyond = [self.outgoing(" \n")]
        if not able.toasts:
            beyond.append(self.outgoing(kind="toast", target="1"))
        if not able.edits:
            beyond.append(self.outgoing(kind="edit", target="1"))
        for outgoing in beyond:
            with pytest.raises(Rejected):
                await adapter.send(outgoing)
        assert not platform.calls

    @pytest.mark.parametrize("text", ["half \ud83d emoji", "\udc00", "nul \x00 here", "\u202eright to left", "👍" * 40])
    async def test_odd_characters_go_out_or_are_refused(
        self, adapter: Adapter[Any], platform: FakePlatform, text: str
    ) -> None:
        """Text that cannot be written as UTF-8, or that platforms stumble over, is sent mended or Rejected."""
        try:
            await adapter.send(self.outgoing(text))
        except Rejected:
            assert not platform.calls
        else:
            assert len(platform.calls) == 1
            assert platform.calls[0].body.isascii() or platform.calls[0].body.decode()

    async def test_failures_are_named_by_what_to_do(
        self, adapter: Adapter[Any], platform: FakePlatform, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Each documented failure becomes its error; none bears a secret or the text, neither do the logs."""
        caplog.set_level(logging.DEBUG)
        seen: dict[str, str] = {}
        for name, fault, _ in self.failures():
            platform.fail(fault)
            with pytest.raises(ChannelError) as caught:
                await adapter.send(self.outgoing("私密 private words"))
            seen[name] = type(caught.value).__name__
            self.assert_discreet("".join(traceback.format_exception(caught.value)))
        assert seen == {name: error.__name__ for name, _, error in self.failures()}
        self.assert_discreet(caplog.text)

    @pytest.mark.parametrize("act", ["hang", "close", "half"])
    @pytest.mark.parametrize("taken", [False, True])
    async def test_an_answer_that_never_came_is_unknown(
        self, adapter: Adapter[Any], platform: FakePlatform, act: Any, taken: bool
    ) -> None:
        """Once the request is out, a hang, a closed connection or half an answer is OutcomeUnknown, and is not repeated
        by the adapter; on a new connection and on a kept one alike."""
        for calls in (1, 3):
            platform.fail(Fault(act=act, taken=taken))
            with pytest.raises(OutcomeUnknown) as caught:
                await adapter.send(self.outgoing("私密 private words"))
            self.assert_discreet("".join(traceback.format_exception(caught.value)))
            assert len(platform.calls) == calls
            await adapter.send(self.outgoing())

    async def test_an_unreachable_platform_is_unavailable(
        self, adapter: Adapter[Any], platform: FakePlatform, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Where no connection comes about nothing was sent, and the error says so."""
        caplog.set_level(logging.DEBUG)
        await platform.stop()
        with pytest.raises(Unavailable) as caught:
            await adapter.send(self.outgoing("私密 private words"))
        self.assert_discreet("".join(traceback.format_exception(caught.value)))
        self.assert_discreet(caplog.text)


class ButtonContract(ChannelContract):
    """For channels whose messages bear buttons."""

    @abstractmethod
    def tapped(self, platform: FakePlatform, position: int) -> bytes:
        """What arrives when a person taps that button of the message that the platform took last."""

    @pytest.mark.parametrize("data", ["x", "s:1:5", "~" * 64, "".join(chr(c) for c in range(33, 97))])
    async def test_a_taps_data_is_the_buttons(self, adapter: Adapter[Any], platform: FakePlatform, data: str) -> None:
        """What was put into a button, up to 64 bytes, is what comes back when it is tapped."""
        await adapter.send(self.outgoing(buttons=(Button("很满意", "other"), Button("Very good", data))))
        (event,) = adapter.parse(self.tapped(platform, 1))
        assert isinstance(event, Tap)
        assert event.data == data
        assert event.thread == self.address

    async def test_as_many_buttons_as_declared_go_out_and_no_more(
        self, adapter: Adapter[Any], platform: FakePlatform
    ) -> None:
        """The platform takes the declared number of buttons; one more is Rejected before anything is sent."""
        most = self.capabilities().buttons
        title = "好" * self.capabilities().button_title_limit
        buttons = tuple(Button(title, f"b:{n}") for n in range(most))
        await adapter.send(self.outgoing(buttons=buttons))
        with pytest.raises(Rejected):
            await adapter.send(self.outgoing(buttons=(*buttons, Button("1", "b:more"))))
        assert len(platform.calls) == 1

    @pytest.mark.parametrize(
        "button", [Button("ok", ""), Button("ok", "x" * 65), Button("ok", "好"), Button("", "x"), Button(" ", "x")]
    )
    async def test_a_button_out_of_bounds_is_rejected(
        self, adapter: Adapter[Any], platform: FakePlatform, button: Button
    ) -> None:
        """Data must be 1 to 64 ASCII bytes and a title must be readable; otherwise Rejected, unsent."""
        with pytest.raises(Rejected):
            await adapter.send(self.outgoing(buttons=(button,)))
        assert not platform.calls

    async def test_a_title_beyond_its_limit_is_rejected(self, adapter: Adapter[Any], platform: FakePlatform) -> None:
        """A title longer than declared is Rejected, unsent."""
        title = "好" * (self.capabilities().button_title_limit + 1)
        with pytest.raises(Rejected):
            await adapter.send(self.outgoing(buttons=(Button(title, "x"),)))
        assert not platform.calls


class BatchContract(ChannelContract):
    """For platforms that deliver several items in one call."""

    @abstractmethod
    def batch(self, count: int) -> bytes:
        """A call with that many different good items."""

    @abstractmethod
    def batch_with_bad_item(self, count: int) -> bytes:
        """The same with one item in the middle that makes no sense."""

    def test_one_bad_item_keeps_the_others(self) -> None:
        """Items around a bad one are heard as if it were not there; the bad one is kept as Unknown."""
        good = self.parser().parse(self.batch(5))
        mixed = self.parser().parse(self.batch_with_bad_item(5))
        assert len(good) == 5
        assert [e for e in mixed if not isinstance(e, Unknown)] == good
        assert len([e for e in mixed if isinstance(e, Unknown)]) == 1

    def test_an_item_repeated_in_another_batch_has_the_same_key(self) -> None:
        """The key belongs to the item, not to the call that carried it."""
        few = [e.dedupe_key for e in self.parser().parse(self.batch(2))]
        many = [e.dedupe_key for e in self.parser().parse(self.batch(5))]
        assert many[:2] == few
        assert len(set(many)) == 5
