"""How well it understands: a row for each goal and set."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.nlu.engine import Engine
from bench.nlu.goals import Goal, Row
from bench.nlu.sets import LANGUAGES, SENTIMENT, lines, own, public
from nlu.evaluate import Task, evaluate
from nlu.scores import Share
from nlu.understanding import Language, Understanding

SENTIMENT_GOAL: dict[Language, Goal] = {"zh": Goal(least=0.88), "en": Goal(least=0.93)}
AVERAGE_GOAL = Goal(least=0.90)
NATURE_GOAL = Goal(least=0.93)
RECALL_GOAL, PRECISION_GOAL = Goal(least=0.95), Goal(least=0.80)
INTENT_GOAL, OUTSIDE_GOAL = Goal(least=0.92), Goal(least=0.95)
RATING_GOAL, FALSE_RATING_GOAL = Goal(least=0.98), Goal(most=0)
FAQ_GOAL: dict[Language, Goal] = {"zh": Goal(least=0.93), "en": Goal(least=0.80)}


Tasks = Callable[[Path], dict[str, Task]]
"""What was measured on a file, by the kind of label; each file is read by the model once."""


def rows(engine: Engine, shared: Path) -> list[Row]:
    """All figures of quality, in the order of the goals."""
    understood = cache(engine.full.parse)

    @cache
    def tasks(path: Path) -> dict[str, Task]:
        return {task.name: task for task in evaluate(_Read(understood), path).tasks}

    return [
        *sentiment(tasks, shared),
        *signs(understood, shared),
        *nature(tasks, shared),
        *urgency(tasks),
        *intents(tasks),
        *ratings(tasks),
        *questions(engine, shared),
    ]


def sentiment(tasks: Tasks, shared: Path) -> Iterator[Row]:
    """Positive or negative. An answer "neutral" is a wrong one here; how many there were stands beside it."""
    found: list[tuple[Language, Share]] = []
    for name, language in SENTIMENT.items():
        if path := public(shared, name):
            row, share = _tones(f"sentiment, public {name.removeprefix('sentiment_').replace('_', ' ')}", tasks(path))
            found.append((language, share))
            yield row
    for language in LANGUAGES:
        of_language = [share for each, share in found if each == language]
        if of_language:
            yield _average(f"sentiment, public, average {language}", of_language, SENTIMENT_GOAL[language])
    if found:
        yield _average("sentiment, public, average of all sets", [share for _, share in found], AVERAGE_GOAL)
    for language in LANGUAGES:
        yield _tones(f"sentiment, own {language}", tasks(own("feedback", language)), SENTIMENT_GOAL[language])[0]


def signs(understood: Callable[[str], Understanding], shared: Path) -> Iterator[Row]:
    """The same with nothing between positive and negative, as those sets know nothing: by the sign of the score."""
    found: list[tuple[Language, Share]] = []
    for name, language in SENTIMENT.items():
        if path := public(shared, name):
            right = [
                (understood(line["text"]).sentiment.score > 0) == (line["sentiment"] == "positive")
                for line in lines(path)
            ]
            found.append((language, Share(sum(right), len(right))))
    for language in LANGUAGES:
        if of_language := [share for each, share in found if each == language]:
            name = f"sentiment, public, by sign, average {language}"
            yield _average(name, of_language, SENTIMENT_GOAL[language])
    if found:
        note = "; ".join(f"{share.share:.3f}" for _, share in found)
        shares = [share for _, share in found]
        yield _average("sentiment, public, by sign, average of all sets", shares, AVERAGE_GOAL, note)


def nature(tasks: Tasks, shared: Path) -> Iterator[Row]:
    """The main nature that is answered is any of the right ones."""
    paths = [(f"own {language}", own("feedback", language)) for language in LANGUAGES]
    if path := public(shared, "nature_zh"):
        paths.append(("public zh", path))
    for name, path in paths:
        task = tasks(path)["nature"]
        named, unnamed = _among(task, lambda label: label != "none"), task.recall("none")
        note = f"of the {unnamed.n} that are no complaint right {unnamed.share:.3f}"
        yield _row(f"nature, any right one, {name}", named, NATURE_GOAL, note)
        if aspect := tasks(path).get("aspect"):
            yield _row(f"aspect, any right one, {name}", _among(aspect, lambda label: label != "none"), None)


def urgency(tasks: Tasks) -> Iterator[Row]:
    """Urgent or not, on urgent messages and those that sound alike."""
    for language in LANGUAGES:
        task = tasks(own("urgent", language))["urgent"]
        yield _row(f"urgent, recall, {language}", task.recall("urgent"), RECALL_GOAL)
        yield _row(f"urgent, precision, {language}", task.precision("urgent"), PRECISION_GOAL)
        plain = [tasks(own(topic, language))["urgent"] for topic in ("calm", "feedback")]
        answers = [answer for each in plain for answer in each.answers]
        raised = sum(answer.given == "urgent" for answer in answers)
        yield _row(f"urgent, false alarms of plain feedback, {language}", Share(raised, len(answers)), None)


def intents(tasks: Tasks) -> Iterator[Row]:
    """The assistant's intents on what is one of them; and how well the rest is told from it."""
    for language in LANGUAGES:
        task = tasks(own("chat", language))["intent"]
        inside = _among(task, lambda label: label != "out_of_scope")
        note = f"out of scope found {task.recall('out_of_scope').share:.3f}; ECE {task.ece or 0.0:.3f}"
        yield _row(f"intents, {language}", inside, INTENT_GOAL, note)
        if task.outside:
            area, *interval = task.outside
            yield Row(f"out of scope, AUROC, {language}", task.n, area, (interval[0], interval[1]), OUTSIDE_GOAL)


