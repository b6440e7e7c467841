"""The cascade: who is asked about what, and that the second look breaks nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_nlu_heldout import assistant
from test_nlu_hostile import HOSTILE, check
from understanding_stages import Letters, refiner, small

from nlu import blending, cache, stages
from nlu.blending import TASKS, Level, Task
from nlu.calibration import Calibration
from nlu.refine import NEAR, Refiner
from nlu.understanding import Understanding

TEXTS = [
    "The parcel came a week late and nobody answers",
    "Worth every penny, I would buy it again",
    "Where is your shop in Leeds?",
    "thanks",
    "the lid does not close any more",
    "my scarf is green",
]


INTENT: tuple[Task, ...] = ("intent",)
SENTIMENT: tuple[Task, ...] = ("sentiment",)


def told(found: list[Understanding]) -> list[dict[str, Any]]:
    """What is written of each: company changes a sum in its last bits, never what is said."""
    return [each.as_json() for each in found]


def gated(found: Refiner, *gates: float) -> Refiner:
    """The same stages with the same gate for every task at each level."""
    levels = [Level(level.blend, dict.fromkeys(TASKS, gate)) for level, gate in zip(_levels(found), gates, strict=True)]
    return replace(
        found,
        first=levels[0],
        stages=tuple(replace(stage, level=level) for stage, level in zip(found.stages, levels[1:], strict=True)),
    )


def _levels(found: Refiner) -> list[Level]:
    return [found.first, *(stage.level for stage in found.stages)]


def test_what_is_sure_is_asked_of_no_encoder() -> None:
    """Open gates let every text go with the fast heads' answer; shut ones send each to each encoder, once."""
    quick, slow = Letters("letters-1"), Letters("letters-2", 64)
    trained = refiner(quick, slow)
    quick.asked.clear()
    slow.asked.clear()
    assert told(gated(trained, 0, 0, 0).parse_many(TEXTS)) == told(small().parse_many(TEXTS))
    assert not quick.asked
    assert not slow.asked
    gated(trained, 2, 2, 2).parse_many(TEXTS)
    assert quick.asked == slow.asked == TEXTS


def test_the_slow_one_sees_only_what_the_quick_one_leaves_unsure() -> None:
    """A gate between the texts' certainties parts them: fewer at each step, and the trace says how far each went."""
    quick, slow = Letters("letters-1"), Letters("letters-2", 64)
    trained = refiner(quick, slow)
    quick.asked.clear()
    slow.asked.clear()
    traced = gated(trained, 0.8, 0.6, 2).traced(TEXTS)
    assert set(slow.asked) < set(quick.asked) < set(TEXTS)
    assert [asked for _, asked in traced] == [(text in quick.asked) + (text in slow.asked) for text in TEXTS]


def test_only_what_is_needed_must_be_sure() -> None:
    """An example taught word for word has a sure intent: who needs no more asks nobody."""
    encoder = Letters()
    trained = gated(refiner(encoder), 0.99, 2)
    encoder.asked.clear()
    assert trained.parse("what are your opening hours", needs=INTENT).intent.name == "ask_question"
    assert not encoder.asked
    trained.parse("what are your opening hours")
    assert encoder.asked


