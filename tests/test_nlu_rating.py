"""Ratings in words, and what only looks like one."""

# ruff: noqa: E501 - Chinese counts double, and rows of examples read best as rows

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.rating import rating

STATED = {
    "给你们打9分": 90, "四星": 80, "two stars": 40, "👍": 100, "👎": 0, "8/10": 80, "nine out of ten": 90,
    "五星好评": 100, "一星都不想给": 20, "满分": 100, "10分": 100, "打十分": 100, "十分": 100, "给十分": 100, "95分": 95,
    "零分": 0, "0分": 0, "负分滚粗": 0, "一分都不想给": 10, "服务态度8分": 80, "打个9.5分": 95, "九分半": 95,
    "满分10分我打8分": 80, "满分5分，给4分": 80, "5分制给4分": 80, "三星": 60, "给三星": 60, "三颗星": 60, "三星半": 70,
    "四颗半星": 90, "5星": 100, "给5颗星": 100, "给四星，扣一星是因为物流": 80, "★★★★☆": 80, "⭐⭐⭐⭐⭐": 100,
    "⭐️⭐️⭐️": 60, "九十分": 90, "一百分": 100, "five stars": 100, "I give it 4 stars": 80, "1 star": 20, "zero stars": 0,
    "4 out of 5": 80, "4/5": 80, "10/10 would recommend": 100, "one and a half stars": 30, "not even worth one star": 20,
    "two thumbs up": 100, "thumbs down": 0, "full marks": 100, "rated it 3 stars": 60, "5 stars!!! 10/10": 100,
    "给五颗星都嫌少": 100, "８分": 80, "４星": 80, "给個五顆星": 100, "1/10": 10, "评分：9分": 90, "改成一星": 20,
    "给了五星，现在改成一星": 20, "本来想给五星的，现在只给两星": 40, "7分吧": 70, "服务打3分": 30, "5 stars for the food": 100,
    "i want to give 0 stars": 0, "👍👍👍": 100, "👍🏽": 100, "谢谢👍": 100, "值十分": 100, "给0分": 0,
}  # fmt: skip

ONLY_LOOKS_LIKE_IT = [
    "十分满意", "十分感谢", "我给十分满意的评价", "一分钱一分货", "一分价钱一分货", "三星手机", "我的三星用了两年",
    "三星的屏幕不错", "五星酒店", "五星级酒店", "十二点五分", "九点五分", "下午三点十分", "10:05分", "早上9点10分到",
    "打了三分钟电话", "3分钟", "打了10分钟", "等了5天", "3-5天", "五分糖", "八分熟的牛排", "七分裤", "7分饱", "百分百满意",
    "百分之九十", "三分之一", "五毛五分", "孩子考了95分", "驾照扣了6分", "积分500分", "部分退款", "差一分", "打9折", "扣一星",
    "要求五星好评返现", "客服让我给五星好评", "环境9分，味道6分", "客服👍物流👎", "火星", "星期五", "明星产品", "我在三星堆",
    "8/10发货", "5 star hotel", "open 24/7", "on 8/10 I ordered", "9 out of 10 orders are late",
    "nine out of ten times it fails", "would have given five stars but", "takes one star off", "1/5 of the order",
    "谢谢你们耐心的服务和及时的处理真的很好👍", "", "分", "星", "/", "call 5/10/2024", "it was 4/5 full when I got it home",
]  # fmt: skip

