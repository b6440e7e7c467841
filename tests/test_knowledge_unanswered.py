"""What nobody could answer, alike questions together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from api_parts import Place
from click.testing import CliRunner

from bot.cli import main
from bot.knowledge import unanswered
from bot.knowledge.unanswered import Question, asked, grouped, phrasings
from storage.database import Database

START = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)


def questions(*texts: str) -> list[Question]:
    return [Question(text, START) for text in texts]


def test_alike_questions_stand_together_and_the_most_asked_first() -> None:
    """Chinese and English, however they are put; what is alone stays alone."""
    found = grouped(
        questions(
            "你们有没有儿童座椅",
            "do you sell gift cards?",
            "有儿童座椅吗",
            "can I buy a gift card here",
            "店里有儿童座椅吗",
            "is there parking",
        )
    )
    assert [len(group.questions) for group in found] == [3, 2, 1]
    assert list(phrasings(found[0])) == ["你们有没有儿童座椅", "有儿童座椅吗", "店里有儿童座椅吗"]
    assert [question.text for question in found[2].questions] == ["is there parking"]


def test_nothing_asked_is_no_group() -> None:
    """No question, no group, and no error."""
    assert grouped([]) == []


def test_the_same_words_are_one_phrasing() -> None:
    """Asked twice, said once."""
    [group] = grouped(questions("有儿童座椅吗", "有儿童座椅吗"))
    assert list(phrasings(group)) == ["有儿童座椅吗"]


async def test_only_what_found_no_answer_since_then_counts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answered question, small talk and older ones do not; more than are read at once are walked through."""
    monkeypatch.setattr(unanswered, "CHUNK", 3)
    place = Place(database)
    await place.say("请问店里有儿童座椅可以借吗", "old")
    place.clock.advance(timedelta(days=2))
    await place.say("你好", "t1")
    await place.say("请问可以带宠物狗进店吗", "t2")
    await place.say("谢谢", "t1")
    since = place.clock.now() - timedelta(days=1)
    found = await database.read(lambda connection: asked(connection, since))
    assert [question.text for question in found] == ["请问可以带宠物狗进店吗"]
    every = await database.read(lambda connection: asked(connection, START - timedelta(days=1)))
    assert [question.text for question in every] == ["请问可以带宠物狗进店吗", "请问店里有儿童座椅可以借吗"]


def test_the_operator_reads_them_at_the_command_line(tmp_path: object) -> None:
    """Nothing yet is said in words."""
    result = CliRunner().invoke(main, ["nlu", "unanswered"], env={"EARFUL_DATA_DIR": str(tmp_path)})
    assert result.exit_code == 0, result.output
    assert "No question" in result.output
