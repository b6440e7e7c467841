"""The files that rule the house as they hold now: deadlines, calendar, departments, with what staff made of them.

The content files are the beginning; what an administrator writes at the desk takes a file's place, in every process and
without a restart, until the file is given its say again. What is promised already stays as it was promised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bot.cases import calendar_reading, deadlines, departments, file_versions
from bot.cases.clocks import House
from bot.cases.file_versions import File, Kind, Overtaken, Stamp, Version
from bot.clock import Clock
from bot.errors import ContentError
from storage.database import Database

log = structlog.get_logger()

FILES: tuple[File, ...] = get_args(File)
LONGEST = 100_000
"""Characters of a file that is written at the desk."""

_PARTS: Mapping[File, str] = {
    "deadlines.yml": "deadlines",
    "calendar.yml": "calendar",
    "departments.yml": "departments",
}


class Rulebook:
    """`house` is what everybody asks; it is changed in place. `directory` has the files."""

    def __init__(self, directory: Path, house: House) -> None:
        self.house = house
        self._directory = directory
        self._shipped = replace(house)
        self._written: Mapping[File, Version] = {}
        self._stamp: Stamp = (0, 0)
        self._following = asyncio.Lock()

    @property
    def values(self) -> dict[str, Any]:
        """The deadlines, the calendar and the departments that hold now, by these names."""
        return {part: getattr(self.house, part) for part in _PARTS.values()}

    @property
    def written(self) -> Mapping[File, Version]:
        """The versions that hold in place of files."""
        return MappingProxyType(dict(self._written))

    def text(self, file: File) -> str:
        """The file as it holds now. Raises OSError."""
        version = self._written.get(file)
        return version.text or "" if version else self.shipped(file)

    def shipped(self, file: File) -> str:
        """The file as it lies in the content folder. Raises OSError."""
        return (self._directory / file).read_text(encoding="utf-8-sig")

    def tried(self, file: File, text: str) -> House:
        """The house that this text would make. Raises ContentError with every problem."""
        tried = self._with(replace(self.house), file, text)
        problems = calendar_reading.strangers(tried.calendar, tried.departments.names)
        if problems:
            raise ContentError(problems)
        return tried

    async def write(
        self, database: Database, clock: Clock, file: File, seen: int, text: str | None, *, actor: str
    ) -> None:
        """A new version by whoever saw the version `seen` (0: none); None: the file has its say again. Raises
        ContentError, Overtaken."""
        self.tried(file, self.shipped(file) if text is None else text)
        now, kind = clock.now(), "shipped" if text is None else "written"

        def work(connection: Connection) -> None:
            file_versions.add(connection, file, seen, kind, text, actor, now)  # type: ignore[arg-type] # one of two

        try:
            await database.write(work)
        except IntegrityError:
            raise Overtaken(file) from None  # written twice at the very same moment

    async def follow(self, database: Database) -> bool:
        """Take in what was changed since the last look; whether anything was. One small statement where nothing was."""
        async with self._following:

            def work(connection: Connection) -> tuple[Stamp, Sequence[Version]]:
                seen = file_versions.stamp(connection)
                return seen, file_versions.current(connection) if seen != self._stamp else ()

            seen, found = await database.read(work)
            if seen == self._stamp:
                return False
            house, written = replace(self._shipped), dict[File, Version]()
            for version in found:
                if version.kind != "written" or version.text is None or version.file not in _PARTS:
                    continue
                try:
                    house = self._with(house, version.file, version.text)
                except ContentError as error:
                    # Written under another version of Earful: the file counts, and the operator reads why.
                    why = str(error.problems[0])
                    log.error(
                        "what was written at the desk cannot be read; the file counts", file=version.file, why=why
                    )
                else:
                    written[version.file] = version
            for part in _PARTS.values():
                setattr(self.house, part, getattr(house, part))
            self._written, self._stamp = written, seen
            return True

    def _with(self, house: House, file: File, text: str) -> House:
        path = self._directory / file
        if file == "deadlines.yml":
            return replace(house, deadlines=deadlines.load(path, text))
        if file == "calendar.yml":
            return replace(house, calendar=calendar_reading.load(path, text))
        return replace(house, departments=departments.load(path, text))


__all__ = ["FILES", "LONGEST", "File", "Kind", "Overtaken", "Rulebook", "Version"]
