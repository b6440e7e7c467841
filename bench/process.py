"""The service as a process of its own, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.talk import SECRET

ROOT = Path(__file__).parent.parent
EARFUL = Path(sys.executable).parent / "earful"


@dataclass
class Server:
    process: subprocess.Popen[str]
    port: int
    started: float

    def cpu(self) -> float:
        """CPU seconds so far, of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> tuple[int, int]:
        """(resident now, its peak) in MiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        found = {
            name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines) if "Vm" in name
        }
        return found["VmRSS"] // 1024, found["VmHWM"] // 1024


@contextmanager
def earful(
    place: Path, platform_port: int, core: int | None, program: Sequence[str] = (str(EARFUL),)
) -> Iterator[Server]:
    """`earful serve` with its data in `place` and Telegram at the stub, on one core if told. `program`: what is started
    instead of `earful`, and takes the same arguments."""
    config = place / "earful.toml"
    config.write_text(
        'log_level = "error"\nkeep_events_days = 0\n'  # a history that is filled in stays
        f'[channels.telegram.main]\ntoken = "123456:{"t" * 35}"\nsecret_token = "{SECRET}"\n'
        f'api_base = "http://127.0.0.1:{platform_port}"\nrate = 1000000.0\nrate_per_chat = 1000.0\n'
    )
    unwanted = ("EARFUL_", "PYTHONDONTWRITEBYTECODE")  # an installed program is compiled once
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    environment |= {"EARFUL_DATA_DIR": str(place / "data"), "EARFUL_ADMIN_PASSWORD": "bench-password-only"}
    environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [environment.get("PYTHONPATH")])])}
    command = [*program, "--config", str(config), "serve", "--port", "0"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, cwd=place, stdout=subprocess.PIPE, text=True)
    if core is not None:
        os.sched_setaffinity(process.pid, {core})  # its threads, which come later, inherit it
    assert process.stdout is not None
    port = 0
    for line in process.stdout:
        if "/chat" in line:
            port = int(line.rsplit(":", 1)[1].split("/")[0])
        if "/desk" in line:
            break
    if not port:
        raise SystemExit("earful did not start")
    try:
        yield Server(process, port, time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait(30)
