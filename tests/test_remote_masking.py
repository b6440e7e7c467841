"""What leaves for a server that is not ours says nothing of who the customer is."""

from __future__ import annotations

import pytest

from bot.loop.remote.masking import masked
from nlu import entities, lexicon
from nlu.normalise import normalise
from nlu.understanding import Entity

TABLE = lexicon.load().table


def sent(text: str) -> str:
    """As it leaves, with what the rules of understanding find."""
    return masked(text, entities.find(normalise(text, TABLE), text))


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("我的手机 13800138000，快递没到", ["138", "8000"]),
        ("打 138-0013-8000 给我", ["138", "0013", "8000"]),
        ("call me on +44 20 7946 0958 please", ["44", "7946", "0958"]),
        ("mail a.user+x@mail.example.com now", ["user", "example"]),
        ("邮箱ａｂｃ＠example.com", ["example"]),
        ("订单号 20260301123 没有更新", ["20260301123", "0301"]),
        ("order AB-20391 is broken", ["20391"]),
        ("ORD-2041-AB77 arrived broken", ["2041", "AB77"]),
        ("身份证 11010519491231002X", ["1101", "002X"]),
        ("卡号 6222 0212 3456 7890 123", ["6222", "7890", "123"]),
        ("验证码 482913", ["482913"]),
        ("电话一三八零零一三八零零零", ["一三八"]),
        ("see https://shop.example.com/o/12345?token=abc", ["example", "token"]),
        ("1\u200b3\u200b8\u200b0\u200b0\u200b1\u200b3\u200b8\u200b0\u200b0\u200b0", ["8\u200b0"]),
        ("单号SF1234567890123，电话13800138000，邮箱a@b.cn", ["SF123", "138", "a@b"]),
    ],
)
def test_numbers_and_addresses_are_taken_out(text: str, secrets: list[str]) -> None:
    """Not even their ends stay."""
    left = sent(text)
    assert not [secret for secret in secrets if secret in left], left
    assert "[" in left


@pytest.mark.parametrize(
    "text",
    [
        "快递三天没到，客服也不理我",
        "refund of ¥99.5 within 3 days?",
        "2026-03-01 买的",
        "9:00 到 21:00",
        "*** 太差了 ***",
    ],
)
def test_what_a_question_needs_stays(text: str) -> None:
    """Words, amounts, dates, times."""
    assert sent(text) == text


def test_words_beside_a_number_stay() -> None:
    """The question is still one."""
    assert sent("一直没到 6222 0212 3456 7890 123 please help") == "一直没到 [number] please help"


def test_names_that_were_recognised_are_taken_out() -> None:
    """By the assistant's own entities, also where two claim a place."""
    text = "我叫王小明，住在建国路 88 号"
    found = [Entity("name", "王小明", 2, 5), Entity("place", "建国路 88 号", 8, 16), Entity("place", "国路", 9, 11)]
    assert masked(text, found) == "我叫[name]，住在[place]"


@pytest.mark.parametrize("text", ["1" * 4000, "@" * 4000, "1 " * 2000, "a1-" * 1300, "\u200b1" * 2000, "一" * 4000])
def test_hostile_texts_are_masked_in_a_moment(text: str) -> None:
    """No pattern runs away; nothing long is left."""
    assert "11111" not in sent(text)
