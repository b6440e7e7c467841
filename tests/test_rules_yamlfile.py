"""Content files: every value knows its line, and is what was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import ContentError
from bot.yamlfile import Sheet, Words


def sheet(tmp_path: Path, text: str) -> Sheet:
    path = tmp_path / "some.yml"
    path.write_text(text, encoding="utf-8")
    return Sheet(path)


def test_values_are_kept_as_they_were_written(tmp_path: Path) -> None:
    """YAML's own ideas of `no`, `9:00`, `1e3`, dates and octal numbers change nothing."""
    found = sheet(tmp_path, "on: no\ntime: 9:00\nnumber: 1e3\nday: 2026-11-21\nzero: 007\nempty:\n").root
    assert found.entries is not None
    assert {key: item.raw for key, item in found.entries.items()} == {
        "on": "no", "time": "9:00", "number": "1e3", "day": "2026-11-21", "zero": "007", "empty": None
    }  # fmt: skip
    assert [item.line for item in found.entries.values()] == [1, 2, 3, 4, 5, 6]


def test_a_problem_in_one_part_does_not_hide_another(tmp_path: Path) -> None:
    """All are raised together, in the order of their lines, each with file, line and remedy."""
    read = sheet(tmp_path, "b: x\na: y\n")
    entries = read.entries(read.root, "it")
    for key in ("a", "b"):
        with read.part():
            read.integer(entries[key], key, 1, 9)
            pytest.fail("went on after the problem")
    with pytest.raises(ContentError) as caught:
        read.check()
    assert str(caught.value).splitlines() == [
        "some.yml:1: b is 'x'. Write a whole number from 1 to 9",
        "some.yml:2: a is 'y'. Write a whole number from 1 to 9",
    ]


def test_a_fault_of_ours_is_not_taken_for_a_fault_of_the_file(tmp_path: Path) -> None:
    """A part lets every other exception through."""
    read = sheet(tmp_path, "a: 1\n")
    with pytest.raises(ZeroDivisionError), read.part():
        raise ZeroDivisionError


@pytest.mark.parametrize("text", ["1_0", "+5", "-1", "0x5", "5.0", "５", "9" * 30, "''", "[5]", ""])
def test_a_whole_number_is_nothing_but_digits(text: str, tmp_path: Path) -> None:
    """Within its bounds."""
    read = sheet(tmp_path, f"a: {text}\n")
    with read.part():
        read.integer(read.entries(read.root, "it")["a"], "a", 0, 10**9)
        pytest.fail("was taken for a number")
    assert len(read.problems) == 1


def test_values_fill_their_places_once() -> None:
    """A value that looks like a placeholder is only text; a place without a value stays."""
    words = Words("{name}：{text}", "{name}: {text}")
    assert words.said("en", name="{text}", text="{name}") == "{text}: {name}"
    assert words.said("zh", name="李") == "李：{text}"
    assert words.said("zh") == "{name}：{text}"
