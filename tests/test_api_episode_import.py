"""Episodes from a table: CSV and XLSX as spreadsheets save them, rows refused with their line, nothing told twice."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from api_parts import Place
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from bot.api.episode_import import AT_ONCE, Report, take
from bot.api.episode_rows import FileError, Row, RowError, episode_of, heading, rows_of, written
from bot.cli import main
from bot.cli_import import WHERE, WHY
from storage import tables
from storage.database import Database

ZONE = ZoneInfo("Asia/Shanghai")
ACCOUNTS = {"sms": ["a"], "telegram": ["main", "shop"]}
HEAD = ["external_id", "touchpoint", "ended_at", "customer_id", "segment", "channel", "address"]


def line(number: int, **changes: str) -> list[str]:
    told = dict(
        zip(
            HEAD,
            [f"e{number}", "store", "2026-03-05 10:00", f"c{number}", "", "sms", f"+861380013{number:04}"],
            strict=True,
        )
    )
    return list((told | changes).values())


def table(path: Path, *rows: list[Any], head: list[str] | None = None, encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([HEAD if head is None else head, *rows])
    return path


def row(**cells: Any) -> Row:
    needed = {"external_id": "e1", "touchpoint": "store", "ended_at": "2026-03-05 10:00", "customer_id": "c1"}
    return Row(2, {name: cell for name, cell in (needed | cells).items() if cell is not None})


# ---- reading ----


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_is_read_as_spreadsheets_in_china_save_it(tmp_path: Path, encoding: str) -> None:
    """By Chinese names of columns, in their own encoding; a cell over two lines keeps the count of lines right."""
    head = ["编号", "触点", "结束时间", "客户编号", "姓名", "渠道", "地址", "备注"]
    rows = [
        ["a1", "门店", "2026/3/5 10:00", "c1", "李雷", "sms", "+8613800138000", "一行\n两行"],
        ["", "", "", "", "", "", "", ""],
        ["a2", "热线", "2026年3月5日 10:30", "c2", "韩梅梅", "", "", ""],
    ]
    found = list(rows_of(table(tmp_path / "t.csv", *rows, head=head, encoding=encoding)))
    assert [each.line for each in found] == [2, 5]
    one, two = (episode_of(each, ACCOUNTS, ZONE) for each in found)
    assert (one.external_id, one.customer.name, one.touchpoint) == ("a1", "李雷", "门店")
    assert one.ended_at == datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
    assert [(each.channel, each.account) for each in one.customer.addresses] == [("sms", "a")]
    assert two.customer.addresses == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_whatever_stands_between_the_cells_is_found(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(delimiter.join(each) for each in (HEAD, line(1))), encoding="utf-8")
    assert [each.cells["external_id"] for each in rows_of(path)] == ["e1"]


def test_a_line_ends_where_a_spreadsheet_ends_it(tmp_path: Path) -> None:
    """A line separator, a form feed or a quoted line end within a name is a part of the name."""
    names = ["Li\u2028Si", "a\x0cb", "a\x85b", "two\nlines"]
    rows = [[*line(n), name] for n, name in enumerate(names)]
    path = table(tmp_path / "t.csv", *rows, head=[*HEAD, "customer_name"])
    assert [found.cells["customer_name"] for found in rows_of(path)] == names


def test_a_workbook_is_read_with_its_dates_and_numbers(tmp_path: Path) -> None:
    """A spreadsheet keeps a time as a time and turns 4711 into a number; formulas are their values."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([*HEAD, "revenue"])
    sheet.append([4711, "store", datetime(2026, 3, 5, 10, 0), 12.0, "high_value", "sms", "+1", 1234.5])  # noqa: DTZ001 - as in a cell
    book.save(tmp_path / "t.xlsx")
    [found] = rows_of(tmp_path / "t.xlsx")
    said = episode_of(found, ACCOUNTS, ZONE)
    assert (found.line, said.external_id, said.customer.id, said.customer.revenue) == (2, "4711", "12", 1234.5)
    assert said.ended_at == datetime(2026, 3, 5, 2, 0, tzinfo=UTC)


