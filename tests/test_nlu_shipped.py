"""What Earful ships trained: there for the shipped examples, small, and what training makes of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from test_nlu_heldout import assistant
from understanding_stages import SEEDS, Letters, small

from nlu import lexicon, meaning, model, rasa_data, seeds, shipping, stages
from nlu.encoders import available
from nlu.rasa_data import TrainingData
from nlu.refine import Refiner

REMEDY = "run: .venv/bin/python -m nlu.shipping bot/assistant/data/nlu"


@cache
def shipped() -> TrainingData:
    """The shipped assistant's examples."""
    return rasa_data.read(Path(__file__).parent.parent / "bot" / "assistant" / "data" / "nlu")


def refiner() -> Refiner:
    """The shipped cascade, loaded from nowhere else."""
    found = stages.load(model.load_or_train(shipped(), Path("nowhere")), shipped())
    assert found is not None, REMEDY
    return found


def test_a_first_start_trains_nothing() -> None:
    """The shipped files are those of the shipped examples, seeds, lists and code, and of nothing else; and small."""
    files = sorted(path.name for path in model.SHIPPED.glob("*.npz"))
    assert files == [f"nlu-{model.fingerprint(shipped())}.npz", stages.name(shipped())], REMEDY
    assert sum((model.SHIPPED / name).stat().st_size for name in files) < 5_000_000


def test_training_makes_the_shipped_heads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Trained here and now, the fast heads say what the shipped ones say; another processor rounds otherwise."""
    kept = model.load_or_train(shipped(), tmp_path)
    assert not list(tmp_path.iterdir()), REMEDY
    made = model.train(shipped())
    assert made.heads.vocabulary == kept.heads.vocabulary
    assert np.allclose(made.heads.weights, kept.heads.weights, rtol=0.05, atol=0.02)
    texts = [text for examples in shipped().intents.values() for text in examples[::9]]
    pairs = list(zip(made.parse_many(texts), kept.parse_many(texts), strict=True))
    same = sum((one.sentiment.label, one.nature) == (other.sentiment.label, other.nature) for one, other in pairs)
    assert same >= 0.99 * len(pairs)


def test_the_shipped_landmarks_are_these_sentences() -> None:
    """A sample of the seeds, encoded here and now, lies where the shipped landmarks say, and means what it taught."""
    found = refiner()
    words = lexicon.load()
    known = seeds.load(words.aspects)
    places = meaning.landmarks(len(known))
    assert [known[place].text for place in places] == list(found.stages[0].examples)
    sample = range(7, len(places), 40)
    for stage in found.stages:
        rows = stage.encoder.encode([known[places[mark]].text for mark in sample])
        at = stage.heads.axes.of(rows)
        assert np.abs(at - stage.heads.judging.marks[list(sample)]).mean() < 0.02
        scores = stage.heads.judging.scores(at)
        labels = ["negative", "neutral", "positive"]
        told = [labels[int(row[:3].argmax())] for row in scores]
        right = [one == known[places[mark]].polarity for one, mark in zip(told, sample, strict=True)]
        assert np.mean(right) > 0.8, stage.encoder.name


def test_both_encoders_are_in_what_ships() -> None:
    """Who ships without one of them takes it from everybody."""
    assert [stage.encoder.name for stage in refiner().stages] == [encoder.name for encoder in available()]


def test_shipping_leaves_only_the_new_files(tmp_path: Path) -> None:
    """One command trains, replaces what was there, and what it wrote loads."""
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "en.yml").write_text(SEEDS, encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "nlu-older.npz").write_bytes(b"")
    files = shipping.ship(assistant(), tmp_path / "out", tmp_path / "work", [Letters()], tmp_path / "seeds")
    assert sorted((tmp_path / "out").iterdir()) == sorted(files)
    loaded = model.load_or_train(assistant(), tmp_path / "out")
    assert loaded.parse("thanks") == small().parse("thanks")
    assert stages.load(loaded, assistant(), tmp_path / "out", [Letters()]) is not None
    assert shipping.main([]) == 2
