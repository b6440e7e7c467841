"""The test sets for understanding: whole, known labels, nothing of them in the training data; and training data that
does not repeat itself.

Likeness of two texts is the Jaccard index of their character 3-grams (Broder 1997), over what is left of them when
case, width, script, punctuation and blanks are taken away, with both ends marked. Emoji stay.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any, get_args
from unicodedata import category

import pytest
import yaml

from nlu import lexicon, rasa_data, seeds
from nlu.evaluate import fraction
from nlu.normalise import normalise, translation
from nlu.understanding import Language, Nature, Polarity

ROOT = Path(__file__).parent.parent
SETS = Path(__file__).parent / "understanding"
ASSISTANT = ROOT / "bot" / "assistant"

LEAK = 0.5
"""From this likeness on a test text has been seen in training: one character of ten is another in Chinese (.54), one
word of eight in English (.7). Of texts that were written without knowing each other nearly none get there, and those
that do are set phrases of a few characters, where nobody can tell a copy from a coincidence."""
REPEATED = 0.8
"""From this likeness on two training examples of one label are one: the same but for a particle, a sign or a number.
Below it stands real variety ("no" stretched to "noooo", a question with "so" before it). Examples of different labels
may be that alike: a complaint and its satisfied twin often differ in one word. Word for word none may be another."""


def rows(pattern: str = "*.jsonl") -> list[tuple[str, dict[str, Any]]]:
    """(file:line, row) of all test sets whose names meet `pattern`."""
    found = []
    for path in sorted(SETS.glob(pattern)):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found.append((f"{path.name}:{number}", json.loads(line)))
    return found


def asked(row: dict[str, Any]) -> list[str]:
    """The texts of a row that a model is judged on."""
    return list(row["queries"]) if "entry" in row else [row["text"]]


@cache
def training() -> tuple[tuple[str, str], ...]:
    """Every example that any head learns from, with its label there: the intent, the sentiment or the urgency."""
    intents = rasa_data.read(ASSISTANT / "data" / "nlu").intents
    examples = [(text, name) for name, texts in intents.items() for text in texts]
    examples += [(seed.text, seed.polarity) for seed in seeds.load(lexicon.load().aspects)]
    examples += [(alert.text, "urgent" if alert.urgent else "calm") for alert in seeds.alerts()]
    return tuple(examples)


@cache
def grams(text: str) -> frozenset[str]:
    """The character 3-grams of a text that likeness is measured on."""
    plain = "".join(sign for sign in normalise(text, _table()) if category(sign)[0] in "LN" or category(sign) == "So")
    marked = f"^{plain or text}$"
    return frozenset(marked[at : at + 3] for at in range(max(1, len(marked) - 2)))


def alike(some: Sequence[str], others: Sequence[str], bound: float) -> Iterator[tuple[str, str, float]]:
    """The pairs of a text of `some` and one of `others` (another one, where both are the same sequence) from `bound`
    on, each once. Two sets that alike share one of the rarest grams of either (Bayardo 2007), which
    keeps this fast."""
    count = Counter(gram for text in {*some, *others} for gram in grams(text))
    holders: dict[str, list[int]] = defaultdict(list)
    for place, other in enumerate(others):
        for gram in _rarest(grams(other), count, bound):
            holders[gram].append(place)
    for number, text in enumerate(some):
        own = grams(text)
        near = {place for gram in _rarest(own, count, bound) for place in holders[gram]}
        for place in sorted(near):
            if others is some and place <= number:
                continue
            shared = len(own & grams(others[place]))
            likeness = shared / (len(own) + len(grams(others[place])) - shared)
            if likeness >= bound:
                yield text, others[place], likeness


def test_every_set_parses_and_every_label_is_known() -> None:
    """Natures, aspects, intents and sentiments are those of the project; ratings are fractions; nothing is empty."""
    domain = yaml.safe_load((ASSISTANT / "domain.yml").read_text(encoding="utf-8"))
    aspects = {aspect for _, aspect in lexicon.load().aspects}
    names = {"text", "language", "intent", "sentiment", "nature", "aspect", "urgent", "rating"}
    for place, row in rows():
        assert row.get("language", "zh") in get_args(Language), place
        assert all(isinstance(text, str) and text == text.strip() and text for text in asked(row)), place
        if "entry" in row:
            assert len(row["phrasings"]) == 3, place
            assert len(row["queries"]) >= 4, place
            continue
        assert set(row) <= names, place
        assert len(row) > 1, f"{place} has no label"
        assert row.get("intent", "greet") in domain["intents"], place
        assert row.get("sentiment", "neutral") in get_args(Polarity), place
        assert set(row.get("nature", ())) <= set(get_args(Nature)) - {"none"}, place
        assert set(row.get("aspect", ())) <= aspects, place
        assert isinstance(row.get("urgent", False), bool), place
        if row.get("rating") is not None:
            assert 0 <= fraction(row["rating"]) <= 100, place


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_sets_are_large_enough_to_tell(language: str) -> None:
    """350 messages a language; urgent and hardly not, rated and traps, each entry of knowledge with its paraphrases."""
    messages = [row for _, row in rows(f"*_{language}.jsonl") if "text" in row]
    assert len(messages) >= 350
    assert sum(row.get("urgent") is True for row in messages) >= 60
    assert sum(row["urgent"] is False for _, row in rows(f"urgent_{language}.jsonl")) >= 60
    assert sum(bool(row.get("rating")) for row in messages) >= 80
    assert sum("rating" in row and row["rating"] is None for row in messages) >= 80
    assert len(rows(f"faq_{language}.jsonl")) == 40
    intents = Counter(row["intent"] for row in messages if "intent" in row)
    assert min(intents.values()) >= 6
    assert intents["out_of_scope"] >= 40


def test_no_text_stands_in_two_sets() -> None:
    """Each judges something of its own, and no text counts twice."""
    texts = [text for _, row in rows() for text in asked(row)]
    assert [pair for pair in alike(texts, texts, 0.9) if pair[0] != pair[1]] == []
    assert [text for text, count in Counter(texts).items() if count > 1] == []


def test_queries_are_paraphrases() -> None:
    """No query is a phrasing of its own language's entries again, nearly or word for word."""
    for language in get_args(Language):
        found = [row for _, row in rows(f"faq_{language}.jsonl")]
        phrasings = [text for row in found for text in row["phrasings"]]
        assert list(alike([text for row in found for text in row["queries"]], phrasings, LEAK)) == []


