"""The Telegram adapter: the channel contract, and what is Telegram's own."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any, cast

import pytest
from channel_case import NOWHERE
from channel_contract import ButtonContract
from fake_platform import FakePlatform, Fault
from fake_telegram import TOKEN, FakeTelegram
from pydantic import ValidationError

from channels.base import (
    Adapter,
    Blocked,
    Button,
    ChannelError,
    Forged,
    Misconfigured,
    OutcomeUnknown,
    Outgoing,
    Rejected,
    Request,
    RetryAfter,
    Tap,
    Text,
    Unavailable,
)
from channels.http import Http
from channels.telegram.adapter import TelegramAdapter, TelegramSettings, keyboard_rows

SECRET = "secret_word-of-24-letters"


def refusal(status: int, description: str, taken: bool = False, **parameters: Any) -> Fault:
    body = {"ok": False, "error_code": status, "description": description}
    if parameters:
        body["parameters"] = parameters
    return Fault(status=status, body=json.dumps(body).encode(), taken=taken)


class TestTelegram(ButtonContract):
    channel = "telegram"
    signature_header = "x-telegram-bot-api-secret-token"
    signs_body = False
    secrets = (TOKEN, SECRET)
    address = "4711"
    empty_secrets = ({"token": ""}, {"token": "  "}, {"secret_token": ""}, {"secret_token": "                  "})

    def adapter_type(self) -> type[Adapter[Any]]:
        return TelegramAdapter

    def credentials(self, api_base: str) -> dict[str, Any]:
        return {"token": TOKEN, "secret_token": SECRET, "api_base": api_base}

    def sign(self, body: bytes) -> Request:
        headers = {"content-type": "application/json", self.signature_header: SECRET}
        return Request(method="POST", url="https://earful.example/hooks/telegram/main", body=body, headers=headers)

    def unknown(self) -> bytes:
        return b'{"update_id": 12, "message_thought_of": {"chat": {"id": 4711, "type": "private"}, "thought": "hm"}}'

    def text_payload(self, text: str) -> bytes:
        return json.dumps(FakeTelegram().write(4711, text)).encode()

    def fake(self) -> FakePlatform:
        return FakeTelegram()

    def tapped(self, platform: FakePlatform, position: int) -> bytes:
        fake = cast(FakeTelegram, platform)
        return json.dumps(fake.tap(fake.sent[-1], position)).encode()

    def failures(self) -> Sequence[tuple[str, Fault, type[ChannelError]]]:
        return (
            ("too fast", refusal(429, "Too Many Requests: retry after 7", retry_after=7), RetryAfter),
            ("too fast, no time given", Fault(status=429, body=b"slow down"), RetryAfter),
            ("blocked", refusal(403, "Forbidden: bot was blocked by the user"), Blocked),
            ("deactivated", refusal(403, "Forbidden: user is deactivated"), Blocked),
            ("never started", refusal(403, "Forbidden: bot can't initiate conversation with a user"), Blocked),
            ("no such chat", refusal(400, "Bad Request: chat not found"), Blocked),
            ("bad request", refusal(400, 'Bad Request: can\'t parse "私密 private words"'), Rejected),
            ("migrated", refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-100), Rejected),
            ("too large", refusal(413, "Request Entity Too Large"), Rejected),
            ("unknown parameters", refusal(400, "Bad Request: odd", news="私密 private words"), Rejected),
            ("token revoked", refusal(401, "Unauthorized"), Misconfigured),
            ("token mistyped", refusal(404, "Not Found"), Misconfigured),
            ("wrong address", Fault(status=404, body=b"<html>nginx</html>"), Misconfigured),
            ("redirected", Fault(status=301, headers={"Location": "https://elsewhere.example"}), Misconfigured),
            ("firewall", Fault(status=403, body=b"<html>blocked</html>"), Unavailable),
            ("down", Fault(status=503, body=b"<html>unavailable</html>"), Unavailable),
            ("restarting", refusal(500, "Internal Server Error: restart"), OutcomeUnknown),
            ("gateway", Fault(status=502, body=b"<html>bad gateway</html>", taken=True), OutcomeUnknown),
            ("not JSON", Fault(body=b"<html>welcome</html>"), OutcomeUnknown),
            ("not an object", Fault(body=b"[1]"), OutcomeUnknown),
            ("no result", Fault(body=b'{"ok": true}'), OutcomeUnknown),
            ("no id", Fault(body=b'{"ok": true, "result": {"message_id": "x"}}'), OutcomeUnknown),
            ("error as a list", Fault(status=400, body=b"[]"), Unavailable),
            ("endless", Fault(body=b" " * (2 << 20)), OutcomeUnknown),
        )


def adapter_on(fake: FakeTelegram, http: Http, **settings: Any) -> TelegramAdapter:
    given = {"token": TOKEN, "secret_token": SECRET, "api_base": fake.url, **settings}
    return TelegramAdapter("main", TelegramSettings.model_validate(given), http)


@pytest.fixture
async def fake() -> Any:
    async with FakeTelegram() as fake:
        yield fake


@pytest.fixture
async def adapter(fake: FakeTelegram) -> Any:
    http = Http()
    yield adapter_on(fake, http)
    await http.close()


class TestSaying:
    async def test_a_rating_stands_in_one_row(self, adapter: TelegramAdapter, fake: FakeTelegram) -> None:
        """Five choices of a rating are one row of an inline keyboard, in order."""
        buttons = tuple(Button(f"{n} ⭐", f"r:{n}") for n in range(1, 6))
        sent = await adapter.send(Outgoing(address="4711", text="请打分", key="k", buttons=buttons))
        assert sent.reference == str(fake.sent[0].number)
        assert fake.sent[0].keyboard == [[(f"{n} ⭐", f"r:{n}") for n in range(1, 6)]]

    @pytest.mark.parametrize(
        ("titles", "lengths"),
        [
            (["👍", "👎"], [2]),
            (["1", "2", "3", "4", "5"], [5]),
            (["非常满意", "满意", "一般", "不满意", "很不满意"], [3, 2]),
            (["Yes", "No"], [2]),
            ([str(n) for n in range(11)], [6, 5]),
            (["有帮助，谢谢", "没有帮助，我想找人工客服帮忙"], [1, 1]),
            (["Talk to a person", "Never mind"], [1, 1]),
            (["Helpful", "Not helpful"], [2]),
        ],
    )
    def test_rows_fit_a_phone(self, titles: list[str], lengths: list[int]) -> None:
        """Short titles stand side by side in rows of equal length; long ones have a row of their own; order stays."""
        rows = keyboard_rows([Button(title, "x") for title in titles])
        assert [len(row) for row in rows] == lengths
        assert [button.title for row in rows for button in row] == titles

    async def test_a_tap_is_answered_with_a_toast(self, adapter: TelegramAdapter, fake: FakeTelegram) -> None:
        """The toast answers the tap's handle; words beyond 200 characters are cut, not refused."""
        await adapter.send(Outgoing(address="4711", text="?", key="k", buttons=(Button("5", "r:5"),)))
        (tap,) = adapter.parse(json.dumps(fake.tap(fake.sent[0], 0)).encode())
        assert isinstance(tap, Tap)
        await adapter.send(Outgoing(address="4711", text="谢谢" * 200, key="t", kind="toast", target=tap.handle))
        ((handle, words),) = fake.toasts
        assert handle == tap.handle
        assert len(words) == 200
        assert words.endswith("…")

    async def test_a_toast_too_late_is_rejected(self, adapter: TelegramAdapter) -> None:
        """A handle that has expired is no reason to try again."""
        with pytest.raises(Rejected, match="Query is too old"):
            await adapter.send(Outgoing(address="4711", text="thanks", key="t", kind="toast", target="1"))
        with pytest.raises(Rejected):
            await adapter.send(Outgoing(address="4711", text="thanks", key="t", kind="toast"))

    async def test_an_edit_replaces_text_and_buttons(self, adapter: TelegramAdapter, fake: FakeTelegram) -> None:
        """After a tap the message shows what was recorded and its buttons are gone; doing it twice is no failure."""
        sent = await adapter.send(Outgoing(address="4711", text="?", key="k", buttons=(Button("5", "r:5"),)))
        edit = Outgoing(address="4711", text="已记录：5 分", key="e", kind="edit", target=sent.reference)
        assert (await adapter.send(edit)).reference == sent.reference
        assert (fake.sent[0].text, fake.sent[0].keyboard) == ("已记录：5 分", [])
        assert (await adapter.send(edit)).reference == sent.reference

    async def test_an_edit_of_nothing_is_rejected(self, adapter: TelegramAdapter) -> None:
        """A message that is gone, or a target that is no message, is Rejected."""
        for target in ("5", "", None, "x", "1" * 40, "١٢"):
            with pytest.raises(Rejected):
                await adapter.send(Outgoing(address="4711", text="x", key="e", kind="edit", target=target))

    @pytest.mark.parametrize("address", ["", "@channel", "4711; DROP", "+8613800000000", "٤٧١١", "9" * 30])
    async def test_an_address_that_is_none_is_rejected(
        self, adapter: TelegramAdapter, fake: FakeTelegram, address: str
    ) -> None:
        """Only chat ids are addresses: public names and foreign digits are Rejected, unsent."""
        with pytest.raises(Rejected):
            await adapter.send(Outgoing(address=address, text="x", key="e"))
        assert not fake.calls

    async def test_a_blocked_bot_is_blocked(self, adapter: TelegramAdapter, fake: FakeTelegram) -> None:
        """Whoever blocked the bot is Blocked; others are written to as before."""
        fake.blocked.add(4711)
        with pytest.raises(Blocked, match="blocked by the user"):
            await adapter.send(Outgoing(address="4711", text="x", key="e"))
        await adapter.send(Outgoing(address="4712", text="x", key="e"))

    async def test_retry_after_is_telegrams(self, adapter: TelegramAdapter, fake: FakeTelegram) -> None:
        """The time to hold back is what Telegram says, and some seconds where it says nonsense."""
        for given, seconds in ((7, 7.0), (0.5, 0.5), ("x", 5.0), (-1, 5.0), (10**9, 86_400.0), (None, 5.0)):
            fake.fail(refusal(429, "Too Many Requests", retry_after=given))
            with pytest.raises(RetryAfter) as caught:
                await adapter.send(Outgoing(address="4711", text="x", key="e"))
            assert caught.value.seconds == seconds
            assert caught.value.scope == "address"

    async def test_links_are_not_opened_by_telegram(self, adapter: TelegramAdapter, fake: FakeTelegram) -> None:
        """Signed links are not fetched for a preview."""
        await adapter.send(Outgoing(address="4711", text="https://earful.example/r/t", key="e"))
        assert json.loads(fake.calls[0].body)["link_preview_options"] == {"is_disabled": True}

    async def test_markup_is_words(self, adapter: TelegramAdapter, fake: FakeTelegram) -> None:
        """Angle brackets, stars and underscores of a customer's name arrive as such: no parse mode is set."""
        await adapter.send(Outgoing(address="4711", text="<b>*_`[x](y)", key="e"))
        assert fake.sent[0].text == "<b>*_`[x](y)"
        assert "parse_mode" not in json.loads(fake.calls[0].body)

    async def test_half_an_emoji_goes_out_mended(self, adapter: TelegramAdapter, fake: FakeTelegram) -> None:
        """What cannot be written as UTF-8 is replaced, in texts, titles and toasts."""
        await adapter.send(Outgoing(address="4711", text="a\ud83d", key="e", buttons=(Button("b\udc00", "x"),)))
        assert (fake.sent[0].text, fake.sent[0].keyboard) == ("a?", [[("b?", "x")]])
        fake.taps.add("9")
        await adapter.send(Outgoing(address="4711", text="c\ud83d", key="e", kind="toast", target="9"))
        assert fake.toasts == [("9", "c?")]

    async def test_a_closed_client_is_unavailable(self, fake: FakeTelegram) -> None:
        """A message that comes as the service closes is not lost: it was not sent, and may be sent later."""
        http = Http()
        await http.close()
        with pytest.raises(Unavailable):
            await adapter_on(fake, http).send(Outgoing(address="4711", text="x", key="e"))

    async def test_what_breaks_in_the_library_is_unknown(
        self, fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An error that nobody foresaw, in the midst of a call, does not count as refused."""
        http = Http()

        async def broken(*_: object, **__: object) -> None:
            raise LookupError("private words")

        monkeypatch.setattr(http, "request", broken)
        with pytest.raises(OutcomeUnknown) as caught:
            await adapter_on(fake, http).send(Outgoing(address="4711", text="x", key="e"))
        assert "private" not in str(caught.value)

    async def test_many_sends_at_once_keep_their_answers(self, adapter: TelegramAdapter, fake: FakeTelegram) -> None:
        """A hundred sends side by side each come back with the id of their own message."""
        texts = [f"text {n}" for n in range(100)]
        sent = await asyncio.gather(*(adapter.send(Outgoing(address="4711", text=t, key=t)) for t in texts))
        assert [fake.messages[4711, int(s.reference or 0)].text for s in sent] == texts

    async def test_a_send_given_up_is_not_repeated(self, adapter: TelegramAdapter, fake: FakeTelegram) -> None:
        """A cancelled send is cancelled, and the next one has a sound connection."""
        fake.fail(Fault(act="hang"))
        task = asyncio.create_task(adapter.send(Outgoing(address="4711", text="one", key="1")))
        await fake.arrived(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        sent = await adapter.send(Outgoing(address="4711", text="two", key="2"))
        assert fake.messages[4711, int(sent.reference or 0)].text == "two"
        assert len(fake.calls) == 2


class TestWebhookAndPolling:
    async def test_registering_names_address_secret_and_updates(
        self, adapter: TelegramAdapter, fake: FakeTelegram
    ) -> None:
        """The webhook is this account's hook, with the secret, for the updates that are heard."""
        await adapter.register("https://earful.example/")
        assert fake.webhook == {
            "url": "https://earful.example/hooks/telegram/main",
            "secret_token": SECRET,
            "allowed_updates": ["message", "callback_query", "my_chat_member"],
        }

    async def test_an_address_without_tls_is_misconfigured(self) -> None:
        """Telegram's own servers call https only; the error says what to do instead."""
        settings = TelegramSettings.model_validate({"token": TOKEN, "secret_token": SECRET})
        with pytest.raises(Misconfigured, match="polling"):
            await TelegramAdapter("main", settings, Http()).register("http://localhost:8080")

    async def test_polling_takes_the_webhook_away_and_confirms_what_was_seen(self, fake: FakeTelegram) -> None:
        """In polling mode registering ends the webhook; polls give updates as `parse` takes them, and passing the next
        offset confirms them."""
        http = Http()
        fake.webhook = {"url": "https://old.example"}
        adapter = adapter_on(fake, http, mode="polling")
        with pytest.raises(Misconfigured, match="webhook"):
            await adapter.poll(None)
        await adapter.register("http://localhost:8080")
        fake.write(4711, "一")
        fake.write(4712, "two")
        updates, offset = await adapter.poll(None)
        events = [event for body in updates for event in adapter.parse(body)]
        assert [(e.thread, e.text) for e in events if isinstance(e, Text)] == [("4711", "一"), ("4712", "two")]
        assert offset == 900_003
        assert await adapter.poll(None) == (updates, offset)  # unconfirmed: they come again
        assert await adapter.poll(offset) == ([], offset)
        assert fake.updates == []
        asked = json.loads(fake.calls[-1].body)
        assert asked["timeout"] == 50
        assert asked["allowed_updates"] == ["message", "callback_query", "my_chat_member"]
        await http.close()

    async def test_two_pollers_are_told(self, fake: FakeTelegram) -> None:
        """A second process polling with the same token is a matter for the operator, in words."""
        http = Http()
        fake.polled_elsewhere = True
        with pytest.raises(Misconfigured, match="stop the other process"):
            await adapter_on(fake, http, mode="polling").poll(5)
        await http.close()

    async def test_odd_updates_in_a_poll_do_not_stop_it(self, fake: FakeTelegram) -> None:
        """An update that is no object is handed on for `parse` to refuse, and the offset moves past the others."""
        http = Http()
        fake.updates = [{"update_id": 3}, 7, "x", None, {"update_id": True}]
        updates, offset = await adapter_on(fake, http, mode="polling").poll(None)
        assert updates == [b'{"update_id":3}', b"7", b'"x"', b"null", b'{"update_id":true}']
        assert offset == 4
        fake.fail(Fault(body=b'{"ok": true, "result": {"not": "a list"}}'))
        with pytest.raises(OutcomeUnknown):
            await adapter_on(fake, http, mode="polling").poll(4)
        await http.close()

    async def test_the_longest_messages_do_not_stop_a_poll(self, fake: FakeTelegram) -> None:
        """A hundred messages of the greatest length, escaped and quoted, are many megabytes, and arrive."""
        http = Http()
        for _ in range(100):
            said = fake.write(4711, "好" * 4096)["message"]
            said["reply_to_message"] = {**said, "text": "👍" * 4096}
        updates, offset = await adapter_on(fake, http, mode="polling").poll(None)
        assert (len(updates), offset) == (100, 900_101)
        await http.close()

    def test_nobody_may_call_the_hook_of_a_polled_account(self) -> None:
        """Without a secret every webhook call is Forged, also one with an empty secret."""
        settings = TelegramSettings.model_validate({"token": TOKEN, "mode": "polling"})
        adapter = TelegramAdapter("main", settings, Http())
        for headers in ({}, {"x-telegram-bot-api-secret-token": ""}, {"x-telegram-bot-api-secret-token": "x"}):
            with pytest.raises(Forged):
                adapter.verify(Request(method="POST", url="https://e.example/", body=b"{}", headers=headers))


class TestSettings:
    @pytest.mark.parametrize(
        ("given", "remedy"),
        [
            ({"secret_token": SECRET}, "token"),
            ({"token": TOKEN}, 'mode = "polling"'),
            ({"token": "no token", "secret_token": SECRET}, "@BotFather"),
            ({"token": f"{TOKEN}/../x", "secret_token": SECRET}, "@BotFather"),
            ({"token": TOKEN, "secret_token": "short"}, "16 to 256"),
            ({"token": TOKEN, "secret_token": "秘" * 20}, "16 to 256"),
            ({"token": TOKEN, "secret_token": SECRET, "api_base": "telegram"}, "api_base"),
            ({"token": TOKEN, "secret_token": SECRET, "mode": "push"}, "mode"),
            ({"token": TOKEN, "secret_token": SECRET, "chat": 1}, "chat"),
        ],
    )
    def test_bad_settings_say_what_to_do(self, given: dict[str, Any], remedy: str) -> None:
        """A setting that cannot work is refused at start, with the remedy and without the secret."""
        with pytest.raises(ValidationError) as caught:
            TelegramSettings.model_validate(given)
        assert remedy in str(caught.value)
        assert "fake-TOKEN" not in str(caught.value)

    async def test_the_library_logs_neither_token_nor_text(
        self, adapter: TelegramAdapter, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With every logger at DEBUG, also the library's own, a send leaves no token and no word in the log."""
        for name in ("telegram", "telegram.Bot", "aiohttp.client", "asyncio"):
            caplog.set_level(logging.DEBUG, name)
        adapter_on(FakeTelegram(), Http(), api_base=NOWHERE)
        await adapter.send(Outgoing(address="4711", text="private words", key="e"))
        assert "TOKEN" not in caplog.text
        assert "private words" not in caplog.text