ON_A_SCALE = {
    ("4", 5): 80, ("四", 5): 80, ("４分", 5): 80, ("5 stars", 5): 100, ("👍", 5): 100, ("👎", 5): 20, ("10", 10): 100,
    ("9", 10): 90, ("0", 10): 0, ("5", 7): 71.4, ("4，服务不错", 5): 80, ("我打4", 5): 80, ("I'd say 4", 5): 80,
    ("maybe a 3", 5): 60, ("8/10", 5): 80, ("4/5", 5): 80, ("四星", 5): 80, ("五星", 10): 100, ("85", 100): 85,
    ("1", 1): 100, ("0", 1): 0, ("👍🏽", 1): 100, ("👎", 1): 0, ("4️⃣", 5): 80, ("five", 5): 100, ("满分", 5): 100,
    ("三星", 5): 60, ("十分", 10): 100, ("4 because it was late", 5): 80, ("4 stars", 10): 80, ("十", 10): 100,
    ("4!!!", 5): 80, ("4吧", 5): 80, ("4\n挺好", 5): 80, ("5/7", 7): 71.4, ("给五分", 5): 100, ("三分", 5): 60, ("🔟", 10): 100,
}  # fmt: skip

OFF_THE_SCALE = [
    ("10", 5), ("0", 5), ("6分", 5), ("9/10", 5), ("-1", 5), ("3-5", 5), ("5555", 10), ("13800000000", 100), ("8", 7),
    ("4天了还没到", 5), ("4个人", 5), ("我要3个", 5), ("1. 慢 2. 差", 5), ("十分满意", 10), ("5%", 5), ("$5", 5), ("", 5),
    ("5 minutes", 5), ("12点", 100), ("2", 1), ("三星手机", 5), ("没有", 5), ("4 5", 5), ("订单号 4", 5),
]  # fmt: skip


@pytest.mark.parametrize(("text", "score"), STATED.items())
def test_a_stated_rating_is_read(text: str, score: float) -> None:
    """Figures, numerals, stars, thumbs and fractions become 0 to 100 by R5.1."""
    assert rating(text) == score


@pytest.mark.parametrize("text", ONLY_LOOKS_LIKE_IT)
def test_what_only_looks_like_a_rating_is_none(text: str) -> None:
    """Idioms, brands, hotels, times, prices, schools, dates and other people's ratings are not ratings."""
    assert rating(text) is None


@pytest.mark.parametrize(("text", "maximum", "score"), [(*asked, score) for asked, score in ON_A_SCALE.items()])
def test_an_open_survey_reads_bare_answers_on_its_scale(text: str, maximum: int, score: float) -> None:
    """While a survey is open its own scale decides what a number means."""
    assert rating(text, maximum) == score


@pytest.mark.parametrize(("text", "maximum"), OFF_THE_SCALE)
def test_what_does_not_meet_the_open_scale_is_none(text: str, maximum: int) -> None:
    """Too large, too small, between two steps, or no answer at all: nothing is counted."""
    assert rating(text, maximum) is None


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(), st.sampled_from([None, 1, 5, 7, 10, 100]))
def test_any_text_gives_a_score_or_none(text: str, maximum: int | None) -> None:
    """No text raises, and every score is 0 to 100."""
    found = rating(text, maximum)
    assert found is None or 0 <= found <= 100


_PIECES = [
    "给",
    "打",
    "分",
    "星",
    "九",
    "十",
    "三",
    "5",
    "10",
    "/",
    "out of",
    " ",
    "stars",
    "give",
    "not",
    "，",
    "满分",
    "👍",
    "⭐",
]


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join), st.sampled_from([None, 5, 10]))
def test_any_heap_of_rating_words_gives_a_score_or_none(text: str, maximum: int | None) -> None:
    """Nor does any text made of the words that the rules look for."""
    found = rating(text, maximum)
    assert found is None or 0 <= found <= 100


@pytest.mark.parametrize(
    "piece", ["i", "我", "1", " ", "!", "给", "打分", "one ", "给五星", "a ", "4 ", "九", "the ", "5/", "not ", "⭐ "]
)
def test_a_long_repetition_is_read_in_time(piece: str) -> None:
    """No pattern backtracks without end: 100,000 characters of anything take less than a second."""
    text = (piece * 100_000)[:100_000]
    before = time.process_time()
    for maximum in (None, 5, 100):
        rating(text, maximum)
    assert time.process_time() - before < 10.0
