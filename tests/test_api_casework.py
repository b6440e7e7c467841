"""Working on cases through the API: what is done stands there, what cannot be is refused with its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from api_parts import Place

from bot.cases import numbers
from storage import tables
from storage.database import Database

NUMBER = numbers.number(1)
Client = TestClient[Any, Any]


@pytest.fixture
async def place(database: Database) -> Place:
    """Something urgent was told."""
    made = Place(database)
    await made.hire("anna")
    await made.say("The charger caught fire and burned my hand, I am hurt", "emma")
    return made


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Client]:
    async with place.client() as made:
        yield made


async def post(client: Client, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = await client.post(f"/api/v1/{path}", json=body)
    return answer.status, await answer.json()


async def at_desk(place: Place, login: str, department: str) -> None:
    """They belong to this department, and their desk is open."""
    mine = tables.staff.update().where(tables.staff.c.login == login)
    await place.database.write(
        lambda connection: connection.execute(mine.values(department=department, seen_at=place.clock.now()))
    )


async def get(client: Client, path: str) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/{path}")
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def test_a_case_goes_its_way(client: Client) -> None:
    """Handed over, acknowledged, planned, resolved; read with its deadlines, tasks and timeline."""
    case = f"cases/{NUMBER}"
    handed = {"agent": "anna", "department": "quality", "required": "find out why"}
    status, found = await post(client, f"{case}/assignments", **handed)
    assert (status, found["state"], found["department"]) == (200, "assigned", "quality")
    [task] = [each for each in (await get(client, "tasks?open=true"))["items"] if each["kind"] == "hand_over"]
    assert (task["case"], task["required"], task["state"]) == (NUMBER, "find out why", "waiting")
    assert (await post(client, f"tasks/{task['id']}/moves", agent="anna", to="acknowledged"))[0] == 200
    status, refused = await post(client, f"tasks/{task['id']}/moves", to="acknowledged")
    assert (status, refused["code"]) == (409, "already")
    assert (await post(client, f"{case}/plans", plan="We pick it up"))[1]["state"] == "planned"
    assert (await post(client, f"{case}/findings", cause="A bad batch"))[1]["cause"] == "A bad batch"
    status, found = await post(client, f"{case}/resolutions", agent="anna", result="Picked up")
    assert (found["state"], found["result"], found["owner"]) == ("following_up", "Picked up", "anna")
    status, refused = await post(client, f"{case}/plans", plan="again")
    assert (status, refused["code"]) == (409, "no_such_move")
    detail = await get(client, case)
    assert {each["kind"] for each in detail["deadlines"]} >= {"first_response", "plan", "execution", "follow_up"}
    assert "task_acknowledged" in [each["kind"] for each in detail["timeline"]]


async def test_an_urgent_case_calls_people_until_somebody_takes_it(client: Client) -> None:
    """Once for each who is called; taken by one it calls nobody any more, and the next is told."""
    found = (await get(client, "alerts?taken=false&kind=urgent"))["items"]
    assert {each["audience"] for each in found} >= {"supervisor"}
    assert all(each["pages"] and each["case"] == NUMBER for each in found)
    path = f"alerts/{found[0]['id']}/take"
    assert await post(client, path, agent="anna") == (200, {"id": found[0]["id"]})
    status, refused = await post(client, path)
    assert (status, refused["code"]) == (409, "taken")
    assert (await get(client, "alerts?taken=false&kind=urgent"))["items"] == []


async def test_what_cannot_be_done_says_why(client: Client) -> None:
    """No such case, task or alert, a version that moved on, nobody of that name; nothing is changed."""
    before = await get(client, f"cases/{NUMBER}")
    assert (await post(client, f"cases/{numbers.number(77)}/starts"))[0] == 404
    assert (await post(client, "tasks/77/moves", to="done"))[0] == 404
    assert (await post(client, "alerts/77/take"))[0] == 404
    status, refused = await post(
        client, f"cases/{NUMBER}/starts", version=before["version"] - 1 if before["version"] else 5
    )
    assert (status, refused["code"]) == (409, "moved_on")
    assert (await post(client, f"cases/{NUMBER}/starts", agent="nobody"))[0] == 422
    assert (await post(client, f"cases/{NUMBER}/assignments", department="gone"))[1]["code"] == "no_department"
    assert (await post(client, f"cases/{NUMBER}/answers", score=101))[0] == 422
    assert await get(client, f"cases/{NUMBER}") == before


ACTS: dict[str, dict[str, Any]] = {
    "assignments": {"department": "quality"},
    "starts": {},
    "plans": {"plan": "我们上门取件。" * 250},
    "questions": {"question": "Which charger was it?"},
    "resumptions": {},
    "findings": {"cause": "A bad batch \U0001f50c\u0000 " * 90},
    "returns": {"reason": "not ours"},
    "resolutions": {"result": "Picked up"},
    "answers": {"score": 90},
}


async def test_whatever_is_done_to_a_case_twice_under_one_key_is_done_once(place: Place, client: Client) -> None:
    """However long the answer is, the repeat is answered the same; after two days nothing of it is kept."""
    await place.say("My other charger caught fire too", "otto")
    acts = [(f"cases/{numbers.number(2)}/mergers", {"into": NUMBER, "reason": "the same batch"})]
    acts += [(f"cases/{NUMBER}/{act}", body) for act, body in ACTS.items()]
    for path, body in acts:
        headers = {"Idempotency-Key": f"key {path}".replace(" ", "-")}
        first = await client.post(f"/api/v1/{path}", json=body, headers=headers)
        assert first.status == 200, await first.text()
        events = await place.count(tables.case_events)
        again = await client.post(f"/api/v1/{path}", json=body, headers=headers)
        assert (again.status, await again.json()) == (200, await first.json())
        assert await place.count(tables.case_events) == events
    place.clock.advance(timedelta(days=3))
    await client.post(f"/api/v1/cases/{NUMBER}/findings", json={"result": "ok"}, headers={"Idempotency-Key": "last"})
    kept = [row["key"] for row in await place.rows(tables.notes) if row["key"].startswith("idempotency:")]
    assert kept
    assert all(f"{place.clock.now():%Y-%m-%d}" in key for key in kept)


async def test_whatever_is_done_to_a_case_that_moved_on_is_refused(place: Place, client: Client) -> None:
    """Every operation that takes a version looks at it; nothing is changed."""
    await place.say("My other charger caught fire too", "otto")
    await at_desk(place, "anna", "quality")
    case = f"cases/{NUMBER}"
    await post(client, f"{case}/resolutions", result="Picked up")  # so that each would be done but for the version
    before = await get(client, case)
    acts = ACTS | {
        "mergers": {"into": numbers.number(2), "reason": "the same batch"},
        "assignments": {"department": "quality", "owner": "auto"},
    }
    for act, body in acts.items():
        status, refused = await post(client, f"{case}/{act}", **body, version=before["version"] - 1)
        assert (act, status, refused.get("code")) == (act, 409, "moved_on")
    assert await get(client, case) == before


async def test_who_is_chosen_by_load_is_told_what_is_required_and_by_when(place: Place, client: Client) -> None:
    """As one who is named."""
    await at_desk(place, "anna", "quality")
    due = (place.clock.now() + timedelta(hours=5)).isoformat()
    body = {"department": "quality", "owner": "auto", "required": "find out why", "due_at": due}
    status, found = await post(client, f"cases/{NUMBER}/assignments", **body)
    assert (status, found["owner"]) == (200, "anna")
    [task] = [each for each in (await get(client, "tasks?open=true"))["items"] if each["kind"] == "hand_over"]
    assert (task["required"], datetime.fromisoformat(task["due_at"])) == ("find out why", datetime.fromisoformat(due))
