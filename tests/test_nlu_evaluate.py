"""Measuring a model on labelled lines."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_nlu_heldout import trained

from bench.nlu import ablation, quality, sets, speed
from bench.nlu.engine import Engine
from bench.nlu.goals import Goal, Row, table
from bot.cli import main
from nlu.content import DataError
from nlu.evaluate import evaluate, fraction, wilson
from nlu.report import page
from nlu.scores import Answer, Task, auroc, resampled
from nlu.understanding import Intent, Sentiment, Understanding


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
        {"text": "十分周到", "rating": None, "urgent": False, "aspect": ["attitude"], "nature": []},
        {"text": "我给4星", "rating": "4/5"},
    )
    report = evaluate(trained(), path)
    tasks = {task.name: task for task in report.tasks}
    assert (tasks["sentiment"].n, tasks["sentiment"].right) == (3, 2)
    assert tasks["sentiment"].confusion[("negative", "positive")] == 1
    assert tasks["sentiment"].macro_f1 == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert (tasks["rating"].n, tasks["urgent"].n, tasks["aspect"].n) == (4, 1, 1)
    assert tasks["rating"].confusion == {("90", "90"): 1, ("none", "none"): 2, ("80", "80"): 1}
    assert tasks["urgent"].confusion == {("not urgent", "not urgent"): 1}
    assert tasks["nature"].confusion[("none", "none")] == 2
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
    task, deep = evaluate(trained(), pairs).tasks
    assert (task.n, task.right) == (3, 2)
    assert (deep.name, deep.right) == ("search (recall at 3)", 2)
    assert (task.coverage.right, task.accuracy_where_sure.share) == (2, 1.0)
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
        ('{"text": "a", "rating": "4 of 5"}\n', 1, 'a fraction such as "4/5"'),
        ('{"text": "a", "rating": 101}\n', 1, 'a fraction such as "4/5"'),
        ('{"text": "a", "rating": true}\n', 1, 'a fraction such as "4/5"'),
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


class Set:
    """A model that answers what it was told to."""

    def __init__(self, **answers: Understanding) -> None:
        self.answers = answers

    def parse(self, text: str) -> Understanding:
        """The answer for `text`."""
        return self.answers[text]


def understood(intent: str, confidence: float, label: str = "neutral", score: float = 0.0) -> Understanding:
    """An understanding of which only this is asked."""
    return Understanding(
        text="",
        language="zh",
        intent=Intent(intent, confidence),
        sentiment=Sentiment(label, score),  # type: ignore[arg-type] # written as data
    )


def test_what_is_out_of_scope_may_be_called_either_and_is_told_by_confidence(tmp_path: Path) -> None:
    """`nlu_fallback` meets `out_of_scope`, is an abstention, and counts as unsure by what is missing to 1."""
    model = Set(
        a=understood("greet", 0.9),
        b=understood("nlu_fallback", 0.8),
        c=understood("out_of_scope", 0.7),
        d=understood("thank", 0.1),
        e=understood("nlu_fallback", 0.6),
    )
    labels = {"a": "greet", "b": "out_of_scope", "c": "out_of_scope", "d": "greet", "e": "greet"}
    path = put(tmp_path / "x.jsonl", *({"text": text, "intent": name} for text, name in labels.items()))
    [task] = evaluate(model, path).tasks
    assert task.right == 3
    assert task.confusion[("out_of_scope", "out_of_scope")] == 2
    assert task.confusion[("greet", "nlu_fallback")] == 1
    assert (task.coverage.right, task.accuracy_where_sure) == (3, (2, 3))
    assert task.outside is not None
    assert task.outside[0] == pytest.approx((2 + 0 + 2) / 6)  # .9, .1, .4 over .2, .3
    assert task.outside[1] <= task.outside[0] <= task.outside[2]


def test_calibration_is_the_distance_of_what_is_said_from_what_is() -> None:
    """Worked out by hand: .9 said and .5 right, .25 said and 0 right; who says nothing is not judged."""
    answers = [Answer(("x",), given, sure) for given, sure in (("x", 0.9), ("y", 0.9), ("y", 0.25), ("x", None))]
    task = Task("t", tuple(answers))
    assert task.ece == pytest.approx((2 * 0.4 + 1 * 0.25) / 3)
    assert [(each.n, each.accuracy) for each in task.bins] == [(1, 0.0), (2, 0.5)]
    assert task.surest(2 / 3) == (1, 2)
    assert Task("t", (Answer(("x",), "x"),)).ece is None
    assert Task("t", (Answer(("x",), "x", 1.0),)).ece == 0


def test_the_sentiments_confidence_is_what_its_score_says(tmp_path: Path) -> None:
    """A score of .8 is a chance of .9; "neutral" says nothing of itself."""
    model = Set(a=understood("x", 1, "negative", -0.8), b=understood("x", 1, "neutral", 0.1))
    lines = ({"text": "a", "sentiment": "negative"}, {"text": "b", "sentiment": "neutral"})
    [task] = evaluate(model, put(tmp_path / "x.jsonl", *lines)).tasks
    assert [answer.confidence for answer in task.answers] == [pytest.approx(0.9), None]


def test_f1_of_a_class_that_is_never_found_counts(tmp_path: Path) -> None:
    """The mean is over true labels; an answer that nothing is labelled with lowers the others' precision alone."""
    answers = [Answer((truth,), given) for truth, given in ("aa", "aa", "bz", "aa", "bb")]
    task = Task("t", tuple(answers))
    assert task.macro_f1 == pytest.approx((1 + 2 / 3) / 2)
    low, high = task.macro_interval
    assert 0 < low < task.macro_f1 <= high <= 1
    assert task.macro_interval == Task("t", tuple(answers)).macro_interval
    assert (task.precision("b"), task.recall("b")) == ((1, 1), (1, 2))
    assert Task("t", (Answer(("a",), "b"),)).macro_f1 == 0


