"""Who is asked, when and where, and why not: hours, samples, quotas, segments, channels; over both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from api_parts import Place, address, content, episode
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_parts import START

from bot.loop.events import chat_lane
from bot.loop.hours import asking_hours
from bot.surveys.definitions import Condition, Definition, Question, QuietHours, Surveys
from bot.surveys.selection import after_quiet, sampled, spam
from bot.surveys.state import Answer
from bot.takeover.rules import Agent
from bot.yamlfile import Words
from storage import tables
from storage.database import Database

SMS = "+8613800138000"
SHANGHAI = ZoneInfo("Asia/Shanghai")
POST_SERVICE = content().surveys.definitions["post_service"]
AGENT = content().surveys.definitions["agent"]


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


def asking(place: Place, *definitions: Definition) -> None:
    """From now on these are all the surveys that there are."""
    place.service.rulebook.house.surveys = Surveys({definition.key: definition for definition in definitions})


async def post(place: Place, body: dict[str, Any]) -> dict[str, Any]:
    async with place.client() as client:
        answer = await client.post("/api/v1/episodes", json=body)
        assert answer.status == 202, await answer.text()
        found: dict[str, Any] = await answer.json()
    await place.service.settle()
    decided: dict[str, Any] = found["survey"]
    return decided


# ---- hours ----


@settings(deadline=None)
@given(
    st.times(),
    st.times(),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - made UTC below
    st.sampled_from(("Asia/Shanghai", "Europe/Berlin", "America/New_York")),
)
def test_nobody_is_asked_in_quiet_hours(start: time, end: time, at: datetime, zone: str) -> None:
    """Whatever they are, over midnight or not: the moment found is never before the one wished for, lies outside, and
    is at most a day and the hour of a clock change away."""
    start, end = (each.replace(microsecond=0, second=0) for each in (start, end))
    if start == end:
        return
    wished, where = at.replace(tzinfo=UTC), ZoneInfo(zone)
    found = after_quiet(QuietHours(start, end), wished, where)
    assert wished <= found <= wished + timedelta(hours=25)
    local = found.astimezone(where).time()
    inside = start <= local < end if start < end else local >= start or local < end
    skipped = found != wished and local > end  # the clock jumped over the end
    assert not inside or skipped
    if found != wished:
        assert after_quiet(QuietHours(start, end), wished - timedelta(0), where) == found


def test_office_hours_and_quiet_hours_hold_together() -> None:
    """The office opens at nine, the quiet hours end at ten: ten it is; late on a Saturday that is Sunday."""
    quiet = replace(POST_SERVICE, office_hours=True, quiet=QuietHours(time(20), time(10)))
    calendar = content().calendar
    for wished, expected in (
        (datetime(2026, 3, 5, 7, tzinfo=SHANGHAI), datetime(2026, 3, 5, 10, tzinfo=SHANGHAI)),
        (datetime(2026, 3, 7, 19, tzinfo=SHANGHAI), datetime(2026, 3, 8, 10, tzinfo=SHANGHAI)),
    ):
        assert asking_hours(calendar, quiet, wished.astimezone(UTC)) == expected


async def test_a_service_at_night_is_asked_about_in_the_morning(place: Place) -> None:
    """Planned for the end of the quiet hours, to the minute; the reminder, too, waits for the morning."""
    night = datetime(2026, 3, 5, 23, 30, tzinfo=SHANGHAI)
    place.clock.move_to(night.astimezone(UTC))
    told = await post(place, episode(ended_at=night.isoformat()))
    assert told["state"] == "planned"
    morning = datetime(2026, 3, 6, 8, tzinfo=SHANGHAI)
    [row] = await place.rows(tables.surveys)
    assert row["asked_at"] == morning
    place.clock.move_to(morning.astimezone(UTC) - timedelta(seconds=1))
    await place.service.settle()
    assert place.sent("sms") == []
    place.clock.advance(timedelta(seconds=1))
    await place.service.settle()
    assert len(place.sent("sms")) == 1


async def test_a_stop_of_the_service_wakes_nobody_at_night(place: Place) -> None:
    """Planned for the day, due while we were down, found at midnight: asked at eight."""
    await post(place, episode(ended_at=(START + timedelta(hours=2)).isoformat()))
    place.clock.move_to(datetime(2026, 3, 6, 0, 10, tzinfo=SHANGHAI).astimezone(UTC))
    await place.service.settle()
    assert place.sent("sms") == []
    place.clock.move_to(datetime(2026, 3, 6, 8, 0, tzinfo=SHANGHAI).astimezone(UTC))
    await place.service.settle()
    assert len(place.sent("sms")) == 1


# ---- samples, quotas, segments, channels ----


@settings(deadline=None)
@given(st.integers(1, 100), st.text(max_size=20))
def test_a_sample_decides_the_same_whenever_it_is_asked_and_grows_with_its_share(share: int, subject: str) -> None:
    """Who is in a sample of a share is in every larger one; all are in the whole."""
    one = replace(POST_SERVICE, sample=share)
    assert sampled(one, subject) == sampled(one, subject)
    assert not sampled(one, subject) or sampled(replace(one, sample=min(100, share + 1)), subject)
    assert sampled(replace(one, sample=100), subject)


def test_a_sample_is_as_large_as_it_says() -> None:
    """Of 4,000 occasions a quarter, within four standard errors (110)."""
    quarter = replace(POST_SERVICE, sample=25)
    assert 890 <= sum(sampled(quarter, f"order-{number}") for number in range(4000)) <= 1110


async def test_what_is_sampled_out_says_so(place: Place) -> None:
    asking(place, replace(POST_SERVICE, sample=1))
    told = [await post(place, episode(f"e{number}")) for number in range(8)]
    assert {each["reason"] for each in told} == {"sampled_out"}
    assert place.sent("sms") == []


async def test_a_survey_that_is_switched_off_goes_to_nobody_any_more(place: Place) -> None:
    """Nor to those for whom it was planned already."""
    asking(place, replace(POST_SERVICE, delay=timedelta(hours=1)))
    assert (await post(place, episode()))["state"] == "planned"
    asking(place, replace(POST_SERVICE, sample=0))
    place.clock.advance(timedelta(hours=2))
    await place.service.settle()
    assert [(row["state"], row["reason"]) for row in await place.rows(tables.surveys)] == [
        ("suppressed", "sampled_out")
    ]
    assert place.sent("sms") == []


async def test_the_quota_of_a_day_is_kept_and_a_new_day_has_its_own(place: Place) -> None:
    """The day is the office's; what is planned for tomorrow counts for tomorrow."""
    asking(place, replace(POST_SERVICE, per_day=2))
    customers = [
        episode(f"e{number}", customer={"id": f"c{number}"}, addresses=[address("sms", f"{SMS}{number}")])
        for number in range(4)
    ]
    told = [await post(place, each) for each in customers]
    assert [each["reason"] for each in told] == [None, None, "quota", "quota"]
    tomorrow = datetime(2026, 3, 6, 10, tzinfo=SHANGHAI)
    body = episode("later", ended_at=tomorrow.isoformat(), addresses=[address("sms", f"{SMS}9")], customer={"id": "c9"})
    assert (await post(place, body))["state"] == "planned"


