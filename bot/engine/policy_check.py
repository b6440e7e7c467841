"""What Rasa refuses to train: rules that contradict one another, and rules that are silent on what others say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from bot.engine.domain import Domain, Feature
from bot.engine.policy import UNSET, Policy, Row, State
from bot.engine.rules import Do, LoopIs, Rule, SlotIs
from bot.engine.source import Node, Report


def check_rules(report: Report, domain: Domain, policy: Policy) -> None:
    """Notes every contradiction and every incompleteness."""
    initial = {name: f for name, slot in domain.slots.items() if (f := slot.feature(slot.initial)) is not None}
    for row in policy.rows:
        _check_predictions(report, policy, row, initial)
    _check_complete(report, policy, initial)


def _check_predictions(report: Report, policy: Policy, row: Row, initial: Mapping[str, Feature]) -> None:
    """Each action that the rule names must be what all rules together lead to."""
    states = [
        State(
            wanted.previous,
            wanted.intent,
            None if wanted.loop == UNSET else wanted.loop,
            {name: f for name, f in {**initial, **dict(wanted.slots)}.items() if f is not None},
        )
        for wanted in row.states
    ]
    rejected = False
    for place, action in enumerate(row.actions):
        now = states[place]
        if place and now.loop is not None and (now.previous == now.loop or now.loop != states[place - 1].loop):
            rejected = False
        if action is None or place < row.first:
            continue
        found = policy.predict(states[: place + 1], rejected=rejected)
        if found.action != action and found.action == now.loop and not rejected:
            rejected = True  # as if the form had not taken the message
            found = policy.predict(states[: place + 1], rejected=True)
        if found.action is None or found.action == action:
            continue
        other = f"the rule `{found.key.rule.name}`" if found.key else "what an active form does of itself"
        report.add(
            _place(row.rule),
            f"the rule `{row.rule.name}` contradicts {other}: after `{now.previous}` one wants `{action}`, the other "
            f"`{found.action}`",
            "Join the two rules, or give one of them a condition that tells them apart",
        )
        return


def _check_complete(report: Report, policy: Policy, initial: Mapping[str, Feature]) -> None:
    """An action that sets a slot or a form in one rule must be said to do so in all, or left without a say."""
    slots: dict[str, set[str]] = defaultdict(set)
    loops: dict[str, set[str]] = defaultdict(set)
    for rule in {id(row.rule): row.rule for row in policy.rows}.values():
        action: str | None = None
        for event in rule.events:
            match event:
                case Do():
                    action = event.action
                case SlotIs() if action is not None:
                    slots[action].add(event.slot)
                case LoopIs() if action is not None:
                    loops[action].add(UNSET if event.loop is None else event.loop)
    for row in policy.rows:
        for state, following in zip(row.states, row.actions, strict=True):
            done = state.previous
            if done is None or following is None:
                continue
            missing = slots[done] - initial.keys() - {name for name, _ in state.slots}
            if missing:
                _incomplete(report, row.rule, done, f"the slot `{min(missing)}`", "slot_was_set")
            if loops[done] and state.loop not in loops[done]:
                _incomplete(report, row.rule, done, "the active form", "active_loop")


def _incomplete(report: Report, rule: Rule, action: str, what: str, step: str) -> None:
    report.add(
        _place(rule),
        f"the rule `{rule.name}` does not say what `{action}` makes of {what}, which another rule says",
        f"Add `- {step}: ...` after the action (null: unset), or `wait_for_user_input: false` where it ends the rule",
    )


def _place(rule: Rule) -> Node:
    return Node(rule.file, rule.line, None)
