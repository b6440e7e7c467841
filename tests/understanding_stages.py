"""A small world to try the cascade in: few seeds, an encoder of our own, and stages trained on them in a second."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from test_nlu_heldout import assistant

from nlu import model, stages
from nlu.model import Model
from nlu.refine import Refiner
from nlu.ridge import Floats

SEEDS = """\
language: en
pairs: |
  logistics/delay | The parcel came a week late | The parcel came a week early
  logistics/delay | Still waiting for my order after ten days | My order was here after one day
  logistics/damage | The box arrived crushed | The box arrived without a scratch
  product/quality | It broke on the first day | It holds after years
  product/quality | The fabric tore at once | The fabric is strong and soft
  product/performance | The battery dies in an hour | The battery lasts for days
  service/attitude | The clerk was rude to my mother | The clerk was kind to my mother
  service/response | Nobody answers my letters | They answered my letter the same day
  service/aftersale | They refuse to repair it | They repaired it at no charge
  price/value | Far too expensive for what it is | Worth every penny
  price/billing | I was charged twice | They returned the double charge at once
  none | Terrible, never again | Wonderful, again and again
questions: |
  How long does delivery take
  Where is your shop
  Can I pay by card
  What time do you open
neutral: |
  I ordered two shirts
  My name is Anna
  It is the blue one
strays: |
  Who won the match
  Write me a poem about the sea
"""


class Letters:
    """An encoder that knows letters only: counts of letter triples, folded into `width` numbers. `asked` lists what it
    was given."""

    def __init__(self, name: str = "letters-1", width: int = 96) -> None:
        self.name = name
        self.width = width
        self.about = slice(width)
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        rows = np.zeros((len(texts), self.width), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for start in range(len(text) - 2):
                row[zlib.crc32(text[start : start + 3].lower().encode("utf-8", "replace")) % self.width] += 1
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


@cache
def small() -> Model:
    """The model of the small world."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "en.yml").write_text(SEEDS, encoding="utf-8")
        return model.train(assistant(), Path(folder))


def refiner(*encoders: Letters, directory: Path | None = None) -> Refiner:
    """Stages of the small world, with these encoders."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "en.yml").write_text(SEEDS, encoding="utf-8")
        found = stages.train(small(), assistant(), directory, encoders, seeds=Path(folder))
    assert found is not None
    return found