def test_a_judgement_stops_only_where_it_is_as_sure_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little the sentences of the training lose by stopping earlier: strangers write otherwise."""
    monkeypatch.setattr(blending, "LEAST", {"sentiment": 1.1})
    encoder = Letters()
    trained = refiner(encoder)
    encoder.asked.clear()
    trained.parse_many(TEXTS, needs=SENTIMENT)
    assert encoder.asked == TEXTS
    encoder.asked.clear()
    trained.parse_many(["what are your opening hours"], needs=INTENT)
    assert not encoder.asked


def test_a_text_is_refined_to_the_same_answer_in_any_company() -> None:
    """Alone, among others, again: the same Understanding."""
    trained = refiner(Letters())
    together = told(trained.parse_many(TEXTS))
    assert together == told([trained.parse(text) for text in TEXTS])
    assert together == told(trained.parse_many(TEXTS[::-1]))[::-1]
    assert trained.parse_many([]) == []


def test_training_again_gives_the_same_stages() -> None:
    """Nothing in the training is left to chance."""
    one, other = refiner(Letters()), refiner(Letters())
    assert list(map(blending.frozen, _levels(one))) == list(map(blending.frozen, _levels(other)))
    assert np.array_equal(one.stages[0].heads.judging.weights, other.stages[0].heads.judging.weights)
    assert np.array_equal(one.stages[0].heads.asking.weights, other.stages[0].heads.asking.weights)
    assert np.array_equal(one.stages[0].heads.alarming.weights, other.stages[0].heads.alarming.weights)
    assert told(one.parse_many(TEXTS)) == told(other.parse_many(TEXTS))


def test_an_encoder_that_changes_the_answer_says_why() -> None:
    """Evidence names the example that a text is most like, where the encoder and not its words decided."""
    trained = gated(refiner(Letters()), 2, 2)
    [stage] = trained.stages
    alone = replace(stage.level.blend, calibration=Calibration((0, 0, 9), (0, 0, 0, 0, -5), 0))  # the encoder decides
    trained = replace(trained, stages=(replace(stage, level=replace(stage.level, blend=alone)),))
    changed = [
        (before, after)
        for before, after in zip(small().parse_many(TEXTS), trained.parse_many(TEXTS), strict=True)
        if (before.sentiment.label, before.nature[0]) != (after.sentiment.label, after.nature[0])
    ]
    assert changed
    near = [after.evidence[-1] for _, after in changed if after.evidence and after.evidence[-1].startswith(NEAR)]
    assert near
    assert all(evidence.removeprefix(NEAR) in trained.stages[0].examples for evidence in near)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refined_as_far_as_it_goes(text: str) -> None:
    """No text raises on the slow way either."""
    found = gated(refiner_once(), 2, 2).parse(text)
    check(text, replace(found, evidence=tuple(each for each in found.evidence if not each.startswith(NEAR))))


def test_stages_are_kept_and_found(tmp_path: Path) -> None:
    """What was trained is loaded without training, gives the same answers, and is another for another encoder."""
    trained = refiner(Letters(), directory=tmp_path)
    loaded = stages.load(small(), assistant(), tmp_path, [Letters()])
    assert loaded is not None
    assert told(loaded.parse_many(TEXTS)) == told(trained.parse_many(TEXTS))
    assert stages.load(small(), assistant(), tmp_path, [Letters("letters-2")]) is None
    assert stages.load(small(), assistant(), tmp_path, []) is None
    assert stages.load(small(), assistant(), tmp_path / "none", [Letters()]) is None


def test_what_was_encoded_is_not_encoded_again(tmp_path: Path) -> None:
    """A second training finds the rows of the first; a damaged file of rows costs the encoding, nothing else."""
    first, second, third = Letters(), Letters(), Letters()
    refiner(first, directory=tmp_path)
    refiner(second, directory=tmp_path)
    assert first.asked
    assert not second.asked
    (tmp_path / "embeddings-letters-1.npz").write_bytes(b"not rows")
    refiner(third, directory=tmp_path)
    assert third.asked == first.asked


@pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
def test_damaged_stages_are_as_good_as_none(tmp_path: Path, damage: str) -> None:
    """A file that is cut, garbled or of other things never stops the service: it goes on with the fast heads."""
    refiner(Letters(), directory=tmp_path)
    [kept] = tmp_path.glob("stages-*")
    whole = kept.read_bytes()
    if damage == "cut":
        kept.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        kept.write_bytes(whole[:300] + bytes(255 - byte for byte in whole[300:600]) + whole[600:])
    else:
        cache.save(kept, {"weights": np.zeros((2, 2), np.float32)}, {"encoders": ["letters-1"]})
    assert stages.load(small(), assistant(), tmp_path, [Letters()]) is None


def test_one_of_two_encoders_may_be_missing(tmp_path: Path) -> None:
    """Stages of two encoders work with either of them: what is installed decides."""
    refiner(Letters("letters-1"), Letters("letters-2", 64), directory=tmp_path)
    for names in (["letters-1"], ["letters-2"], ["letters-1", "letters-2"]):
        widths = {"letters-1": 96, "letters-2": 64}
        found = stages.load(small(), assistant(), tmp_path, [Letters(name, widths[name]) for name in names])
        assert found is not None
        assert [stage.encoder.name for stage in found.stages] == names
        found.parse_many(TEXTS)
    shutil.rmtree(tmp_path)


def refiner_once() -> Refiner:
    """One refiner for all hostile texts."""
    if not _ONCE:
        _ONCE.append(refiner(Letters()))
    return _ONCE[0]


_ONCE: list[Refiner] = []
