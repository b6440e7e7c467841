"""A small Rasa project for the engine's tests, and what they need to talk to it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from bot.actions.executor import Executor
from bot.engine import Engine, Turn, UserMessage, load

Run = Callable[[Any, Any, Any], Awaitable[list[dict[str, Any]]] | list[dict[str, Any]] | Any]


def response(name: str, **texts: str) -> str:
    """A response that says its name, in both languages, unless told otherwise."""
    said = {"zh": f"zh {name}", "en": f"en {name}", **texts}
    lines = [f"  {name}:"]
    for language, text in said.items():
        lines += [f"    - text: {json.dumps(text, ensure_ascii=False)}", "      condition:"]
        lines += [f"        - {{type: slot, name: language, value: {language}}}"]
    return "\n".join(lines) + "\n"


DOMAIN = """version: "3.1"
intents: [greet, complain, inform, faq, skip]
entities: [number, colour]
slots:
  language:
    type: categorical
    values: [zh, en]
    initial_value: en
    influence_conversation: false
    mappings: [{type: custom}]
  mood:
    type: categorical
    values: [good, bad]
    mappings: [{type: custom}]
  number:
    type: text
    influence_conversation: false
    mappings:
      - {type: from_entity, entity: number, conditions: [{active_loop: details_form}]}
  colour:
    type: text
    influence_conversation: false
    mappings:
      - {type: from_entity, entity: colour}
      - {type: from_text, conditions: [{active_loop: details_form, requested_slot: colour}]}
forms:
  details_form:
    required_slots: [number, colour]
    ignored_intents: [faq, greet]
actions: [action_a, action_b]
responses:
""" + "".join(
    response(name)
    for name in ("utter_greet", "utter_faq", "utter_done", "utter_other", "utter_ask_number", "utter_ask_colour")
)

RULES = """version: "3.1"
rules:
  - rule: greet
    steps:
      - intent: greet
      - action: utter_greet
  - rule: faq
    steps:
      - intent: faq
      - action: utter_faq
  - rule: complain
    steps:
      - intent: complain
      - action: details_form
      - active_loop: details_form
  - rule: done
    condition:
      - active_loop: details_form
    steps:
      - action: details_form
      - active_loop: null
      - slot_was_set:
          - requested_slot: null
      - action: utter_done
"""

NLU = """version: "3.1"
nlu:
  - intent: greet
    examples: |
      - hello
      - [red](colour) hello
"""


def write(directory: Path, domain: str = DOMAIN, rules: str = RULES, nlu: str | None = NLU) -> Path:
    """The project, as files."""
    (directory / "data").mkdir(parents=True, exist_ok=True)
    (directory / "domain.yml").write_text(domain, encoding="utf-8")
    (directory / "data" / "rules.yml").write_text(rules, encoding="utf-8")
    if nlu is not None:
        (directory / "data" / "nlu.yml").write_text(nlu, encoding="utf-8")
    return directory


def with_rules(*rules: str) -> str:
    """RULES and more, each indented as an item of the list."""
    return RULES + "".join(rules)


def executor(**actions: Run) -> Executor:
    """An executor with these functions; what the domain names and nobody gives does nothing."""
    made = Executor()
    for name in ("action_a", "action_b", *actions):
        made.register_function(name, actions.get(name, lambda dispatcher, tracker, domain: []))
    return made


def message(
    intent: str,
    text: str = "words",
    entities: list[dict[str, Any]] | None = None,
    facts: Mapping[str, Any] | None = None,
    channel: str = "telegram",
) -> UserMessage:
    return UserMessage(text, intent, 0.9, entities or [], {"earful": dict(facts or {})}, channel, "someone")


class Talk:
    """A conversation with an engine. The tracker goes through JSON between turns, as a store would take it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.tracker: dict[str, Any] | None = None

    async def say(self, intent: str, text: str = "words", **more: Any) -> Turn:
        turn = await self.engine.turn(self.tracker, message(intent, text, **more))
        self.tracker = json.loads(json.dumps(turn.tracker))
        return turn

    async def names(self, intent: str, text: str = "words", **more: Any) -> list[str | None]:
        """The responses said, by name."""
        return [said.name for said in (await self.say(intent, text, **more)).responses]

    @property
    def slots(self) -> dict[str, Any]:
        assert self.tracker is not None
        found: dict[str, Any] = self.tracker["slots"]
        return found

    @property
    def loop(self) -> str | None:
        assert self.tracker is not None
        return self.tracker["active_loop"]["name"] if self.tracker["active_loop"] else None


def talk(directory: Path, domain: str = DOMAIN, rules: str = RULES, **actions: Run) -> Talk:
    return Talk(Engine(load(write(directory, domain, rules)), executor(**actions)))


def test_the_project_that_the_other_tests_stand_on_is_sound(tmp_path: Path) -> None:
    """It loads, and a changed file changes its hash."""
    first = load(write(tmp_path))
    assert len(first.rules) == 4
    assert set(first.responses) == set(first.domain.responses)
    again = load(write(tmp_path))
    assert again.content_hash == first.content_hash
    assert load(write(tmp_path, rules=RULES + "# one more line\n")).content_hash != first.content_hash
