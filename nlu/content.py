"""Content files: YAML in which every value knows its line, so that an error can say where and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml


class DataError(ValueError):
    """A content file cannot be used. The message names file, line and remedy."""

    def __init__(self, path: Path, line: int, problem: str, remedy: str) -> None:
        super().__init__(f"{path}:{line}: {problem} {remedy}")
        self.path = path
        self.line = line
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a content file, with the place it stands at."""

    path: Path
    raw: yaml.Node

    @property
    def line(self) -> int:
        """The line of the file, from 1."""
        return int(self.raw.start_mark.line) + 1

    def error(self, problem: str, remedy: str, line: int | None = None) -> DataError:
        """The error to raise about this value."""
        return DataError(self.path, line or self.line, problem, remedy)

    def text(self) -> str:
        """The value as text. Raises DataError for a list or a mapping."""
        if not isinstance(self.raw, yaml.ScalarNode):
            raise self.error("Here a text is expected.", "Write one value on the line, or a block after '|'.")
        return str(self.raw.value)

    def lines(self) -> Iterator[tuple[int, str]]:
        """The non-empty lines of a text with their line numbers, blanks at both ends taken off."""
        text = self.text()
        first = self.line + (1 if getattr(self.raw, "style", None) in {"|", ">"} else 0)
        for offset, line in enumerate(text.split("\n")):
            if line := line.strip():
                yield first + offset, line

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return isinstance(self.raw, yaml.SequenceNode)

    def items(self) -> Iterator[Node]:
        """The members of a list. Raises DataError for anything else."""
        if not isinstance(self.raw, yaml.SequenceNode):
            raise self.error("Here a list is expected.", "Begin each member on its own line with '- '.")
        for raw in self.raw.value:
            yield Node(self.path, raw)

    def fields(self) -> dict[str, Node]:
        """The members of a mapping by name. Raises DataError for anything else, or for a name that comes twice."""
        if not isinstance(self.raw, yaml.MappingNode):
            raise self.error("Here names with values are expected.", "Write 'name: value' on each line.")
        found: dict[str, Node] = {}
        for key, raw in self.raw.value:
            name = Node(self.path, key).text()
            if name in found:
                raise Node(self.path, key).error(f"'{name}' stands here twice.", "Keep one of them, with all values.")
            found[name] = Node(self.path, raw)
        return found


def read(path: Path) -> Node:
    """The YAML document in `path`. Raises DataError for what is no UTF-8 or no YAML, or for an empty file."""
    try:
        raw = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].count(b"\n") + 1
        raise DataError(path, line, "The file is not UTF-8.", "Save it with the encoding UTF-8.") from problem
    except OSError as problem:
        raise DataError(
            path, 1, f"The file cannot be read ({problem.strerror}).", "Check its permissions."
        ) from problem
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        what = getattr(problem, "problem", None) or str(problem).splitlines()[0]
        line = mark.line + 1 if mark is not None else 1
        raise DataError(
            path, line, f"This is not YAML ({what}).", "Check indentation, quotes and colons here and just above."
        ) from problem
    if raw is None:
        raise DataError(path, 1, "The file is empty.", "Fill it or remove it.")
    return Node(path, raw)


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times faster; wheels may lack it
