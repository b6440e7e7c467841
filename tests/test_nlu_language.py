"""Which language a message is in."""

# ruff: noqa: E501 - Chinese counts double, and rows of examples read best as rows

from __future__ import annotations

import pytest

from nlu.language import detect
from nlu.normalise import normalise, translation

SEEN = {
    "你好": "zh", "hello": "en", "我的iPhone 15 Pro Max坏了": "zh", "The 客服 is rude": "en", "app打不开": "zh",
    "I ordered 宫保鸡丁 and it arrived cold and nobody cares": "en", "退款": "zh", "Ｈｅｌｌｏ there": "en", "貨還沒到": "zh",
    "客服 refused to refund me, 太过分": "zh", "can't log in": "en", "Où est mon colis": "en",
}  # fmt: skip
SHOWS_NONE = ["", "   ", "12345", "👍👍", "!!!", "AB123456", "a@b.com", "13800000000", "https://x.io/9"]


@pytest.mark.parametrize(("text", "language"), SEEN.items())
def test_the_language_is_that_of_most_of_the_text(text: str, language: str) -> None:
    """Mixed messages go by what there is more of; names of products do not turn a language."""
    assert detect(normalise(text, translation({}))) == language


@pytest.mark.parametrize("text", SHOWS_NONE)
def test_codes_and_signs_keep_the_customers_language(text: str) -> None:
    """An order number or a thumb shows no language: it stays what it was, and is Chinese where nothing was."""
    plain = normalise(text, translation({}))
    assert detect(plain, "en") == "en"
    assert detect(plain, "zh") == "zh"
    assert detect(plain) == "zh"


def test_a_short_loan_word_keeps_the_customers_language() -> None:
    """A Chinese customer's "ok" is not English; a sentence is."""
    assert detect("ok", "zh") == "zh"
    assert detect("ok") == "en"
    assert detect("where is my order", "zh") == "en"
