"""GET /insights/…: what surveys add up to, each figure with how many it rests on and how sure it is."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from bot.api.operation import Call, Nothing, Operations
from bot.api.values import Moment
from bot.indicators import coverage as covered
from bot.indicators.correlation import alike
from bot.indicators.measures import series
from bot.indicators.rollup import Figure, roll_up, worked_out
from bot.indicators.statistics import Estimate
from bot.yamlfile import Words

operations = Operations("insights")

USUALLY = timedelta(days=90)
"""The span of a report that is asked for without one."""


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


class LabelView(BaseModel):
    zh: str
    en: str


class IndicatorView(BaseModel):
    """One node of the tree."""

    key: str
    parent: str | None = Field(description="Null for the root.")
    level: int = Field(description="From 1, the root.")
    label: LabelView
    weight: float = Field(description="Its share of its parent in percent, among those that have figures.")
    estimate: EstimateView | None = Field(description="From 0 to 100; null where nothing below it has figures.")
    missing: list[str] = Field(description="Leaves below it without figures.")


class FormulaView(BaseModel):
    key: str
    label: LabelView
    terms: dict[str, float] = Field(description="The percentage of each leaf.")
    estimate: EstimateView | None = Field(description="Null where a term has no figures.")


class PairView(BaseModel):
    """Two leaves that say much the same: a candidate to drop."""

    one: str
    other: str
    r: float = Field(description="Pearson's correlation of their figures by day.")
    n: int = Field(description="Days that both have figures of.")


class IndicatorsReport(BaseModel):
    since: datetime
    until: datetime
    phase: str | None = Field(description="The phase whose weights hold: that of the last day.")
    indicators: list[IndicatorView] = Field(description="Parents before their parts.")
    formulas: list[FormulaView]
    alike: list[PairView] = Field(description="Pairs of leaves with |r| > 0.8, the most alike first.")


@operations.get("/insights/indicators", scope="insights:read", query=SpanFilter, answer=IndicatorsReport)
async def read_indicators(call: Call[Nothing, SpanFilter]) -> IndicatorsReport:
    """Read what satisfaction is made of: the tree of indicators.yml, added up.

    Of the last 90 days, if no span is given. Each figure has its 95 % interval; leaves count as independent. Leaves
    that move together are named, so that one of them can go.
    """
    until = call.query.until or call.now
    since = call.query.since or until - USUALLY
    content = call.service.content
    tree, zone = content.indicators, content.calendar.zone
    found = await call.service.database.read(
        lambda connection: {leaf.key: series(connection, leaf, since, until, zone) for leaf in tree.leaves()}
    )
    estimates = {key: each.estimate for key, each in found.items()}
    phase = tree.phase((until - timedelta(microseconds=1)).astimezone(zone).date())
    return IndicatorsReport(
        since=since,
        until=until,
        phase=phase,
        indicators=[_indicator(each) for each in roll_up(tree.root, estimates, phase)] if tree.root else [],
        formulas=[
            FormulaView(
                key=each.key,
                label=_label(each.label),
                terms=dict(each.terms),
                estimate=estimate_of(worked_out(each, estimates)),
            )
            for each in tree.formulas
        ],
        alike=[
            PairView(one=pair.one, other=pair.other, r=pair.r, n=pair.n)
            for pair in alike({key: each.by_day() for key, each in found.items()})
        ],
    )


def _indicator(figure: Figure) -> IndicatorView:
    return IndicatorView(
        key=figure.indicator.key,
        parent=figure.parent,
        level=figure.level,
        label=_label(figure.indicator.label),
        weight=figure.weight,
        estimate=estimate_of(figure.estimate),
        missing=list(figure.missing),
    )


def _label(words: Words) -> LabelView:
    return LabelView(zh=words.zh, en=words.en)
