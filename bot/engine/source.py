"""A Rasa project's YAML files, read so that every key and value knows its file and line.

Scalars are typed as Rasa types them (YAML 1.2: `yes` and `on` are words, `true` is not). What is wrong is collected, so
that an author sees everything of every file at once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bot.errors import ContentError, Problem

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a file. In a mapping its line is that of its key, where an author looks for it."""

    file: str
    line: int
    value: Scalar | tuple[Node, ...] | Mapping[str, Node]


class Report:
    """The problems found so far. Its readers note what is wrong and give back nothing, so that reading goes on."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, node: Node, message: str, remedy: str) -> None:
        self.problems.append(Problem(node.file, node.line, message, remedy))

    def check(self) -> None:
        """Raises ContentError if anything was noted."""
        if self.problems:
            raise ContentError(sorted(set(self.problems), key=lambda p: (p.file, p.line, p.message)))

    # ---- readers ----

    def file(self, path: Path, name: str) -> Node | None:
        """The one document in `path`; `name` is how problems call the file."""
        top = Node(name, 1, None)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            self.add(top, "the file is missing", f"Put a {name} there, or start from the one that Earful ships")
            return None
        except (OSError, UnicodeDecodeError) as error:
            self.add(top, f"cannot be read ({type(error).__name__})", "Save it as readable UTF-8 text")
            return None
        reading = _Reading(self, name)
        try:
            node = reading.document(yaml.parse(text, Loader=_LOADER))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = 1 if mark is None else mark.line + 1
            self.add(Node(name, line, None), f"not valid YAML: {error.problem or error.context}", _CHECK_YAML)
            return None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self.add(Node(name, line, None), f"not valid YAML: {error.reason}", "Remove the unprintable character")
            return None
        if node is None and not reading.stopped:
            self.add(top, "the file is empty", 'Begin it with `version: "3.1"`')
        return node

    def mapping(
        self,
        node: Node,
        what: str,
        *,
        needs: Collection[str] = (),
        may: Collection[str] | None = None,
        unsupported: Mapping[str, str] | None = None,
    ) -> Mapping[str, Node]:
        """A mapping. `may` names the keys allowed beside `needs` (None: any); `unsupported` says of known keys that we
        refuse what to do instead."""
        if not isinstance(node.value, Mapping):
            self.add(node, f"{what} is not a mapping", "Write it as indented lines of `key: value`")
            return {}
        for key in needs:
            if key not in node.value:
                self.add(node, f"{what} lacks `{key}`", f"Add `{key}:` to it")
        if may is not None:
            for key, value in node.value.items():
                if unsupported and key in unsupported:
                    self.add(value, f"{what} uses `{key}`, which is not supported", unsupported[key])
                elif key not in needs and key not in may:
                    self.add(value, f"{what} has the unknown key `{key}`", f"Known keys: {', '.join([*needs, *may])}")
        return node.value

    def items(self, node: Node, what: str) -> tuple[Node, ...]:
        if not isinstance(node.value, tuple):
            self.add(node, f"{what} is not a list", "Write it as lines that begin with `- `")
            return ()
        return node.value

    def text(self, node: Node, what: str) -> str | None:
        if not isinstance(node.value, str) or not node.value.strip():
            self.add(
                node, f"{what} is not a text", "Write words; quote what YAML would read as a number or a truth value"
            )
            return None
        return node.value

    def name(self, node: Node, what: str) -> str | None:
        """A text that may serve as a name."""
        found = self.text(node, what)
        if found is None or _NAME.fullmatch(found):
            return found
        self.add(node, f"{what} is `{found}`", "Name it with letters, digits, `_` and `-`, beginning with a letter")
        return None

    def truth(self, node: Node, what: str) -> bool | None:
        if not isinstance(node.value, bool):
            self.add(node, f"{what} is neither true nor false", "Write `true` or `false`, without quotes")
            return None
        return node.value

    def number(self, node: Node, what: str) -> float | None:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.add(node, f"{what} is not a number", "Write a number, without quotes")
            return None
        return float(node.value)

    def names(self, node: Node, what: str) -> list[str]:
        """One text, or a list of them."""
        nodes: Iterable[Node] = (node,) if isinstance(node.value, str) else self.items(node, what)
        return [found for each in nodes if (found := self.text(each, what)) is not None]


def plain(node: Node) -> Any:
    """The value without its lines."""
    if isinstance(node.value, tuple):
        return [plain(each) for each in node.value]
    if isinstance(node.value, Mapping):
        return {key: plain(each) for key, each in node.value.items()}
    return node.value


_CHECK_YAML = "Check the indentation, the quotes and the colons of this line and the one before"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times as fast
_DEEPEST = 24
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUTH = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")


def _scalar(text: str) -> Scalar:
    """An unquoted scalar by the core schema of YAML 1.2."""
    if _NULL.fullmatch(text):
        return None
    if _TRUTH.fullmatch(text):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end is not read yet; `key` is the one whose value comes next."""

    line: int
    items: list[Node] | None
    entries: dict[str, Node] | None
    key: str | None = None
    key_line: int = 0