def test_auroc_is_the_chance_of_the_right_order() -> None:
    """Ties count half; the interval holds the figure."""
    assert auroc([3, 2], [1, 2]) == pytest.approx(3.5 / 4)
    assert auroc([1], [2]) == 0
    area, low, high = resampled(auroc, [3, 2, 5], [1, 2, 2])
    assert low <= area <= high
    assert area == auroc([3, 2, 5], [1, 2, 2])


def test_a_rating_label_is_a_number_or_a_fraction() -> None:
    """On a scale to 100, to one place, as the model answers."""
    assert fraction("4/5") == 80
    assert fraction("6/7") == 85.7
    assert fraction(90) == 90
    for wrong in ("7/5", "4", "", "/5", "4/0", "a/b", "-1/5", "nan/5", True, None, 101, [4, 5]):
        with pytest.raises(ValueError):  # noqa: PT011 - the caller says which line
            fraction(wrong)


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, written: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(written)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [
            value or "" for name, value in attributes if name in {"src", "href", "action", "style", "onload"}
        ]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_needs_nothing_else_and_lets_no_text_in(tmp_path: Path, language: str) -> None:
    """No script, nothing fetched, whatever stands in the file; each figure of the report is on it."""
    hostile = "<script>alert(1)</script><img src=//evil.example onerror=x>"
    lines = [
        {"text": hostile, "intent": "<b>x</b>"},
        {"text": "你好", "intent": "greet"},
        {"text": "ᚠ", "intent": "greet"},
    ]
    report = evaluate(trained(), put(tmp_path / "x.jsonl", *lines, *[{"text": "你好", "intent": "out_of_scope"}]))
    written = page(report, language)  # type: ignore[arg-type] # parametrised as text
    found = Page(written)
    assert set(found.links) == {"#task-1"}
    assert not {"script", "img", "link", "iframe", "b"} & set(found.tags)
    assert "url(" not in written
    assert "@import" not in written
    assert "<b>x</b>" in found.words  # as text
    assert f"{100 * report.accuracy:.1f} %" in found.words
    assert f"{report.tasks[0].ece:.3f}" in found.words
    assert ("宏平均" in found.words) == (language == "zh")


def test_a_page_with_very_many_labels_stays_readable(tmp_path: Path) -> None:
    """Those with most texts are shown, and that there are more is said."""
    lines = [{"text": "你好", "intent": f"intent_{number}"} for number in range(200)]
    lines += [{"text": "你好", "intent": "greet"}] * 3
    written = page(evaluate(trained(), put(tmp_path / "x.jsonl", *lines)))
    assert written.count("<tr><td>") < 60
    assert "There are more labels" in written
    assert "greet (right) × 3" in Page(written).words


