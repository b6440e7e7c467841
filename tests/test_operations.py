"""The steps of docs/operations.md, walked through with the command line as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from loop_parts import Rig
from sqlalchemy import func, select

from storage import tables
from storage.database import Database, open_database

PAGE = (Path(__file__).parent.parent / "docs" / "operations.md").read_text()
STEPS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def earful(line: str, url: str, place: Path) -> str:
    """A line of the page, in a directory of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EARFUL_")}
    words = line.split()
    assert words[0] == "earful"
    done = subprocess.run(
        [str(Path(sys.executable).parent / "earful"), *words[1:]],
        cwd=place,
        env=kept | {"EARFUL_DATABASE_URL": url, "EARFUL_SECRET": "the-same-secret-as-before-the-backup"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
async def fresh(database: Database, tmp_path: Path, postgres_server: str) -> str:
    """The address of an empty database of the other kind."""
    from conftest import new_database

    if database.url.startswith("sqlite"):
        return await new_database(postgres_server)
    return f"sqlite:///{tmp_path / 'new.db'}"


async def test_backup_restore_and_upgrade_as_the_page_says(database: Database, tmp_path: Path, fresh: str) -> None:
    """Dump, restore into an empty database of the other kind, check it, upgrade it: it is all there, and goes on. What
    came before is known by its key."""
    rig = Rig(database)
    await rig.hear("one", "two")
    await rig.settle()
    url = database.url.replace("+asyncpg", "")
    assert [line.split()[1] for line in STEPS] == ["backup", "restore", "check"]
    assert "rows are in earful.backup" in earful(STEPS[0], url, tmp_path)
    for line in STEPS[1:]:
        earful(line, fresh, tmp_path)
    assert "Nothing to do" in earful("earful db upgrade", fresh, tmp_path)
    restored = open_database(fresh)
    statement = select(func.count()).select_from(tables.messages)
    for each in (database, restored):
        assert await each.read(lambda connection: connection.execute(statement).scalar_one()) == 4
    resumed = Rig(restored)
    await resumed.hear("one", "three")
    await resumed.settle()
    assert resumed.adapter.texts() == ["echo three"]
    await restored.close()
