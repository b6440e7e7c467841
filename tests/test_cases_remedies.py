"""What makes good: who may approve how much, what is promised, and that a promise is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from api_parts import TOKEN, Place
from hypothesis import given
from hypothesis import strategies as st

from bot.api import tokens
from bot.cases import numbers, remedies
from bot.cases.remedies import DEFAULT, MOVES, RemedyRefused
from bot.errors import ContentError
from bot.loop.casework import CaseRefused, NoCase, Worker
from bot.settings import ASSISTANT
from storage import tables
from storage.database import Database

TOLD = "The parcel is damaged and I am very unhappy, order 55667788"
NUMBER = numbers.number(1)


@pytest.fixture
async def place(database: Database) -> Place:
    """A customer has complained in the chat."""
    made = Place(database)
    await made.say(TOLD, "emma")
    return made


async def worker(place: Place, login: str, role: str) -> Worker:
    hired = await place.hire(login, role)
    return Worker(f"staff:{hired}", hired)


async def remedy(place: Place, number: int = 1) -> dict[str, Any]:
    return next(row for row in await place.rows(tables.case_remedies) if row["id"] == number)


async def case(place: Place) -> dict[str, Any]:
    return (await place.rows(tables.cases))[0]


@given(amounts=st.lists(st.integers(1, 30_000), max_size=20))
def test_many_small_ones_are_a_large_one(amounts: list[int]) -> None:
    """Whatever is approved one after the other, an agent approves no more than their limit for a case."""
    spent = 0
    for amount in amounts:
        try:
            remedies.may_approve(DEFAULT, "agent", "refund", amount, spent)
        except RemedyRefused:
            assert spent + amount > DEFAULT.limits["agent"]
            continue
        spent += amount
    assert spent <= DEFAULT.limits["agent"]


@pytest.mark.parametrize(
    ("kind", "amount", "fields", "promised"),
    [
        ("refund", 50_000, {"order_number": "1"}, True),
        ("refund", 50_001, {"order_number": "1"}, False),
        ("refund", 100, {}, False),
        ("compensation", 100, {"order_number": "1"}, False),
    ],
)
def test_a_promise_needs_all_its_conditions(kind: Any, amount: int, fields: dict[str, str], promised: bool) -> None:
    """The kind, the amount, and what must be known."""
    assert remedies.is_promised(DEFAULT, kind, amount, fields) is promised


@pytest.mark.parametrize("wrong", ["0", "-1", "1.005", "NaN", "Infinity", "1e12"])
def test_an_amount_is_money(wrong: str) -> None:
    """Above zero, finite, two decimals, not beyond reason."""
    with pytest.raises(ValueError, match="amount"):
        remedies.hundredths(Decimal(wrong))
    assert remedies.figure(remedies.hundredths(Decimal("120.5"))) == "120.50"


def test_the_file_says_the_same_as_no_file(tmp_path: Path) -> None:
    """Shipped and default are one; a wrong file names line and remedy."""
    assert remedies.load(ASSISTANT / "remedies.yml") == remedies.load(tmp_path / "none.yml") == DEFAULT
    file = tmp_path / "remedies.yml"
    file.write_text("money: {zh: 元, en: CNY}\nlimits: {boss: 1}\npromise: {kinds: [gift], up_to: 1, needs: [name]}\n")
    with pytest.raises(ContentError) as caught:
        remedies.load(file)
    assert {(each.line, each.message.split(" ")[0]) for each in caught.value.problems} >= {(1, "money"), (2, "limits")}
    assert any("gift" in each.message for each in caught.value.problems)


async def test_a_refund_is_promised_kept_and_told(place: Place) -> None:
    """Within the agent's limit it is approved at once; the deadline is what the customer was told; nothing is resolved
    or merged before; done, the deadline is met."""
    amy, work = await worker(place, "amy", "agent"), place.service.remedying
    assert await work.propose(1, amy, "refund", 12_000, "broken", approve=True) == 1
    await place.service.settle()
    told = place.sent("chat")[-1]
    assert f"case {NUMBER}: your refund of CNY 120 is approved and will be done by 10:00 tomorrow" in told
    [clock] = [row for row in await place.rows(tables.deadlines) if row["kind"] == "remedy"]
    assert clock["due_at"] == (await remedy(place))["promised_until"] == place.clock.now() + timedelta(hours=24)
    with pytest.raises(CaseRefused, match="remedies_open"):
        await place.service.casework.resolve(1, amy, "done")
    assert (await case(place))["state"] == "acknowledged"
    place.clock.advance(timedelta(hours=25))
    await place.service.settle()
    kinds = [row["kind"] for row in await place.rows(tables.alerts)]
    assert {"warned", "breached", "escalated"} <= set(kinds)
    await work.move(1, "done", amy, approver=False)
    await place.service.settle()
    assert "refund of CNY 120" in place.sent("chat")[-1]
    [clock] = [row for row in await place.rows(tables.deadlines) if row["kind"] == "remedy"]
    assert (clock["state"], clock["took_seconds"]) == ("met", 25 * 3600)
    await place.service.casework.resolve(1, amy, "done")
    with pytest.raises(RemedyRefused, match="over"):
        await work.move(1, "cancelled", amy, "too late", approver=True)
    with pytest.raises(CaseRefused, match="resolved"):
        await work.propose(1, amy, "refund", 100, "x", approve=True)
    lines = [row["kind"] for row in await place.rows(tables.case_events) if row["kind"].startswith("remedy")]
    assert lines == ["remedy_proposed", "remedy_approved", "remedy_done"]


async def test_a_promise_outlives_the_customers_good_word_but_not_a_withdrawal(place: Place) -> None:
    """Opened again, promised, then rated well after all: the refund is still owed. Who takes it all back is owed
    nothing."""
    amy, work = await worker(place, "amy", "agent"), place.service.remedying
    await place.service.casework.resolve(1, amy, "done")
    await place.service.settle()
    await place.tap("emma", "😟 Poor")
    await work.propose(1, amy, "refund", 100, "x", approve=True)
    await place.tap("emma", "🙂 Good")
    assert ((await case(place))["state"], (await remedy(place))["state"]) == ("closed", "approved")
    assert [row["state"] for row in await place.rows(tables.deadlines) if row["kind"] == "remedy"] == ["running"]
    await work.move(1, "done", amy, approver=False)
    await place.say("My parcel never arrived, where is it? I am angry, order 11223344", "otto")
    await work.propose(2, amy, "refund", 100, "x", approve=True)
    await place.say("Forget it, I withdraw my complaint", "otto")
    rows = await place.rows(tables.cases)
    if rows[1]["state"] == "withdrawn":
        assert (await remedy(place, 2))["state"] == "cancelled"
        assert [r["state"] for r in await place.rows(tables.deadlines) if r["kind"] == "remedy"] == ["met", "cancelled"]
    else:
        pytest.fail(f"not withdrawn: {rows[1]['state']}")


async def test_who_may_approve_what(place: Place) -> None:
    """Beyond the agent's limit a supervisor, beyond theirs an administrator; a token by itself, or one that may not,
    decides on nothing."""
    amy, sue, ada = [await worker(place, *who) for who in (("amy", "agent"), ("sue", "supervisor"), ("ada", "admin"))]
    work = place.service.remedying
    assert await work.propose(1, amy, "refund", 15_000, "a", approve=True) == 1
    assert await work.propose(1, amy, "compensation", 6_000, "b", approve=True) == 2
    assert [(await remedy(place, n))["state"] for n in (1, 2)] == ["approved", "proposed"]
    with pytest.raises(RemedyRefused, match="over_limit"):
        await work.move(2, "approved", amy, approver=True)
    for nobody, approver in ((Worker("api:crm"), True), (ada, False)):
        with pytest.raises(RemedyRefused, match="no_person"):
            await work.move(2, "approved", nobody, approver=approver)
    await work.move(2, "approved", sue, approver=True)
    assert (await remedy(place, 2))["promised_until"] is None  # a compensation is not promised by a time
    await work.propose(1, sue, "refund", 900_000, "c", approve=True)
    with pytest.raises(RemedyRefused, match="over_limit"):
        await work.move(3, "approved", sue, approver=True)
    with pytest.raises(RemedyRefused, match="needs_reason"):
        await work.move(3, "refused", ada, " ", approver=True)
    await work.move(3, "refused", ada, "too much", approver=True)
    await work.move(2, "cancelled", sue, "paid twice", approver=True)
    await place.service.settle()
    assert "There is a change to the compensation of CNY 60" in place.sent("chat")[-1]
    with pytest.raises(RemedyRefused, match="no_amount"):
        await work.propose(1, amy, "apology", 5, "x", approve=True)
    with pytest.raises(RemedyRefused, match="needs_amount") as caught:
        await work.propose(1, amy, "refund", None, "x", approve=True)
    assert caught.value.said("zh") != caught.value.said("en")
    with pytest.raises(RemedyRefused, match="no_remedy"):
        await work.move(99, "done", amy, approver=True)
    with pytest.raises(NoCase):
        await work.propose(99, amy, "refund", 1, "x", approve=True)


async def test_two_who_approve_at_once_do_not_exceed_a_limit_together(place: Place) -> None:
    """Each alone is within it; the second is decided again, and is over."""
    amy, bob = await worker(place, "amy", "agent"), await worker(place, "bob", "agent")
    work = place.service.remedying
    for _ in range(2):
        await work.propose(1, amy, "refund", 15_000, "x", approve=False)
    both = [work.move(n, "approved", by, approver=True) for n, by in ((1, amy), (2, bob))]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert [getattr(each, "code", None) for each in outcomes].count("over_limit") == 1
    assert sorted(row["state"] for row in await place.rows(tables.case_remedies)) == ["approved", "proposed"]


async def test_an_apology_is_made_by_being_told(place: Place) -> None:
    """In the words of who makes it, brackets and all."""
    amy = await worker(place, "amy", "agent")
    await place.service.remedying.propose(1, amy, "apology", None, "We should have [[called]] you", approve=True)
    await place.service.settle()
    assert "We should have [ [called]] you" in place.sent("chat")[-1]
    assert (await remedy(place))["state"] == "done"


async def test_the_api_of_remedies(place: Place) -> None:
    """Proposed, listed for those who may approve, approved with the right scope, read with the case; wrong amounts are
    named."""
    await worker(place, "sue", "supervisor")
    weak = await tokens.create(place.database, place.clock, "crm", ["cases:read", "cases:write"], by="test")
    path = f"/api/v1/cases/{NUMBER}/remedies"
    async with place.client(weak) as client:
        body = {"kind": "refund", "amount": 19.9, "note": "broken", "agent": "sue"}
        answer = await client.post(path, json=body)
        made = await answer.json()
        assert (answer.status, made["state"], made["amount"], made["case"]) == (200, "proposed", 19.9, NUMBER)
        move = {"to": "approved", "agent": "sue"}
        answer = await client.post(f"/api/v1/remedies/{made['id']}/moves", json=move)
        assert (answer.status, (await answer.json())["code"]) == (409, "no_person")
        for wrong in ({"kind": "refund", "amount": 0.001}, {"kind": "apology"}, {"kind": "refund", "amount": -1}):
            assert (await client.post(path, json=wrong)).status == 422
        answer = await client.post(path, json={"kind": "refund"})
        assert (answer.status, (await answer.json())["code"]) == (409, "needs_amount")
    async with place.client(TOKEN) as client:
        listed = await (await client.get("/api/v1/remedies?state=proposed")).json()
        assert [each["id"] for each in listed["items"]] == [made["id"]]
        answer = await client.post(f"/api/v1/remedies/{made['id']}/moves", json=move)
        assert (answer.status, (await answer.json())["state"]) == (200, "approved")
        shown = await (await client.get(f"/api/v1/cases/{NUMBER}")).json()
        assert [(each["kind"], each["state"]) for each in shown["remedies"]] == [("refund", "approved")]
        answer = await client.post("/api/v1/remedies/99/moves", json=move)
        assert answer.status == 404


def test_every_move_ends() -> None:
    """From proposed on there is a way to an end, and from an end none."""
    assert all(MOVES[new] == frozenset() or "done" in MOVES[new] for each in MOVES.values() for new in each)
