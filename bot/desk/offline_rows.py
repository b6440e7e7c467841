"""Entries as rows of a table, CSV or XLSX, and as the fields of the form: what is wrong is named by its field."""

from __future__ import annotations

import hashlib
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot.api.episode_rows import FileError, Row, RowError, moment, rows_of, word
from bot.desk.offline import WHERE, Entry, Where
from bot.surveys.definitions import Definition
from nlu.understanding import Language
from storage.types import clean

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "where": ("channel", "渠道", "来源"),
    "words": ("text", "feedback", "内容", "反馈内容", "意见"),
    "rating": ("score", "评分", "评价", "星级"),
    "said_at": ("time", "date", "时间", "日期"),
    "external_id": ("id", "编号"),
    "customer_id": ("客户编号", "客户号"),
    "name": ("customer_name", "客户姓名", "姓名"),
    "phone": ("电话", "手机"),
    "email": ("邮箱",),
    "order_number": ("order", "订单号"),
    "consent": ("同意联系", "同意"),
    "language": ("语言",),
}
"""What a column may be called beside its own name."""

MOST = 1_000
"""Rows of one file."""

UNPACKED = 50_000_000
"""Bytes that a workbook may have once it is unpacked."""

_LIMITS = {"words": 4_000, "name": 100, "phone": 40, "email": 200, "order_number": 60, "customer_id": 200}
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]{2,}")
_PHONE = re.compile(r"\+?[\d ().\u2010-\u2015-]{5,30}")
_KEY = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
_PLACES = {"hotline": "hotline", "热线": "hotline", "电话": "hotline", "store": "store", "shop": "store"} | {
    "门店": "store",
    "interview": "interview",
    "访谈": "interview",
    "paper": "paper",
    "纸质": "paper",
    "意见箱": "paper",
}
_YES = frozenset({"1", "yes", "y", "true", "on", "是", "同意", "√", "✓"})
_NO = frozenset({"", "0", "no", "n", "false", "否", "不同意", "×"})


class Wrong(ValueError):
    """An entry that cannot be taken; `code` names the text `offline.<code>` that says what to do."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


@dataclass(slots=True)
class Table:
    """What a file holds: the good rows, and the others by line with what is wrong."""

    entries: list[Entry] = field(default_factory=list)
    refused: list[tuple[int, Wrong]] = field(default_factory=list)
    by_where: Counter[str] = field(default_factory=Counter)
    rated: int = 0


def entry_of(
    cells: Mapping[str, Any], key: str, language: Language, definition: Definition | None, zone: ZoneInfo, now: datetime
) -> Entry:
    """What the fields say. Raises Wrong."""
    texts = {name: clean(word(cells[name]).strip()) for name in _LIMITS if name in cells}
    for name, longest in _LIMITS.items():
        if len(texts.get(name, "")) > longest:
            raise Wrong("too_long", field=name, count=longest)
    value = _value(cells.get("rating", ""), definition)
    if not texts.get("words") and value is None:
        raise Wrong("nothing")
    given = {name: text for name, text in texts.items() if text and name != "words"}
    phone, email = given.get("phone", ""), given.get("email", "")
    if phone and not (_PHONE.fullmatch(phone) and sum(sign.isdigit() for sign in phone) >= 5):
        raise Wrong("bad_phone")
    if email and not _EMAIL.fullmatch(email):
        raise Wrong("bad_email")
    if (phone or email) and not _consent(cells.get("consent", "")):
        raise Wrong("no_consent")
    return Entry(
        where=_where(cells.get("where", "")),
        key=key,
        words=texts.get("words", ""),
        value=value,
        language=_language(cells.get("language", ""), language),
        said_at=_said_at(cells.get("said_at", ""), zone, now),
        **given,
    )


def table_of(
    name: str,
    content: bytes,
    where: str,
    language: Language,
    definition: Definition | None,
    zone: ZoneInfo,
    now: datetime,
) -> Table:
    """The entries of a file that was uploaded; `where` and `language` count for rows that do not say. Raises FileError,
    whose `code` names the text `offline.file_<code>`."""
    suffix = Path(name).suffix.lower()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("upload.xlsx" if suffix in (".xlsx", ".xlsm") else "upload.csv")
        path.write_bytes(content)
        if path.suffix == ".xlsx":
            _bounded(path)
        return _read(rows_of(path, COLUMNS, ()), where, language, definition, zone, now)


def _read(
    rows: Iterator[Row], where: str, language: Language, definition: Definition | None, zone: ZoneInfo, now: datetime
) -> Table:
    found, seen = Table(), dict[str, int]()
    for count, row in enumerate(rows):
        if count >= MOST:
            raise FileError("too many rows", "too_many")
        cells = {"where": where} | dict(row.cells)
        try:
            key = _key(cells)
            first = seen.setdefault(key, row.line)
            if first != row.line:
                raise Wrong("twice", line=first)
            entry = entry_of(cells, key, language, definition, zone, now)
        except Wrong as wrong:
            found.refused.append((row.line, wrong))
            continue
        found.entries.append(entry)
        found.by_where[entry.where] += 1
        found.rated += entry.value is not None
    if not found.entries and not found.refused:
        raise FileError("no rows", "empty")
    if not found.entries and all(wrong.code == "nothing" for _, wrong in found.refused):
        raise FileError("no column of words or ratings", "columns")
    return found


def _key(cells: Mapping[str, Any]) -> str:
    """The file's own id of a row, or what the row says: imported again it is the same entry."""
    if "external_id" in cells:
        given = clean(word(cells["external_id"]).strip())
        if not _KEY.fullmatch(given):
            raise Wrong("bad_id")
        return given
    said = "\n".join(f"{name}={word(cells[name])}" for name in sorted(cells))
    return f"row-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def _bounded(path: Path) -> None:
    """A small workbook may unpack to a very large one."""
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(each.file_size for each in packed.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        raise FileError("no workbook", "workbook") from None
    if size > UNPACKED:
        raise FileError("too large once unpacked", "too_many")


# ---- fields ----


def _where(cell: Any) -> Where:
    found = _PLACES.get(str(cell).strip().lower())
    for where in WHERE:
        if where == found:
            return where
    raise Wrong("bad_where")


def _value(cell: Any, definition: Definition | None) -> int | None:
    said = word(cell).strip().removesuffix("星").removesuffix("分").strip()
    if not said:
        return None
    values = {str(value): value for value in definition.scale.values} if definition else {}
    if said not in values:
        raise Wrong("bad_rating", lowest=min(values, default=1), highest=max(values, default=5))
    return values[said]


def _consent(cell: Any) -> bool:
    said = word(cell).strip().lower()
    if said not in _YES and said not in _NO:
        raise Wrong("bad_consent")
    return said in _YES


def _language(cell: Any, otherwise: Language) -> Language:
    said = str(cell).strip().lower()
    return "zh" if said.startswith(("zh", "中")) else "en" if said.startswith(("en", "英")) else otherwise


def _said_at(cell: Any, zone: ZoneInfo, now: datetime) -> datetime | None:
    """A day alone, as paper has it, is its noon."""
    if isinstance(cell, date) and not isinstance(cell, datetime):
        cell = datetime.combine(cell, time(12), zone)
    said = str(cell).strip()
    if not said:
        return None
    if isinstance(cell, str) and re.fullmatch(r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?", said):
        cell = f"{said} 12:00"
    try:
        found = datetime.fromisoformat(moment(cell, zone))
    except RowError:
        raise Wrong("bad_time") from None
    if found > now or found.year < 2000:
        raise Wrong("bad_time")
    return found.astimezone(UTC)
