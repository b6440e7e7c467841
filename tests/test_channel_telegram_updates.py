"""What the Telegram adapter makes of each kind of update."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from channel_case import FIXTURES
from fake_telegram import FakeTelegram
from telegram import Update

from channels.base import Consent, Malformed, Media, Tap, Text, Unknown
from channels.telegram.updates import parse_update

PAYLOADS = {path.stem: path.read_bytes() for path in sorted((FIXTURES / "telegram").iterdir())}


def heard(name: str) -> Any:
    """The one event of a recorded payload, or None where it has none."""
    events = parse_update(PAYLOADS[name])
    assert len(events) <= 1
    return events[0] if events else None


class TestHearing:
    def test_a_text_has_words_sender_language_and_time(self) -> None:
        """A private message becomes Text with the chat as its thread."""
        event = heard("text")
        assert event == Text(
            dedupe_key="731862001",
            thread="4711",
            sent_at=datetime(2026, 1, 1, 0, 0, 41, tzinfo=UTC),
            text="你好，我的快递到现在还没到 😡",
            sender_name="Li Na",
            language="zh",
        )
        assert heard("text_en").language == "en"

    def test_a_quoted_message_is_named(self) -> None:
        """`reply_to` is the id of the message that the person answers."""
        assert heard("text_with_link_and_quote").reply_to == "31"

    def test_other_languages_are_left_open(self) -> None:
        """A language that Earful does not speak is None, so that the words decide."""
        update = FakeTelegram().write(4711, "hola")
        update["message"]["from"]["language_code"] = "es"
        (event,) = parse_update(json.dumps(update).encode())
        assert isinstance(event, Text)
        assert event.language is None

    @pytest.mark.parametrize(
        ("name", "change", "text"),
        [
            ("start", "start", "/start ep_8842"),
            ("stop", "stop", "/stop"),
            ("help", "help", "/help"),
            ("blocked", "blocked", ""),
            ("unblocked", "unblocked", ""),
        ],
    )
    def test_commands_and_blocks_are_consent(self, name: str, change: str, text: str) -> None:
        """/start, /stop, /help and the person's blocking or unblocking of the bot are Consent."""
        event = heard(name)
        assert isinstance(event, Consent)
        assert (event.change, event.text, event.thread) == (change, text, "4711")

    @pytest.mark.parametrize("text", ["/stopping", "please /stop", "/stop_it", "/", "/ stop", "stop", "//stop"])
    def test_only_the_command_itself_is_consent(self, text: str) -> None:
        """A word that looks like a command, or has one in it, stays Text."""
        update = FakeTelegram().write(4711, text)
        (event,) = parse_update(json.dumps(update).encode())
        assert isinstance(event, Text)

    @pytest.mark.parametrize(
        ("name", "kind", "caption"),
        [
            ("photo", "image", "箱子是这样送来的"),
            ("voice", "voice", ""),
            ("sticker", "sticker", "👍"),
            ("animation", "video", ""),
            ("document", "file", "invoice"),
            ("location", "location", ""),
            ("contact", "contact", ""),
        ],
    )
    def test_media_has_its_kind_and_words(self, name: str, kind: str, caption: str) -> None:
        """Pictures, voices, stickers, files and places are Media; a sticker's words are its emoji."""
        event = heard(name)
        assert isinstance(event, Media)
        assert (event.kind, event.caption) == (kind, caption)

    def test_a_tap_bears_data_handle_and_message(self) -> None:
        """A tap names what to answer and which message to edit, also where the message is too old to be shown."""
        assert heard("tap") == Tap(
            dedupe_key="731862007",
            thread="4711",
            data="r:9f3c:5",
            handle="20233474859327",
            message="38",
            sender_name="Li Na",
        )
        assert heard("tap_on_old_message").message == "12"

    @pytest.mark.parametrize("name", ["group_text", "group_tap", "group_joined", "from_a_bot"])
    def test_groups_and_bots_are_left_out(self, name: str) -> None:
        """What is said in groups, and what bots say, is nobody's conversation with us and is not kept."""
        assert heard(name) is None

    @pytest.mark.parametrize("name", ["edited", "channel_post", "pinned"])
    def test_what_was_not_asked_for_is_kept_unknown(self, name: str) -> None:
        """Edits, channel posts and service messages are Unknown, with their bytes."""
        event = heard(name)
        assert isinstance(event, Unknown)
        assert event.raw == PAYLOADS[name]

    def test_half_an_emoji_is_heard(self) -> None:
        """A lone surrogate in JSON, which strict parsers refuse, does not lose the message."""
        body = json.dumps(FakeTelegram().write(4711, "bad \ud83d end")).encode()
        (event,) = parse_update(body)
        assert isinstance(event, Text)
        assert event.text == "bad \ud83d end"

    @pytest.mark.parametrize("update_id", [None, "7", 7.5, True, [7], 2**80, -(2**80)])
    def test_without_a_sound_update_id_it_is_malformed(self, update_id: Any) -> None:
        """A payload that cannot be told apart from its own repetition is refused."""
        body = json.dumps({"update_id": update_id, "message": {}}).encode()
        with pytest.raises(Malformed):
            parse_update(body)

    @pytest.mark.parametrize("date", [0, -5, 10**18, "soon", 1.5, None])
    def test_an_impossible_time_is_no_time(self, date: Any) -> None:
        """A date that is none leaves `sent_at` open and keeps the words."""
        update = FakeTelegram().write(4711, "hello")
        update["message"]["date"] = date
        (event,) = parse_update(json.dumps(update).encode())
        assert isinstance(event, Text)
        assert event.sent_at is None

    def test_python_telegram_bot_reads_the_same(self) -> None:
        """The library's own parser, an independent judge, finds the same words, people, times and kinds in every
        recorded payload."""
        judged = 0
        for name, body in PAYLOADS.items():
            update, event = Update.de_json(json.loads(body), None), heard(name)
            if event is None or isinstance(event, Unknown):
                assert (
                    update.message is None
                    or update.effective_chat is None
                    or update.message.text is None
                    or (
                        update.effective_chat.type != "private" or update.message.from_user.is_bot  # type: ignore[union-attr]
                    )
                )
                continue
            judged += 1
            assert event.dedupe_key == str(update.update_id)
            assert update.effective_chat is not None
            assert event.thread == str(update.effective_chat.id)
            if update.message is not None:
                message = update.message
                assert event.sent_at == message.date
                assert message.from_user is not None
                if isinstance(event, Text):
                    assert (event.text, event.sender_name) == (message.text, message.from_user.full_name)
                    quoted = message.reply_to_message
                    assert event.reply_to == (str(quoted.message_id) if quoted else None)
                if isinstance(event, Media):
                    assert message.effective_attachment
                    assert event.caption == (message.caption or (message.sticker.emoji if message.sticker else ""))
            elif update.callback_query is not None:
                assert isinstance(event, Tap)
                assert (event.data, event.handle) == (update.callback_query.data, update.callback_query.id)
                assert update.callback_query.message is not None
                assert event.message == str(update.callback_query.message.message_id)
            elif update.my_chat_member is not None:
                assert event.sent_at == update.my_chat_member.date
        assert judged >= 16
