"""Episodes as rows of a table, CSV or XLSX: each row is what POST /episodes takes, or is refused with its line and why.

The first row names the columns, in English or Chinese. A time without a zone is the office's. Of several addresses the
further ones stand in `channel_2`, `address_2` and so on; an account may be left out where a channel has just one.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from bot.api.episodes import NOT_ADDRESSES, EpisodeIn

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "external_id": ("服务编号", "编号"),
    "touchpoint": ("触点", "服务触点"),
    "ended_at": ("结束时间", "服务结束时间"),
    "agent": ("客服", "服务人员"),
    "product": ("产品",),
    "region": ("地区", "区域"),
    "business_line": ("业务线",),
    "survey": ("问卷",),
    "customer_id": ("客户编号", "客户号"),
    "customer_name": ("客户姓名", "姓名"),
    "language": ("语言",),
    "segment": ("客户分层", "客户等级"),
    "revenue": ("营收", "消费金额"),
    "channel": ("渠道",),
    "account": ("账号", "帐号"),
    "address": ("地址", "联系地址"),
}
"""What a column may be called beside its own name."""
NEEDED = ("external_id", "touchpoint", "ended_at", "customer_id")
_CUSTOMER = {"customer_id": "id", "customer_name": "name", "language": "language", "segment": "segment"}
_NUMBERED = ("channel", "account", "address")
_MOST_ADDRESSES = 20
_WIDEST = 200  # columns that are looked at
_MOMENT = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?[ T](\d{1,2}):(\d{2})(?::(\d{2}))?")


class FileError(ValueError):
    """The file as a whole cannot be used; the message says what to do. `code` is stable."""

    def __init__(self, message: str, code: str = "unreadable") -> None:
        super().__init__(message)
        self.code = code


class RowError(ValueError):
    """One row cannot be taken; the message names columns."""


@dataclass(frozen=True, slots=True)
class Row:
    """`line` is that of the file, as an editor or a spreadsheet counts. `cells` by our column names, empty ones out;
    `told`: all of it as it stands there, up to the last cell that is filled."""

    line: int
    cells: Mapping[str, Any]
    told: Sequence[Any] = ()


def rows_of(
    path: Path, columns: Mapping[str, tuple[str, ...]] = COLUMNS, needed: Sequence[str] = NEEDED
) -> Iterator[Row]:
    """The rows of a .csv or .xlsx file that are not empty. `columns`: what each may be called beside its own name;
    `needed`: those that must be there. Raises FileError."""
    names: list[str | None] | None = None
    for line, cells in _lines(path):
        if not any(str(cell).strip() for cell in cells if cell is not None):
            continue
        if names is None:
            names = _names(path, cells, columns, needed)
            continue
        found = {
            name: cell.strip() if isinstance(cell, str) else cell
            for name, cell in zip(names, cells, strict=False)
            if name is not None and cell is not None and str(cell).strip()
        }
        yield Row(line, found, _filled(cells))
    if names is None:
        raise FileError(f"{path.name} is empty: its first row names the columns, at least {', '.join(needed)}", "empty")


def heading(path: Path) -> list[str]:
    """The names of the columns as the file has them, also of those that mean nothing to us. Raises FileError."""
    first = (cells for _, cells in _lines(path) if any(str(cell).strip() for cell in cells if cell is not None))
    return [written(cell) for cell in _filled(next(first, ()))]


def written(cell: Any) -> str:
    """A cell as it is written into a table of text, to be read from there as the same."""
    return "" if cell is None else word(cell)


def episode_of(row: Row, accounts: Mapping[str, Sequence[str]], zone: ZoneInfo) -> EpisodeIn:
    """What the row reports. `accounts`: those of each channel of the settings. Raises RowError."""
    cells = row.cells
    missing = [name for name in NEEDED if name not in cells]
    if missing:
        raise RowError(f"{', '.join(missing)}: empty")
    told: dict[str, Any] = {
        name: word(cells[name])
        for name in ("external_id", "touchpoint", "agent", "product", "region", "business_line", "survey")
        if name in cells
    }
    told["ended_at"] = moment(cells["ended_at"], zone)
    customer: dict[str, Any] = {field: word(cells[name]) for name, field in _CUSTOMER.items() if name in cells}
    if "revenue" in cells:
        customer["revenue"] = _amount(cells["revenue"])
    customer["addresses"] = list(_addresses(cells, accounts))
    try:
        return EpisodeIn.model_validate(told | {"customer": customer})
    except ValidationError as error:
        raise RowError("; ".join(f"{_column(each['loc'])}: {each['msg']}" for each in error.errors())) from None


# ---- cells ----


def word(cell: Any) -> str:
    """As it was meant: a spreadsheet turns 4711 into 4711.0."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def moment(cell: Any, zone: ZoneInfo) -> str:
    """A time as RFC 3339 writes it; one without a zone is the office's. Raises RowError."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=cell.tzinfo or zone).isoformat()
    if isinstance(cell, date):
        raise RowError("ended_at: a day is not enough, add the time: 2026-03-05 10:00")
    said = str(cell)
    parts = _MOMENT.fullmatch(said)
    try:
        if parts:
            year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=zone).isoformat()
        if re.search(r"\d[ T]\d", said):
            found = datetime.fromisoformat(said)
            return found.replace(tzinfo=found.tzinfo or zone).isoformat()
    except ValueError:
        pass
    raise RowError(f"ended_at: '{said[:40]}' is no time: write 2026-03-05 10:00, or 2026-03-05T10:00:00+08:00")


def _amount(cell: Any) -> float:
    try:
        return float(str(cell).replace(",", "").replace("，", ""))
    except ValueError:
        raise RowError(f"revenue: '{str(cell)[:40]}' is no number") from None


def _addresses(cells: Mapping[str, Any], accounts: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    for number in range(1, _MOST_ADDRESSES + 1):
        channel, account, address = (
            word(cells[name]) if (name := part if number == 1 else f"{part}_{number}") in cells else ""
            for part in _NUMBERED
        )
        if not channel and not address:
            continue
        if not channel or not address:
            raise RowError(f"channel and address go together ({'channel' if address else 'address'} is empty)")
        known = accounts.get(channel)
        if not known:
            raise RowError(f"channel: there is no '{channel[:40]}'; there is {', '.join(sorted(accounts))}")
        if not account and len(known) > 1:
            raise RowError(f"account: {channel} has several, say which: {', '.join(known)}")
        if account and account not in known:
            raise RowError(f"account: {channel} has no '{account[:40]}'; there is {', '.join(known)}")
        if address.startswith(NOT_ADDRESSES):
            raise RowError("address: a public comment is not an address of a customer")
        yield {"channel": channel, "account": account or known[0], "address": address}


def _column(place: tuple[int | str, ...]) -> str:
    """The column that a value of the body came from."""
    if place[:1] != ("customer",):
        return str(place[0]) if place else "row"
    if len(place) > 3:
        number = int(place[2]) + 1
        return f"{place[3]}" if number == 1 else f"{place[3]}_{number}"
    return next((name for name, field in _CUSTOMER.items() if place[1:2] == (field,)), str(place[-1]))


# ---- the file ----


def _filled(cells: Sequence[Any]) -> Sequence[Any]:
    """Without the empty ones at the end, of which a workbook has as many as we look at."""
    last = max((place for place, cell in enumerate(cells, start=1) if cell not in (None, "")), default=0)
    return cells[:last]


def _lines(path: Path) -> Iterator[tuple[int, Sequence[Any]]]:
    return _sheet(path) if path.suffix.lower() in (".xlsx", ".xlsm") else _text(path)


def _names(
    path: Path, cells: Sequence[Any], columns: Mapping[str, tuple[str, ...]], needed: Sequence[str]
) -> list[str | None]:
    known = {other: name for name, others in columns.items() for other in (name, *others)}
    found: list[str | None] = []
    for cell in cells[:_WIDEST]:
        said = str(cell or "").strip().lower().replace(" ", "_")
        base, _, number = said.rpartition("_")
        if number.isdecimal() and base in known and known[base] in _NUMBERED:
            found.append(known[base] if int(number) == 1 else f"{known[base]}_{int(number)}")
        else:
            found.append(known.get(said))
    missing = [name for name in needed if name not in found]
    if missing:
        raise FileError(
            f"{path.name} has no column {', '.join(missing)}. Its first row names the columns; known are "
            f"{', '.join(columns)}",
            "columns",
        )
    return found


def _text(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror})") from None
    for encoding in ("utf-8-sig", "gb18030"):  # what spreadsheets in China save by themselves
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise FileError(f"{path.name} is neither UTF-8 nor GB 18030: save it as CSV UTF-8, or as .xlsx", "encoding")
    if "\0" in text:
        raise FileError(f"{path.name} is no text: save it as CSV UTF-8, or as .xlsx", "encoding")
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileError(f"{path.name}, line {line}: {error}") from None


def _sheet(path: Path) -> Iterator[tuple[int, Sequence[Any]]]:
    from openpyxl import load_workbook  # noqa: PLC0415 - a quarter of a second that only a workbook should cost
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror or error})") from None
    except (BadZipFile, InvalidFileException, KeyError, ValueError):
        raise FileError(f"{path.name} is no .xlsx workbook: save it anew from your spreadsheet", "workbook") from None
    try:
        sheet = book.worksheets[0]
        yield from enumerate(sheet.iter_rows(values_only=True, max_col=_WIDEST), start=1)
    finally:
        book.close()
