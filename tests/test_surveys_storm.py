"""A storm of taps, most of them wrong in one way or another (`python -m bench.taps` is the same with ten thousand)."""

from __future__ import annotations

from api_parts import Place

from bench.taps import SHARES, storm
from bot.web import pages
from bot.web.server import application, serve
from storage.database import Database

TAPS = 500


async def test_a_storm_of_taps_leaves_one_rating_each_and_words_for_everybody(database: Database) -> None:
    """Two devices, double taps, redeliveries, other people's buttons and forms, forged ones, one form again and again:
    each survey has one rating, one that was pressed on it; whoever pressed on a page was answered, never by an error of
    ours."""
    place = Place(database)
    runner, port = await serve(application(place.service, [pages.routes]), "127.0.0.1", 0)
    found = await storm(place.service, place.clock, f"http://127.0.0.1:{port}", ("chat", "a"), TAPS, seed=7)
    await runner.cleanup()
    assert found.wrong == []
    assert set(found.taps) == set(SHARES)
    assert found.rated == found.surveys
    told = {what.partition(" ")[0]: set[str]() for what in found.answers}
    for what in found.answers:
        told[what.partition(" ")[0]].add(what.partition(" ")[2])
    assert told == {
        "page": {"303", "409"},  # counted, or told that it stands otherwise by now
        "replayed": {"303", "409"},
        "their_form": {"409"},
        "token": {"404"},
    }
    assert found.answers["replayed 303"] == 1
