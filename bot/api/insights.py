"""GET /insights/…: what surveys add up to, each figure with how many it rests on and how sure it is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from bot.api.operation import Call, Nothing, Operations
from bot.api.values import Moment
from bot.indicators import coverage as covered
from bot.indicators.statistics import Estimate

operations = Operations("insights")


class SpanFilter(BaseModel):
    """A span of time."""

    model_config = ConfigDict(extra="forbid")

    since: Moment | None = Field(None, description="Then or later.")
    until: Moment | None = Field(None, description="Before.")


class EstimateView(BaseModel):
    """A figure with its 95 % interval."""

    value: float
    n: int = Field(description="How many it rests on.")
    low: float | None
    high: float | None
    small: bool = Field(description="Whether it rests on so few (under 30) that it says little.")


class CoverageView(BaseModel):
    """Who was asked and who answered: occasions = asked + planned + not_asked."""

    definition: str | None = Field(description="The survey's key; null for all together.")
    channel: str | None
    segment: str | None
    occasions: int
    asked: int
    planned: int
    answered: int
    not_asked: dict[str, int] = Field(description="How many for each reason.")
    asked_percent: EstimateView | None = Field(description="Asked of the occasions.")
    answered_percent: EstimateView | None = Field(description="Answered of those asked.")


class CoverageReport(BaseModel):
    total: CoverageView
    lines: list[CoverageView] = Field(description="By survey, channel and segment.")


@operations.get("/insights/coverage", scope="insights:read", query=SpanFilter, answer=CoverageReport)
async def read_coverage(call: Call[Nothing, SpanFilter]) -> CoverageReport:
    """Read how many customers were asked and answered, and why the others were not asked.

    Each service, resolved conversation or turn in a scheduled survey is an occasion; what customers volunteer is none.
    """
    definitions = call.service.content.surveys.definitions.values()
    volunteered = [each.key for each in definitions if each.trigger == "volunteered"]
    asked = call.query
    found = await call.service.database.read(
        lambda connection: covered.coverage(connection, asked.since, asked.until, volunteered)
    )
    lines = sorted(found.items(), key=lambda line: (line[0].definition, line[0].channel or "", line[0].segment or ""))
    return CoverageReport(
        total=_line(None, covered.total(found.values())), lines=[_line(group, line) for group, line in lines]
    )


def estimate_of(found: Estimate | None) -> EstimateView | None:
    if found is None:
        return None
    return EstimateView(value=found.value, n=found.n, low=found.low, high=found.high, small=found.small)


def _line(group: covered.Group | None, line: covered.Coverage) -> CoverageView:
    return CoverageView(
        definition=group.definition if group else None,
        channel=group.channel if group else None,
        segment=group.segment if group else None,
        occasions=line.occasions,
        asked=line.asked,
        planned=line.planned,
        answered=line.answered,
        not_asked=dict(sorted(line.reasons.items())),
        asked_percent=estimate_of(line.asked_share),
        answered_percent=estimate_of(line.answered_share),
    )
