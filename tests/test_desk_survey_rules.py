"""Surveys changed at the desk: looked at on each channel, checked as at the start, in force everywhere at once; what a
customer has been asked already goes on as it began."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from desk_parts import Agent, Place, opened
from test_desk_rulebook import send, shown
from web_parts import house

from bot.desk import survey_forms
from bot.loop.effects import Effects
from bot.loop.events import chat_lane
from bot.loop.state import LaneState
from bot.settings import ASSISTANT
from bot.surveys import reading, versions
from storage import tables
from storage.changes import Insert
from storage.database import Database

SURVEYS = "/desk/admin/house/surveys.yml"
TEXT = (ASSISTANT / "surveys.yml").read_text("utf-8")
OFF = '<span class="mark">asks nobody</span>'
FACES = "  post_service:\n    trigger: episode\n    scale: faces\n"


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with opened(sqlite) as place:
        yield place


async def ask(place: Place, thread: str = "v1") -> None:
    """Put the survey after a service to a customer, as it is now."""
    definition = place.service.policy.asking.surveys.definitions["post_service"]

    def decide(state: LaneState, effects: Effects) -> Insert:
        return place.service.policy.asking.ask(effects, definition)

    await place.service.turns.act(chat_lane("web", "default", thread), decide)
    await place.service.settle()


async def saved(root: Agent, text: str, do: str = "save") -> tuple[int, str]:
    fields = (await shown(root, SURVEYS))[1]
    return await send(root, SURVEYS, do, {"as": "text", "text": text, "seen": fields["seen"]})


async def test_a_survey_is_changed_while_customers_answer_it(database: Database) -> None:
    """Its scale becomes another. The look shows it on every channel in both languages and changes nothing; saved, this
    process and another ask the new one, while the customer who has five faces before them still answers on five; it
    can be taken back, and given to the file again."""
    async with opened(database) as place:
        surveys = place.service.content.surveys
        await place.database.write(lambda link: versions.keep(link, surveys, place.clock.now()))  # as at the start
        other = house(database, place.clock)
        for thread in ("v1", "v2"):
            await place.say("hello", thread)
        await ask(place)
        root = await place.agent("Ro", "admin")
        effort = TEXT.replace(FACES, FACES.replace("faces", "effort")).replace(
            "How was the service you", "And what you"
        )
        status, page = await saved(root, effort, "preview")
        assert status == 200
        preview = page.partition('id="preview"')[2].partition("</section>")[0]
        assert "<td" in preview
        assert "faces (csat5)" in preview
        assert "effort (ces)" in preview
        assert preview.count("And what you just had?") == 5  # in words, and on each of four channels
        assert preview.count('lang="zh-CN"') == preview.count('lang="en"') == 1
        assert not await place.rows(tables.content_versions)

        assert (await saved(root, effort))[0] == 303
        for each in (place.service, other):
            await each.follow()
            assert each.policy.asking.surveys.definitions["post_service"].scale.kind == "ces"
            assert each.content.surveys is each.policy.talking.desk.surveys
            assert each.relationships.asking.surveys is each.content.surveys
            begun = (await place.rows(tables.surveys))[0]["progress"]
            found = each.content.surveys.begun("post_service", begun)
            assert found is not None
            assert found.scale.kind == "csat5"
        await place.tap("Poor")
        await ask(place, "v2")
        await place.tap("1 Strongly disagree", "v2")
        assert [row["score"] for row in await place.rows(tables.ratings)] == [40, pytest.approx(100 / 7)]
        again = house(database, place.clock)  # as after a restart
        await again.follow()
        assert again.content.surveys == place.service.content.surveys
        for version, scale in (("0", "csat5"), ("1", "ces")):
            seen = (await shown(root, SURVEYS))[1]["seen"]
            assert (await send(root, SURVEYS + "/restore", "", {"seen": seen, "version": version}))[0] == 303
            assert place.service.content.surveys.definitions["post_service"].scale.kind == scale
        actions = [row["action"] for row in await place.rows(tables.audit) if row["subject"] == "content:surveys.yml"]
        assert actions == ["content_written", "content_shipped", "content_written"]


async def test_the_common_things_are_changed_by_form(place: Place) -> None:
    """Whether it is asked at all, when, and in which words; what is not touched stands in the file as it stood."""
    root = await place.agent("Ro", "admin")
    page, fields = await shown(root, SURVEYS)
    assert OFF not in page
    words = 'Say “how”: {it} was\n"yes" # or no'
    fields |= {"s0_sample": "0", "s0_delay": "30", "s0_from": "", "s0_until": "", "s0_office": "1", "s5_per_day": ""}
    fields |= {"s0_w0_en": words, "c0_w0_zh": "😡 差"}
    status, page = await send(root, SURVEYS, "save", fields)
    assert (status, "surveys.yml:" in page, "unknown placeholder" in page, "“how”" in page) == (422, True, True, True)
    fields["s0_w0_en"] = words = words.replace("{it}", "it")
    assert (await send(root, SURVEYS, "save", fields))[0] == 303
    found = place.service.content.surveys.definitions
    post, every = found["post_service"], found["relationship"]
    assert (post.sample, post.delay.seconds, post.quiet, post.office_hours, every.per_day) == (
        0,
        1_800,
        None,
        True,
        None,
    )
    assert (post.question.said("en"), post.scale.labels[1].zh) == (words, "😡 差")
    assert found["case_follow_up"].scale.labels[1].zh == "😡 差"
    page, _ = await shown(root, SURVEYS)
    assert OFF in page
    kept = place.service.rulebook.text("surveys.yml")
    assert len(set(TEXT.splitlines()) - set(kept.splitlines())) == 3
    assert re.findall(r"#.*", TEXT) == [each for each in re.findall(r"#.*", kept) if "or no" not in each]


WRONG = [
    ({"s0_sample": "101"}, "Write a whole number from 0 to 100"),
    ({"s0_delay": "soon"}, "delay_minutes of survey 'post_service' is 'soon'"),
    ({"s0_delay": "1\n    anonymous: true"}, "Write a whole number"),
    ({"s0_from": "25:00"}, "Write a time of day such as 21:30"),
    ({"s0_until": ""}, "is not a text"),
    ({"s0_w0_zh": " "}, "is not a text"),
    ({"s0_w2_en": "A button of far too many letters"}, "Keep it to 20"),
    ({"s5_cooldown": "-1"}, "cooldown_days"),
    ({"as": "text", "text": TEXT.replace("scale: effort", "scale: efforts")}, "surveys.yml:233: "),
    ({"as": "text", "text": TEXT.replace("attitude: {zh: 态度不好", "rude: {zh: 态度不好")}, "indicators.yml:39: "),
    ({"as": "text", "text": TEXT[: TEXT.index("  # After self-service")]}, "indicators.yml:"),
    ({"as": "text", "text": "surveys: [1]"}, "lacks 'phrases'"),
]


async def test_what_could_not_be_asked_is_refused_with_what_to_write(place: Place) -> None:
    """With the line, also of the indicators that would lose their source; nothing is half applied."""
    root = await place.agent("Ro", "admin")
    before = place.service.content.surveys
    _, fields = await shown(root, SURVEYS)
    for wrong, words in WRONG:
        status, page = await send(root, SURVEYS, "save", fields | wrong)
        assert (status, words in page) == (422, True), (wrong, page)
    assert not await place.rows(tables.content_versions)
    assert place.service.content.surveys is before
    async with (await place.agent("Ann", "supervisor")).session.get(SURVEYS) as answer:
        assert answer.status == 403


HAND_WRITTEN = """\
phrases: {one: 1}  # not looked at
scales:
  own: {kind: own, labels: {1: {zh: "坏 😟", en: Bad}, 2: {zh: 好, en: 'It''s good'}}, scores: {1: 0, 2: 100}}
