"""Improvements: what is worth doing first, what they collect, and whether the figures say that they helped."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from api_parts import Place
from hypothesis import given
from hypothesis import strategies as st
from loop_parts import START
from sqlalchemy import Connection, insert

from bot.cases import numbers
from bot.improvements import rules
from bot.improvements.rules import Period
from storage import tables
from storage.database import Database, open_database
from storage.dump import backup, restore

GRADES = st.integers(1, 5)
TOPIC = "logistics:loss"
NEW = {"title": "Stronger boxes", "topic": TOPIC, "measure": "Double walls", "impact": 5, "difficulty": 2}


@given(GRADES, GRADES)
def test_every_pair_of_grades_has_its_quadrant_and_its_place(impact: int, difficulty: int) -> None:
    """High impact and low difficulty come first, whatever else there is."""
    quick = rules.place(5, 1)
    assert quick <= rules.place(impact, difficulty)
    assert (rules.quadrant(impact, difficulty) == "quick_win") == (impact >= 4 and difficulty <= 3)
    if impact > 1:
        assert rules.place(impact, difficulty) < rules.place(impact - 1, difficulty)


def ratings(*scores: float) -> dict[str, Any]:
    return {"rated": len(scores), "total": sum(scores), "squares": sum(each * each for each in scores)}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Period(30, 60), Period(30, 20), "better"),
        (Period(30, 20), Period(30, 60), "worse"),
        (Period(30, 60), Period(29, 1), "too_early"),
        (Period(30, 3), Period(30, 1), "unclear"),
        (Period(30, 0), Period(30, 0), "unclear"),
        (Period(30, 20, **ratings(*[40, 60] * 10)), Period(30, 20, **ratings(*[80, 100] * 10)), "better"),
        (Period(30, 60, **ratings(*[80, 100] * 10)), Period(30, 20, **ratings(*[40, 60] * 10)), "worse"),
        (Period(30, 20, **ratings(20, 100)), Period(30, 20, **ratings(100, 100)), "unclear"),
    ],
)
def test_a_verdict_needs_more_than_chance(before: Period, after: Period, expected: str) -> None:
    """Told less often, or rated better; a handful shows nothing, and worse in one outweighs better in the other."""
    assert rules.verdict(before, after) == expected


def test_the_test_of_rates_is_the_exact_one() -> None:
    """Against figures worked out by hand: 1 of 12 at an even share has a two-sided probability of 26/4096."""
    assert rules._binomial(1, 12, 0.5) == pytest.approx(13 / 4096)
    assert rules.rate_change(Period(30, 11), Period(30, 1)) == -1
    assert rules.rate_change(Period(30, 8), Period(30, 4)) == 0
    assert rules.rate_change(Period(30, 40_000), Period(30, 41_000)) == 1


async def told(place: Place, many: int, after: timedelta, score: float, contact: int = 1) -> None:
    """Cases of the topic, each with a rating, a minute apart from `after` the start on."""

    def work(connection: Connection) -> None:
        for n in range(many):
            at = START + after + timedelta(minutes=n)
            case = {
                "contact_id": contact,
                "conversation_id": 1,
                "origin": "conversation",
                "state": "closed",
                "title": "damaged",
                "nature": ["logistics"],
                "aspect": ["loss"],
                "urgency": "normal",
                "topic": TOPIC,
                "fields": {},
                "language": "en",
                "opened_at": at,
                "respond_by": at,
            }
            id = connection.execute(insert(tables.cases).values(case).returning(tables.cases.c.id)).scalar_one()
            survey = {
                "case_id": id,
                "contact_id": contact,
                "definition": "case_resolved",
                "state": "answered",
                "created_at": at,
            }
            asked = connection.execute(insert(tables.surveys).values(survey).returning(tables.surveys.c.id))
            rating = {"survey_id": asked.scalar_one(), "value": score, "score": score + n % 2, "source": "tap"}
            connection.execute(insert(tables.ratings).values(rating | {"received_at": at}))

    await place.database.write(work)


async def test_an_improvement_is_verified_by_its_topic_before_and_after(database: Database, tmp_path: Path) -> None:
    """It collects cases, which say so; done, too early, verified with sample sizes; opened again it is judged anew; a
    backup keeps all of it."""
    place = Place(database)
    await place.hire("anna")
    await place.say("hello", "emma")
    await told(place, 40, timedelta(days=-10), 40.0)
    await told(place, 5, timedelta(days=-60), 90.0)  # before the time before
    await told(place, 9, timedelta(days=5), 20.0)  # while it was being done
    async with place.client() as client:

        async def post(path: str, **body: Any) -> tuple[int, dict[str, Any]]:
            answer = await client.post(f"/api/v1/improvements{path}", json=body)
            return answer.status, await answer.json()

        due = (START + timedelta(days=20)).isoformat()
        status, made = await post("", **NEW, owner="anna", target="Half as many", due_at=due, agent="anna")
        assert (status, made["quadrant"], made["owner"], made["state"]) == (200, "quick_win", "anna", "open")
        numbered = numbers.number(1)
        status, found = await post("/1/cases", add=[numbered], since=(START - timedelta(days=90)).isoformat())
        assert (status, found["cases"]) == (200, 54)
        assert (await post("/1/cases", remove=[numbered]))[1]["cases"] == 53
        lines = [row["kind"] for row in await place.rows(tables.case_events) if row["case_id"] == 1]
        assert lines[-2:] == ["improvement", "improvement_left"]
        assert (await post("/1/verifications"))[1]["code"] == "not_done"
        assert (await post("/1/changes", state="verified"))[1]["code"] == "no_such_move"
        assert (await post("/1/changes", state="dropped"))[1]["code"] == "needs_reason"
        place.clock.advance(timedelta(days=20))
        status, found = await post("/1/changes", state="done", version=found["version"] + 1)
        assert (status, found["verdict"], found["before"]["volume"], found["before"]["ratings"]) == (
            200,
            "too_early",
            40,
            40,
        )
        assert (await post("/1/changes", impact=1, version=0))[1]["code"] == "moved_on"
        assert (await post("/1/verifications"))[1]["state"] == "done"
        await told(place, 12, timedelta(days=30), 90.0)
        place.clock.advance(timedelta(days=31))
        status, found = await post("/1/verifications", note="it holds", agent="anna")
        assert (status, found["state"], found["outcome"]["verdict"]) == (200, "verified", "better")
        after = found["outcome"]["after"]
        assert (after["volume"], after["ratings"], after["score"], after["small"]) == (12, 12, 90.5, True)
        assert found["outcome"]["before"]["score"] == 40.5
        assert (await post("/1/changes", impact=1))[1]["code"] == "over"
        assert (await post("/1/changes", state="in_progress"))[1]["outcome"] is None
    audited = [row["action"] for row in await place.rows(tables.audit) if row["subject"] == "improvement:1"]
    assert audited[0] == "improvement_made"
    assert "improvement_verified" in audited
    await backup(database, tmp_path / "b", START)
    other = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    await restore(other, tmp_path / "b", resume=True)
    for table in (tables.improvements, tables.improvement_cases):
        rows = await other.read(lambda c, table=table: c.execute(table.select().order_by(table.c.id)).mappings().all())  # type: ignore[misc]
        assert [dict(row) for row in rows] == await place.rows(table)
    await other.close()


async def test_the_matrix_says_what_is_worth_doing_first(database: Database) -> None:
    """Four quadrants, each in its order; what is no grade, no topic, nobody and no case is refused."""
    place = Place(database)
    async with place.client() as client:

        async def post(path: str, **body: Any) -> tuple[int, dict[str, Any]]:
            answer = await client.post(f"/api/v1/improvements{path}", json=body)
            return answer.status, await answer.json()

        for n, (impact, difficulty) in enumerate(((5, 2), (1, 5), (4, 5), (3, 1), (4, 1))):
            await post("", **NEW | {"impact": impact, "difficulty": difficulty, "title": f"No. {n}"})
        matrix = await (await client.get("/api/v1/improvements/matrix")).json()
        assert {name: [each["id"] for each in found] for name, found in matrix.items()} == {
            "quick_win": [1, 5],
            "major_project": [3],
            "fill_in": [4],
            "reconsider": [2],
        }
        listed = await (await client.get(f"/api/v1/improvements?state=open&topic={TOPIC}")).json()
        assert len(listed["items"]) == 5
        for path, body, status in (
            ("", NEW | {"impact": 6}, 422),
            ("", NEW | {"topic": "Anything"}, 422),
            ("", NEW | {"owner": "nobody"}, 422),
            ("/99/changes", {"impact": 1}, 404),
            ("/1/cases", {"add": [numbers.number(900)]}, 409),
            ("/1/cases", {"add": ["1008"]}, 422),
        ):
            assert (await post(path, **body))[0] == status, (path, body)
