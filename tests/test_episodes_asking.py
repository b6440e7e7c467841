"""Episodes: one report, one survey, sent or not with its reason; over both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from api_parts import Place, address, episode
from loop_parts import START

from channels.base import Consent
from storage import tables
from storage.database import Database

SMS = "+8613800138000"


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


async def post(place: Place, body: dict[str, Any]) -> dict[str, Any]:
    async with place.client() as client:
        answer = await client.post("/api/v1/episodes", json=body)
        assert answer.status == 202, await answer.text()
        found: dict[str, Any] = await answer.json()
    await place.service.settle()
    return found


async def survey(place: Place, number: int = 1) -> dict[str, Any]:
    return next(row for row in await place.rows(tables.surveys) if row["id"] == number)


async def test_a_reported_service_is_asked_about_at_once(place: Place) -> None:
    """The episode, its survey and the question are there; the agent judged is fixed."""
    answer = await post(place, episode())
    assert answer == {"episode": 1, "survey": {"id": 1, "state": "awaiting", "reason": None}}
    assert len(place.sent("sms")) == 1
    assert place.sent("sms")[0].startswith("How was the service you just had?")
    [kept] = await place.rows(tables.episodes)
    assert (kept["external_id"], kept["touchpoint"], kept["agent"]) == ("e1", "store", "anna")
    asked = await survey(place)
    assert (asked["definition"], asked["state"], asked["judged"]) == ("post_service", "awaiting", "agent:anna")
    [contact] = await place.rows(tables.contacts)
    assert (contact["external_id"], contact["name"], contact["language"]) == ("c1", "Ms Lin", "en")


async def test_a_tap_on_the_question_is_the_rating_of_that_episode(place: Place) -> None:
    """On a channel with buttons, of a customer who wrote there before."""
    await place.say("hello there", "42")
    await post(place, episode(addresses=[address("chat", "42")]))
    await place.tap("42", "🙂 Good")
    [rating] = await place.rows(tables.ratings)
    assert (rating["value"], rating["score"], rating["source"]) == (4, 80, "tap")
    assert rating["survey_id"] == (await survey(place))["id"]
    assert (await survey(place))["episode_id"] == 1


async def test_a_typed_digit_answers_where_there_are_no_buttons(place: Place) -> None:
    await post(place, episode())
    await place.say("2", SMS, "sms")
    [rating] = await place.rows(tables.ratings)
    assert (rating["value"], rating["score"]) == (2, 40)


async def test_fifty_identical_reports_at_once_are_one(place: Place) -> None:
    """One episode, one survey, one question, and the same answer to all."""
    async with place.client() as client:

        async def report() -> tuple[int, str]:
            answer = await client.post("/api/v1/episodes", json=episode())
            return answer.status, await answer.text()

        answers = await asyncio.gather(*(report() for _ in range(50)))
    await place.service.settle()
    assert len(set(answers)) == 1
    assert answers[0][0] == 202
    assert await place.count(tables.episodes) == await place.count(tables.surveys) == 1
    assert await place.count(tables.contacts) == await place.count(tables.addresses) == 1
    assert len(place.sent("sms")) == 1


async def test_two_processes_told_the_same_ask_once(place: Place) -> None:
    """Nothing but the database stands between them."""
    other = Place(place.database, place.clock)
    async with place.client() as one, other.client() as two:
        posts = [client.post("/api/v1/episodes", json=episode()) for client in (one, two) for _ in range(8)]
        answers = [await answer.text() for answer in await asyncio.gather(*posts)]
    await place.service.settle()
    await other.service.settle()
    assert len(set(answers)) == 1
    assert await place.count(tables.episodes) == await place.count(tables.surveys) == 1
    assert len(place.sent("sms") + other.sent("sms")) == 1


async def test_told_again_with_other_content_is_the_first_answer_and_changes_nothing(place: Place) -> None:
    """Also when the survey has moved on, and when the new content could not even be taken."""
    first = await post(place, episode())
    await place.say("5", SMS, "sms")
    again = episode(touchpoint="faq", agent="bob", customer={"name": "Another"}, addresses=[address("nowhere", "1")])
    assert await post(place, again) == first
    assert (await place.rows(tables.episodes))[0]["agent"] == "anna"
    assert (await place.rows(tables.contacts))[0]["name"] == "Ms Lin"
    assert len(place.sent("sms")) == 2  # the question, and what follows the rating


async def test_many_episodes_of_one_customer_at_once_lose_none_and_one_awaits(place: Place) -> None:
    """Each has its survey with its state; of those that gave way the reason is recorded."""
    async with place.client() as client:
        posts = [client.post("/api/v1/episodes", json=episode(f"e{n}")) for n in range(20)]
        answers = await asyncio.gather(*posts)
        assert {answer.status for answer in answers} == {202}
    await place.service.settle()
    rows = await place.rows(tables.surveys)
    assert len(rows) == 20
    assert [row["state"] for row in rows].count("awaiting") == 1
    assert all(row["reason"] == "newer_survey" for row in rows if row["state"] != "awaiting")
    assert all(row["state"] in ("awaiting", "superseded") for row in rows)


# ---- not asked, and why ----


async def _nothing(place: Place) -> None:
    return None


async def _opted_out(place: Place) -> None:
    await post(place, episode("before"))
    await place.say("STOP", SMS, "sms")


async def _blocked(place: Place) -> None:
    await place.say("hello", "42")
    event = Consent(dedupe_key="blocked", thread="42", change="blocked")
    await place.service.intake.accept("chat", "a", [event])
    await place.service.settle()


async def _wrote_yesterday(place: Place) -> None:
    await place.say("hello", "m1", "meta")
    place.clock.advance(timedelta(hours=25))


async def _asked_today(place: Place) -> None:
    await post(place, episode("before", touchpoint="faq"))


@pytest.mark.parametrize(
    ("before", "changes", "reason", "definition"),
    [
        (_nothing, {"addresses": []}, "no_address", "post_service"),
        (_nothing, {"survey": "nothing_of_ours"}, "no_definition", "nothing_of_ours"),
        (_nothing, {"addresses": [address("chat", "7")]}, "window_closed", "post_service"),
        (_nothing, {"ended_at": (START - timedelta(days=15)).isoformat()}, "too_old", "post_service"),
        (_opted_out, {}, "opted_out", "post_service"),
        (_blocked, {"addresses": [address("chat", "42")]}, "blocked", "post_service"),
        (_wrote_yesterday, {"addresses": [address("meta", "m1")]}, "window_closed", "post_service"),
        (_asked_today, {"touchpoint": "faq"}, "cooldown", "thumbs"),
    ],
)
async def test_a_survey_that_is_not_sent_has_its_reason(
    place: Place,
    before: Callable[[Place], Any],
    changes: dict[str, Any],
    reason: str,
    definition: str,
) -> None:
    """It is recorded, and told to the caller; nobody is written to."""
    await before(place)
    sent = sum(len(adapter.sent) for adapter in place.adapters.values())
    answer = await post(place, episode("e9", **changes))
    assert (answer["survey"]["state"], answer["survey"]["reason"]) == ("suppressed", reason)
    assert sum(len(adapter.sent) for adapter in place.adapters.values()) == sent
    kept = await survey(place, answer["survey"]["id"])
    assert (kept["state"], kept["reason"], kept["definition"]) == ("suppressed", reason, definition)
    assert await post(place, episode("e9", **changes)) == answer


async def test_the_first_address_that_may_be_written_to_is_used(place: Place) -> None:
    """In the caller's order: a chat that never began and a closed window are passed over."""
    await _wrote_yesterday(place)
    wanted = [address("chat", "7"), address("meta", "m1"), address("sms", SMS), address("sms", "+442079460000")]
    await post(place, episode(addresses=wanted, ended_at=place.clock.now().isoformat()))
    assert [outgoing.address for outgoing in place.adapters["sms", "a"].sent] == [SMS]


