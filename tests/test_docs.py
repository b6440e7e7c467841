"""Documents say what is true: every setting is documented, every decision has its page, nothing names a machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from bot.outgoing import events
from bot.settings import Settings

ROOT = Path(__file__).parent.parent


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\n") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    """With its environment variable and its default."""
    assert f"`EARFUL_{name.upper()}`" in (ROOT / "docs" / "settings.md").read_text() or name == "channels"


def test_no_setting_is_documented_that_is_none() -> None:
    """A page that promises more than there is misleads."""
    named = set(re.findall(r"`EARFUL_([A-Z_]+?)(?:_FILE)?`", (ROOT / "docs" / "settings.md").read_text()))
    assert named <= {name.upper() for name in Settings.model_fields} | {"CONFIG"}


def test_every_kind_of_event_is_documented_and_none_that_is_none() -> None:
    """Receivers are written from this page."""
    rows = re.findall(r"^\| `([a-z_.]+)` \|", (ROOT / "docs" / "webhooks.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted((*events.KINDS, events.TEST))


def test_every_dependency_has_its_reason() -> None:
    """And none is listed that is not there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    reasons = (ROOT / "docs" / "dependencies.md").read_text().lower()
    for requirement in (*project["project"]["dependencies"], *project["dependency-groups"]["dev"]):
        name = re.split(r"[\[<>=;~ ]", requirement)[0].lower()
        assert re.search(rf"\b{re.escape(name)}\b", reasons), f"{name} has no line in docs/dependencies.md"


def test_the_lock_holds_names_versions_and_hashes_only() -> None:
    """No address of any registry or mirror."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert all(re.match(r"[a-z0-9._-]+==|    --hash=sha256:[0-9a-f]{64}", line, re.IGNORECASE) for line in lines)


def test_every_decision_has_a_number_of_its_own() -> None:
    """Without a gap, and the title says the same one."""
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    assert [path.read_text("utf-8").split(maxsplit=2)[1] for path in records] == [
        f"{n + 1}." for n in range(len(records))
    ]


def test_no_file_bears_a_path_of_one_machine_or_something_undone() -> None:
    """What is committed runs anywhere and is finished."""
    wrong = re.compile(
        rb"/(?:work|root)/|/tmp/bash" + rb"_jobs|\b(?:TO" + rb"DO|FIX" + rb"ME|XX" + rb"X)\b|NotImplemented" + rb"Error"
    )
    kinds = {".py", ".toml", ".yml", ".md", ".js", ".html", ".css", ".lock", ""}
    bad = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix in kinds and path != Path(__file__) and wrong.search(path.read_bytes())
    ]
    assert bad == []


def test_no_module_has_grown_past_four_hundred_lines() -> None:
    """Small enough to read in a day."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked()
        if path.suffix == ".py"
        and path.relative_to(ROOT).parts[0] in ("bot", "channels", "nlu", "storage")
        and "versions" not in path.parts
        and (lines := path.read_text().count("\n")) > 400
    }
    assert long == {}
