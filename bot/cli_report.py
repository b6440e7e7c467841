"""`earful report`: a month in figures, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.commands import clear, settings_of, with_database
from bot.yamlfile import Words, tongue
from nlu.understanding import Language

if TYPE_CHECKING:
    from bot.assistant.content import Taxonomy
    from bot.indicators.monthly import Figure, Issue, Report
    from bot.indicators.statistics import Estimate

_TITLE = Words("# {month} 月报", "# Report for {month}")
_COUNTS = Words(
    "服务 {services} 次，收到评分 {ratings} 个，投诉 {complaints} 件。括号内为 95% 置信区间；"
    "样本少于 30 的标 *，仅供参考。",
    "Services: {services}; ratings: {ratings}; complaints: {complaints}. In brackets stand 95 % intervals; figures "
    "that rest on fewer than 30 are marked * and say little.",
)
_ESTIMATE = Words("{number}%{small}", "{number} %{small}")
_GOALS = Words("## 目标与实际", "## Goals and figures")
_GOALS_HEAD = Words("| 指标 | 本月 | 上月 | 目标 |", "| figure | this month | the month before | goal |")
_NAMES = {
    "complaint_rate": Words("投诉率（每百次服务）", "complaints per 100 services"),
    "scores_90": Words("90 分及以上占比", "scores of 90 and more"),
    "within_24h": Words("24 小时内首次回复", "answered within 24 hours"),
    "closure": Words("闭环率（客户确认）", "closed by the customer's own rating"),
    "asked": Words("调查覆盖：已发出", "coverage: asked"),
    "answered": Words("调查覆盖：已回答", "coverage: answered"),
}
_GOAL = Words("≥ {goal}%", "≥ {goal} %")
_MET = {True: Words("≥ {goal}% ✓", "≥ {goal} % ✓"), False: Words("≥ {goal}%，未达到", "≥ {goal} %, not reached")}
_NO_FIGURE = "–"
_ISSUES = Words("## 反映最多的问题", "## What most complaints were about")
_NO_ISSUES = Words("本月没有可归类的投诉。", "No complaint of this month could be told what it is about.")
_ISSUE = Words(
    "{place}. **{topic}**：{count} 件，占 {part}，上月 {then} 件",
    "{place}. **{topic}**: {count} of the complaints, {part}; {then} the month before",
)
_SCORE = Words("；解决后客户评分 {score}", "; customers' score after the solution {score}")
_MEASURES = Words("   改进方向：{measures}", "   What is done: {measures}")
_NO_MEASURE = Words(
    "   改进方向：还没有改进项。请在工作台“改进”里为它立项，并收集这些工单。",
    "   What is done: nothing yet. Begin an improvement at the desk and collect these cases in it.",
)
_CASES = Words("   工单：{numbers}", "   Cases: {numbers}")
_STATES = {
    "open": Words("待开始", "to begin"),
    "in_progress": Words("进行中", "in progress"),
    "done": Words("已完成", "done"),
    "verified": Words("已验证", "verified"),
}
_FLOW = Words("## 反馈流向", "## The way of feedback")
_FLOW_HEAD = Words("| 渠道 | 类别 | 结果 | 件数 |", "| channel | about | outcome | complaints |")
_OUTCOMES = {
    "open": Words("处理中", "open"),
    "closed": Words("客户确认闭环", "closed by the customer"),
    "unconfirmed": Words("关闭，客户未确认", "closed unconfirmed"),
    "withdrawn": Words("已撤回", "withdrawn"),
    "merged": Words("并入其他工单", "merged into another"),
}
_TOTAL = Words("| 合计 | | | {count} |", "| together | | | {count} |")
_RECORDS = Words(
    "明细：`earful export {month}.xlsx --from {since} --before {until}`",
    "The records behind it: `earful export {month}.xlsx --from {since} --before {until}`",
)


@click.command("report")
@click.option("--month", "name", required=True, metavar="YYYY-MM", help="Which month, by the office's calendar.")
@click.option("--language", type=click.Choice(["zh", "en"]), help="Default: the setting.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.pass_context
def report_month(context: click.Context, name: str, language: str | None, file: Path | None) -> None:
    """Goals beside figures, the three matters that most complaints were about with what is done about them, and the way
    of feedback from channel to outcome: as Markdown, to FILE or to the screen. A month that is not over is reported as
    it stands."""
    from bot import content as contents  # noqa: PLC0415 - other commands need not wait for it
    from bot.indicators import monthly  # noqa: PLC0415

    settings = settings_of(context)
    with clear():
        content = contents.load(settings.assistant_dir)
        zone = content.calendar.zone
        month = monthly.month(name, zone)
    volunteered = [each.key for each in content.surveys.definitions.values() if each.trigger == "volunteered"]

    async def work(database: Any, clock: Any) -> Report:
        found: Report = await database.snapshot(
            lambda connection: monthly.report(connection, month, zone, clock.now(), volunteered)
        )
        return found

    told = with_database(context, work)
    text = "\n".join(_lines(told, content.taxonomy, tongue(language or settings.language))) + "\n"
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written ({error.strerror})") from None


def _lines(told: Report, taxonomy: Taxonomy, language: Language) -> Iterator[str]:
    def said(words: Words, **values: object) -> str:
        return words.said(language, **values)

    counts = {"services": told.services, "ratings": told.ratings, "complaints": told.complaints}
    yield from (said(_TITLE, month=told.month.name), "", said(_COUNTS, **counts), "")
    yield from (said(_GOALS), "", said(_GOALS_HEAD), "|---|---|---|---|")
    for figure in told.figures:
        columns = (
            said(_NAMES[figure.name]),
            _estimate(figure.now, language),
            _estimate(figure.then, language),
            _goal(figure, language),
        )
        yield f"| {' | '.join(columns)} |"
    yield from ("", said(_ISSUES), "")
    for place, issue in enumerate(told.issues, 1):
        yield from _issue(place, issue, taxonomy, language)
    if not told.issues:
        yield said(_NO_ISSUES)
    yield from ("", said(_FLOW), "", said(_FLOW_HEAD), "|---|---|---|---:|")
    for channel, nature, outcome, count in told.flow:
        yield f"| {channel} | {taxonomy.nature(nature, language)} | {said(_OUTCOMES[outcome])} | {count} |"
    yield said(_TOTAL, count=told.complaints)
    since, until = (f"{moment:%Y-%m-%d}" for moment in (told.month.since, told.month.until))
    yield from ("", said(_RECORDS, month=told.month.name, since=since, until=until))


def _issue(place: int, issue: Issue, taxonomy: Taxonomy, language: Language) -> Iterator[str]:
    from bot.cases import numbers  # noqa: PLC0415

    nature, _, aspect = issue.topic.partition(":")
    topic = f"{taxonomy.nature(nature, language)} · {taxonomy.aspect(aspect, language)}"
    part = _estimate(issue.part, language)
    line = _ISSUE.said(language, place=place, topic=topic, count=issue.count, part=part, then=issue.then)
    if issue.score is not None:
        line += _SCORE.said(language, score=_number(issue.score))
    yield line + ("。" if language == "zh" else ".")
    measures = [f"{title} ({_STATES[state].said(language)})" for title, state in issue.measures]
    yield _MEASURES.said(language, measures="; ".join(measures)) if measures else _NO_MEASURE.said(language)
    yield _CASES.said(language, numbers=", ".join(map(numbers.number, issue.cases)))


def _goal(figure: Figure, language: Language) -> str:
    from bot.indicators.monthly import GOALS  # noqa: PLC0415

    goal = GOALS[figure.name]
    if goal is None or figure.met is None:
        return _NO_FIGURE if goal is None else _GOAL.said(language, goal=f"{goal:.0f}")
    return _MET[figure.met].said(language, goal=f"{goal:.0f}")


def _estimate(found: Estimate | None, language: Language) -> str:
    if found is None:
        return _NO_FIGURE
    small = f"{_between(found)}{' *' if found.small else ''}"
    return _ESTIMATE.said(language, number=f"{found.value:.1f}", small=small)


def _number(found: Estimate) -> str:
    return f"{found.value:.1f}{_between(found)}"


def _between(found: Estimate) -> str:
    return "" if found.low is None or found.high is None else f" ({found.low:.1f} – {found.high:.1f})"
