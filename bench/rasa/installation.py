"""A Rasa of our own: an environment with pinned versions, and a model trained on the assistant."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
CONSTRAINTS = HERE / "constraints.txt"
VERSIONS = ("rasa==3.6.21", "rasa-sdk==3.6.2")
MINOR = "3.10"
"""The newest Python that Rasa 3.6 runs on."""

KINDS = ("domain.yml", "config.yml", "data/**/*.yml")
"""What Rasa reads of the assistant."""


class Installation:
    """What is in `place` (RASA_ENV, else ~/.cache/earful-rasa); made where it is missing, kept where it is there."""

    def __init__(self, place: Path | None = None) -> None:
        self.place = place or Path(os.environ.get("RASA_ENV") or Path.home() / ".cache" / "earful-rasa")
        self.rasa = self.place / "venv" / "bin" / "rasa"

    def install(self) -> None:
        """Two minutes and 2.7 GB, once for each list of versions. Raises SystemExit with what to do."""
        wanted = hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()
        ready = self.place / "venv" / "ready"
        if ready.is_file() and ready.read_text() == wanted:
            return
        shutil.rmtree(self.place / "venv", ignore_errors=True)
        self.place.mkdir(parents=True, exist_ok=True)
        print(f"Installing Rasa into {self.place} (once, some minutes, 2.7 GB) ...", flush=True)
        subprocess.run([_python(), "-m", "venv", str(self.place / "venv")], check=True)
        pip = [str(self.place / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        done = subprocess.run([*pip, "--disable-pip-version-check", "-c", str(CONSTRAINTS), *VERSIONS], check=False)
        if done.returncode:
            raise SystemExit("Rasa could not be installed: see above. Is the package index reachable?")
        ready.write_text(wanted)

    def environment(self) -> dict[str, str]:
        """For Rasa's processes: quiet, without telemetry, at home in `place`."""
        home = self.place / "home"
        home.mkdir(parents=True, exist_ok=True)
        return os.environ | {
            "HOME": str(home),
            "RASA_CACHE_DIRECTORY": str(self.place / "cache"),  # what did not change need not be trained again
            "RASA_TELEMETRY_ENABLED": "false",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def model(self, assistant: Path) -> Path:
        """A model of the assistant, validated and trained if there is none of this very content yet. Raises SystemExit
        with Rasa's own words if it cannot be."""
        files = sorted(path for kind in KINDS for path in assistant.glob(kind))
        name = _digest(files, assistant)
        path = self.place / "models" / f"{name}.tar.gz"
        if path.is_file():
            return path
        project = self.place / "project"
        shutil.rmtree(project, ignore_errors=True)
        for each in files:  # a copy: what is trained is what was hashed, whatever is edited meanwhile
            target = project / each.relative_to(assistant)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(each, target)
        where = ["--domain", "domain.yml", "--data", "data"]
        self._run("validate", ["data", "validate", *where], project)
        models = ["--config", "config.yml", "--out", str(path.parent), "--fixed-model-name", name]
        self._run("train", ["train", *where, *models], project)
        if not path.is_file():
            raise SystemExit(f"rasa train left no model; see {self.place / 'train.log'}")
        return path

    def _run(self, what: str, arguments: Iterable[str], project: Path) -> None:
        log = self.place / f"{what}.log"
        begun = time.perf_counter()
        print(f"rasa {what} (its words: {log}) ...", flush=True)
        with log.open("w") as file:
            done = subprocess.run(
                [str(self.rasa), *arguments], cwd=project, env=self.environment(), stdout=file, stderr=file, check=False
            )
        if done.returncode:
            raise SystemExit(f"rasa {what} failed:\n{log.read_text(errors='replace')[-2000:]}")
        print(f"rasa {what}: ok, {time.perf_counter() - begun:.0f} s", flush=True)


def _digest(files: Iterable[Path], assistant: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(assistant)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _python() -> str:
    """A Python 3.10: PYTHON310, one on the path, or one of pyenv's. Raises SystemExit."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [
        os.environ.get("PYTHON310"),
        shutil.which(f"python{MINOR}"),
        *map(str, sorted(root.glob(f"versions/{MINOR}.*/bin/python"), reverse=True)),
    ]
    for each in candidates:
        if each and _version(each) == MINOR:
            return each
    raise SystemExit(f"Rasa 3.6 needs Python {MINOR}, which is not here. Install it, or name it: PYTHON310=/path/to/it")


def _version(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()