def test_the_command_fails_where_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--fail-under for all or one task; a task that is not measured, a share that is none, a page that cannot be
    written and a file that is not UTF-8 are said in words."""
    monkeypatch.setenv("EARFUL_DATA_DIR", str(tmp_path / "data"))
    right, wrong = {"text": "👍", "rating": 100}, {"text": "👍", "sentiment": "negative"}
    path = put(tmp_path / "x.jsonl", right, wrong)
    call = ["nlu", "evaluate", str(path)]
    runner = CliRunner()
    target = tmp_path / "page.html"
    done = runner.invoke(main, [*call, "--fail-under", "rating=1", "--report", str(target), "--language", "zh"])
    assert done.exit_code == 0, done.output
    assert "rating: 1.000" in done.output
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    for given, told in (
        (["--fail-under", "1"], "sentiment 0.000 is below 1"),
        (["--fail-under", "rating=1", "--fail-under", "sentiment=.5"], "sentiment 0.000 is below 0.5"),
        (["--fail-under", "intent=.5"], "does not measure intent: it measures sentiment, rating"),
        (["--fail-under", "92"], "write a share from 0 to 1"),
        (["--fail-under", "nan"], "write a share from 0 to 1"),
        (["--fail-under", "rating=high"], "write a share from 0 to 1"),
        (["--report", str(tmp_path / "none" / "page.html")], "cannot be written"),
    ):
        done = runner.invoke(main, [*call, *given])
        assert done.exit_code != 0
        assert told in done.output, done.output
        assert not done.exception or isinstance(done.exception, SystemExit)
    path.write_bytes('{"text": "你好", "rating": null}\n'.encode("gbk"))
    done = runner.invoke(main, call)
    assert "x.jsonl:1: This line is not UTF-8." in done.output


def test_a_goal_knows_whether_it_is_met() -> None:
    """At least, less than, and none at all; the table says it in words."""
    assert [Goal(least=0.9).met(each) for each in (0.89, 0.9)] == [False, True]
    assert [Goal(most=5).met(each) for each in (4.9, 5.0)] == [True, False]
    assert [Goal(most=0).met(each) for each in (0, 1)] == [True, False]
    written = table([Row("a", 7, 0.8951, (0.8, 0.95), Goal(least=0.9)), Row("b", 7, 0, None, Goal(most=0), places=0)])
    assert "| a | 7 | 0.895 | 0.800 – 0.950 | ≥ 0.9 | no |  |" in written
    assert "| b | 7 | 0 |  | 0 | yes |  |" in written


def test_the_bench_measures_every_goal_without_public_samples(tmp_path: Path) -> None:
    """Of any engine that it is handed: one that knows every label reaches all of them, one that says nothing none that
    asks for something."""
    known, silent = Knowing(), Silent()
    right = {row.task: row for row in quality.rows(Engine(known, known), tmp_path)}
    wrong = {row.task: row for row in quality.rows(Engine(silent, silent), tmp_path)}
    assert set(right) == set(wrong)
    judged = {task for task, row in right.items() if row.goal and not task.startswith("FAQ")}
    assert {task.rpartition(",")[0] or task for task in judged} >= {"urgent, recall", "intents", "out of scope, AUROC"}
    assert [task for task in judged if not (goal := right[task].goal) or not goal.met(right[task].figure)] == []
    met = {task for task in judged if (goal := wrong[task].goal) and goal.met(wrong[task].figure)}
    assert met == {"rating, read where none is, zh", "rating, read where none is, en"}
    assert wrong["out of scope, AUROC, zh"].figure == 0.5
    assert 0 < right["FAQ, recall@1, own zh, 3 phrasings"].figure < 1


def test_times_are_of_each_message() -> None:
    """As many as messages, none of them nothing."""
    taken, note = speed.times(trained(), ["你好", "hello"] * 5)
    assert note.startswith("CPU alone ")
    assert len(taken) == 10
    assert min(taken) > 0
    assert speed.quantile([3.0, 1.0, 2.0], 0.5) == 2
    assert speed.quantile([3.0, 1.0, 2.0], 0.99) == 3


def test_an_ablation_tells_what_a_part_is_worth(tmp_path: Path) -> None:
    """How far each figure moves without it; nothing where it does not."""
    whole = Engine(trained(), trained())
    variants = {"mute": lambda engine: Engine(Silent(), Silent()), "same": lambda engine: engine}
    *told, written = ablation.ablated(whole, tmp_path, tmp_path, variants, [])
    assert told == ["… fast heads alone", "… mute", "… same"]
    [line] = [line for line in written.splitlines() if line.startswith("| urgent, recall, zh |")]
    figure, alone, mute, same = (cell.strip() for cell in line.split("|")[2:6])
    assert alone == ""
    assert float(figure) > 0
    assert float(mute) == -float(figure)
    assert same == ""


class Silent:
    """A model that understands nothing."""

    def parse(self, text: str) -> Understanding:
        """The same of every text."""
        return understood("nlu_fallback", 1.0)


class Knowing:
    """A model that has read our test sets."""

    def __init__(self) -> None:
        own = [
            sets.own(topic, each)
            for topic in ("calm", "chat", "feedback", "urgent", "rating")
            for each in sets.LANGUAGES
        ]
        self.lines = {line["text"]: line for path in own for line in sets.lines(path)}

    def parse(self, text: str) -> Understanding:
        """What it read."""
        line = self.lines[text]
        label = line.get("sentiment", "neutral")
        score = {"positive": 0.9, "negative": -0.9}.get(label, 0.0)
        return replace(
            understood(line.get("intent", "nlu_fallback"), 0.9, label, score),
            nature=tuple(line.get("nature", ())) or ("praise",),
            aspect=tuple(line.get("aspect", ())),
            urgency="urgent" if line.get("urgent") else "important",
            rating=None if line.get("rating") is None else fraction(line["rating"]),
        )
