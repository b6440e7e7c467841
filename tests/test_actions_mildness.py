"""Which feedback is half content, and which order number words announce."""

from __future__ import annotations

import pytest

from bot.actions.complaining import order_in
from bot.actions.danger import in_danger
from bot.actions.mildness import is_mild


@pytest.mark.parametrize(
    "text",
    [
        "服务还行吧，就是有点慢",
        "还可以，物流稍微慢了一点",
        "包装一般般吧",
        "整体不错，就是客服回得慢",
        "The service was fine but a little slow",
        "it's ok, just a bit slow",
        "not bad, could be faster",
    ],
)
def test_half_content_is_mild(text: str) -> None:
    """It was all right, with a "but"."""
    assert is_mild(text)


@pytest.mark.parametrize(
    "text",
    [
        "快递三天没到，客服也不理我",
        "服务还行吧，但是东西坏了",
        "这样还行吗？太差了",
        "我要投诉，虽然包装还可以",
        "还好意思说",
        "The box was fine but the cup is broken",
        "It is not ok to wait for three weeks",
        "Fine, I want my refund",
        "还行" + "，就是慢" * 20,
        "",
    ],
)
def test_what_must_be_put_right_is_not(text: str) -> None:
    """Something broken, missing, owed, or a story: that is a complaint, whatever else was fine."""
    assert not is_mild(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("订单A12345坏的，我要投诉", "A12345"),
        ("订单尾号5678的鞋子开胶了", "5678"),
        ("运单号：SF1234567890", "SF1234567890"),
        ("Order no. 88-123 never came", "88-123"),
        ("order #88123 is late", "88123"),
        ("订单 12345 和订单 67890 都坏了", None),
        ("订单三天没到", None),
        ("I ordered 2 shirts for 19.99", None),
        ("reorder12345", None),
        ("13800138000", None),
    ],
)
def test_an_order_number_is_one_that_a_word_announces(text: str, number: str | None) -> None:
    """A price, a telephone, or one of two is none."""
    assert order_in(text) == number


@pytest.mark.parametrize(
    ("evidence", "danger"),
    [
        (["爆炸", "曝光你们"], True),
        (["burned my"], True),
        (["Gas Leak"], True),
        (["盗刷"], False),
        (["account was hacked"], False),
        (["class action"], False),
        ([], False),
    ],
)
def test_danger_is_told_from_other_urgency(evidence: list[str], danger: bool) -> None:
    """Fire and injury, not money or the press."""
    assert in_danger(evidence) is danger
