"""Run as a process of its own: how long Earful's understanding takes to be ready, and what memory it adds.

python -m bench.nlu.footprint MODELS    prints {"seconds": …, "mebibytes": …}
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path


def memory() -> float:
    """Resident memory in MiB: now where the system tells, else its peak."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    before, begun = memory(), time.perf_counter()
    from bench.nlu import engine, sets  # noqa: PLC0415 - what they import is part of what is measured

    loaded = engine.load(Path(sys.argv[1]))
    loaded.quick.parse("在吗")
    seconds = time.perf_counter() - begun
    for language in sets.LANGUAGES:
        for text in sets.texts(sets.own("chat", language)):
            loaded.quick.parse(text)
            loaded.full.parse(text)
    print(json.dumps({"seconds": seconds, "mebibytes": memory() - before}))


if __name__ == "__main__":
    main()