def ratings(tasks: Tasks) -> Iterator[Row]:
    """Ratings read exactly, and read where none is."""
    for language in LANGUAGES:
        task = tasks(own("rating", language))["rating"]
        stated = _among(task, lambda label: label != "none")
        wrong = sum(c for (t, a), c in task.confusion.items() if t not in {a, "none"} and a != "none")
        yield _row(f"rating, exact, {language}", stated, RATING_GOAL, f"another rating read: {wrong}")
        traps = task.recall("none")
        false = traps.n - traps.right
        yield Row(f"rating, read where none is, {language}", traps.n, false, None, FALSE_RATING_GOAL, places=0)


def questions(engine: Engine, shared: Path) -> Iterator[Row]:
    """The right entry first, in a pool of 40."""
    for language in LANGUAGES:
        name = f"FAQ, recall@1, own {language}, 3 phrasings"
        yield from _searched(name, engine, own("faq", language), FAQ_GOAL[language])
    if path := public(shared, "faq_en_banking"):
        yield from _searched("FAQ, recall@1, public en banking, 3 phrasings", engine, path, FAQ_GOAL["en"])
    if path := public(shared, "faq_zh_pairs"):
        yield from _searched("FAQ, recall@1, public zh pairs, 1 phrasing", engine, path, None)
    with tempfile.TemporaryDirectory() as place:
        for asking, answering in (("zh", "en"), ("en", "zh")):
            path = Path(place) / f"{asking}.jsonl"
            path.write_text("\n".join(_crossed(own("faq", asking), own("faq", answering))), encoding="utf-8")  # type: ignore[arg-type]
            yield from _searched(f"FAQ, recall@1, asked in {asking}, written in {answering}", engine, path, None)


def _tones(name: str, tasks: dict[str, Task], goal: Goal | None = None) -> tuple[Row, Share]:
    task = tasks["sentiment"]
    judged = _among(task, lambda label: label != "neutral")
    neutral = sum(c for (t, answer), c in task.confusion.items() if t != "neutral" and answer == "neutral")
    surest = task.surest(0.8)
    note = f"answered neutral {neutral}; right of the surest 80 % {surest.share:.3f}; ECE {task.ece or 0.0:.3f}"
    return _row(name, judged, goal, note), judged


class _Read(NamedTuple):
    """What reads each text once, however many figures are made of it."""

    understood: Callable[[str], Understanding]

    def parse(self, text: str) -> Understanding:
        """As the engine's."""
        return self.understood(text)


def _average(name: str, shares: list[Share], goal: Goal, note: str = "") -> Row:
    """The mean over sets, each counting alike; its interval by drawing each set's right answers anew."""
    draw = np.random.default_rng(0)
    drawn = np.mean([draw.binomial(each.n, each.share, 4000) / each.n for each in shares], axis=0)
    low, high = np.percentile(drawn, (2.5, 97.5))
    mean = sum(each.share for each in shares) / len(shares)
    return Row(name, sum(each.n for each in shares), mean, (float(low), float(high)), goal, note)


def _searched(name: str, engine: Engine, path: Path, goal: Goal | None) -> Iterator[Row]:
    first, third = evaluate(engine.full, path, searcher=engine.searcher).tasks
    yield _row(name, Share(first.right, first.n), goal, f"recall@3 {third.accuracy:.3f}")


def _crossed(asking: Path, answering: Path) -> Iterable[str]:
    """Lines of a set whose questions are those of one language and whose entries those of another."""
    entries = {line["entry"]: line["phrasings"] for line in lines(answering)}
    for line in lines(asking):
        yield json.dumps(line | {"phrasings": entries[line["entry"]]}, ensure_ascii=False)


def _among(task: Task, chosen: Callable[[str], bool]) -> Share:
    """Right answers to the texts with the chosen labels."""
    shares = [task.recall(label) for label in task.labels if chosen(label)]
    return Share(sum(each.right for each in shares), sum(each.n for each in shares))


def _row(name: str, share: Share, goal: Goal | None, note: str = "") -> Row:
    return Row(name, share.n, share.share, share.interval, goal, note)
