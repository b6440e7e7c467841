"""Cases as a table to take away: CSV or XLSX, personal data masked, and nothing in it that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from bot.cases import numbers
from bot.cases.filters import Wanted, conditions
from bot.contacts.masking import mask
from bot.yamlfile import Words
from nlu.understanding import Language
from storage.database import Database
from storage.tables import cases, contacts, conversations, staff

PAGE = 1_000
LONGEST = 32_000
"""Characters of a cell; a spreadsheet takes no more."""
MOST = 1_000_000
"""Rows of a sheet."""

_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes a cell's beginning for a formula by."""

Cell = str | float | int | None


class TooMany(Exception):
    """More cases than a file shall have: choose fewer."""


@dataclass(frozen=True, slots=True)
class Table:
    """`zone`: of the times; `language`: of the first row."""

    zone: ZoneInfo
    language: Language

    def head(self) -> list[str]:
        return [words.said(self.language) for words, _ in _COLUMNS]

    def row(self, found: Any) -> list[Cell]:
        """A case, as cells."""
        return [self._cell(take(found)) for _, take in _COLUMNS]

    def _cell(self, value: Any) -> Cell:
        if isinstance(value, datetime):
            return f"{value.astimezone(self.zone):%Y-%m-%d %H:%M}"
        return value if value is None or isinstance(value, int | float) else safe(str(value))


def safe(text: str) -> str:
    """Text that stays text: with a ' before what a spreadsheet would run, and without signs that it cannot keep."""
    text = "".join(sign for sign in text if sign >= " " or sign in "\t\n\r")[:LONGEST]
    return f"'{text}" if text.startswith(_RUNS) else text


async def pages(database: Database, wanted: Wanted, most: int) -> list[Any]:
    """The cases, the oldest first, page by page. Raises TooMany."""
    found: list[Any] = []
    after = 0
    while True:
        page = await database.read(lambda connection, after=after: _page(connection, wanted, after))  # type: ignore[misc]
        found += page
        if len(found) > most:
            raise TooMany(most)
        if len(page) < PAGE:
            return found
        after = page[-1].id


def write_csv(table: Table, found: Iterable[Any], to: IO[str]) -> int:
    """With a mark at the beginning by which spreadsheets know UTF-8. The number of cases."""
    to.write("\ufeff")
    written = csv.writer(to)
    written.writerow(table.head())
    count = 0
    for each in found:
        written.writerow(["" if cell is None else cell for cell in table.row(each)])
        count += 1
    return count


def write_xlsx(table: Table, found: Iterable[Any], to: IO[bytes]) -> int:
    """Every text as a text, whatever it begins with. The number of cases."""
    from openpyxl import Workbook  # noqa: PLC0415 - a quarter of a second that only this should cost
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415

    book = Workbook(write_only=True)
    sheet = book.create_sheet(_SHEET.said(table.language))
    sheet.freeze_panes = "A2"

    def cells(values: Sequence[Cell]) -> Iterator[Any]:
        for value in values:
            cell = WriteOnlyCell(sheet, value=value)
            if isinstance(value, str):
                cell.data_type = "s"
            yield cell

    sheet.append(cells(table.head()))
    count = 0
    for each in found:
        sheet.append(cells(table.row(each)))
        count += 1
    book.save(to)
    return count


def as_csv(table: Table, found: Sequence[Any]) -> bytes:
    text = io.StringIO(newline="")
    write_csv(table, found, text)
    return text.getvalue().encode()


def as_xlsx(table: Table, found: Sequence[Any]) -> bytes:
    made = io.BytesIO()
    write_xlsx(table, found, made)
    return made.getvalue()


def _page(connection: Connection, wanted: Wanted, after: int) -> list[Any]:
    statement = (
        select(
            cases,
            staff.c.login,
            contacts.c.external_id.label("customer"),
            contacts.c.segment,
            conversations.c.channel,
        )
        .join(contacts, contacts.c.id == cases.c.contact_id)
        .join(conversations, conversations.c.id == cases.c.conversation_id)
        .outerjoin(staff, staff.c.id == cases.c.owner_id)
        .where(cases.c.id > after, *conditions(wanted))
        .order_by(cases.c.id)
        .limit(PAGE)
    )
    return list(connection.execute(statement).all())


def _masked(name: str) -> Callable[[Any], Any]:
    return lambda row: None if getattr(row, name) is None else mask(getattr(row, name))


def _plain(name: str) -> Callable[[Any], Any]:
    return lambda row: getattr(row, name)


def _told(row: Any) -> str:
    return mask("; ".join(f"{name}: {value}" for name, value in (row.fields or {}).items()))


_SHEET = Words("工单", "Cases")
_COLUMNS: tuple[tuple[Words, Callable[[Any], Any]], ...] = (
    (Words("工单号", "Number"), lambda row: numbers.number(row.id)),
    (Words("状态", "State"), _plain("state")),
    (Words("紧急程度", "Urgency"), _plain("urgency")),
    (Words("部门", "Department"), _plain("department")),
    (Words("负责人", "Owner"), _plain("login")),
    (Words("客户编号", "Customer"), _plain("customer")),
    (Words("客户分层", "Segment"), _plain("segment")),
    (Words("渠道", "Channel"), _plain("channel")),
    (Words("来源", "Origin"), _plain("origin")),
    (Words("标题", "Title"), _masked("title")),
    (Words("类别", "Nature"), lambda row: ", ".join(row.nature)),
    (Words("方面", "Aspect"), lambda row: ", ".join(row.aspect)),
    (Words("客户提供", "Told"), _told),
    (Words("受理时间", "Opened"), _plain("opened_at")),
    (Words("首次回复时限", "Respond by"), _plain("respond_by")),
    (Words("首次回复", "Responded"), _plain("responded_at")),
    (Words("办结时间", "Resolved"), _plain("resolved_at")),
    (Words("关闭时间", "Closed"), _plain("closed_at")),
    (Words("第几次办理", "Attempt"), _plain("attempt")),
    (Words("反映次数", "Reports"), _plain("reports")),
    (Words("回访评分", "Score"), _plain("score")),
    (Words("方案", "Plan"), _masked("plan")),
    (Words("原因", "Cause"), _masked("cause")),
    (Words("对策", "Countermeasure"), _masked("countermeasure")),
    (Words("结果", "Result"), _masked("result")),
    (
        Words("并入工单", "Merged into"),
        lambda row: numbers.number(row.merged_into) if row.merged_into is not None else None,
    ),
)
