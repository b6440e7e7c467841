"""A measured figure beside its goal, and the table of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """`least` that a figure must reach, or `most` that it must stay under (or at, where that is 0)."""

    least: float | None = None
    most: float | None = None

    def met(self, figure: float) -> bool:
        """Whether `figure` is as it should be."""
        if self.least is not None:
            return figure >= self.least
        return self.most is None or figure < self.most or figure == self.most == 0

    def __str__(self) -> str:
        if self.least is not None:
            return f"≥ {self.least:g}"
        return f"< {self.most:g}" if self.most else "0"


@dataclass(frozen=True)
class Row:
    """One figure: of `n` texts, with its 95 % interval where it has one. `places` is how many decimals it deserves."""

    task: str
    n: int
    figure: float
    interval: tuple[float, float] | None = None
    goal: Goal | None = None
    note: str = ""
    places: int = 3

    def cells(self) -> Iterator[str]:
        """The row of the table."""
        yield self.task
        yield str(self.n)
        yield f"{self.figure:.{self.places}f}"
        yield f"{self.interval[0]:.{self.places}f} – {self.interval[1]:.{self.places}f}" if self.interval else ""
        yield str(self.goal) if self.goal else ""
        yield "" if not self.goal else "yes" if self.goal.met(self.figure) else "no"
        yield self.note


def table(rows: Sequence[Row]) -> str:
    """All rows as a Markdown table."""
    heads = ("task", "n", "figure", "95 % interval", "goal", "met", "beside it")
    return markdown([heads, *(tuple(row.cells()) for row in rows)])


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first line is its head."""
    head, *rest = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rest])
