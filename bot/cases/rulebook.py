"""The files that rule the house as they hold now, with what staff made of them: deadlines, calendar, departments, and
what customers are asked.

The content files are the beginning; what an administrator writes at the desk takes a file's place, in every process and
without a restart, until the file is given its say again. What is promised already stays as it was promised, and an open
survey is finished as it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import structlog
from sqlalchemy import Connection

from bot.cases import calendar_reading, deadlines, departments
from bot.cases.clocks import House
from bot.clock import Clock
from bot.errors import ContentError
from bot.indicators import reading as indicators
from bot.surveys import reading as surveys
from bot.surveys import versions as survey_versions
from bot.surveys.definitions import Surveys
from storage import versions
from storage.database import Database
from storage.tables import content_versions
from storage.versions import NONE, Overtaken, Versions

log = structlog.get_logger()

File = Literal["deadlines.yml", "calendar.yml", "departments.yml", "surveys.yml"]
FILES: tuple[File, ...] = get_args(File)
LONGEST = 100_000
"""Characters of a file that is written at the desk."""

Version = versions.Version[str]
VERSIONS = Versions("content", content_versions, "file", "text", lambda file, text: str(text), str)
"""`written` (with its text), or `shipped`: as the file has it."""

_READERS: Mapping[str, tuple[str, Callable[[Path, str], Any]]] = {
    "deadlines.yml": ("deadlines", deadlines.load),
    "calendar.yml": ("calendar", calendar_reading.load),
    "departments.yml": ("departments", departments.load),
    "surveys.yml": ("surveys", surveys.load),
}
"""What of the house each file is, and who reads it."""


class Rulebook:
    """`house` is what everybody asks; it is changed in place. `directory` has the files."""

    def __init__(self, directory: Path, house: House) -> None:
        self.house = house
        self._directory = directory
        self._shipped = replace(house)
        self._written: Mapping[str, Version] = {}
        self._stamp = NONE
        self._following = asyncio.Lock()

    @property
    def values(self) -> dict[str, Any]:
        """What holds now, by what it is of the house."""
        return {part: getattr(self.house, part) for part, _ in _READERS.values()}

    @property
    def written(self) -> Mapping[str, Version]:
        """The versions that hold in place of files."""
        return MappingProxyType(dict(self._written))

    def text(self, file: File) -> str:
        """The file as it holds now. Raises OSError."""
        version = self._written.get(file)
        return version.content or "" if version else self.shipped(file)

    def shipped(self, file: File) -> str:
        """The file as it lies in the content folder. Raises OSError."""
        return (self._directory / file).read_text(encoding="utf-8-sig")

    def tried(self, file: File, text: str) -> House:
        """The house that this text would make. Raises ContentError with every problem, also of what counts on it."""
        tried = self._with(replace(self.house), file, text)
        problems = calendar_reading.strangers(tried.calendar, tried.departments.names)
        if problems:
            raise ContentError(problems)
        if file == "surveys.yml":
            indicators.load(self._directory / "indicators.yml", tried.surveys)
        return tried

    async def write(
        self, database: Database, clock: Clock, file: File, seen: int, text: str | None, *, actor: str
    ) -> None:
        """A new version by whoever saw the version `seen` (0: none); None: the file has its say again. Raises
        ContentError, Overtaken."""
        asked = self.tried(file, self.shipped(file) if text is None else text).surveys
        now, kind = clock.now(), "shipped" if text is None else "written"
        # An open survey is finished on what it began with: kept before anybody is asked it.
        also = partial(survey_versions.keep, surveys=asked, now=now) if file == "surveys.yml" else None
        await VERSIONS.change(database, file, seen, kind, text, actor=actor, now=now, also=also)

    async def follow(self, database: Database) -> bool:
        """Take in what was changed since the last look; whether anything was. One small statement where nothing was."""
        async with self._following:
            seen, found = await VERSIONS.news(database, self._stamp)
            if seen == self._stamp:
                return False
            house, written = replace(self._shipped), dict[str, Version]()
            if any(version.key == "surveys.yml" for version in found):
                house.surveys = await database.read(self._kept)
            for version in found:
                if version.kind != "written" or version.content is None or version.key not in _READERS:
                    continue
                try:
                    house = self._with(house, version.key, version.content)
                except ContentError as error:
                    # Written under another version of Earful: the file counts, and the operator reads why.
                    why = str(error.problems[0])
                    log.error("what was written at the desk cannot be read; the file counts", file=version.key, why=why)
                else:
                    written[version.key] = version
            for part, _ in _READERS.values():
                setattr(self.house, part, getattr(house, part))
            self._written, self._stamp = written, seen
            return True

    def _kept(self, connection: Connection) -> Surveys:
        return survey_versions.with_kept(connection, self._shipped.surveys)

    def _with(self, house: House, file: str, text: str) -> House:
        part, read = _READERS[file]
        found = read(self._directory / file, text)
        if file == "surveys.yml":
            found = replace(found, kept=house.surveys.kept)
        return replace(house, **{part: found})


__all__ = ["FILES", "LONGEST", "VERSIONS", "File", "Overtaken", "Rulebook", "Version"]
