"""The life of a case as a state machine: which moves are legal, who may make them, and why not.

received, acknowledged, assigned, planned, in progress, resolved, following up, closed; with returned, reopened, merged,
duplicate, withdrawn (by the customer), and closed unconfirmed (nobody answered the follow-up), which is counted apart.
Only the customer's own rating closes a case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from bot.yamlfile import Words
from nlu.understanding import Language, Urgency

State = Literal[
    "received",
    "acknowledged",
    "assigned",
    "planned",
    "in_progress",
    "resolved",
    "following_up",
    "closed",
    "closed_unconfirmed",
    "returned",
    "reopened",
    "merged",
    "duplicate",
    "withdrawn",
]
Actor = Literal["customer", "staff", "system"]
Code = Literal["same_state", "final", "no_such_move", "needs_reason", "not_theirs"]
STATES: tuple[State, ...] = get_args(State)
FINAL: frozenset[State] = frozenset({"merged", "duplicate", "withdrawn"})
# No longer worked on. A closed case may still be opened again by the customer.
SETTLED: frozenset[State] = FINAL | {"closed", "closed_unconfirmed"}

_LEAVE: frozenset[State] = frozenset({"merged", "duplicate", "withdrawn"})
_WORK: frozenset[State] = frozenset({"assigned", "returned", "resolved"})
MOVES: Mapping[State, frozenset[State]] = {
    "received": _LEAVE | {"acknowledged", "assigned"},
    "acknowledged": _LEAVE | {"assigned"},
    "assigned": _LEAVE | _WORK | {"planned", "in_progress"},
    "planned": _LEAVE | _WORK | {"planned", "in_progress"},
    "in_progress": _LEAVE | _WORK | {"planned"},
    "returned": _LEAVE | {"assigned"},
    "resolved": frozenset({"following_up", "closed", "closed_unconfirmed", "reopened", "merged", "duplicate"}),
    "following_up": frozenset({"closed", "closed_unconfirmed", "reopened", "merged", "duplicate"}),
    "closed": frozenset({"reopened"}),
    "closed_unconfirmed": frozenset({"closed", "reopened"}),
    "reopened": _LEAVE | _WORK | {"planned", "in_progress", "closed"},  # closed: they rate anew, and were only slow
    "merged": frozenset(),
    "duplicate": frozenset(),
    "withdrawn": frozenset(),
}
# assigned to assigned is another owner, planned to planned another plan.
_REPEATED: frozenset[State] = frozenset({"assigned", "planned"})
_NEEDS_REASON: frozenset[State] = frozenset({"returned", "reopened", "merged", "duplicate", "withdrawn"})
_BY: Mapping[State, frozenset[Actor]] = {
    "closed": frozenset({"customer"}),
    "closed_unconfirmed": frozenset({"system"}),
    "withdrawn": frozenset({"customer"}),
}

_NAMES: Mapping[State, Words] = {
    "received": Words("已收到", "received"),
    "acknowledged": Words("已受理", "acknowledged"),
    "assigned": Words("已分派", "assigned"),
    "planned": Words("已有方案", "planned"),
    "in_progress": Words("处理中", "in progress"),
    "resolved": Words("已处理", "resolved"),
    "following_up": Words("等您确认", "waiting for your word"),
    "closed": Words("已办结", "closed"),
    "closed_unconfirmed": Words("已办结（未确认）", "closed, unconfirmed"),
    "returned": Words("退回重新分派", "being reassigned"),
    "reopened": Words("重新处理中", "reopened"),
    "merged": Words("已并入另一个工单", "merged into another case"),
    "duplicate": Words("与另一个工单重复", "a duplicate of another case"),
    "withdrawn": Words("已撤回", "withdrawn"),
}
_REFUSALS: Mapping[Code, Words] = {
    "same_state": Words("这个工单已经是“{old}”", 'This case is already "{old}"'),
    "final": Words(
        "这个工单{old}，不能再变更；有新情况请新建工单", 'This case is "{old}" and can no longer change. Open a new one'
    ),
    "no_such_move": Words(
        "“{old}”的工单不能直接变成“{new}”，可以：{next}",
        'A case that is "{old}" cannot become "{new}". It can become: {next}',
    ),
    "needs_reason": Words("变成“{new}”要写明原因", 'Say why the case becomes "{new}"'),
    "not_theirs": Words(
        "“{new}”不能由这一方操作：办结看客户的评价，撤回由客户提出",
        '"{new}" is not theirs to decide: only the customer closes or withdraws a case',
    ),
}


@dataclass(frozen=True, slots=True)
class Move:
    """A legal change of state, for the timeline."""

    old: State
    new: State
    by: Actor
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An illegal one, and why."""

    code: Code
    old: State
    new: State

    def said(self, language: Language) -> str:
        comma = "、" if language == "zh" else ", "
        following = comma.join(name(state, language) for state in STATES if state in MOVES[self.old])
        return _REFUSALS[self.code].said(
            language, old=name(self.old, language), new=name(self.new, language), next=following
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the customer's rating of the result does: the state to move to, and the urgency from then on."""

    state: Literal["closed", "reopened"]
    urgency: Urgency


def name(state: State, language: Language) -> str:
    """A state in words that customers and staff read."""
    return _NAMES[state].said(language)


def move(old: State, new: State, by: Actor, reason: str = "") -> Move | Refusal:
    """The move from `old` to `new`, or why it is refused. Returned, reopened, merged, duplicate and withdrawn need a
    reason."""
    if old in FINAL:
        return Refusal("final", old, new)
    if new not in MOVES[old]:
        return Refusal("same_state" if old == new else "no_such_move", old, new)
    if by not in _BY.get(new, frozenset({"customer", "staff", "system"})):
        return Refusal("not_theirs", old, new)
    if new in _NEEDS_REASON and not reason.strip():
        return Refusal("needs_reason", old, new)
    return Move(old, new, by, reason.strip())


def judged(score: float, urgency: Urgency, close_from: float = 80.0) -> Verdict:
    """The follow-up's rating: from `close_from` of 100 the case closes; less opens it again, one step more urgent."""
    return Verdict("closed", urgency) if score >= close_from else Verdict("reopened", raised(urgency))


def raised(urgency: Urgency) -> Urgency:
    """One step more urgent."""
    return "important" if urgency == "normal" else "urgent"


def outweighs(urgency: Urgency, other: Urgency) -> bool:
    """Whether it is more urgent than the other."""
    return _URGENCIES.index(urgency) < _URGENCIES.index(other)


_URGENCIES: tuple[Urgency, ...] = get_args(Urgency)