def test_further_addresses_stand_in_further_columns_in_order() -> None:
    said = episode_of(
        row(channel="telegram", account="shop", address="42", channel_2="sms", address_2="+1"), ACCOUNTS, ZONE
    )
    assert [(a.channel, a.account, a.address) for a in said.customer.addresses] == [
        ("telegram", "shop", "42"),
        ("sms", "a", "+1"),
    ]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"customer_id": None}, "customer_id: empty"),
        ({"ended_at": "yesterday"}, "ended_at: 'yesterday' is no time: write 2026-03-05 10:00"),
        ({"ended_at": "2026-13-05 10:00"}, "ended_at: '2026-13-05 10:00' is no time"),
        ({"ended_at": "2026-03-05"}, "ended_at: '2026-03-05' is no time"),
        ({"ended_at": date(2026, 3, 5)}, "ended_at: a day is not enough"),
        ({"revenue": "much"}, "revenue: 'much' is no number"),
        ({"revenue": "nan"}, "revenue: Value error, write a finite number"),
        ({"channel": "sms"}, "channel and address go together (address is empty)"),
        ({"address": "+1"}, "channel and address go together (channel is empty)"),
        ({"channel": "pigeon", "address": "1"}, "channel: there is no 'pigeon'; there is sms, telegram"),
        ({"channel": "telegram", "address": "1"}, "account: telegram has several, say which: main, shop"),
        ({"channel": "telegram", "account": "x", "address": "1"}, "account: telegram has no 'x'"),
        ({"channel": "sms", "address": "comment:1"}, "a public comment is not an address"),
        ({"touchpoint": "x" * 101}, "touchpoint: String should have at most 100 characters"),
        ({"language": "中文"}, "language: String should match pattern"),
        ({"channel": "sms", "address": "+1", "channel_2": "sms", "address_2": "x" * 301}, "address_2: String"),
    ],
)
def test_a_row_that_cannot_be_taken_names_its_column_and_why(cells: dict[str, Any], why: str) -> None:
    with pytest.raises(RowError) as refused:
        episode_of(row(**cells), ACCOUNTS, ZONE)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("t.csv", b"", "t.csv is empty"),
        ("t.csv", b"\xff\xff\xff\xff", "neither UTF-8 nor GB 18030"),
        ("t.csv", b"a\0b", "is no text"),
        ("t.csv", b"name,age\n1,2", "has no column external_id, touchpoint, ended_at, customer_id"),
        ("t.csv", ",".join(HEAD).encode() + b"\n" + b'"' + b"x" * 200_000, "line 2: field larger than field limit"),
        ("t.xlsx", b"not a workbook", "is no .xlsx workbook"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_words(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError) as refused:
        list(rows_of(tmp_path / name))
    assert why in str(refused.value)


@settings(deadline=None, max_examples=80)
@given(st.dictionaries(st.sampled_from([*HEAD, "revenue", "language", "channel_2"]), st.text(max_size=30)))
def test_whatever_a_row_holds_it_is_taken_or_refused(cells: dict[str, str]) -> None:
    """Never anything else."""
    try:
        said = episode_of(row(**{name: cell for name, cell in cells.items() if cell.strip()}), ACCOUNTS, ZONE)
    except RowError:
        return
    assert said.external_id


# ---- taking in ----


async def import_(place: Place, path: Path, *, dry_run: bool = False) -> Report:
    return await take(place.service, rows_of(path), lambda done: None, dry_run=dry_run)


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


async def test_a_table_is_taken_in_once_and_its_customers_are_asked(place: Place, tmp_path: Path) -> None:
    """Refused rows are named by line and harm no other; a dry run writes nothing; told again, nothing changes."""
    good = [line(number) for number in range(AT_ONCE + 5)]
    bad = [line(900, ended_at="soon"), line(3), line(901, channel="pigeon")]
    path = table(tmp_path / "t.csv", *good[:3], *bad[:1], *good[3:], *bad[1:])
    dry = await import_(place, path, dry_run=True)
    assert (dry.new, dry.known, len(dry.refused)) == (len(good), 0, 3)
    assert await place.count(tables.episodes) == await place.count(tables.contacts) == 0
    report = await import_(place, path)
    assert (report.new, report.refused) == (len(good), dry.refused)
    assert [number for number, _ in report.refused] == [5, len(good) + 3, len(good) + 4]
    assert "line 6 has the same" in report.refused[1][1]
    assert report.decided == {"planned": len(good)}
    await place.service.settle()
    assert len(place.sent("sms")) == len(good)
    again = await import_(place, path)
    assert (again.new, again.known) == (0, len(good))
    await place.service.settle()
    assert len(place.sent("sms")) == len(good)


async def test_history_is_kept_and_asks_nobody(place: Place, tmp_path: Path) -> None:
    """Whoever's service is older than the survey lives is not asked, and the report says so."""
    report = await import_(place, table(tmp_path / "t.csv", *(line(n, ended_at="2025-01-05 10:00") for n in range(3))))
    assert report.decided == {"too_old": 3}
    await place.service.settle()
    assert place.sent("sms") == []


async def test_two_imports_of_the_same_table_at_once_keep_each_episode_once(place: Place, tmp_path: Path) -> None:
    """Of two processes, over both databases."""
    import asyncio

    other = Place(place.database, place.clock)
    path = table(tmp_path / "t.csv", *(line(number) for number in range(40)))
    reports = await asyncio.gather(import_(place, path), import_(other, path))
    assert all(report.refused == [] for report in reports)
    assert await place.count(tables.episodes) == await place.count(tables.surveys) == 40


def test_the_command_reports_what_became_of_the_table(tmp_path: Path) -> None:
    """In counts, with refused rows by line on standard error, and all of them, as they were, in a file of their own:
    mended there it is imported, however often it takes."""
    head = [*HEAD, "备注"]
    rows = [
        [*line(n, ended_at=at, channel="", address=""), "x, “y”\n2"]
        for n, at in enumerate(["2026-03-05 10:00", "soon"])
    ]
    path, bad, worse = table(tmp_path / "t.csv", *rows, head=head), tmp_path / "bad.csv", tmp_path / "worse.csv"
    environment = {"EARFUL_DATA_DIR": str(tmp_path / "data")}

    def earful(*given: str | Path) -> Result:
        return CliRunner().invoke(main, ["import", *map(str, given)], env=environment)

    told = earful(path, "--refused", bad)
    assert told.exit_code == 1, told.output
    assert "1 taken, 0 known before, 1 refused." in told.output
    assert "line 4: ended_at: 'soon' is no time" in told.output
    assert "bad.csv has the refused rows" in told.output
    bad.write_text(bad.read_text("utf-8-sig").replace("soon", "later"), "utf-8")
    assert earful(bad, "--refused", worse).exit_code == 1
    with worse.open(encoding="utf-8-sig", newline="") as file:
        names, (where, why, *cells) = csv.reader(file)
    assert (names, where, why.partition(":")[0]) == ([WHERE, WHY, *head], "2", "ended_at")
    assert cells == ["later" if cell == "soon" else cell for cell in rows[1]]
    assert "give it another name" in earful(worse, "--refused", worse).output
    worse.write_text(worse.read_text("utf-8-sig").replace("later", "2026-03-05 10:00"), "utf-8")
    assert "1 taken, 0 known before, 0 refused." in earful(worse).output


def test_a_workbooks_refused_rows_can_be_imported_too(tmp_path: Path) -> None:
    """Times and numbers come out of the table of text as they went in."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["external_id", "touchpoint", "ended_at", "customer_id", "revenue"])
    sheet.append([4711, "store", datetime(2026, 3, 5, 10, 30, tzinfo=UTC).replace(tzinfo=None), 12.0, "much"])
    book.save(tmp_path / "t.xlsx")
    names, [row] = heading(tmp_path / "t.xlsx"), list(rows_of(tmp_path / "t.xlsx"))
    assert len(names) == len(row.told) == 5  # not the hundreds of columns that were looked at
    told = dict(zip(names, map(written, row.told), strict=True))
    again = table(tmp_path / "again.csv", list((told | {"revenue": "99"}).values()), head=names)
    [mended] = list(rows_of(again))
    found = episode_of(mended, {}, ZoneInfo("Asia/Shanghai"))
    assert (found.external_id, found.customer.id, found.customer.revenue) == ("4711", "12", 99)
    assert found.ended_at == datetime(2026, 3, 5, 2, 30, tzinfo=UTC)
