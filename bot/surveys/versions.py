"""Versions of surveys that were ever asked: an open survey is finished on the one it began with, whatever the file says
since."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.clock import Clock
from bot.surveys.definitions import Definition, Surveys
from storage.database import Database
from storage.tables import survey_versions

log = structlog.get_logger()
_INSERT = {
    "sqlite": sqlite.insert(survey_versions).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(survey_versions).on_conflict_do_nothing(),
}


async def kept(database: Database, surveys: Surveys, clock: Clock) -> Surveys:
    """Both, at the start of the service."""
    await database.write(lambda connection: keep(connection, surveys, clock.now()))
    return await database.read(lambda connection: with_kept(connection, surveys))


def keep(connection: Connection, surveys: Surveys, now: datetime) -> None:
    """Keep what the file says today, where it is not kept yet."""
    written = _adapter()
    rows = [
        {
            "definition": each.key,
            "version": each.version,
            "content": written.dump_python(each, mode="json"),
            "created_at": now,
        }
        for each in sorted(surveys.definitions.values(), key=lambda each: each.key)
    ]
    if rows:
        connection.execute(_INSERT[connection.dialect.name], rows)


def with_kept(connection: Connection, surveys: Surveys) -> Surveys:
    """`surveys`, and every version of them that was kept. One that cannot be read any more is left out, with a line in
    the log: its surveys go on with today's."""
    written, kept = _adapter(), dict(surveys.kept)
    columns = (survey_versions.c.definition, survey_versions.c.version, survey_versions.c.content)
    for key, version, content in connection.execute(select(*columns)):
        try:
            kept[key, version] = written.validate_python(content)
        except ValidationError:
            log.error("a version of a survey cannot be read; its surveys go on with today's", survey=key)
    return replace(surveys, kept=kept)


def _adapter() -> TypeAdapter[Definition]:
    return TypeAdapter(Definition)
