"""Mistakes in care.yml are named by file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

import bot
from bot.contacts import care_reading
from bot.errors import ContentError

SHIPPED = (Path(bot.__file__).parent / "assistant" / "care.yml").read_text(encoding="utf-8")


def read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "care.yml"
    path.write_text(text, encoding="utf-8")
    care_reading.load(path)


def test_what_is_shipped_is_read(tmp_path: Path) -> None:
    """And says in both languages how to hear no more."""
    read(tmp_path, SHIPPED)
    care = care_reading.load(tmp_path / "care.yml")
    assert {each.occasion for each in care.messages} == {"agreed", "birthday", "service"}
    assert "退订" in care.footer.zh
    assert "STOP" in care.footer.en


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("high_value_percent: 20", "high_value_percent: twenty", "Write a whole number from 1 to 99"),
        ("medium_percent: 30", "medium_percent: 90", "110 together"),
        ("silent_days: 14", "silent_days: 0", "Write a whole number from 1 to 3650"),
        ("  tries: 3\n", "", "lacks 'tries'"),
        ("    per_day: 10\n", "", "lacks 'per_day'"),
        ("occasion: birthday", "occasion: easter", "Choose one of: agreed, birthday, service"),
        ("key: birthday", "key: welcome", "stands here twice"),
        ("key: birthday", "key: Birth day", "Write small letters"),
        ("occasion: service", "occasion: agreed", "touchpoints, but no service"),
        ("      occasion: birthday\n", "      occasion: birthday\n      after_days: 3\n", "Remove after_days"),
        ('until: "09:00"', 'until: "20:00"', "never end"),
        ("zh: 今天是您的生日，{company}", "zh: 今天是您的生日，{name}", "unknown placeholder '{name}'"),
        ("    en: (Reply STOP to hear no more of these.)\n", "", "has no English text"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """Where it stands, and what to write instead."""
    assert old in SHIPPED
    with pytest.raises(ContentError) as caught:
        read(tmp_path, SHIPPED.replace(old, new, 1))
    [found] = caught.value.problems
    assert problem in f"{found.message} {found.remedy}"
    assert found.file == "care.yml"
    assert abs(found.line - 1 - SHIPPED[: SHIPPED.index(old)].count("\n")) <= 3  # or the beginning of what it is in
