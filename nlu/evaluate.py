"""How well a model does on labelled lines: what is asked follows from the names in them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from nlu.content import DataError
from nlu.retrieval import Entry, Hit, Retriever
from nlu.scores import Answer, Share, Task, auroc, resampled, wilson
from nlu.training import FALLBACK
from nlu.understanding import Language, Understanding

__all__ = ["Parser", "Report", "Searcher", "Task", "Timed", "evaluate", "fraction", "wilson"]


class Parser(Protocol):
    """What is measured: anything that understands a text."""

    def parse(self, text: str) -> Understanding:
        """What `text` says. Never raises."""


class Searcher(Protocol):
    """What finds knowledge entries."""

    def search(self, text: str, limit: int = 3) -> list[Hit]:
        """The entries likeliest meant by `text`, best first."""


class Timed(NamedTuple):
    """How long a text took."""

    milliseconds: float
    text: str


@dataclass(frozen=True)
class Report:
    """What `evaluate` found in one file: a task for each kind of label, and the texts that took longest, the slowest
    first. The other properties are the first task's."""

    path: Path
    tasks: tuple[Task, ...]
    slowest: tuple[Timed, ...] = ()
    milliseconds: float = 0.0
    """The mean time of a text."""

    @property
    def n(self) -> int:
        """How many answers were judged."""
        return self.tasks[0].n

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.tasks[0].accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy lies with 95 % confidence."""
        return self.tasks[0].interval

    @property
    def confusion(self) -> dict[tuple[str, str], int]:
        """How often which answer was given for which label."""
        return self.tasks[0].confusion

    def __str__(self) -> str:
        lines = [str(self.path), *(line for task in self.tasks for line in _rendered(task))]
        if self.slowest:
            lines.append(f"  time: {self.milliseconds:.2f} ms a text on average; the slowest:")
            lines += [f"    {each.milliseconds:7.2f} ms  {shortened(each.text)}" for each in self.slowest]
        return "\n".join(lines)


def evaluate(
    model: Parser, path: Path, *, searcher: Callable[[Sequence[Entry]], Searcher] = Retriever, slowest: int = 5
) -> Report:
    """Measure `model` on a file with one JSON object a line. What is measured follows from the names in it:

    - `text` with `intent`, `sentiment`, `nature` (the main one), `aspect`, `urgency`, `urgent` (true or false),
      `rating` (0 to 100, a fraction such as "4/5", or null) or `language`; of a list of labels any is right, an empty
      one means none. The nature `none` means "not a complaint": praise, suggestions and other matters meet it too.
      The intent `out_of_scope` is met by `nlu_fallback`, which is answered alike.
    - `entry` with `query`, or with `phrasings` and `queries`: knowledge search in pools of up to 40 entries, each made
      by `searcher`.

    Raises DataError, naming file, line and remedy, for a line that is none of these."""
    lines = list(_read(path))
    if all("entry" in line for _, line in lines):
        return _searched(lines, path, searcher, slowest)
    for number, line in lines:
        if not isinstance(line.get("text"), str) or not any(name in line for name in _MEASURES):
            raise DataError(path, number, "Nothing to measure here.", f"Give 'text' and one of {', '.join(_MEASURES)}.")
    understood, times = [], []
    for _, line in lines:
        begun = time.perf_counter()
        understood.append(model.parse(line["text"]))
        times.append(Timed(1000 * (time.perf_counter() - begun), line["text"]))
    tasks = []
    for name, measure in _MEASURES.items():
        given = [
            (number, line[name], each) for (number, line), each in zip(lines, understood, strict=True) if name in line
        ]
        if given:
            answers = tuple(
                Answer(
                    _labels(name, label, path, number), measure.answer(found), measure.sure(found), measure.rests(found)
                )
                for number, label, found in given
            )
            tasks.append(_intents(answers, [each for *_, each in given]) if name == "intent" else _task(name, answers))
    return _report(path, tasks, times, slowest)


def fraction(written: Any) -> float:
    """A rating label as 0 to 100: a number as it stands, "4/5" as 80. Raises ValueError for anything else."""
    if isinstance(written, str):
        value, _, of = written.partition("/")
        if not of or not 0 <= float(value) <= float(of) or float(of) == 0:
            raise ValueError(written)
        return round(100 * float(value) / float(of), 1)
    if isinstance(written, bool) or not isinstance(written, int | float) or not 0 <= written <= 100:
        raise ValueError(str(written))
    return float(written)


def shortened(text: str) -> str:
    """The beginning of a text, on one line."""
    plain = " ".join(text.split())
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}…"


def _read(path: Path) -> Iterator[_Line]:
    number = 0
    with path.open("rb") as file:
        for number, written in enumerate(file, 1):
            try:
                line = json.loads(written.decode("utf-8-sig"))
            except UnicodeDecodeError as problem:
                raise DataError(path, number, "This line is not UTF-8.", "Save the file as UTF-8.") from problem
            except ValueError as problem:
                raise DataError(path, number, "This line is not JSON.", "Write one object a line.") from problem
            if not isinstance(line, dict):
                raise DataError(path, number, "This line is no object.", "Write one object a line.")
            yield number, line
    if not number:
        raise DataError(path, 1, "The file is empty.", "Write one object a line.")


def _labels(name: str, label: Any, path: Path, number: int) -> tuple[str, ...]:
    """The answers that are right."""
    if name == "rating":
        try:
            return ("none" if label is None else f"{fraction(label):g}",)
        except ValueError:
            raise DataError(
                path, number, f"'{label}' is no rating.", 'Write 0 to 100, a fraction such as "4/5", or null.'
            ) from None
    if name == "urgent":
        return ("urgent" if label is True else "not urgent",)
    labels = tuple(map(str, label)) if isinstance(label, list) else (str(label),)
    if not labels or labels == ("none",):
        return ("none", *(_NO_COMPLAINT if name == "nature" else ()))
    if name == "nature" and "none" in labels:
        return (*labels, *_NO_COMPLAINT)
    return labels


def _task(name: str, answers: Sequence[Answer]) -> Task:
    """The task of a kind; what is no complaint counts as `none`, whichever it was taken for."""
    if name == "nature":
        answers = [
            each._replace(given="none") if "none" in each.labels and each.given in _NO_COMPLAINT else each
            for each in answers
        ]
    return Task(name, tuple(answers))


def _intents(answers: Sequence[Answer], found: Sequence[Understanding]) -> Task:
    """The task of intents, with how well what is out of scope is told from the rest."""
    met = [each._replace(given=each.labels[0]) if {each.given, *each.labels} <= _OUTSIDE else each for each in answers]
    scores: dict[bool, list[float]] = {True: [], False: []}
    for answer, each in zip(answers, found, strict=True):
        known = each.intent.confidence
        scores[set(answer.labels) <= _OUTSIDE].append(1 - known if each.intent.name in _OUTSIDE else known)
    outside = resampled(auroc, scores[False], scores[True]) if all(scores.values()) else None
    return Task("intent", tuple(met), outside)


def _searched(
    lines: Sequence[_Line], path: Path, searcher: Callable[[Sequence[Entry]], Searcher], slowest: int
) -> Report:
    ranks: list[tuple[int, float]] = []  # of the right entry, 0 first; the chance given to the first
    times: list[Timed] = []
    for start in range(0, len(lines), _POOL):
        entries, asked = [], []
        for number, line in lines[start : start + _POOL]:
            queries = line.get("queries", [line["query"]] if "query" in line else [])
            phrasings = tuple(line.get("phrasings", [line["entry"]]))
            if not queries or not all(isinstance(text, str) for text in (*queries, *phrasings)):
                raise DataError(path, number, "No question to search for.", "Give 'query', or a list of 'queries'.")
            language: Language = "en" if "".join(phrasings).isascii() else "zh"
            entries.append(Entry(str(number), language, phrasings))
            asked += [(str(number), query) for query in queries]
        search = searcher(entries)
        for key, query in asked:
            begun = time.perf_counter()
            hits = search.search(query, _DEPTH)
            times.append(Timed(1000 * (time.perf_counter() - begun), query))
            found = [hit.key for hit in hits]
            ranks.append((found.index(key) if key in found else _DEPTH if hits else -1, hits[0].score if hits else 0.0))
    tasks = []
    for depth in (1, _DEPTH):
        answers = [
            Answer(("right entry",), _placed(rank, depth), chance if depth == 1 else None, rank < 0)
            for rank, chance in ranks
        ]
        tasks.append(Task(f"search (recall at {depth})", tuple(answers)))
    return _report(path, tasks, times, slowest)


def _placed(rank: int, depth: int) -> str:
    return "no entry" if rank < 0 else "right entry" if rank < depth else "wrong entry"


def _report(path: Path, tasks: Sequence[Task], times: Sequence[Timed], slowest: int) -> Report:
    longest = sorted(times, key=lambda each: -each.milliseconds)[:slowest]
    return Report(path, tuple(tasks), tuple(longest), sum(each.milliseconds for each in times) / len(times))


def _rendered(task: Task) -> Iterator[str]:
    low, high = task.interval
    yield (
        f"  {task.name}: {task.accuracy:.3f} ({low:.3f} to {high:.3f} with 95 %), n = {task.n}, "
        f"macro-F1 {task.macro_f1:.3f} ({task.macro_interval[0]:.3f} to {task.macro_interval[1]:.3f})"
    )
    if task.ece is not None:
        yield f"    calibration error {task.ece:.3f}; of the surest 80 % right {_share(task.surest(0.8))}"
    if task.coverage.right < task.n:
        yield f"    answered {_share(task.coverage)}, right of those {_share(task.accuracy_where_sure)}"
    if task.outside:
        area, least, most = task.outside
        yield f"    in scope or not: AUROC {area:.3f} ({least:.3f} to {most:.3f})"
    width = max(map(len, task.labels))
    for label in task.labels:
        told = ", ".join(f"{answer} {count}" for answer, count in task.answers_to(label))
        sure = f"precision {task.precision(label).share:.3f}, recall {task.recall(label).share:.3f}"
        yield f"    {label:<{width}}  {told} ({sure})"


def _share(found: Share) -> str:
    return f"{found.share:.3f} ({found.right} of {found.n})"


class _Measure(NamedTuple):
    """How an understanding answers: `sure` is its confidence, `rests` whether it abstains."""

    answer: Callable[[Understanding], str]
    sure: Callable[[Understanding], float | None] = lambda found: None
    rests: Callable[[Understanding], bool] = lambda found: False


def _tone(found: Understanding) -> float | None:
    """The chance of the sentiment's label: its score is 2p - 1. Nothing is said of how sure "neutral" is."""
    return None if found.sentiment.label == "neutral" else (1 + abs(found.sentiment.score)) / 2


_Line: TypeAlias = tuple[int, dict[str, Any]]
_OUTSIDE = frozenset({"out_of_scope", FALLBACK})
_NO_COMPLAINT = ("praise", "suggestion", "other")
_MEASURES: dict[str, _Measure] = {
    "intent": _Measure(
        lambda found: found.intent.name,
        lambda found: found.intent.confidence,
        lambda found: found.intent.name == FALLBACK,
    ),
    "sentiment": _Measure(lambda found: found.sentiment.label, _tone),
    "nature": _Measure(lambda found: found.nature[0]),
    "aspect": _Measure(lambda found: found.aspect[0] if found.aspect else "none"),
    "urgency": _Measure(lambda found: found.urgency),
    "urgent": _Measure(lambda found: "urgent" if found.urgency == "urgent" else "not urgent"),
    "rating": _Measure(lambda found: "none" if found.rating is None else f"{found.rating:g}"),
    "language": _Measure(lambda found: found.language),
}
_POOL = 40
_DEPTH = 3
_SHOWN = 60
