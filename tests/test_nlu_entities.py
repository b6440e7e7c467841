"""Order numbers, phones, addresses, amounts and dates in a message."""

# ruff: noqa: E501 - Chinese counts double, and rows of examples read best as rows

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.entities import Gazetteer, amount, find
from nlu.normalise import clip, normalise, translation, without_surrogates
from nlu.numerals import number
from nlu.understanding import Entity

TABLE = translation({})

NAMED = {
    "我的订单号是20240518123456": [("order_number", "20240518123456")],
    "AB123456": [("order_number", "AB123456")],
    "order number is AB-9912-X": [("order_number", "AB-9912-X")],
    "order 12345": [("order_number", "12345")],
    "单号：SF1234567890123": [("order_number", "SF1234567890123")],
    "电话13800000000，邮箱A.b@Example.com": [("phone", "13800000000"), ("email", "a.b@example.com")],
    "１３８００００００００": [("phone", "13800000000")],
    "138 0000 0000": [("phone", "13800000000")],
    "+86 138-0000-0000": [("phone", "+8613800000000")],
    "+44 20 7946 0958": [("phone", "+442079460958")],
    "(555) 123-4567": [("phone", "5551234567")],
    "400-820-8820": [("phone", "4008208820")],
    "010-12345678": [("phone", "01012345678")],
    "花了三百块": [("amount", "CNY 300")],
    "两万五千元没了": [("amount", "CNY 25000")],
    "被骗了3万": [("amount", "CNY 30000")],
    "¥99.50": [("amount", "CNY 99.5")],
    "$1,250 for that": [("amount", "USD 1250")],
    "100 bucks": [("amount", "USD 100")],
    "HK$88": [("amount", "HKD 88")],
    "£20 and 30 euros": [("amount", "GBP 20"), ("amount", "EUR 30")],
    "2024年5月18日下的单": [("date", "2024-05-18")],
    "2024-05-18": [("date", "2024-05-18")],
    "2024/5/8": [("date", "2024-05-08")],
    "5月3号": [("date", "5月3号")],
    "昨天买的": [("date", "昨天")],
    "上周三下单": [("date", "上周三")],
    "last Tuesday I ordered": [("date", "last Tuesday")],
    "May 3rd": [("date", "May 3rd")],
}

NAMES_NOTHING = [
    "", "12315", "3块巧克力", "一块儿去", "http://x.com/a/1234567", "订单没到", "我等了3天", "13月45日", "5分", "a@b", "@", "#",
    "order it again", "万一", "元旦", "2024-13-45",
]  # fmt: skip


def things(text: str, own: Gazetteer | None = None) -> tuple[Entity, ...]:
    """The entities of a text as typed."""
    return find(normalise(text, TABLE), text, own)


@pytest.mark.parametrize(("text", "expected"), NAMED.items())
def test_a_thing_is_named_with_its_value(text: str, expected: list[tuple[str, str]]) -> None:
    """Each with a value that can be worked with, at the place where it stands."""
    found = things(text)
    assert [(entity.entity, entity.value) for entity in found] == expected
    assert all(text[entity.start : entity.end].strip() for entity in found)


@pytest.mark.parametrize("text", NAMES_NOTHING)
def test_what_only_looks_like_a_thing_is_none(text: str) -> None:
    """Hotlines, pieces of chocolate, links and impossible dates are not taken."""
    assert things(text) == ()


def test_an_amount_can_be_counted_with() -> None:
    """Currency and number of an amount."""
    [entity] = things("退我1,299.50元")
    assert amount(entity) == ("CNY", 1299.5)


def test_the_assistants_own_entities_come_first() -> None:
    """A name is not found inside a longer word; the longest wins; an own pattern replaces the built-in one."""
    own = Gazetteer(
        patterns=(("order_number", re.compile(r"[A-Z]{2}\d{4}")),),
        names=(("浦东机场店", "branch", "PVG"), ("浦东", "branch", "PD"), ("mark", "name", "Mark")),
    )
    assert [(entity.entity, entity.value) for entity in things("浦东机场店和浦东", own)] == [
        ("branch", "PVG"),
        ("branch", "PD"),
    ]
    assert things("market", own) == ()
    assert [(entity.entity, entity.value) for entity in things("ask Mark, AB1234", own)] == [
        ("name", "Mark"),
        ("order_number", "AB1234"),
    ]


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(st.characters(codec=None), max_size=300))
def test_any_text_keeps_its_places(text: str) -> None:
    """Normalising keeps every place; entities lie inside the text and in order."""
    whole = without_surrogates(text)
    plain = normalise(whole, TABLE)
    assert len(plain) == len(whole) == len(text)
    found = find(plain, whole)
    assert all(0 <= entity.start < entity.end <= len(text) for entity in found)
    assert [entity.start for entity in found] == sorted(entity.start for entity in found)


def test_both_ends_of_a_long_text_are_kept() -> None:
    """The part between is left out, and how far the end lies is told."""
    text = "a" * 5000 + "end"
    read, shift = clip(text)
    assert read.endswith("end")
    assert text[read.index("end") + shift :] == "end"
    assert clip("short") == ("short", 0)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12", 12), ("1,200", 1200), ("九", 9), ("十", 10), ("十二", 12), ("二十", 20), ("一百零五", 105), ("三百二", 320),
        ("两万五", 25000), ("两万五千", 25000), ("一百二十万", 1200000), ("九点五", 9.5), ("二〇二四", 2024), ("seven", 7),
        ("七八", None), ("", None), ("点五", None), ("九点", 9), ("abc", None), ("1.2.3", None), ("百", 100),
    ],
)  # fmt: skip
def test_numerals_have_their_value(written: str, value: float | None) -> None:
    """Figures, Chinese numerals and English words; a guess like 七八 is none."""
    assert number(written) == value
