"""`python -m bench.nlu`: the goals of understanding, each beside its figure."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.nlu import ablation, engine, quality, speed
from bench.nlu.goals import table
from bench.nlu.sets import SHARED


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.nlu", description="The goals of understanding, measured.")
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder of public samples; without it, our own")
    parser.add_argument("--models", type=Path, help="where trained models are kept; by default nowhere")
    parser.add_argument("--ablate", action="store_true", help="also: what each part is worth (trains several times)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        models = given.models or Path(place)
        ours = engine.load(models)
        rows = [*quality.rows(ours, given.shared), *speed.rows(ours, given.shared, models)]
        print(table(rows))
        missed = [row.task for row in rows if row.goal and not row.goal.met(row.figure)]
        print(f"\nGoals: {sum(bool(row.goal) for row in rows)}, met: all but {len(missed)}.")
        if not given.shared.is_dir():
            print(f"No public samples in {given.shared}: give --shared.")
        if given.ablate:
            print("\nWithout each part, how far each figure moves:\n")
            for line in ablation.ablated(ours, given.shared, models):
                print(line, flush=True)


if __name__ == "__main__":
    main()
