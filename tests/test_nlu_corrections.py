"""What people put right is learned at the next training, and can be taken back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_nlu_heldout import assistant
from understanding_stages import SEEDS, Letters, small

from nlu import corrections, model, stages
from nlu.corrections import Correction
from nlu.rasa_data import TrainingData

SHOUT = Correction("Smoke comes out of the socket", "en", "complain", ("product",), "negative", "urgent")
THANKS = Correction("You lot really outdid yourselves", "en", "thank", ("praise",), "positive", "normal")
LOST = Correction("goodbye", "en", "greet")


def taught(*said: Correction) -> TrainingData:
    return replace(assistant(), corrections=said)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    alarms = (
        "urgent: |\n  The gas is leaking\n  My son was burnt\ncalm: |\n  My phone is hot stuff\n  The bill is late\n"
    )
    (folder / "en.yml").write_text(SEEDS + alarms, encoding="utf-8")
    return folder


def test_what_was_put_right_is_understood_so(seeds: Path) -> None:
    """Word for word whatever the lists say, in the fast heads and behind the encoders; and said to be a person's word.
    Others are understood as before, but for what is like it."""
    before, after = model.train(taught(), seeds), model.train(taught(SHOUT, THANKS, LOST), seeds)
    found = after.parse("Smoke comes out of the socket")
    assert (found.intent.name, found.nature, found.sentiment.label) == ("complain", ("product",), "negative")
    assert (found.urgency, found.evidence[0]) == ("urgent", "✎ Smoke comes out of the socket")
    assert before.parse("Smoke comes out of the socket").urgency != "urgent"
    glad = after.parse("You lot really outdid yourselves")
    assert (glad.intent.name, glad.sentiment.label, glad.nature) == ("thank", "positive", ("praise",))
    assert (before.parse("goodbye").intent.name, after.parse("goodbye").intent.name) == ("goodbye", "greet")
    alike = "smoke out of the socket again"
    score = {name: each.heads.scores([each.heads.rows(each.read([alike])[0].terms)])[0] for name, each in
             (("before", before), ("after", after))}  # fmt: skip
    assert score["after"][-2] > score["before"][-2]  # the column of urgency
    assert after.parse("hello").intent == before.parse("hello").intent

    cascade = stages.train(after, taught(SHOUT, THANKS, LOST), None, [Letters()], seeds=seeds)
    assert cascade is not None
    assert cascade.parse("Smoke comes out of the socket").urgency == "urgent"
    assert cascade.parse("You lot really outdid yourselves").nature == ("praise",)


def test_what_says_nothing_teaches_nothing(seeds: Path) -> None:
    """An intent that the assistant has no longer is left out; no corrections are no change at all."""
    plain, odd = model.train(taught(), seeds), model.train(taught(Correction("hey ho", "en", "gone_since")), seeds)
    assert odd.heads.intents == plain.heads.intents
    assert "hey ho" not in odd.examples
    assert model.fingerprint(taught()) == model.fingerprint(assistant())
    assert model.fingerprint(taught(SHOUT)) != model.fingerprint(taught(THANKS))


def test_a_training_remembers_what_it_took_and_what_the_one_before_took(tmp_path: Path) -> None:
    """Going back brings the corrections of the training before, once more goes forward; the model of before is in its
    folder still."""
    assert corrections.load(tmp_path) == ()
    assert corrections.go_back(tmp_path) is None
    for said in ((SHOUT,), (SHOUT, THANKS), (SHOUT, THANKS)):
        corrections.keep(tmp_path, said)
        model.save(small(), taught(*said), tmp_path)
    assert corrections.load(tmp_path) == (SHOUT, THANKS)
    assert corrections.go_back(tmp_path) == (SHOUT,) == corrections.load(tmp_path)
    assert model.kept(taught(SHOUT), tmp_path) is not None
    assert corrections.go_back(tmp_path) == (SHOUT, THANKS)
    assert model.learned(assistant(), tmp_path) == taught(SHOUT, THANKS)


@pytest.mark.parametrize(
    "damage", ["", "{}", "[1]", '{"now": 3, "before": []}', '{"now": [{"text": "x"}], "before": []}']
)
def test_a_damaged_file_is_no_file(tmp_path: Path, damage: str) -> None:
    """Nothing is learned from it, and the next training writes it anew."""
    (tmp_path / corrections.FILE).write_text(damage, encoding="utf-8")
    assert corrections.load(tmp_path) == ()
    corrections.keep(tmp_path, (LOST,))
    assert corrections.load(tmp_path) == (LOST,)
