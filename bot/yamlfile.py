"""A YAML content file whose every value knows its line, and the checks that its reader makes.

YAML turns `no` into False and `9:00` into 540; here every scalar is kept as it was written, and the reader says what it
wants of it. Problems are gathered, so that an author sees all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

import yaml

from bot.errors import ContentError, Problem
from nlu.understanding import Language

# The same grammar in C, where PyYAML was built with it: five times as fast at start.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 20
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Words:
    """The same thing said in Chinese and in English."""

    zh: str
    en: str

    def said(self, language: Language, **values: object) -> str:
        """The words in `language`, with `{name}` replaced by `values`; a placeholder without a value stays."""
        text = self.zh if language == "zh" else self.en
        # One pass, so that a value which holds braces is never taken for a placeholder.
        return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), text) if values else text


def tongue(spoken: str | None) -> Language:
    """The language of our words to who speaks `spoken`: English to who speaks it, Chinese to all others."""
    return "en" if spoken == "en" else "zh"


@dataclass(frozen=True, slots=True)
class Item:
    """A value of the file: `entries` of a mapping, `items` of a list, or the `raw` text of a scalar (None: empty)."""

    line: int
    raw: str | None = None
    entries: Mapping[str, Item] | None = None
    items: tuple[Item, ...] | None = None


class _Refused(Exception):
    """Stops the reading of one value, its problem being noted already."""


class Sheet:
    """One file being read. Every accessor notes what is wrong and raises; `part()` keeps the rest going.

    Usage: `with sheet.part(): ...` around what may fail alone, then `sheet.check()`, which raises ContentError.
    """

    def __init__(self, path: Path, text: str | None = None) -> None:
        """`text`: what the file would hold, instead of what it holds."""
        self.file = path.name
        self.problems: list[Problem] = []
        self.root = self._read(path, text)

    # ---- problems ----

    def part(self) -> _Part:
        return _Part()

    def refuse(self, item: Item, message: str, remedy: str) -> _Refused:
        """Note a problem; `raise` what this returns, or go on."""
        self.problems.append(Problem(self.file, item.line, message, remedy))
        return _Refused()

    def check(self) -> None:
        """Raises ContentError if anything was noted."""
        if self.problems:
            raise ContentError(sorted(self.problems, key=lambda problem: problem.line))

    # ---- values ----

    def mapping(
        self, item: Item, what: str, *, needs: Collection[str] = (), may: Collection[str] = ()
    ) -> Mapping[str, Item]:
        """A mapping with these keys and no other."""
        entries = self.entries(item, what)
        known = [*needs, *may]
        for key, value in entries.items():
            if key not in known:
                self.refuse(value, f"{what} has the unknown key '{key}'", f"Known keys: {', '.join(known)}")
        if missing := [key for key in needs if key not in entries]:
            raise self.refuse(item, f"{what} lacks {_quoted(missing)}", f"Add {_quoted(missing)} to it")
        return {key: value for key, value in entries.items() if key in known}

    def entries(self, item: Item, what: str) -> Mapping[str, Item]:
        """A mapping with any keys."""
        if item.entries is None:
            raise self.refuse(item, f"{what} is not a mapping", "Write it as indented lines of `key: value`")
        return item.entries

    def items(self, item: Item, what: str) -> tuple[Item, ...]:
        if item.items is None:
            raise self.refuse(item, f"{what} is not a list", "Write it as `[a, b]`, or as lines that begin with `- `")
        return item.items

    def text(self, item: Item, what: str) -> str:
        """A scalar as it was written, not empty."""
        if item.raw is None or not item.raw.strip():
            raise self.refuse(item, f"{what} is not a text", "Write words; quote them if they hold `: ` or ` #`")
        return item.raw.strip()

    def choice(self, item: Item, what: str, options: Collection[str]) -> str:
        found = self.text(item, what)
        if found not in options:
            raise self.refuse(item, f"{what} is '{found}'", f"Choose one of: {', '.join(options)}")
        return found

    def integer(self, item: Item, what: str, minimum: int, maximum: int) -> int:
        found = self.text(item, what)
        if not found.isascii() or not found.isdigit() or len(found) > 9 or not minimum <= int(found) <= maximum:
            raise self.refuse(item, f"{what} is '{found}'", f"Write a whole number from {minimum} to {maximum}")
        return int(found)

    def words(self, item: Item, what: str, *, may: Collection[str] = (), limit: int = 2000) -> Words:
        """Texts in both languages: `{zh: ..., en: ...}`. `may` names the `{placeholders}` that both may use."""
        if item.entries is None:
            raise self.refuse(item, f"{what} is not in both languages", "Write {zh: 中文, en: English}")
        found = self.mapping(item, what, may=("zh", "en"))
        texts: dict[str, str] = {}
        for language, name in (("zh", "Chinese"), ("en", "English")):
            if language not in found:
                raise self.refuse(item, f"{what} has no {name} text", f"Add `{language}:` beside the other language")
            text = self.text(found[language], f"{what}, {language},")
            if len(text) > limit:
                raise self.refuse(
                    found[language], f"{what}, {language}, has {len(text)} characters", f"Keep it to {limit}"
                )
            texts[language] = text
            self._placeholders(found[language], text, what, may)
        return Words(texts["zh"], texts["en"])

    def _placeholders(self, item: Item, text: str, what: str, may: Collection[str]) -> None:
        remedy = f"Known here: {', '.join('{' + name + '}' for name in may) or 'none'}"
        try:
            names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
        except ValueError:
            raise self.refuse(item, f"{what} has a brace without its pair", remedy) from None
        for name in names:
            if name not in may:
                self.refuse(item, f"{what} has the unknown placeholder '{{{name}}}'", remedy)

    # ---- reading ----

    def _read(self, path: Path, text: str | None) -> Item:
        top = Item(1)
        try:
            text = path.read_text(encoding="utf-8-sig") if text is None else text
        except (OSError, UnicodeDecodeError) as error:
            self.refuse(top, f"cannot be read ({error})", f"Put a readable UTF-8 file at {path}")
            raise ContentError(self.problems) from None
        try:
            events = iter(yaml.parse(text, Loader=_LOADER))
            root = self._item(events, 0)
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    raise self.refuse(Item(_line(event)), "a second document begins (---)", "Keep one document a file")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.refuse(
                Item(1 if mark is None else mark.line + 1),
                f"not valid YAML: {error.problem or error.context}",
                "Check the indentation, the quotes and the colons of this line and the one before",
            )
        except yaml.YAMLError as error:
            self.refuse(top, f"not valid YAML: {error}", "Save it as plain UTF-8 text, without control characters")
        except _Refused:
            pass
        else:
            if root is not None:
                self.check()
                return root
            self.refuse(top, "the file is empty", "Copy the file that Earful ships and edit that")
        raise ContentError(self.problems)

    def _item(self, events: Iterator[yaml.Event], depth: int) -> Item | None:
        """The value that begins with the next event; None at the end of a list, a mapping or the file."""
        event = next(events)
        while isinstance(event, (yaml.StreamStartEvent, yaml.DocumentStartEvent)):
            event = next(events)
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):  # short to write, and huge when it is read
            raise self.refuse(Item(line), "an anchor (&) is used again (*)", "Write the lines out where they are used")
        if depth > _DEEPEST:
            raise self.refuse(Item(line), f"lists and mappings nested over {_DEEPEST} deep", "Nest them less")
        if isinstance(event, yaml.ScalarEvent):
            return Item(line, raw=event.value if event.value or event.style else None)
        if isinstance(event, yaml.SequenceStartEvent):
            return Item(line, items=tuple(iter(lambda: self._item(events, depth + 1), None)))
        if isinstance(event, yaml.MappingStartEvent):
            entries: dict[str, Item] = {}
            while (key := self._item(events, depth + 1)) is not None:
                name = key.raw or ""
                if name in entries:
                    self.refuse(key, f"the key '{name}' stands here twice", "Keep one of the two")
                entries[name] = self._item(events, depth + 1) or key
            return Item(line, entries=entries)
        return None


def _line(event: yaml.Event) -> int:
    return 1 if event.start_mark is None else event.start_mark.line + 1


class _Part:
    """Ends with the first problem inside it; what follows it is still read."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        return kind is not None and issubclass(kind, _Refused)


def _quoted(names: Collection[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