async def test_a_segment_has_its_own_survey_and_others_have_theirs_or_none(place: Place) -> None:
    """The segment is the one told, now or earlier."""
    gold = replace(POST_SERVICE, key="gold", segments=("high_value",), version="gold")
    asking(place, POST_SERVICE, gold)
    await post(place, episode("e1", customer={"segment": "high_value"}))
    await post(place, episode("e2"))
    await post(place, episode("e3", customer={"segment": "potential"}))
    assert [row["definition"] for row in await place.rows(tables.surveys)] == ["gold", "gold", "post_service"]
    asking(place, gold)
    assert (await post(place, episode("e4")))["reason"] == "other_segment"


async def test_a_question_for_a_segment_follows_the_tap_of_that_segment(place: Place) -> None:
    """Fixed when the survey was sent: told something else since, the way through stays the same."""
    vip = Question(
        key="vip",
        text=Words("经理可以给您打电话吗", "May your account manager call?"),
        free_text=True,
        when=Condition(segments=frozenset({"high_value"})),
    )
    asking(place, replace(POST_SERVICE, ask=(vip,)))
    await post(place, episode(customer={"segment": "high_value"}))
    await post(place, episode("e2", customer={"segment": "potential"}, survey="nothing_of_ours"))
    await place.say("5", SMS, "sms")
    assert "account manager" in place.sent("sms")[-1]


