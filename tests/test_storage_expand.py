"""Migrations run beside the version before: they add. What takes away, or asks more of rows, says why it may."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from storage.schema import HEAD, OLDEST

VERSIONS = Path(__file__).parent.parent / "storage" / "migrations" / "versions"
TAKES = {"drop_table", "drop_column", "drop_constraint", "alter_column", "rename_table", "batch_alter_table"}
ASKS = {"create_unique_constraint", "create_check_constraint", "create_foreign_key"}
SAID = re.compile(r"\b(drop\s+(table|column|constraint)|rename|set\s+not\s+null|alter\s+column)\b", re.IGNORECASE)

HARMLESS = {
    "0003": "the unique index is over a new column: of rows that an older version writes it is empty",
    "0011": "case_events.told_at was made for webhooks to come: no version ever wrote it, or read it by name",
    "0017": "tables and references keep their names and columns for whoever reads and writes: the rolling upgrade's "
    "test runs the version before on them",
}
"""What a version before does not notice, and why. Everything else waits until OLDEST is past it."""


def harsh(source: str) -> list[str]:
    """What of a migration an older process might trip over."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        if name in TAKES | ASKS:
            found.append(name)
        if name == "create_index" and any(
            each.arg == "unique" and getattr(each.value, "value", False) for each in node.keywords
        ):
            found.append("create_index unique")
        if name == "execute":
            text = "".join(
                each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)
            )
            found += [matched[0].lower() for matched in SAID.finditer(text)]
        if name == "Column":
            given = {each.arg: each.value for each in node.keywords}
            needed = getattr(given.get("nullable"), "value", True) is False and "server_default" not in given
            if needed and "id" not in [getattr(each, "value", "") for each in node.args[:1]]:
                found.append("Column not null")
    return found


def of_new_columns(source: str) -> list[str]:
    """`harsh`, but a new table's columns may ask for what they like: no older process knows it."""
    created = [
        ast.get_source_segment(source, node) or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "create_table"
    ]
    for each in created:
        source = source.replace(each, "None")
    return harsh(source)


@pytest.mark.parametrize("file", sorted(VERSIONS.glob("[0-9]*.py")), ids=lambda file: file.stem)
def test_a_migration_only_adds_or_older_processes_may_not_run_any_more(file: Path) -> None:
    """Expand, then contract a release later, when OLDEST has moved past what needed it."""
    number = file.name[:4]
    if number == "0001" or number <= OLDEST:
        return
    found = of_new_columns(file.read_text())
    assert not found or number in HARMLESS, f"{file.name} takes away or asks more: {found}"
    assert found or number not in HARMLESS


def test_what_is_called_harmless_is_there_and_says_why() -> None:
    """And the version of this code may run on its own tables."""
    assert set(HARMLESS) <= {file.name[:4] for file in VERSIONS.glob("[0-9]*.py")}
    assert OLDEST <= HEAD


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_column("cases", "title")',
        'op.alter_column("cases", "title", nullable=False)',
        'op.execute("alter table cases rename column title to name")',
        'op.add_column("cases", sa.Column("x", sa.Integer(), nullable=False))',
        'op.create_index("uq_x", "cases", ["title"], unique=True)',
    ],
)
def test_a_migration_that_takes_away_is_seen(line: str) -> None:
    """The test above can fail."""
    assert of_new_columns(line)
