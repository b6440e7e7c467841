"""Agents do not see who judged them, nor how: what a survey about an agent said and heard is left out for that agent.

Pure. The transcript marks a survey's questions and the taps on them; words typed as an answer, and the thanks, bear no
mark and are known by where they stand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

_TAKEN = frozenset({"claimed", "assigned", "transferred"})
_RELEASED = frozenset({"handed_back", "requeued", "resolved", "passed_on", "left_waiting"})


@dataclass(frozen=True, slots=True)
class Line:
    """A message of the transcript. `kind` is that of its outgoing row, if it has one; `survey` the one it speaks of;
    `tapped` the message whose button the customer pressed; `event` the word of a system row."""

    id: int
    author: str
    kind: str | None = None
    survey: int | None = None
    tapped: int | None = None
    event: str | None = None


def hidden(lines: Sequence[Line], judging: Collection[int], asked: Mapping[int, int]) -> set[int]:
    """The ids among `lines`, in order, that the one judged by the surveys `judging` must not see.

    `asked` gives the survey of messages that were tapped, where they may lie before the first line.
    """
    if not judging:
        return set()
    surveys = dict(asked) | {line.id: line.survey for line in lines if line.survey is not None}
    found: set[int] = set()
    current: int | None = None  # the survey last spoken of
    with_person = False
    answering = False  # the customer's last words were such an answer, and this is what came of it
    before: Line | None = None
    for line in lines:
        if line.author == "system":
            with_person = line.event in _TAKEN or (with_person and line.event not in _RELEASED)
            answering = False
        elif line.author == "customer":
            survey = line.survey if line.survey is not None else surveys.get(line.tapped or 0)
            answering = survey in judging
            if answering:
                found.add(line.id)
        elif line.author == "bot":
            unmarked = line.survey is None and line.kind == "survey"
            current = current if line.survey is None else line.survey
            # Whose thanks these are may lie before the first line; then they are left out to be sure.
            speaks = line.survey in judging or (unmarked and (current is None or current in judging))
            if speaks or (answering and line.kind in ("survey", "notice")):
                found.add(line.id)
                # Typed just before, while no person had the conversation, it was an answer.
                if before is not None and before.author == "customer" and not with_person:
                    found.add(before.id)
        before = line
    return found
