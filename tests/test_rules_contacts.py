"""Consent, language, and what must not be written down."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.contacts import rules
from bot.contacts.masking import mask
from bot.contacts.rules import consent_of
from nlu.understanding import Language


@pytest.mark.parametrize(
    "text",
    [
        *("STOP", "stop", " Stop. ", "ＳＴＯＰ", "StopAll", "unsubscribe", "Un-subscribe!", "opt out", "/stop"),
        *(
            "退订",
            "退订。",
            "【退订】",
            "我要退订",
            "取消订阅",
            "别再发了！",
            "不要再给我发了",
            "退訂",
            "don't text me",
        ),
    ],
)
def test_a_wish_to_hear_no_more_is_obeyed_at_once(text: str) -> None:
    """On any channel, in any spelling, as a whole message."""
    assert consent_of(text) == consent_of(text, sms=True) == "stop"


@pytest.mark.parametrize("text", ["subscribe", "订阅", "恢复订阅", "UNSTOP"])
def test_a_wish_to_hear_again_is_heard(text: str) -> None:
    """By the words that the confirmation of an opt-out names."""
    assert consent_of(text) == "start"


@pytest.mark.parametrize(
    ("text", "change"),
    [
        *(("CANCEL", "stop"), ("End", "stop"), ("quit", "stop"), ("T", "stop"), ("TD", "stop")),
        *(("START", "start"), ("HELP", "help"), ("帮助", "help")),
    ],
)
def test_some_words_are_commands_by_sms_only(text: str, change: str) -> None:
    """In a chat "cancel" leaves the queue and "help" is a question."""
    assert consent_of(text, sms=True) == change
    assert consent_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "!", "please stop by at 5", "don't stop", "stop stop go", "/start", "yes", "no"),
        *("怎么退订？我先问问", "我没有退订", "取消订单", "unsubscribe me from life and everything " * 3),
    ],
)
def test_a_sentence_that_holds_such_a_word_is_no_command(text: str) -> None:
    """Only the whole message counts."""
    assert consent_of(text) is None
    assert consent_of(text, sms=True) is None


@settings(deadline=None)
@given(st.text(max_size=200), st.booleans())
def test_any_text_changes_consent_or_not(text: str, sms: bool) -> None:
    """Nothing raises."""
    assert consent_of(text, sms=sms) in ("stop", "start", "help", None)


def test_what_a_confirmation_tells_people_to_reply_works() -> None:
    """The word after "Reply", and the one in Chinese quotation marks, is understood; the company is named."""
    for change, words in rules.CONFIRMATIONS.items():
        english = re.search(r"Reply ([A-Z]+)", words.en)
        chinese = re.search(r"回复“(.+?)”", words.zh)
        assert english is not None
        assert chinese is not None
        expected = "start" if change == "stop" else "stop"
        assert consent_of(english[1]) == consent_of(chinese[1]) == expected
        assert "Acme" in words.said("en", company="Acme")


@pytest.mark.parametrize(
    ("current", "text", "stated", "expected"),
    [
        ("zh", "en", None, "en"),
        ("zh", None, None, "zh"),
        (None, None, None, "zh"),
        ("en", "zh", "en", "en"),
        ("en", None, None, "en"),
        (None, "en", None, "en"),
    ],
)
def test_we_answer_in_the_customers_language(
    current: Language | None, text: Language | None, stated: Language | None, expected: Language
) -> None:
    """The one they ask for, else the one they write, else as before."""
    assert rules.language_after(current, text, stated) == expected


# ---- masking ----


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("打我13812345678，谢谢", "打我138****5678，谢谢"),
        ("138-1234-5678", "138-****-5678"),
        ("138 1234 5678", "138 **** 5678"),
        ("1 3 8 1 2 3 4 5 6 7 8", "1 3 8 * * * * 5 6 7 8"),
        ("１３８１２３４５６７８", "１３８****５６７８"),
        ("+86 138 1234 5678", "+86 1** **** 5678"),
        ("(212) 555-0100", "(***) ***-*100"),
        ("010-12345678", "010-****5678"),
        ("010 - 12345678", "010 - ****5678"),
        ("138.1234.5678", "138.****.5678"),
        ("138_1234_5678", "***_****_*678"),
        ("138\u200b1234\u200b5678", "138\u200b****\u200b5678"),
        ("٠١٢٣٤٥٦٧٨٩٠", "٠١٢****٧٨٩٠"),
        ("zhang＠example.com", "z***@example.com"),
        ("0571 8888 8888", "057* **** 8888"),
        ("幺三八零零幺三八零零零", "幺三八****八零零零"),
        ("邮箱zhang.san+x@mail.example.com。", "邮箱z***@mail.example.com。"),
        ("a@b.co", "a***@b.co"),
        ("13812345678@example.com", "1***@example.com"),
        ("身份证11010119900307123X", "身份证110***********123X"),
        ("110101199003071234", "110***********1234"),
        ("卡号 6222 0212 3456 7890 123", "卡号 622* **** **** ***0 123"),
        ("订单SF1234567890123到了没", "订单SF123******0123到了没"),
        ("order ORD-2041-AB77 is late", "order ***-****-*B77 is late"),
        ("AB12CD34EF56", "*********F56"),
        ("订单号 20261121000042", "订单号 202*******0042"),
        ("192.168.100.200", "192.***.**0.200"),
    ],
)
def test_what_identifies_a_person_is_hidden(text: str, masked: str) -> None:
    """Telephone, e-mail, identity card, bank card, order; a few signs stay, to recognise one's own by."""
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        *("", "你好", "case 2041", "等了5天，花了1299元", "2026-11-21 10:30 来过", "2026/1/2", "1,000,000"),
        *("iPhone 15 Pro", "RTX4090", "9:00-12:00", "给4星", "@example", "a @ b"),
    ],
)
def test_what_identifies_nobody_stays(text: str) -> None:
    """Case numbers, dates, times, amounts and models are needed to understand what was said."""
    assert mask(text) == text