surveys:
    first:   # four blanks
        trigger: episode
        quiet_hours:
            from: "22:00"   # late
            until: 08:00
        delay_minutes: 5   # why five
        # a remark between
        question:
            zh: |
              一行
              两行
            en: >-
              folded
              words

        thanks: {low: {zh: 谢, en: Ta}, high: {zh: 谢谢, en: "Th\\"anks"}}
    second: {trigger: schedule, every: week, question: {zh: 问, en: Ask}, sample_percent: 5}
"""


def test_a_file_of_any_hand_is_changed_where_it_is_meant() -> None:
    """Blocks, flows, quotes, remarks, signs outside the first plane: only what was changed is written anew."""
    fields = survey_forms.fields_of(HAND_WRITTEN)
    assert survey_forms.text_of(HAND_WRITTEN, fields) == HAND_WRITTEN
    assert survey_forms.text_of(TEXT, survey_forms.fields_of(TEXT)) == TEXT
    assert survey_forms.text_of(HAND_WRITTEN, {}) == HAND_WRITTEN
    changed = fields | {
        "s0_w0_zh": "三行\n四行 \u2028 五",
        "s0_w0_en": "plain",
        "s0_w2_en": "Thanks: {all}",
        "c0_w0_zh": "差 😡",
        "s0_delay": "",
        "s0_from": "21:30",
        "s0_per_day": "7",
        "s1_sample": "6",
        "s1_delay": "1",
        "s1_office": "1",
        "s1_from": "",
        "s1_until": "",
    }
    made = survey_forms.text_of(HAND_WRITTEN, changed)
    held = {name: value for name, value in changed.items() if value}
    assert survey_forms.fields_of(made) == held
    for remark in ("# not looked at", "# four blanks", "# a remark between"):
        assert remark in made
    assert "delay_minutes: 5" not in made
    assert "\u2028" not in made
    assert "sample_percent: 6}" in made
    assert reading.load(ASSISTANT / "surveys.yml", TEXT).definitions