async def test_a_newer_episode_supersedes_the_unanswered_survey_of_an_older(place: Place) -> None:
    await post(place, episode("e1"))
    await post(place, episode("e2"))
    rows = await place.rows(tables.surveys)
    assert [(row["state"], row["reason"]) for row in rows] == [("superseded", "newer_survey"), ("awaiting", None)]


async def test_an_opt_out_at_the_very_moment_of_asking_is_obeyed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the decision and the question the customer says stop: decided again, and not asked."""
    await place.say("hello", SMS, "sms")
    act = place.service.turns.act
    said: list[str] = []

    async def late(lane: str, decide: Any, **more: Any) -> Any:
        if not said:
            said.append("STOP")
            await place.say("STOP", SMS, "sms")
        return await act(lane, decide, **more)

    monkeypatch.setattr(place.service.turns, "act", late)
    answer = await post(place, episode())
    assert answer["survey"] == {"id": 1, "state": "suppressed", "reason": "opted_out"}
    assert await place.count(tables.episodes) == 1
    assert not any("service you just had" in text for text in place.sent("sms"))


# ---- planned ----


def _tomorrow(external_id: str = "e1", **changes: Any) -> dict[str, Any]:
    return episode(external_id, ended_at=(START + timedelta(days=1)).isoformat(), **changes)


async def test_a_service_that_ends_later_is_asked_about_when_it_has(place: Place) -> None:
    """Planned in the database: another process, started later, asks."""
    answer = await post(place, _tomorrow())
    assert answer["survey"] == {"id": 1, "state": "planned", "reason": None}
    assert place.sent("sms") == []
    later = Place(place.database, place.clock)
    place.clock.advance(timedelta(days=1))
    await later.service.settle()
    assert len(later.sent("sms")) == 1
    asked = await survey(place)
    assert (asked["state"], asked["judged"], asked["episode_id"]) == ("awaiting", "agent:anna", 1)
    assert asked["conversation_id"] is not None
    await later.say("5", SMS, "sms")
    assert (await place.rows(tables.ratings))[0]["survey_id"] == 1
    assert await post(place, _tomorrow()) == answer  # the first answer, whatever happened since


async def test_a_planned_survey_expires_and_reminds_as_any_other(place: Place) -> None:
    await post(place, _tomorrow())
    place.clock.advance(timedelta(days=1))
    await place.service.settle()
    place.clock.advance(timedelta(hours=48))
    await place.service.settle()
    assert len(place.sent("sms")) == 2
    place.clock.advance(timedelta(days=14))
    await place.service.settle()
    assert (await survey(place))["state"] == "expired"


async def _stop(place: Place) -> None:
    await place.say("STOP", SMS, "sms")


async def _given_to_another(place: Place) -> None:
    await post(place, episode("e2", touchpoint="faq", customer={"id": "c2"}, survey="nothing_of_ours"))


async def _down_for_weeks(place: Place) -> None:
    place.clock.advance(timedelta(days=14))


@pytest.mark.parametrize(
    ("meanwhile", "reason"), [(_stop, "opted_out"), (_given_to_another, "no_address"), (_down_for_weeks, "too_old")]
)
async def test_what_changed_meanwhile_is_looked_at_again(
    place: Place, meanwhile: Callable[[Place], Any], reason: str
) -> None:
    """A planned survey that may no longer be sent is suppressed, with the reason of that moment."""
    await post(place, _tomorrow())
    await meanwhile(place)
    place.clock.advance(timedelta(days=1))
    await place.service.settle()
    asked = await survey(place)
    assert (asked["state"], asked["reason"]) == ("suppressed", reason)
    assert not any("service you just had" in text for text in place.sent("sms"))


async def test_a_stop_of_the_service_replans_a_survey_rather_than_losing_it(place: Place) -> None:
    """Three days late is late, but the customer still remembers."""
    await post(place, _tomorrow())
    place.clock.advance(timedelta(days=4))
    await place.service.settle()
    assert (await survey(place))["state"] == "awaiting"
    assert len(place.sent("sms")) == 1


async def test_of_surveys_that_come_due_together_only_the_newest_is_sent(place: Place) -> None:
    """After a stop of the service nobody gets a pile of questions."""
    for number in range(5):
        await post(place, _tomorrow(f"e{number}"))
    place.clock.advance(timedelta(days=2))
    await place.service.settle()
    rows = await place.rows(tables.surveys)
    assert [row["state"] for row in rows] == ["superseded"] * 4 + ["awaiting"]
    assert len(place.sent("sms")) == 1


async def test_a_planned_survey_counts_for_the_cooldown(place: Place) -> None:
    """Two reports of tomorrow's self-service: asked once."""
    await post(place, _tomorrow("e1", touchpoint="faq"))
    second = await post(place, _tomorrow("e2", touchpoint="faq"))
    assert second["survey"]["reason"] == "cooldown"


async def test_a_due_survey_supersedes_the_one_that_awaits(place: Place) -> None:
    """Though it was planned before the other was asked."""
    await post(place, _tomorrow("e1"))
    await post(place, episode("e2"))
    place.clock.advance(timedelta(days=1))
    await place.service.settle()
    rows = await place.rows(tables.surveys)
    assert [(row["state"], row["reason"]) for row in rows] == [("awaiting", None), ("superseded", "newer_survey")]
