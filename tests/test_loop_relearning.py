"""What was trained while the service runs is taken up by it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from test_loop_closer_look import Slow, understood
from test_nlu_heldout import assistant
from understanding_stages import SEEDS, small

from bot.loop.closer_look import CloserLook
from bot.loop.local import LocalModel
from bot.loop.relearning import Relearning
from nlu import corrections, model, rasa_data, stages
from nlu.corrections import Correction
from nlu.rasa_data import TrainingData

LOST = Correction("goodbye", "en", "greet")


@dataclass
class Told:
    """Is told what it shall answer by."""

    ready: bool = True
    became: list[TrainingData] = field(default_factory=list)

    def become(self, data: TrainingData) -> None:
        self.became.append(data)


async def test_a_training_is_taken_up_without_a_restart(tmp_path: Path) -> None:
    """The next text is understood by the new model, the encoders answer by theirs, what was seen before is forgotten.
    Going back is the same. Nothing happens while nothing was trained."""
    (tmp_path / "en.yml").write_text(SEEDS, encoding="utf-8")
    files, models, closer = assistant(), tmp_path / "models", Told()
    local = LocalModel(small())
    look = CloserLook(Slow())
    look._settle(("meaning", "hm", None), understood("hm"))
    here = Relearning(local, files, lambda: model.learned(files, models), models, closer, look)
    model.save(small(), files, models)
    assert not await here.look()

    taught = replace(files, corrections=(LOST,))
    model.save(model.train(taught, tmp_path), taught, models)
    assert not await here.look(), "a training that is not done yet"
    corrections.keep(models, (LOST,))
    assert await here.look()
    assert (await local.parse_many(["goodbye"], ["en"]))[0].intent.name == "greet"
    assert closer.became == [taught]
    assert not look._seen
    assert not await here.look()

    corrections.go_back(models)
    assert await here.look()
    assert (await local.parse_many(["goodbye"], ["en"]))[0].intent.name == "goodbye"


async def test_what_does_not_fit_the_service_that_runs_is_left_alone(tmp_path: Path) -> None:
    """Other intents want a restart; a model that is not there, or examples that cannot be read, change nothing."""
    files = assistant()
    other = replace(files, intents=files.intents | {"dance": ("let us dance",)})
    broken = rasa_data.DataError(tmp_path / "nlu.yml", 3, "This is not YAML.", "Mend it.")

    def unreadable() -> TrainingData:
        raise broken

    for read in (lambda: other, lambda: files, unreadable):
        local = LocalModel(small())
        here = Relearning(local, files, read, tmp_path)
        corrections.keep(tmp_path, ())
        assert not await here.look()
        assert local.model is small()


async def test_heads_that_nobody_trained_are_trained_behind_the_service(tmp_path: Path) -> None:
    """By a process of its own; when it is done the encoders answer."""
    files, closer = assistant(), Told(ready=False)
    (tmp_path / stages.name(files)).touch()  # another process was faster: nothing is left to do
    here = Relearning(LocalModel(small()), files, lambda: files, tmp_path, closer)
    await here._train_behind()
    assert closer.became == [files]
    closer.ready = True
    await here._train_behind()
    assert len(closer.became) == 1
