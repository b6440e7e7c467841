"""What is wrong with a content file, said so that its author can put it right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` counts from 1. `message` says what is wrong, `remedy` what to write instead."""

    file: str
    line: int
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}. {self.remedy}"


class ContentError(Exception):
    """Content that the service refuses to start with: every problem found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ActionError(Exception):
    """A custom action, or the rules that led to it, went wrong: a defect of ours, never of the customer's words.

    `action` names the culprit. The message tells where to look and bears no message text, so it may be logged.
    """

    def __init__(self, action: str, message: str) -> None:
        self.action = action
        super().__init__(f"{action}: {message}")
