"""What was said elsewhere and is typed in: a rating that nobody asked for, and a case where a low one left none."""

from __future__ import annotations

from datetime import datetime

from bot.loop.asking import Asking
from bot.loop.case_moves import told
from bot.loop.effects import Effects
from bot.loop.state import LaneState
from bot.surveys.definitions import Definition
from bot.surveys.scales import score
from storage.changes import Insert
from storage.tables import episodes, ratings, surveys


def volunteer(effects: Effects, definition: Definition, value: int, touchpoint: str, source: str) -> None:
    """A rating on the definition's scale that nobody asked for, of a service of its own at `touchpoint`; `source` says
    how it came (page, entry)."""
    visit = {
        "external_id": effects.state.thread,
        "contact_id": effects.contact_id,
        "touchpoint": touchpoint[:100],
        "ended_at": effects.now,
        "created_at": effects.now,
    }
    of = effects.add(Insert(episodes, visit))
    rated_unasked(effects, definition, value, score(definition.scale, value), source, effects.now, episode=of)


def rated_unasked(
    effects: Effects,
    definition: Definition,
    value: int,
    rated: float,
    source: str,
    at: datetime,
    *,
    episode: Insert | None = None,
) -> None:
    """What nobody asked for is a survey answered at once; `rated` of 0 to 100 is what was stated, `value` the nearest
    on its scale."""
    survey = effects.add(
        Insert(
            surveys,
            {
                "episode_id": episode,
                "conversation_id": effects.conversation_id,
                "contact_id": effects.contact_id,
                "address_id": effects.address_id,
                "definition": definition.key,
                "state": "answered",
                "created_at": at,
                "answered_at": at,
            },
        )
    )
    values = {"survey_id": survey, "value": value, "score": rated, "source": source, "received_at": at}
    effects.add(Insert(ratings, values))


def open_low(asking: Asking, state: LaneState, effects: Effects, low: str, words: str, origin: str) -> None:
    """A low rating, called `low` on its scale, opens a case, unless the words did."""
    if state.cases:
        return
    language = effects.tongue
    case = asking.desk.open(
        effects,
        title=words or asking.notices.low_rating_title.said(language, answer=low),
        nature=["other"],
        aspect=[],
        urgency="important",
        fields={},
        origin=origin,
        at=effects.now,
    )
    if words:
        told(effects, case, "completed", actor="customer", note=words, at=effects.now)