async def test_a_survey_asks_on_its_own_channels_first(place: Place) -> None:
    """Then where the customer prefers."""
    await place.say("hello there", "42")
    asking(place, replace(POST_SERVICE, channels=("sms", "meta")))
    await post(place, episode(addresses=[address("chat", "42"), address("sms", SMS)]))
    assert len(place.sent("sms")) == 1
    assert not any("service you just had" in text for text in place.sent("chat"))


# ---- a conversation that was resolved ----


async def _talk(place: Place, agent: Agent, *, says: str | None) -> str:
    lane = chat_lane("chat", "a", "42")
    await place.say("a person please", "42")
    await place.service.people.claim(lane, agent)
    if says:
        await place.service.people.reply(lane, agent, says, "k1")
    await place.service.settle()
    return lane


async def _nothing(place: Place) -> None:
    return None


async def _asked_yesterday(place: Place) -> None:
    await place.say("hello there", "42")
    await post(place, episode("before", addresses=[address("chat", "42")]))
    place.clock.advance(timedelta(days=1))


async def _stopped(place: Place) -> None:
    await place.say("STOP", "42")


@pytest.mark.parametrize(
    ("before", "says", "changes", "reason"),
    [
        (_nothing, "Here you are.", {}, None),
        (_nothing, None, {}, "bot_only"),
        (_nothing, "Here you are.", {"min_messages": 2}, "trivial"),
        (_nothing, "Here you are.", {"sample": 1}, "sampled_out"),
        (_nothing, "Here you are.", {"segments": ("high_value",)}, "other_segment"),
        (_asked_yesterday, "Here you are.", {"cooldown": timedelta(days=2)}, "cooldown"),
        (_stopped, "Here you are.", {}, "opted_out"),
    ],
)
async def test_a_resolved_conversation_is_asked_about_or_says_why_not(
    place: Place, before: Callable[[Place], Any], says: str | None, changes: dict[str, Any], reason: str | None
) -> None:
    """The decision is a row of its own, with the agent who would have been judged."""
    asking(place, POST_SERVICE, replace(AGENT, **changes))
    await before(place)
    agent = Agent(await place.hire("amy"), "Amy")
    lane = await _talk(place, agent, says=says)
    await place.service.people.resolve(lane, agent)
    await place.service.settle()
    row = (await place.rows(tables.surveys))[-1]
    assert (row["definition"], row["judged"]) == ("agent", f"staff:{agent.id}")
    assert (row["state"], row["reason"]) == (("suppressed", reason) if reason else ("awaiting", None))
    assert any("How did our colleague do" in text for text in place.sent("chat")) == (reason is None)


@pytest.mark.parametrize(
    ("said", "noise"),
    [
        (["Win at https://casino.example", "兼职日结 www.job.example 加我"], True),
        (["a person please"] * 5, True),
        (["a person please"] * 4, False),
        (["My order page https://shop.example/1 is broken", "Thanks, it works now"], False),
        (["https://shop.example/1"], False),
        (["你好", "你好", "你好", "你好", "快递没到"], False),
        ([], False),
    ],
)
def test_spam_is_told_from_a_conversation(said: list[str], noise: bool) -> None:
    """Whoever advertises or floods is not asked how we were; whoever repeats themselves for a while is."""
    assert spam(said) is noise


async def test_who_advertises_is_not_asked_how_we_were(place: Place) -> None:
    """Every message has its link; the agent resolves it, and the reason stands there."""
    agent = Agent(await place.hire("amy"), "Amy")
    lane = chat_lane("chat", "a", "42")
    for number in range(2):
        await place.say(f"Win big at https://casino.example/{number}", "42")
    await place.service.people.claim(lane, agent)
    await place.service.people.reply(lane, agent, "Please stop that.", "k1")
    await place.service.people.resolve(lane, agent)
    await place.service.settle()
    assert [row["reason"] for row in await place.rows(tables.surveys)] == ["spam"]