def test_nothing_of_the_test_sets_stands_in_the_training_data() -> None:
    """Neither word for word nor nearly: what was taught proves nothing."""
    places = {text: place for place, row in rows() for text in asked(row)}
    found = [
        f"{places[text]}: {text!r} is at {likeness:.2f} to the training example {other!r}"
        for text, other, likeness in alike(list(places), [text for text, _ in training()], LEAK)
    ]
    assert not found, "\n".join(found)


def test_no_training_example_is_another_again() -> None:
    """Examples that differ by a sign or a number teach nothing new, and make held-out figures of training too good."""
    labels: dict[str, set[str]] = defaultdict(set)
    for text, label in training():
        labels[text].add(label)
    texts = [text for text, _ in training()]
    found = [
        f"{one!r} and {other!r}: {likeness:.2f}"
        for one, other, likeness in alike(texts, texts, REPEATED)
        if likeness == 1 or labels[one] & labels[other]
    ]
    assert not found, "\n".join(found)


def test_likeness_sees_what_a_reader_sees() -> None:
    """Signs, case and script do not hide a copy; what is only about the same is none; the fast way finds what
    comparing every pair finds."""
    assert list(alike(["Where's my PARCEL?!"], ["wheres my parcel"], 1.0))
    assert list(alike(["退款多久到賬"], ["退款，多久到账？"], 1.0))
    assert list(alike(["我的退款多久能到账呢"], ["我的货款多久能到账呢"], LEAK))
    assert list(alike(["my parcel was left in the rain"], ["the parcel was left in the rain"], LEAK))
    assert not list(alike(["退的钱什么时候能看见"], ["退款多久到账"], 0.2))
    assert list(alike(["👍"], ["👍"], 1.0))
    texts = [text for _, row in rows("rating_*.jsonl") for text in asked(row)]
    slowly = {
        (one, other)
        for place, one in enumerate(texts)
        for other in texts[place + 1 :]
        if len(grams(one) & grams(other)) / len(grams(one) | grams(other)) >= 0.3
    }
    assert slowly
    assert {(one, other) for one, other, _ in alike(texts, texts, 0.3)} == slowly


def _rarest(own: frozenset[str], count: Counter[str], bound: float) -> list[str]:
    """So many of the rarest grams that a text which is alike must share one of them."""
    return sorted(own, key=lambda gram: (count[gram], gram))[: len(own) - ceil(bound * len(own)) + 1]


@cache
def _table() -> dict[int, int]:
    return translation(lexicon.simplified())
