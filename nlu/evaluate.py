"""How well a model does on labelled lines: accuracy and macro-F1 with their intervals, as plain text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any, TypeAlias

from nlu.content import DataError
from nlu.model import Model
from nlu.retrieval import Entry, Retriever
from nlu.understanding import Language, Understanding

_Line: TypeAlias = tuple[int, dict[str, Any]]
_Pair: TypeAlias = tuple[tuple[str, ...], str]  # the labels that are right, and the answer


@dataclass(frozen=True)
class Task:
    """One thing that was measured: `right` of `n` answers. `confusion` counts (true label, answer), where of several
    true labels the answered one stands, else the first; `macro_f1` is the mean over true labels (0 in a search)."""

    name: str
    n: int
    right: int
    macro_f1: float
    confusion: dict[tuple[str, str], int]

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy lies with 95 % confidence (Wilson)."""
        return wilson(self.right, self.n)


@dataclass(frozen=True)
class Report:
    """What `evaluate` found in one file: a task for each kind of label. The other properties are the first task's."""

    path: Path
    tasks: tuple[Task, ...]

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
        return "\n".join([str(self.path), *(line for task in self.tasks for line in _rendered(task))])


def evaluate(model: Model, path: Path) -> Report:
    """Measure `model` on a file with one JSON object a line. What is measured follows from the names in it:

    - `text` with `intent`, `sentiment`, `nature` (the main one), `urgency`, `rating` or `language`; of a list of labels
      any is right. The nature `none` means "not a complaint": praise, suggestions and other matters meet it too.
    - `entry` with `query`, or with `phrasings` and `queries`: knowledge search in pools of up to 40 entries.

    Raises DataError, naming file, line and remedy, for a line that is none of these."""
    lines = list(_read(path))
    if all("entry" in line for _, line in lines):
        return Report(path, (_searched(lines, path),))
    for number, line in lines:
        if not isinstance(line.get("text"), str) or not any(name in line for name in _ANSWERS):
            raise DataError(path, number, "Nothing to measure here.", f"Give 'text' and one of {', '.join(_ANSWERS)}.")
    understood: list[Understanding] = []
    for start in range(0, len(lines), _BATCH):
        understood += model.parse_many([line["text"] for _, line in lines[start : start + _BATCH]])
    tasks = []
    for name, answer in _ANSWERS.items():
        given = zip(lines, understood, strict=True)
        pairs = [_pair(name, line[name], answer(each)) for (_, line), each in given if name in line]
        if pairs:
            tasks.append(_task(name, pairs))
    return Report(path, tuple(tasks))


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval (1927) for `right` of `n`, by default at 95 %."""
    if n == 0:
        return 0.0, 1.0
    share, scale = right / n, 1 + z * z / n
    centre = share + z * z / (2 * n)
    width = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (centre - width) / scale), min(1.0, (centre + width) / scale)


def _read(path: Path) -> Iterator[_Line]:
    number = 0
    with path.open(encoding="utf-8") as file:
        for number, written in enumerate(file, 1):
            try:
                line = json.loads(written)
            except ValueError as problem:
                raise DataError(path, number, "This line is not JSON.", "Write one object a line.") from problem
            if not isinstance(line, dict):
                raise DataError(path, number, "This line is no object.", "Write one object a line.")
            yield number, line
    if not number:
        raise DataError(path, 1, "The file is empty.", "Write one object a line.")


def _pair(name: str, label: Any, answer: str) -> _Pair:
    labels = tuple(str(each) for each in label) if isinstance(label, list) else (_plain(label),)
    if name == "nature" and "none" in labels and answer in {"praise", "suggestion", "other"}:
        return labels, "none"
    return labels, answer


def _plain(label: Any) -> str:
    return f"{label:g}" if isinstance(label, int | float) else str(label)


def _task(name: str, pairs: Sequence[_Pair]) -> Task:
    told = [(answer if answer in labels else labels[0], answer) for labels, answer in pairs]
    confusion = Counter(told)
    scores = []
    for label in {true for true, _ in told}:
        hits = confusion[label, label]
        true = sum(count for (each, _), count in confusion.items() if each == label)
        answered = sum(count for (_, each), count in confusion.items() if each == label)
        scores.append(2 * hits / (true + answered))
    right = sum(true == answer for true, answer in told)
    return Task(name, len(pairs), right, sum(scores) / len(scores), dict(confusion))


def _searched(lines: Sequence[_Line], path: Path) -> Task:
    right = n = 0
    confusion: Counter[tuple[str, str]] = Counter()
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
        found = Retriever(entries).search_many([query for _, query in asked], limit=1)
        for (key, _), hits in zip(asked, found, strict=True):
            n += 1
            right += bool(hits) and hits[0].key == key
            answered = "no entry" if not hits else "right entry" if hits[0].key == key else "wrong entry"
            confusion["right entry", answered] += 1
    return Task("search (recall at 1)", n, right, 0.0, dict(confusion))


def _rendered(task: Task) -> Iterator[str]:
    low, high = task.interval
    f1 = f", macro-F1 {task.macro_f1:.3f}" if task.macro_f1 else ""
    yield f"  {task.name}: {task.accuracy:.3f} ({low:.3f} to {high:.3f} with 95 %), n = {task.n}{f1}"
    labels = sorted({true for true, _ in task.confusion})
    width = max(map(len, labels))
    for label in labels:
        counts = {answer: count for (true, answer), count in task.confusion.items() if true == label}
        answers = sorted(counts, key=lambda answer: (-counts[answer], answer))
        yield f"    {label:<{width}}  {', '.join(f'{answer} {counts[answer]}' for answer in answers)}"


_ANSWERS: dict[str, Callable[[Understanding], str]] = {
    "intent": lambda found: found.intent.name,
    "sentiment": lambda found: found.sentiment.label,
    "nature": lambda found: found.nature[0],
    "urgency": lambda found: found.urgency,
    "rating": lambda found: "None" if found.rating is None else f"{found.rating:g}",
    "language": lambda found: found.language,
}
_BATCH = 64
_POOL = 40