async def test_what_was_said_before_it_was_last_resolved_does_not_count(place: Place) -> None:
    """The second time nobody said anything that could be judged."""
    agent = Agent(await place.hire("amy"), "Amy")
    lane = await _talk(place, agent, says="Here you are.")
    await place.service.people.resolve(lane, agent)
    await place.service.people.claim(lane, agent)
    await place.service.people.resolve(lane, agent)
    assert [row["reason"] for row in await place.rows(tables.surveys)] == [None, "bot_only"]


# ---- what follows an answer ----


async def test_several_choices_in_a_chat_are_tapped_one_after_the_other(place: Place) -> None:
    """The buttons stay until the customer is done; each choice is kept at once."""
    await place.say("hello there", "42")
    relationship = content().surveys.definitions["relationship"]
    asking(place, replace(relationship, trigger="episode", every=None, office_hours=False, sample=100))
    await post(place, episode(addresses=[address("chat", "42")]))
    await place.tap("42", "6")
    await place.tap("42", "Prices")
    place.clock.advance(timedelta(seconds=1))
    await place.tap("42", "Speed")
    assert (await place.rows(tables.ratings))[0]["answers"][0]["options"] == ["speed", "price"]
    await place.tap("42", "Done")
    assert "May we call you" in place.sent("chat")[-1]
    await place.tap("42", "Yes, please call")
    [task] = await place.rows(tables.case_tasks)
    assert (task["kind"], task["required"]) == ("call_back", "Agreed to a follow-up talk: please call back")
    assert (task["made_by"], task["state"]) == ("interview:1", "waiting")
    assert task["contact_id"] == (await place.rows(tables.surveys))[0]["contact_id"]
    assert task["due_at"] is not None
    assert await place.rows(tables.cases) == []
    assert [row["state"] for row in await place.rows(tables.surveys)] == ["answered"]


async def test_no_to_an_interview_calls_nobody_and_a_change_of_mind_is_noted(place: Place) -> None:
    """Who said yes and then no is not called, and is after another yes: one task, whatever they say."""
    await place.say("hello there", "42")
    relationship = content().surveys.definitions["relationship"]
    asking(place, replace(relationship, trigger="episode", every=None, office_hours=False, sample=100))
    await post(place, episode(addresses=[address("chat", "42")]))
    for button in ("6", "Done", "No, thank you"):
        await place.tap("42", button)
    assert await place.rows(tables.case_tasks) == []
    for button, state in (
        ("Yes, please call", "waiting"),
        ("No, thank you", "cancelled"),
        ("Yes, please call", "waiting"),
    ):
        place.clock.advance(timedelta(minutes=1))
        await place.tap("42", button)
        assert [row["state"] for row in await place.rows(tables.case_tasks)] == [state]


async def test_an_anonymous_survey_is_answered_on_its_page_and_tells_nobody_whose_it_is(place: Place) -> None:
    """The chat gets a link and no buttons, a digit there is no answer, a low rating opens no case, and the API names
    neither customer nor service, also to those who ask for one."""
    await place.say("hello there", "42")
    asking(place, replace(POST_SERVICE, anonymous=True))
    await post(place, episode(addresses=[address("chat", "42")]))
    assert "/r/" in place.sent("chat")[-1]
    await place.say("1", "42")
    assert await place.rows(tables.ratings) == []
    await _answer_on_page(place, 1, "1")
    assert await place.count(tables.ratings) == 1
    assert await place.count(tables.cases) == 0
    async with place.client() as client:
        found = await (await client.get("/api/v1/ratings")).json()
        [item] = found["items"]
        assert (item["survey"], item["episode"], item["customer"]["id"], item["score"]) == (None, None, None, 20)
        for query in ("customer=c1", "episode=e1"):
            assert (await (await client.get(f"/api/v1/ratings?{query}")).json())["items"] == []
        [shown] = (await (await client.get("/api/v1/surveys")).json())["items"]
        assert (shown["anonymous"], shown["answered_at"]) == (True, None)


async def _answer_on_page(place: Place, survey: int, option: str) -> None:
    asking = place.service.policy.asking

    def decide(state: Any, effects: Any) -> None:
        asking.page(effects, state.surveys[survey], Answer("rating", option))

    await place.service.turns.act(chat_lane("chat", "a", "42"), decide, surveys=[survey])
    await place.service.settle()
