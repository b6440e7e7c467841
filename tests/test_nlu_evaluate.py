"""Measuring a model on labelled lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_nlu_heldout import trained

from nlu.content import DataError
from nlu.evaluate import evaluate, wilson


def put(path: Path, *lines: object) -> Path:
    """A file with one object a line."""
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n", encoding="utf-8")
    return path


def test_labels_are_counted_each_by_its_task(tmp_path: Path) -> None:
    """One file may ask for several things; of a list of labels any is right; "none" is anything but a complaint."""
    path = put(
        tmp_path / "labels.jsonl",
        {"text": "客服态度太差了", "sentiment": "negative", "nature": ["complaint", "service"]},
        {"text": "非常好，谢谢", "sentiment": "positive", "nature": ["none"]},
        {"text": "非常满意", "sentiment": "negative"},
        {"text": "给你们打9分", "rating": 90, "language": "zh"},
        {"text": "十分满意", "rating": None, "urgency": "normal"},
    )
    report = evaluate(trained(), path)
    tasks = {task.name: task for task in report.tasks}
    assert (tasks["sentiment"].n, tasks["sentiment"].right) == (3, 2)
    assert tasks["sentiment"].confusion[("negative", "positive")] == 1
    assert tasks["sentiment"].macro_f1 == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert tasks["nature"].accuracy == tasks["rating"].accuracy == tasks["urgency"].accuracy == 1
    assert report.accuracy == tasks["sentiment"].accuracy
    assert report.n == 3
    assert "sentiment: 0.667 (0.208 to 0.939 with 95 %), n = 3, macro-F1 0.667" in str(report)
    assert "negative  negative 1, positive 1" in str(report)


def test_searches_are_counted(tmp_path: Path) -> None:
    """Both shapes of a knowledge file: pairs, and entries with phrasings and queries."""
    pairs = put(
        tmp_path / "pairs.jsonl",
        {"entry": "退款多久到账", "query": "退款几天到账"},
        {"entry": "怎么修改地址", "query": "地址怎么改"},
        {"entry": "几点开门", "query": "ᚠᚢᚦ"},
    )
    [task] = evaluate(trained(), pairs).tasks
    assert (task.n, task.right) == (3, 2)
    assert task.confusion == {("right entry", "right entry"): 2, ("right entry", "no entry"): 1}
    lists = put(
        tmp_path / "lists.jsonl",
        {"entry": "refund", "phrasings": ["How long does a refund take?"], "queries": ["refund time", "my refund?"]},
        {"entry": "hours", "phrasings": ["When do you open?"], "queries": ["open hours"]},
    )
    assert evaluate(trained(), lists).accuracy == 1


@pytest.mark.parametrize(
    ("written", "line", "remedy"),
    [
        ("", 1, "Write one object a line"),
        ('{"text": "a", "intent": "x"}\nnonsense\n', 2, "Write one object a line"),
        ("[1]\n", 1, "Write one object a line"),
        ('{"text": "a", "intent": "x"}\n{"text": 5, "intent": "x"}\n', 2, "Give 'text' and one of intent"),
        ('{"text": "a"}\n', 1, "Give 'text' and one of intent"),
        ('{"entry": "a"}\n', 1, "Give 'query'"),
    ],
)
def test_a_file_that_measures_nothing_says_why(tmp_path: Path, written: str, line: int, remedy: str) -> None:
    """With file, line and remedy."""
    path = tmp_path / "x.jsonl"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        evaluate(trained(), path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert remedy in str(caught.value)


def test_the_interval_is_wilsons() -> None:
    """Against values worked out by hand; never outside 0 to 1."""
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 20)[0] == 0
    assert wilson(20, 20)[1] == pytest.approx(1)
    assert wilson(0, 0) == (0.0, 1.0)
