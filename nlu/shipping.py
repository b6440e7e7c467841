"""Train what Earful ships: `python -m nlu.shipping bot/assistant/data/nlu`, after examples, seeds, word lists or the
code that learns from them changed. Encoded sentences are kept in the folder `data/models`: a second time is quick."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from nlu import model, rasa_data, stages
from nlu.encoders import Encoder, available
from nlu.rasa_data import TrainingData

SMALLEST = 2
"""Encoders that must be installed: who ships without one takes it from all."""


def ship(
    data: TrainingData,
    directory: Path,
    work: Path,
    encoders: Sequence[Encoder] | None = None,
    seeds: Path | None = None,
) -> list[Path]:
    """Train for `data` into `directory`, where nothing else stays; `work` keeps encoded sentences. `encoders` are the
    installed ones by default, `seeds` Earful's. Returns what it wrote."""
    made = model.train(data, seeds)
    model.save(made, data, work)
    stages.train(made, data, work, encoders, seeds=seeds, progress=_told)
    names = [f"nlu-{model.fingerprint(data)}.npz", stages.name(data)]
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.npz"):
        old.unlink()
    files = [directory / name for name in names]
    for file in files:
        file.write_bytes((work / file.name).read_bytes())
    return files


def _told(done: int, of: int) -> None:
    if done % 512 == 0 or done == of:
        sys.stdout.write(f"{done} of {of} sentences encoded\n")
        sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """What the command line does; 0 if all went well."""
    if len(arguments) != 1:
        sys.stderr.write("Say where the assistant's examples are: python -m nlu.shipping bot/assistant/data/nlu\n")
        return 2
    if len(available()) < SMALLEST:
        sys.stderr.write("Both encoders are needed: pip install -e '.[encoders]'\n")
        return 2
    for file in ship(rasa_data.read(Path(arguments[0])), model.SHIPPED, Path("data/models")):
        sys.stdout.write(f"{file} ({file.stat().st_size / 1e6:.1f} MB)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
