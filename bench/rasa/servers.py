"""`earful actions` and `rasa run`, on free ports of this machine, for as long as they are needed."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.rasa.installation import Installation

TOKEN = "rasa-check"
PATIENCE = 300
"""Seconds that Rasa may take to start: it traces DIET anew each time."""


@contextmanager
def serving(installation: Installation, model: Path) -> Iterator[str]:
    """The address of a Rasa server with this model, its API and its REST channel, and our actions behind it. Raises
    SystemExit if one of the two does not start."""
    with ExitStack() as stack:
        actions, port = _free(), _free()
        earful = Path(sys.executable).parent / "earful"
        log = installation.place / "actions.log"
        stack.enter_context(_process("earful actions", [str(earful), "actions", "--port", str(actions)], log, None))
        _await(f"http://127.0.0.1:{actions}/health", "earful actions", log)
        endpoints = installation.place / "endpoints.yml"
        endpoints.write_text(f'action_endpoint:\n  url: "http://127.0.0.1:{actions}/webhook"\n')
        credentials = installation.place / "credentials.yml"
        credentials.write_text("rest:\n")
        log = installation.place / "run.log"
        command = [str(installation.rasa), "run", "--enable-api", "--interface", "127.0.0.1", "--port", str(port)]
        command += ["--model", str(model), "--endpoints", str(endpoints), "--credentials", str(credentials)]
        command += ["--auth-token", TOKEN]
        stack.enter_context(_process("rasa run", command, log, installation.environment()))
        _await(f"http://127.0.0.1:{port}/status?token={TOKEN}", "rasa run", log)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _process(
    name: str, command: list[str], log: Path, environment: Mapping[str, str] | None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=dict(environment) if environment else None, cwd=log.parent, stdout=file, stderr=file
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(url: str, name: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            time.sleep(0.5)
    raise SystemExit(f"{name} did not start within {PATIENCE} s:\n{log.read_text(errors='replace')[-2000:]}")


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
