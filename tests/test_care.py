"""Customer care by the clock: who is valuable, who may be lost and is called, what is written to whom and why not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from api_parts import Place, address, content, episode
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, update

from bot.clock import ManualClock
from bot.contacts import segments
from bot.contacts.service import Person, meet
from storage import tables
from storage.database import Database, open_database
from storage.schema import upgrade

Client = TestClient[Any, Any]
CARE = content().care


@pytest.fixture
async def place(database: Database) -> Place:
    made = Place(database)
    await made.hire("anna")
    return made


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Client]:
    async with place.client() as made:
        yield made


async def look(place: Place) -> None:
    """As often as there is something to do."""
    while await place.service.caring.run_due():
        await place.service.settle()


async def report(client: Client, number: int, **customer: Any) -> None:
    """A service for the customer c1, who is reached by SMS and asked nothing."""
    person = {"id": "c1", "addresses": [address("sms", "+8613800000001")], "language": "zh", **customer}
    body = episode(f"e{number}", customer=person, survey="nothing_of_ours")
    assert (await client.post("/api/v1/episodes", json=body)).status == 202


def rate(place: Place, contact: int, *scores: float, anonymous: bool = False, judged: str | None = None) -> Any:
    """Ratings of a customer, the last one now."""
    now = place.clock.now()

    def work(connection: Connection) -> None:
        for back, score in enumerate(reversed(scores)):
            at = now - timedelta(hours=back)
            survey = {"contact_id": contact, "definition": "post_service", "state": "answered", "created_at": at}
            survey |= {"anonymous": anonymous, "judged": judged}
            made = connection.execute(insert(tables.surveys).values(survey).returning(tables.surveys.c.id)).scalar_one()
            rating = {"survey_id": made, "value": score / 20, "score": score, "source": "tap", "received_at": at}
            connection.execute(insert(tables.ratings).values(rating))

    return place.database.write(work)


async def risks(place: Place) -> list[str | None]:
    return [row["risk"] for row in await place.rows(tables.contacts)]


async def calls(place: Place) -> list[tuple[str, str, int | None]]:
    found = [row for row in await place.rows(tables.case_tasks) if row["kind"] == "call_back"]
    return [(row["why"], row["state"], row["contact_id"]) for row in found]


async def written(place: Place) -> list[tuple[str, str, str | None]]:
    return [(row["key"], row["state"], row["reason"]) for row in await place.rows(tables.care_messages)]


# ---- segments ----


@settings(max_examples=200, deadline=None)
@given(
    revenues=st.lists(st.integers(-5, 30), min_size=1, max_size=40),
    high=st.integers(1, 60),
    medium=st.integers(0, 40),
)
def test_a_segment_never_holds_more_than_its_share(revenues: list[int], high: int, medium: int) -> None:
    """And whoever is not in it brings no more than anybody who is; of equals all are in the same."""
    ordered = sorted(revenues, reverse=True)
    count = len(ordered)

    def border(percent: int) -> float | None:
        place = count * percent // 100
        return ordered[place] if place < count else None

    found = segments.Borders(border(high), border(high + medium))
    top = [each for each in revenues if found.high is None or each > found.high]
    both = [each for each in revenues if found.medium is None or each > found.medium]
    assert len(top) * 100 <= high * count
    assert len(both) * 100 <= (high + medium) * count
    # Nobody more could be in without breaking the share.
    rest = [each for each in revenues if each not in top]
    if rest:
        assert (len(top) + rest.count(max(rest))) * 100 > high * count


async def test_segments_follow_the_revenue_from_day_to_day(place: Place, client: Client) -> None:
    """Ten customers: two of high value, three medium, five potential; what the business system told stays, and nobody
    without a revenue has a segment."""
    for number in range(10):
        await report(client, number, id=f"c{number}", revenue=100.0 * number, addresses=[])
    await report(client, 10, id="told", revenue=1e6, segment="partner", addresses=[])
    await report(client, 11, id="unknown", addresses=[])
    await look(place)

    async def by_id() -> dict[str, str | None]:
        return {row["external_id"]: row["segment"] for row in await place.rows(tables.contacts)}

    expected = {f"c{number}": "potential" for number in range(10)} | {"told": "partner", "unknown": None}
    expected |= {"c9": "high_value", "c8": "medium", "c7": "medium", "c6": "medium"}
    assert await by_id() == expected  # of eleven with a revenue two are a fifth, and one of them is told otherwise
    await report(client, 12, id="c0", revenue=5e5, addresses=[])
    await look(place)
    assert await by_id() == expected  # tomorrow
    place.clock.advance(timedelta(days=1))
    await look(place)
    assert await by_id() == expected | {"c0": "high_value", "c9": "medium", "c6": "potential"}


async def test_valued_customers_are_called_every_so_often(place: Place, client: Client) -> None:
    """On days when somebody is there, those who bring most first, so many a day; whoever looks after them has the
    call, and the next one comes after ninety days."""
    caring = place.service.caring
    caring.care = replace(CARE, calls=replace(CARE.calls, per_day=2))
    closed = replace(caring.desk.calendar, special={date(2026, 3, 8): ()})
    caring.desk = replace(caring.desk, house=replace(caring.desk.house, calendar=closed))
    for number in range(3):
        await report(client, number, id=f"c{number}", revenue=float(number), segment="high_value", addresses=[])
    answer = await client.post("/api/v1/contacts/care", json={"customer": "c2", "manager": "anna"})
    assert (await answer.json())["manager"] == "anna"
    place.clock.advance(timedelta(days=3))  # nobody is there
    await look(place)
    assert await calls(place) == []
    place.clock.advance(timedelta(days=1))
    await look(place)
    assert await calls(place) == [("high_value", "waiting", 3), ("high_value", "waiting", 2)]
    assert [row["owner_id"] for row in await place.rows(tables.case_tasks)] == [1, None]
    for _ in range(2):
        place.clock.advance(timedelta(days=1))
        await look(place)
    assert [contact for _, _, contact in await calls(place)] == [3, 2, 1]
    await place.service.calling.outcome(1, _worker(), "reached")
    place.clock.advance(timedelta(days=89))
    await look(place)
    assert [contact for _, _, contact in await calls(place)] == [3, 2, 1, 3]


def _worker() -> Any:
    from bot.loop.casework import Worker

    return Worker("staff:1", 1)


# ---- risk ----


async def test_three_low_ratings_in_a_row_are_a_risk_until_a_better_one(place: Place, client: Client) -> None:
    """With a call-back once, its reason in the API, and priority; two low ones, or a good one between, are none."""
    await report(client, 1)
    await rate(place, 1, 40, 80, 40, 60)
    await look(place)
    assert (await risks(place), await calls(place)) == ([None], [])
    await rate(place, 1, 64.9)
    await look(place)
    assert (await risks(place), await calls(place)) == (["low_ratings"], [("low_ratings", "waiting", 1)])
    [found] = (await (await client.get("/api/v1/contacts?risk=low_ratings")).json())["items"]
    assert (found["customer"]["id"], found["priority"], len(found["risk"]["surveys"])) == ("c1", True, 3)
    place.clock.advance(timedelta(days=2))
    await look(place)
    assert len(await calls(place)) == 1
    await rate(place, 1, 100)
    await look(place)
    assert await risks(place) == [None]
    assert (await (await client.get("/api/v1/contacts?risk=any")).json())["items"] == []


async def test_a_rating_that_is_changed_counts_as_it_is_now(place: Place, client: Client) -> None:
    """It goes to the history, and is looked at again."""
    await report(client, 1)
    await rate(place, 1, 40, 40, 40)
    await look(place)
    assert await risks(place) == ["low_ratings"]

    def change(connection: Connection) -> None:
        now = place.clock.now()
        connection.execute(update(tables.ratings).where(tables.ratings.c.id == 3).values(score=100, changed_at=now))
        old = {"rating_id": 3, "value": 2, "score": 40, "source": "tap", "at": now}
        connection.execute(insert(tables.rating_history).values(old))

    await place.database.write(change)
    await look(place)
    assert await risks(place) == [None]


async def test_what_was_said_anonymously_marks_nobody(place: Place, client: Client) -> None:
    """However low and however often."""
    await report(client, 1)
    await rate(place, 1, 0, 0, 0, anonymous=True)
    place.clock.advance(timedelta(days=30))
    await look(place)
    assert (await risks(place), await calls(place)) == ([None], [])


async def test_complaint_after_complaint_is_a_risk_while_it_is_fresh(place: Place) -> None:
    """Two within ninety days; one that is taken back counts no more, and praise is no complaint."""
    for number, text in enumerate(("The parcel is damaged, order 55667788", "Staff was rude to me, I am very unhappy")):
        await place.say(text, "emma")
        await place.say("no", "emma")
        place.clock.advance(timedelta(days=2))
        await look(place)
        assert await risks(place) == [None if number == 0 else "complaints"], await place.rows(tables.cases)
    assert await calls(place) == [("complaints", "waiting", 1)]
    [watch] = await place.rows(tables.care_watches)
    assert sorted(watch["evidence"]["cases"]) == [1, 2]
    await place.database.write(lambda c: c.execute(update(tables.cases).values(state="withdrawn")))
    place.clock.advance(timedelta(days=1))
    await look(place)
    assert await risks(place) == [None]


async def test_silence_after_a_low_rating_is_a_risk(place: Place, client: Client) -> None:
    """After fourteen days without a word; a word, or a call that reached them, ends it."""
    await report(client, 1)
    await rate(place, 1, 60)
    await look(place)
    place.clock.advance(timedelta(days=13))
    await look(place)
    assert await risks(place) == [None]
    place.clock.advance(timedelta(days=1))
    await look(place)
    assert (await risks(place), await calls(place)) == (["silent"], [("silent", "waiting", 1)])
    await place.service.calling.outcome(1, _worker(), "reached", note="all well now")
    place.clock.advance(timedelta(days=1))
    await look(place)
    assert await risks(place) == [None]
    place.clock.advance(timedelta(days=13))
    await look(place)
    assert await risks(place) == ["silent"]
    await place.say("还是有问题想问", "+8613800000001", "sms")
    place.clock.advance(timedelta(days=1))
    await look(place)
    assert await risks(place) == [None]


async def test_what_is_committed_late_is_looked_at_too(place: Place, client: Client) -> None:
    """A rating whose number is lower than one that was read before it was there."""
    for number in (1, 2):
        await report(client, number, id=f"c{number}", addresses=[])
    await rate(place, 1, 20, 20, 20)
    await place.database.write(lambda c: c.execute(update(tables.ratings).values(id=tables.ratings.c.id + 100)))
    await look(place)
    await rate(place, 2, 10, 10, 10)
    moved = update(tables.ratings).where(tables.ratings.c.score == 10).values(id=tables.ratings.c.survey_id + 50)
    await place.database.write(lambda c: c.execute(moved))
    place.clock.advance(timedelta(minutes=1))
    await look(place)
    assert await risks(place) == ["low_ratings", "low_ratings"]


async def test_urgent_and_priority_customers_stand_first_in_the_queue(place: Place, client: Client) -> None:
    """Whoever becomes a priority customer while waiting moves forward; the urgent stay before them."""
    for name in ("first", "valued", "burned"):
        await place.say("hello", name)
    await place.say("I want to talk to a person", "first")
    place.clock.advance(timedelta(minutes=1))
    await place.say("I want to talk to a person", "valued")
    place.clock.advance(timedelta(minutes=1))
    await place.say("The charger caught fire and burned my hand, I am hurt", "burned")

    async def queue() -> list[str]:
        waiting = [row for row in await place.rows(tables.conversations) if row["owner"] == "queue"]
        return [row["thread"] for row in sorted(waiting, key=lambda row: (row["rank"], row["queued_at"]))]

    assert await queue() == ["burned", "first", "valued"]
    [valued] = [row["contact_id"] for row in await place.rows(tables.conversations) if row["thread"] == "valued"]
    await rate(place, valued, 20, 20, 20)
    await look(place)
    assert await queue() == ["burned", "valued", "first"]
    await place.say("how many are before me?", "valued")
    assert "queue: 1." in place.sent("chat")[-1]
    await rate(place, valued, 100)
    await look(place)
    assert await queue() == ["burned", "first", "valued"]


# ---- messages ----


async def agree(client: Client, **more: Any) -> None:
    answer = await client.post("/api/v1/contacts/care", json={"customer": "c1", "agreed": True, **more})
    assert answer.status == 200, await answer.text()


async def test_who_agrees_is_welcomed_once(place: Place, client: Client) -> None:
    """Outside the quiet hours, in their language, saying how to hear no more; who does not agree hears nothing."""
    await report(client, 1)
    await look(place)
    assert await written(place) == []
    place.clock.advance(timedelta(hours=12))  # ten in the evening
    now = place.clock.now()
    await agree(client)
    await look(place)
    assert await written(place) == [("welcome", "planned", None)]
    assert (await place.service.caring.next_due() or now) <= now + timedelta(hours=11)
    place.clock.advance(timedelta(hours=11))
    await look(place)
    [text] = place.sent("sms")
    assert text.startswith("欢迎您")
    assert text.endswith("（不想再收到这类消息，回复“退订”就好）")
    await agree(client)
    place.clock.advance(timedelta(days=40))
    await look(place)
    assert len(place.sent("sms")) == 1


async def test_a_birthday_respects_consent_and_cooldown(place: Place, client: Client) -> None:
    """Every year once; with the reason where it is not sent."""
    await report(client, 1)
    await agree(client, birthday="03-06")
    await look(place)
    assert len(place.sent("sms")) == 1  # the welcome
    place.clock.advance(timedelta(days=1))
    await look(place)
    place.clock.advance(timedelta(hours=12))
    await look(place)
    assert (await written(place))[-1] == ("birthday", "suppressed", "cooldown")
    place.clock.advance(timedelta(days=364, hours=12))
    await look(place)
    assert (await written(place))[-1] == ("birthday", "sent", None)
    assert place.sent("sms")[-1].startswith("今天是您的生日")
    await client.post("/api/v1/contacts/care", json={"customer": "c1", "agreed": False})
    place.clock.advance(timedelta(days=366))  # a leap year
    await look(place)
    assert (await written(place))[-1] == ("birthday", "suppressed", "no_consent")
    await agree(client)
    place.clock.advance(timedelta(days=365, hours=12))  # in the evening: the service did not run before
    await look(place)
    assert [row for row in await written(place) if row[0] == "birthday"][-1] == ("birthday", "suppressed", "too_late")
    assert [row["action"] for row in await place.rows(tables.audit)] == [
        "care_agreed",
        "care_taken_back",
        "care_agreed",
    ]


async def test_consent_is_given_and_taken_back_in_the_chat(place: Place) -> None:
    """订阅 agrees, 退订 takes back; what was planned meanwhile is not sent."""
    await place.say("你好", "mei")
    await place.say("订阅", "mei")
    assert "退订" in place.sent("chat")[-1]
    [contact] = await place.rows(tables.contacts)
    assert contact["care_agreed_at"] == place.clock.now()
    place.clock.advance(timedelta(hours=11))  # nine in the evening: the welcome waits for the morning
    await look(place)
    assert await written(place) == [("welcome", "planned", None)]
    await place.say("退订", "mei")
    place.clock.advance(timedelta(hours=12))
    await look(place)
    assert await written(place) == [("welcome", "suppressed", "no_consent")]
    [contact] = await place.rows(tables.contacts)
    assert contact["care_agreed_at"] is None


async def test_tips_follow_a_service_of_their_kind(place: Place, client: Client) -> None:
    """Two weeks after a delivery; nobody who complains, and nobody who is with a person, is sent one."""
    await report(client, 1)
    await agree(client)
    await look(place)
    place.clock.advance(timedelta(days=40))
    other = episode("other", touchpoint="visit", survey="nothing_of_ours", customer={"id": "c1", "addresses": []})
    await client.post("/api/v1/episodes", json=other)
    body = {"touchpoint": "delivery", "ended_at": place.clock.now().isoformat(), "survey": "nothing_of_ours"}
    for name in ("one", "two"):
        await client.post("/api/v1/episodes", json=episode(name, customer={"id": "c1", "addresses": []}, **body))
    await look(place)
    assert [row for row in await written(place) if row[0] == "product_tips"][-2:] == [
        ("product_tips", "planned", None)
    ] * 2
    place.clock.advance(timedelta(days=14))
    await look(place)
    assert [row[1:] for row in await written(place) if row[0] == "product_tips"][-2:] == [
        ("sent", None),
        ("suppressed", "cooldown"),
    ]
    place.clock.advance(timedelta(days=40))
    await client.post(
        "/api/v1/episodes",
        json=episode(
            "three", customer={"id": "c1", "addresses": []}, **body | {"ended_at": place.clock.now().isoformat()}
        ),
    )
    place.clock.advance(timedelta(days=13))
    await place.say("包裹坏了，非常不满意，订单号 55667788", "+8613800000001", "sms")
    place.clock.advance(timedelta(days=1))
    await look(place)
    assert (await written(place))[-1] == ("product_tips", "suppressed", "open_case")


async def test_a_message_too_late_or_nowhere_to_send_has_its_reason(place: Place, client: Client) -> None:
    """After a downtime nobody is congratulated days later; who can only be written to after they write is not."""
    await report(client, 1, addresses=[])
    await agree(client)
    await look(place)
    assert await written(place) == [("welcome", "suppressed", "no_address")]
    await report(client, 2, addresses=[address("meta", "m1")])
    await agree(client, birthday="04-01")
    place.clock.move_to(datetime.fromisoformat("2026-04-01T03:00:00+00:00"))
    await look(place)
    assert (await written(place))[-1] == ("birthday", "suppressed", "window_closed")
    late = {"contact_id": 1, "key": "birthday", "occasion": "x", "state": "planned", "created_at": place.clock.now()}
    late |= {"due_at": place.clock.now() - timedelta(days=3)}
    await place.database.write(lambda c: c.execute(insert(tables.care_messages).values(late)))
    await look(place)
    assert (await written(place))[-1] == ("birthday", "suppressed", "too_late")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"customer": "nobody", "agreed": True}, 404),
        ({"customer": "c1", "birthday": "02-30"}, 422),
        ({"customer": "c1", "birthday": "13-01"}, 422),
        ({"customer": "c1", "manager": "nobody"}, 422),
        ({"customer": "c1", "agreed": "yes"}, 422),
        ({"agreed": True}, 422),
    ],
)
async def test_wrong_words_about_a_customer_are_refused(client: Client, body: dict[str, Any], status: int) -> None:
    """With nothing changed."""
    await report(client, 1)
    assert (await client.post("/api/v1/contacts/care", json=body)).status == status


async def test_who_turns_out_to_be_a_customer_keeps_their_care(place: Place) -> None:
    """Consent that was given in the chat, what was sent, and what is known against us go with them."""
    await place.say("订阅", "mei")
    await look(place)
    await rate(place, 1, 10, 10, 10)
    await look(place)
    now = place.clock.now()
    await place.database.write(
        lambda c: meet(c, Person(external_id="c1", name="Mei"), [("chat", "a", "mei")], now, "api:crm")
    )
    await look(place)
    [contact] = await place.rows(tables.contacts)
    assert (contact["external_id"], contact["risk"], contact["care_agreed_at"]) == ("c1", "low_ratings", now)
    assert [row["contact_id"] for row in await place.rows(tables.care_messages)] == [contact["id"]]


# ---- what it costs ----


async def test_a_look_costs_what_changed(tmp_path: Any) -> None:
    """Of 100,000 customers with a revenue: the first count is done in bounded steps; a day on which one of them moved
    reads two borders and changes a few, and takes a small part of it."""
    database = open_database(f"sqlite:///{tmp_path / 'earful.db'}")
    await upgrade(database)
    place = Place(database, ManualClock(datetime.fromisoformat("2026-03-05T02:00:00+00:00")))
    at = place.clock.now()
    rows = [{"external_id": f"c{n}", "revenue": float(n % 9973) + n / 1e6, "created_at": at} for n in range(100_000)]
    await database.write_slowly(lambda c: c.execute(insert(tables.contacts), rows))
    began = time.process_time()
    await look(place)
    first = time.process_time() - began
    counted: dict[str, int] = {}
    for row in await place.rows(tables.contacts):
        counted[row["segment"]] = counted.get(row["segment"], 0) + 1
    assert counted == {"high_value": 20_000, "medium": 30_000, "potential": 50_000}
    changed = update(tables.contacts).where(tables.contacts.c.id == 1).values(revenue=1e9)
    await database.write(lambda c: c.execute(changed))
    place.clock.advance(timedelta(days=1))
    began = time.process_time()
    await look(place)
    second = time.process_time() - began
    began = time.process_time()
    await look(place)
    third = time.process_time() - began
    print(f"first {first:.2f} s, a day with a change {second:.3f} s, nothing {third:.4f} s")  # noqa: T201 - the figures
    assert second < first / 5
    assert third < 0.1
    await database.close()
