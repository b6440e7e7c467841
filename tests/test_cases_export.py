"""Cases as lists under filters and saved views, and as files to take away."""

from __future__ import annotations

import asyncio
import csv
import io
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from api_parts import Place
from click.testing import CliRunner
from openpyxl import load_workbook
from sqlalchemy import update

from bot.cases import export
from bot.cases.filters import Wanted
from bot.cli import main
from storage import tables
from storage.database import Database

Client = TestClient[Any, Any]
LATE = "My parcel 12345678 has not arrived for two weeks, this is unacceptable, I want to complain!"
LOST = "The courier broke the phone on the way, the screen is cracked. I want to complain!"
RUDE = "Your clerk in the shop was so rude to me, I want to complain about the service!"


@pytest.fixture
async def place(database: Database) -> Place:
    """Two open cases and one that is settled."""
    made = Place(database)
    for thread, text in (("t1", LATE), ("t2", LOST), ("t3", RUDE)):
        await made.say(text, thread)
        made.clock.advance(timedelta(days=1))
    await change(made, 1, title='=HYPERLINK("http://evil.example","call 13812345678")', plan="+1 refund\x0bnow")
    for case, topic in ((1, "logistics:delay"), (2, "logistics:damage"), (3, "service:attitude")):
        await change(made, case, topic=topic)
    await change(made, 3, state="closed", closed_at=made.clock.now())
    return made


async def change(place: Place, case: int, **values: Any) -> None:
    statement = update(tables.cases).where(tables.cases.c.id == case).values(values)
    await place.database.write(lambda connection: connection.execute(statement).rowcount)


async def listed(client: Client, query: str) -> list[str]:
    answer = await client.get(f"/api/v1/cases?{query}")
    assert answer.status == 200, await answer.text()
    return [each["number"] for each in (await answer.json())["items"]]


async def test_filters_and_saved_views(place: Place) -> None:
    """A view is filters under a name; what is said beside it wins. One that is gone is no list of everything."""
    async with place.client() as client:
        every = await listed(client, "")
        assert len(every) == 3
        assert await listed(client, "open=true") == every[1:]
        assert await listed(client, "open=false") == every[:1]
        assert await listed(client, "owned=false&nature=service") == every[:1]
        assert await listed(client, "opened_before=2026-03-06T00:00:00Z") == every[2:]
        assert await listed(client, "opened_from=2026-03-06T00:00:00Z&open=true") == every[1:2]
        for where, at in ((tables.deadlines.c.id > 0, None), (tables.deadlines.c.case_id == 1, place.clock.now())):
            late = update(tables.deadlines).where(where).values(breached_at=at)
            await place.database.write(lambda connection, late=late: connection.execute(late).rowcount)  # type: ignore[misc]
        assert await listed(client, "overdue=true") == every[2:]
        assert await listed(client, "overdue=false") == every[:2]
        saved = {"name": "late parcels", "filter": {"nature": "logistics", "opened_before": "2026-03-06T00:00:00Z"}}
        assert (await client.post("/api/v1/case-views", json=saved)).status == 200
        assert await listed(client, "view=late%20parcels") == every[2:]
        assert await listed(client, "view=late%20parcels&opened_before=2026-03-07T00:00:00Z") == every[1:]
        saved["filter"] = {"opened_from": "2026-03-06T00:00:00Z"}
        assert (await client.post("/api/v1/case-views", json=saved)).status == 200
        found = (await (await client.get("/api/v1/case-views")).json())["items"]
        assert [each["name"] for each in found] == ["late parcels"]
        assert await listed(client, "view=late%20parcels") == every[:2]
        assert (await client.post("/api/v1/case-views", json={"name": "x", "filter": {"stat": "open"}})).status == 422
        assert (await client.post("/api/v1/case-views/remove", json={"name": "late parcels"})).status == 200
        assert (await client.get("/api/v1/cases?view=late%20parcels")).status == 404


async def test_cases_as_csv_and_xlsx(place: Place) -> None:
    """The same under the same filters, in the caller's language; personal data masked, and nothing that would run."""
    async with place.client() as client:
        answer = await client.get("/api/v1/cases.csv?open=true", headers={"Accept-Language": "zh-CN"})
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert 'filename="cases.csv"' in answer.headers["Content-Disposition"]
        text = (await answer.read()).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["状态"] for row in rows] == ["acknowledged", "acknowledged"]
        assert rows[0]["标题"].startswith("'=HYPERLINK")
        assert rows[0]["方案"] == "'+1 refundnow"
        assert "13812345678" not in text
        assert rows[0]["受理时间"] == "2026-03-05 10:00", "in the house's own zone"
        answer = await client.get("/api/v1/cases.xlsx?open=true")
        sheet = load_workbook(io.BytesIO(await answer.read())).worksheets[0]
        values = [list(row) for row in sheet.iter_rows(values_only=True)]
        assert values[0][:2] == ["Number", "State"]
        assert len(values) == 3
        assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
        assert (await client.get("/api/v1/cases.csv?limit=3")).status == 400
        assert (await client.get("/api/v1/cases.csv?view=none")).status == 404


async def test_a_file_of_too_many_cases_is_refused_with_what_to_do(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call waits for it; the command line writes all."""
    monkeypatch.setattr("bot.api.case_views.MOST", 2)
    async with place.client() as client:
        answer = await client.get("/api/v1/cases.csv")
        assert answer.status == 422
        assert "opened_from" in (await answer.json())["detail"]


async def test_pages_of_an_export_leave_nothing_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is cut."""
    monkeypatch.setattr(export, "PAGE", 1)
    found = await export.pages(place.database, Wanted(), 10)
    assert [each.id for each in found] == [1, 2, 3]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "=\x00cmd|' /C calc'!A0"])
def test_what_a_spreadsheet_would_run_stays_text(text: str) -> None:
    """Whatever sign it hides behind."""
    assert export.safe(text).startswith("'")


async def test_the_command_line_writes_files(tmp_path: Path, migrated_sqlite: Path) -> None:
    """An empty house has an empty table; a file of another kind, or an unknown view, is refused."""
    shutil.copyfile(migrated_sqlite, tmp_path / "earful.db")
    runner = CliRunner(env={"EARFUL_DATA_DIR": str(tmp_path), "EARFUL_LANGUAGE": "zh"})

    def called(*words: str) -> Any:
        return runner.invoke(main, ["export", *words])

    for name in ("cases.csv", "cases.xlsx"):
        result = await asyncio.to_thread(called, str(tmp_path / name), "--open", "--from", "2026-01-01")
        assert (result.exit_code, result.output) == (0, "0 cases.\n")
    assert (tmp_path / "cases.csv").read_text("utf-8-sig").startswith("工单号,")
    assert (await asyncio.to_thread(called, str(tmp_path / "cases.txt"))).exit_code == 2
    gone = await asyncio.to_thread(called, str(tmp_path / "x.csv"), "--view", "none")
    assert gone.exit_code == 1
    assert "there is no view" in gone.output
