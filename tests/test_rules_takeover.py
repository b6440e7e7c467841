"""Who holds a conversation, and what the bot may do meanwhile."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.takeover import rules
from bot.takeover.rules import Agent, Doing, Owner, Ownership, Refusal, bot_may

LI, WANG = Agent(1, "李雷"), Agent(2, "Wang")
BOSS = Agent(9, "Boss", supervisor=True)
BOT, QUEUE = Ownership(), Ownership("queue", 3)
HELD = Ownership("agent", 4, LI.id, LI.name)


def code(result: Ownership | Refusal) -> str:
    return result.code if isinstance(result, Refusal) else f"{result.owner} {result.epoch}"


def test_a_customer_asks_for_a_person_once() -> None:
    """Bot to queue; asking again, or while a person is there, changes nothing."""
    assert code(rules.request_person(BOT)) == "queue 1"
    assert code(rules.request_person(QUEUE)) == "already_waiting"
    assert code(rules.request_person(HELD)) == "with_agent"


def test_a_waiting_customer_may_change_their_mind() -> None:
    """Queue to bot; there is nothing to cancel elsewhere."""
    assert code(rules.cancel(QUEUE)) == "bot 4"
    assert code(rules.cancel(BOT)) == code(rules.cancel(HELD)) == "not_waiting"


def test_an_agent_claims_what_waits_or_is_with_the_bot() -> None:
    """What a colleague has is refused with the colleague's name, in both languages."""
    assert rules.claim(QUEUE, WANG) == Ownership("agent", 4, WANG.id, WANG.name)
    assert code(rules.claim(BOT, WANG)) == "agent 1"
    assert code(rules.claim(HELD, LI)) == "already_yours"
    taken = rules.claim(HELD, BOSS)
    assert isinstance(taken, Refusal)
    assert (taken.said("zh"), taken.said("en")) == ("这个会话已由李雷接手", "李雷 has already taken this conversation")


@pytest.mark.parametrize("act", [rules.hand_back, rules.resolve])
def test_only_the_holder_or_a_supervisor_ends_a_takeover(act: object) -> None:
    """Agent to bot; a colleague is refused, and so is everybody where nobody holds it."""
    assert callable(act)
    assert code(act(HELD, LI)) == code(act(HELD, BOSS)) == "bot 5"
    assert code(act(HELD, WANG)) == "not_yours"
    assert code(act(QUEUE, BOSS)) == code(act(BOT, LI)) == "not_held"


def test_a_conversation_goes_back_to_the_queue_or_to_a_colleague() -> None:
    """By its holder, a supervisor, or the system for an agent who has gone; never to the one who has it."""
    assert code(rules.return_to_queue(HELD, LI)) == code(rules.return_to_queue(HELD, None)) == "queue 5"
    assert code(rules.return_to_queue(HELD, WANG)) == "not_yours"
    assert code(rules.return_to_queue(QUEUE, None)) == "not_held"
    assert rules.transfer(HELD, BOSS, WANG) == Ownership("agent", 5, WANG.id, WANG.name)
    assert code(rules.transfer(HELD, WANG, WANG)) == "not_yours"
    assert code(rules.transfer(HELD, LI, LI)) == "same"


ALWAYS = {"tap", "consent", "receipt", "timer", "survey_reply"}
QUEUED = ALWAYS | {"typed_answer", "position", "question", "cancel"}


@pytest.mark.parametrize(("owner", "allowed"), [("bot", set(get_args(Doing))), ("queue", QUEUED), ("agent", ALWAYS)])
def test_the_bot_never_talks_over_a_person(owner: Owner, allowed: set[str]) -> None:
    """Under an agent nothing typed is the bot's, but for a reply that quotes the survey's message."""
    assert {doing for doing in get_args(Doing) if bot_may(owner, doing)} == allowed


def test_every_refusal_is_said_in_both_languages() -> None:
    """Without a placeholder left open."""
    for found in get_args(rules.Code):
        texts = [Refusal(found, "{name}李").said(language) for language in ("zh", "en")]
        assert texts[0] != texts[1]
        assert all(text and "{name}{" not in text for text in texts)


class Desk(RuleBasedStateMachine):
    """Several people act on what each saw last; the store takes a change only on the epoch that it was decided on."""

    @initialize()
    def begin(self) -> None:
        self.stored = Ownership()
        self.seen = {LI: self.stored, WANG: self.stored, BOSS: self.stored}
        self.won: list[tuple[int, Agent]] = []

    @rule(who=st.sampled_from([LI, WANG, BOSS]))
    def looks(self, who: Agent) -> None:
        self.seen[who] = self.stored

    @rule(who=st.sampled_from([LI, WANG, BOSS]))
    def claims(self, who: Agent) -> None:
        seen = self.seen[who]
        if self._store(seen, rules.claim(seen, who)):
            self.won.append((seen.epoch, who))

    @rule(
        who=st.sampled_from([LI, WANG, BOSS]),
        act=st.sampled_from([rules.hand_back, rules.resolve, rules.return_to_queue]),
    )
    def lets_go(self, who: Agent, act: object) -> None:
        assert callable(act)
        self._store(self.seen[who], act(self.seen[who], who))

    @rule(who=st.sampled_from([LI, BOSS]))
    def transfers(self, who: Agent) -> None:
        self._store(self.seen[who], rules.transfer(self.seen[who], who, WANG))

    @rule(act=st.sampled_from([rules.request_person, rules.cancel]))
    def the_customer_acts(self, act: object) -> None:
        assert callable(act)
        self._store(self.stored, act(self.stored))

    def _store(self, seen: Ownership, new: Ownership | Refusal) -> bool:
        if isinstance(new, Refusal) or seen.epoch != self.stored.epoch:
            return False
        assert new.epoch == self.stored.epoch + 1
        self.stored = new
        return True

    @invariant()
    def two_claims_never_both_win(self) -> None:
        if hasattr(self, "won"):
            assert len({epoch for epoch, _ in self.won}) == len(self.won)

    @invariant()
    def there_is_an_agent_exactly_while_one_holds_it(self) -> None:
        if hasattr(self, "stored"):
            assert (
                (self.stored.owner == "agent")
                == (self.stored.agent_id is not None)
                == (self.stored.agent_name is not None)
            )


TestDesk = Desk.TestCase
TestDesk.settings = settings(deadline=None, max_examples=50, stateful_step_count=30)


@settings(deadline=None)
@given(st.sampled_from([BOT, QUEUE, HELD]), st.sampled_from([LI, WANG, BOSS]), st.sampled_from([LI, WANG, BOSS]))
def test_a_second_claim_on_the_same_view_always_loses(seen: Ownership, one: Agent, other: Agent) -> None:
    """Whoever comes second sees the first one's name."""
    first = rules.claim(seen, one)
    if isinstance(first, Ownership):
        second = rules.claim(first, other)
        assert isinstance(second, Refusal)
        assert second.code == ("already_yours" if one == other else "taken")
