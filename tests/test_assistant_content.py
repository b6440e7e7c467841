"""The shipped content, and the readers of what stands beside the Rasa project."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_assistant_journeys import HERE, engine

import bot.actions
from bot.actions.registry import ACTIONS, executor
from bot.assistant.content import NATURES, read_knowledge, read_taxonomy
from bot.engine import load
from bot.engine.domain import LANGUAGES
from bot.errors import ContentError

MAIN = [
    "greet",
    "goodbye",
    "thank",
    "affirm",
    "deny",
    "complain",
    "give_rating",
    "ask_question",
    "ask_human",
    "ask_queue_position",
    "cancel",
    "ask_case_status",
    "provide_contact",
    "inform",
    "bot_challenge",
    "how_are_you",
    "stop_conversation",
    "resume_conversation",
]


def test_every_main_intent_has_examples_in_both_languages() -> None:
    """At least 25 each, none of them twice."""
    said = load(HERE).examples.said
    for language in LANGUAGES:
        count = Counter(each.intent for each in said if each.file.endswith(f"{language}.yml"))
        assert {name: count[name] for name in MAIN if count[name] < 25} == {}


def test_every_response_is_used_and_every_action_that_is_listed_runs() -> None:
    """Nothing in the files is dead: each response is said by a rule, a form or an action."""
    assistant = load(HERE)
    used = {event.action for rule in assistant.rules for event in rule.events if hasattr(event, "action")}
    used |= {f"utter_ask_{slot}" for form in assistant.domain.forms.values() for slot in form.required}
    for path in Path(bot.actions.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("utter_"):
                used.add(node.value)
    assert set(assistant.responses) - used == set()
    assert set(executor().actions) == set(assistant.domain.actions)
    assert all(action().name() in assistant.domain.actions for action in ACTIONS)
    assert engine() is not None


def test_every_intent_has_a_rule_with_and_without_a_queue() -> None:
    """No message of a customer falls through to Rasa's core fallback."""
    heard = Counter(intent for rule in load(HERE).rules for intent in rule.intents)
    assert {intent for intent in load(HERE).domain.intents if not heard[intent]} == {"restart"}


def test_every_text_speaks_its_own_language() -> None:
    """Chinese has Chinese characters, English has none; buttons are short enough to be read on a phone."""
    for response in load(HERE).responses.values():
        for each in response.variations:
            words = "".join([*each.text.parts[::2], *(part for b in each.buttons for part in b.title.parts[::2])])
            chinese = any("\u4e00" <= letter <= "\u9fff" for letter in words)
            plain = words.replace(" ", "")
            assert chinese == (("language", "zh") in each.conditions) or not plain, response.name
            assert all(len("".join(button.title.parts[::2])) <= 20 for button in each.buttons), response.name


def test_promises_and_apologies_stand_where_they_are_due() -> None:
    """Sorry is said when a first complaint, or an urgent one, is opened and nowhere else; no text promises a time of
    its own."""
    for response in load(HERE).responses.values():
        for each in response.variations:
            words = "".join(each.text.parts)
            sorry = "抱歉" in words or "sorry" in words.lower()
            assert not sorry or response.name in ("utter_case_opened", "utter_urgent_opened"), response.name
            assert "小时内" not in words, response.name
            assert "within" not in words, response.name


def test_rasa_finds_what_it_needs() -> None:
    """config.yml and endpoints.yml are those of Rasa 3.6: a recipe, an id, rules alone, an action server."""
    config = yaml.safe_load((HERE / "config.yml").read_text(encoding="utf-8"))
    assert config["recipe"] == "default.v1"
    assert config["assistant_id"] == "earful"
    assert [policy["name"] for policy in config["policies"]] == ["RulePolicy"]
    endpoints = yaml.safe_load((HERE / "endpoints.yml").read_text(encoding="utf-8"))
    assert endpoints["action_endpoint"]["url"].endswith("/webhook")


def test_the_knowledge_base_answers_in_both_languages() -> None:
    """At least 15 entries, each with question, answer and other ways to ask."""
    entries = read_knowledge(HERE / "knowledge")
    assert len(entries) >= 15
    for entry in entries:
        for said in entry.languages.values():
            assert len(said.phrasings) >= 3, entry.key
        assert entry.languages["en"].answer.replace("¥", "").replace("“", "").replace("”", "").isascii()


def test_the_taxonomy_names_every_nature_in_both_languages() -> None:
    """Labels for reports; a key that nobody named stands for itself."""
    taxonomy = read_taxonomy(HERE / "taxonomy.yml")
    assert {branch.key for branch in taxonomy.branches} == set(NATURES)
    assert (taxonomy.nature("logistics", "zh"), taxonomy.nature("logistics", "en")) == ("物流", "Logistics")
    assert (taxonomy.aspect("delay", "zh"), taxonomy.aspect("odd", "en")) == ("延误", "odd")


ENTRY = "- key: a\n  zh: {question: 问, answer: 答}\n  en: {question: q, answer: a}\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: b\n", 1, "the knowledge base is not a list"),
        (ENTRY + ENTRY, 4, "the entry 'a' stands here twice"),
        (
            "- key: A b\n  zh: {question: 问, answer: 答}\n  en: {question: q, answer: a}\n",
            1,
            "the key of an entry is 'A b'",
        ),
        ("- key: a\n", 1, "the entry 'a' has no words"),
        ("- key: a\n  zh: {question: 问}\n  en: {question: q, answer: a}\n", 2, "'a', zh, lacks 'answer'"),
        (ENTRY.replace("answer: a}", "answer: a, colour: red}"), 3, "'a', en, has the unknown key 'colour'"),
        (ENTRY.replace("answer: a}", "answer: '[[case_link]]'}"), 3, "the answer of 'a', en, holds [["),
        (ENTRY.replace("question: q", f"question: {'q' * 121}"), 3, "the question of 'a', en, has 121 characters"),
        (ENTRY.replace("answer: a}", "answer: a, phrasings: b}"), 3, "the phrasings of 'a', en, is not a list"),
    ],
)
def test_an_error_in_the_knowledge_base_is_named(tmp_path: Path, text: str, line: int, words: str) -> None:
    """File, line and what is wrong."""
    (tmp_path / "faq.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        read_knowledge(tmp_path)
    problem = caught.value.problems[0]
    assert (problem.file, problem.line) == ("faq.yml", line)
    assert problem.message.startswith(words)
    assert problem.remedy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("- key: other", "- key: weather"), "the key of a branch is 'weather'"),
        (lambda text: text.replace("- key: other", "- key: praise"), "the branch 'praise' stands here twice"),
        (lambda text: text.replace("key: delay", "key: taste"), "the aspect 'taste' stands here twice"),
        (lambda text: text.replace(", en: Other}", "}"), "the label of 'other' has no English text"),
        (lambda text: text.partition("- key: other")[0], "the taxonomy lacks other"),
    ],
)
def test_an_error_in_the_taxonomy_is_named(tmp_path: Path, change: Any, words: str) -> None:
    """A tree with a hole would lose messages in reports."""
    path = tmp_path / "taxonomy.yml"
    path.write_text(change((HERE / "taxonomy.yml").read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        read_taxonomy(path)
    assert any(problem.message.startswith(words) for problem in caught.value.problems)
