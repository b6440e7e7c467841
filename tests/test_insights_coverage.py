"""Coverage: every occasion is asked, planned or has its reason, and the figures add up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from api_parts import Place, address, episode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from loop_parts import START
from test_surveys_planning import SMS, post

from bot.indicators.statistics import mean, pearson, share
from storage.database import Database


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_the_interval_of_a_share_holds_the_share_and_narrows_with_more(part: int, more: int) -> None:
    """Within 0 and 100, never the wrong way round; ten times as many make it narrower."""
    whole = part + more
    found = share(part, whole)
    if whole == 0:
        assert found is None
        return
    wider = share(10 * part, 10 * whole)
    assert found is not None
    assert wider is not None
    assert 0 <= found.low <= found.value + 1e-9 <= found.high + 2e-9 <= 100 + 3e-9  # type: ignore[operator] # there is one
    assert wider.high - wider.low < found.high - found.low  # type: ignore[operator]


def test_the_interval_of_a_share_is_wilsons() -> None:
    """8 of 10: 49.0 to 94.3 percent, as textbooks have it; a third of nothing is refused."""
    found = share(8, 10)
    assert found is not None
    assert (found.value, found.n, found.small) == (80, 10, True)
    assert (found.low, found.high) == pytest.approx((49.02, 94.33), abs=0.01)
    with pytest.raises(ValueError, match="no part"):
        share(2, 1)


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), max_size=50))
def test_the_interval_of_a_mean_holds_the_mean(values: list[float]) -> None:
    """One value has no interval; none has no mean."""
    found = mean(values)
    if found is None:
        assert values == []
    elif found.low is None or found.high is None:
        assert len(values) == 1
    else:
        assert 0 <= found.low <= found.value + 1e-6
        assert found.value - 1e-6 <= found.high <= 100


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), max_size=30))
@example([(0.0, 0.0), (1e-9, 50.0)])  # one that hardly varies varies not at all, whatever the other does
def test_a_correlation_is_the_same_both_ways_and_between_minus_one_and_one(pairs: list[tuple[float, float]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    found = pearson(one, other)
    assert found == pearson(other, one)
    assert found is None or -1 <= found <= 1
    if found is not None:
        assert pearson(one, [-each for each in other]) == pytest.approx(-found)
        assert pearson(one, one) == pytest.approx(1)


async def test_the_report_tells_who_was_asked_who_answered_and_why_others_were_not(database: Database) -> None:
    """By survey, channel and segment; each line and the total add up; what is volunteered is no occasion."""
    place = Place(database)
    gold = {"id": "gold", "segment": "high_value"}
    await post(place, episode("e1"))
    await place.say("5", SMS, "sms")
    await post(place, episode("e2", customer=gold, addresses=[address("sms", SMS + "1")]))
    await post(place, episode("e3", customer=gold, addresses=[address("chat", "never wrote")]))
    await post(place, episode("e4", customer={"id": "c4"}, addresses=[]))
    await post(
        place,
        episode(
            "e5", customer=gold, addresses=[address("sms", SMS + "1")], ended_at=(START + timedelta(days=1)).isoformat()
        ),
    )
    await place.say("我给你们打9分", "77")
    async with place.client() as client:
        report = await (await client.get("/api/v1/insights/coverage")).json()
        later = await (
            await client.get("/api/v1/insights/coverage", params={"since": (START + timedelta(days=1)).isoformat()})
        ).json()
        early = await (await client.get("/api/v1/insights/coverage", params={"until": START.isoformat()})).json()
        assert (await client.get("/api/v1/insights/coverage?since=soon")).status == 400
    total = report["total"]
    assert (total["occasions"], total["asked"], total["planned"], total["answered"]) == (5, 2, 1, 1)
    assert total["not_asked"] == {"no_address": 1, "window_closed": 1}
    assert total["answered_percent"]["value"] == 50
    assert total["answered_percent"]["small"]
    lines = {(line["channel"], line["segment"]): line for line in report["lines"]}
    assert set(lines) == {("sms", None), ("sms", "high_value"), ("chat", "high_value"), (None, None)}
    assert lines["chat", "high_value"]["asked_percent"]["value"] == 0  # nobody could be asked there
    assert (lines["sms", "high_value"]["asked"], lines["sms", "high_value"]["planned"]) == (1, 1)
    for line in [*report["lines"], total]:
        assert line["occasions"] == line["asked"] + line["planned"] + sum(line["not_asked"].values())
    for key in ("occasions", "asked", "planned", "answered"):
        assert sum(line[key] for line in report["lines"]) == total[key]
    assert later["total"]["occasions"] == early["total"]["occasions"] == 0


async def test_the_report_needs_its_own_scope(database: Database) -> None:
    """A token for surveys does not open it."""
    from bot.api.tokens import create

    place = Place(database)
    token = await create(database, place.clock, "crm", ("surveys:read",), by="test")
    async with place.client(token) as client:
        assert (await client.get("/api/v1/insights/coverage")).status == 403