SECRETS = st.one_of(
    st.from_regex(r"\A1[3-9][0-9]{9}\Z"),
    st.from_regex(r"\A[0-9]{17}[0-9X]\Z"),
    st.from_regex(r"\A[0-9]{16,19}\Z"),
    st.from_regex(r"\A[a-z]{3,10}\.[a-z]{3,10}@[a-z]{3,8}\.com\Z"),
)


@settings(deadline=None)
@given(st.text(max_size=40), SECRETS, st.text(max_size=40))
def test_no_secret_survives_in_any_surroundings(before: str, secret: str, after: str) -> None:
    """Whatever stands before and behind it, with or without a space."""
    assert secret not in mask(before + secret + after)


@settings(deadline=None)
@given(st.text(max_size=200) | st.text("0123456789 -.()xXab@_/零幺", max_size=60))
@example("x5x77a零x_112(01@x.03_a42-4.6_3@2.ba1.1")
@example("5零9.18x@111x0Xa4.3@3.6xx22x8幺@3 )aX9")
@example("12.a3@4-3.a89.(946919a2_2 ")
def test_masking_twice_changes_nothing_more(text: str) -> None:
    """What is stored masked may pass through again."""
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    "part",
    [
        "1",
        "a",
        "1 ",
        "1-",
        "a.",
        "a@",
        "a@b.",
        "零",
        "1a",
        "(",
        "2026-",
        "a-",
        "*",
        "1. ",
        "x1_",
        "a@b.1",
        "1@a.b2 ",
        "1a 1",
        "2026-11-21",
    ],
)
def test_a_hostile_text_is_masked_in_time(part: str) -> None:
    """100,000 characters of anything repeated: every pattern is linear, for a quadratic one would take minutes."""
    started = time.process_time()
    mask(part * (100_000 // len(part)))
    assert time.process_time() - started < 20.0