class _Reading:
    """Builds nodes from the parser's events, without recursion: depth is bounded whatever the file holds."""

    def __init__(self, report: Report, file: str) -> None:
        self._report = report
        self._file = file
        self._open: list[_Open] = []
        self._root: Node | None = None
        self.stopped = False

    def document(self, events: Iterable[Any]) -> Node | None:
        documents = 0
        for event in events:
            line = event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._note(line, "a second document begins here (---)", "Keep one document a file")
                    break
            elif isinstance(event, yaml.ScalarEvent):
                self._put(self._value(event, line), line)
            elif isinstance(event, yaml.AliasEvent):
                self._note(line, "an anchor (&) is used again (*)", "Write the lines out where they are used")
                self._put(None, line)
            elif isinstance(event, yaml.CollectionStartEvent) and event.tag not in (None, "!"):
                self._note(line, f"the tag {event.tag} is not supported", "Write the value without a tag")
                self.stopped = True
                return None
            elif isinstance(event, yaml.SequenceStartEvent):
                self._open.append(_Open(line, [], None))
            elif isinstance(event, yaml.MappingStartEvent):
                self._open.append(_Open(line, None, {}))
            elif isinstance(event, yaml.CollectionEndEvent):
                done = self._open.pop()
                self._put(done.entries if done.items is None else tuple(done.items), done.line)
            if len(self._open) > _DEEPEST:
                self._note(line, "nested too deeply", "Nest no deeper than the format needs")
                self.stopped = True
                return None
        return self._root

    def _put(self, value: Any, line: int) -> None:
        if not self._open:
            self._root = Node(self._file, line, value)
            return
        holder = self._open[-1]
        if holder.items is not None:
            holder.items.append(Node(self._file, line, value))
        elif holder.key is None:
            if isinstance(value, tuple | dict) or value is None:
                self._note(line, "a key is not a text", "Write `key: value`")
            # A key that is refused still takes its value, under a name that no reader asks for.
            holder.key, holder.key_line = str(value), line
        elif holder.entries is not None:
            key, holder.key = holder.key, None
            if key in holder.entries:
                self._note(holder.key_line, f"the key `{key}` stands here twice", "Keep one of the two")
            else:
                holder.entries[key] = Node(self._file, holder.key_line, value)

    def _value(self, event: Any, line: int) -> Scalar:
        if event.tag is not None and event.tag != "!":
            self._note(line, f"the tag {event.tag} is not supported", "Write the value without a tag")
            return None
        text = str(event.value)
        return _scalar(text) if event.implicit[0] else text

    def _note(self, line: int, message: str, remedy: str) -> None:
        self._report.add(Node(self._file, line, None), message, remedy)
