"""Ownership of a conversation, fenced by an epoch that moves with every change of hands.

Pure: each function gives the next `Ownership`, or a `Refusal` with words for the person at the desk. The store applies
it only where `owner_epoch` is still the one it was decided on, so that of two claims one wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.yamlfile import Words
from nlu.understanding import Language

Owner = Literal["bot", "queue", "agent"]
Code = Literal[
    "taken", "already_yours", "already_waiting", "with_agent", "not_yours", "not_held", "not_waiting", "same"
]
Doing = Literal[
    "tap", "consent", "receipt", "timer", "survey_reply", "typed_answer", "position", "question", "cancel", "free_text"
]


@dataclass(frozen=True, slots=True)
class Ownership:
    """`agent_id` and `agent_name` are set exactly while `owner` is `agent`."""

    owner: Owner = "bot"
    epoch: int = 0
    agent_id: int | None = None
    agent_name: str | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """A member of the staff. A supervisor may act for whoever holds a conversation."""

    id: int
    name: str
    supervisor: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing changed. `words` says why, {name} being the person who holds the conversation."""

    code: Code
    name: str = ""

    def said(self, language: Language) -> str:
        return _WORDS[self.code].said(language, name=self.name)


_WORDS: dict[Code, Words] = {
    "taken": Words("这个会话已由{name}接手", "{name} has already taken this conversation"),
    "already_yours": Words("这个会话已经在您手上", "You already have this conversation"),
    "already_waiting": Words("客户已经在排队等候", "The customer is already waiting in the queue"),
    "with_agent": Words("{name}正在接待这位客户", "{name} is already with this customer"),
    "not_yours": Words(
        "这个会话由{name}接待，只有本人或主管可以操作",
        "Only {name}, who has this conversation, or a supervisor can do that",
    ),
    "not_held": Words("这个会话现在没有人接待，请先接手", "Nobody has this conversation at the moment. Claim it first"),
    "not_waiting": Words("这个会话不在排队", "This conversation is not in the queue"),
    "same": Words("这个会话已经由{name}接待", "{name} already has this conversation"),
}


def request_person(now: Ownership) -> Ownership | Refusal:
    """The customer, or a rule, asks for a person: bot to queue."""
    if now.owner == "queue":
        return Refusal("already_waiting")
    if now.owner == "agent":
        return Refusal("with_agent", now.agent_name or "")
    return Ownership("queue", now.epoch + 1)


def cancel(now: Ownership) -> Ownership | Refusal:
    """The customer no longer wants to wait: queue to bot."""
    return Ownership("bot", now.epoch + 1) if now.owner == "queue" else Refusal("not_waiting")


def claim(now: Ownership, agent: Agent) -> Ownership | Refusal:
    """An agent takes a waiting conversation, or one from the bot. A colleague's is transferred, not claimed."""
    if now.owner == "agent":
        return Refusal("already_yours") if now.agent_id == agent.id else Refusal("taken", now.agent_name or "")
    return Ownership("agent", now.epoch + 1, agent.id, agent.name)


def hand_back(now: Ownership, by: Agent) -> Ownership | Refusal:
    """The agent leaves the customer to the bot again: agent to bot."""
    return _refused(now, by) or Ownership("bot", now.epoch + 1)


def resolve(now: Ownership, by: Agent) -> Ownership | Refusal:
    """The matter is settled: agent to bot; the caller asks for a rating of the agent."""
    return _refused(now, by) or Ownership("bot", now.epoch + 1)


def return_to_queue(now: Ownership, by: Agent | None) -> Ownership | Refusal:
    """Released for a colleague to take: agent to queue. `by` None: the system, for an agent who has gone."""
    if by is None:
        return Ownership("queue", now.epoch + 1) if now.owner == "agent" else Refusal("not_held")
    return _refused(now, by) or Ownership("queue", now.epoch + 1)


def transfer(now: Ownership, by: Agent, to: Agent) -> Ownership | Refusal:
    """Given to a named colleague: agent to agent."""
    if (refusal := _refused(now, by)) is not None:
        return refusal
    return Refusal("same", to.name) if now.agent_id == to.id else Ownership("agent", now.epoch + 1, to.id, to.name)


def pass_on(now: Ownership, by: Agent) -> Ownership | Refusal:
    """To the queue of a department. What waits already may be passed on by a supervisor."""
    if now.owner == "queue" and by.supervisor:
        return Ownership("queue", now.epoch + 1)
    return _refused(now, by) or Ownership("queue", now.epoch + 1)


def rank(*, urgent: bool, priority: bool) -> int:
    """A customer's place among those who wait: 0 urgent, 1 a high-value customer or one at risk, 2 all others. Of one
    rank whoever waits longest comes first."""
    return 0 if urgent else 1 if priority else 2


def bot_may(owner: Owner, doing: Doing) -> bool:
    """What the bot still does while `owner` has the conversation.

    Taps, opt-outs, receipts and timers work always, and so does a typed answer that quotes the survey's message
    (`survey_reply`). In the queue the bot also takes a typed answer to an open survey (`typed_answer`), tells the
    position, answers known questions and understands "cancel". All other words (`free_text`) go to the transcript;
    under an agent everything typed does, for the bot never talks over a person.
    """
    if owner == "bot" or doing in ("tap", "consent", "receipt", "timer", "survey_reply"):
        return True
    return owner == "queue" and doing in ("typed_answer", "position", "question", "cancel")


def _refused(now: Ownership, by: Agent) -> Refusal | None:
    """Why `by` may not act for the holder of the conversation."""
    if now.owner != "agent":
        return Refusal("not_held")
    return None if now.agent_id == by.id or by.supervisor else Refusal("not_yours", now.agent_name or "")
