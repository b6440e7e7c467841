"""Everything that a content file may get wrong, each with its file, line, words and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_engine_project import DOMAIN, NLU, RULES, executor, write

from bot.engine import Engine, load
from bot.errors import ContentError, Problem

D, R, N = "domain.yml", "data/rules.yml", "data/nlu.yml"
RULE = "  - rule: more\n    steps:\n"
SPOKEN = "  utter_x:\n"
ZH = "    - text: 你好\n      condition:\n        - {type: slot, name: language, value: zh}\n"
EN = "    - text: hello\n      condition:\n        - {type: slot, name: language, value: en}\n"
LAST = DOMAIN.count("\n")  # the last line of the domain


def found(directory: Path, domain: str = DOMAIN, rules: str = RULES, nlu: str = NLU) -> tuple[Problem, ...]:
    with pytest.raises(ContentError) as caught:
        load(write(directory, domain, rules, nlu))
    return caught.value.problems


def swap(old: str, new: str, text: str = DOMAIN) -> str:
    assert old in text
    return text.replace(old, new, 1)


DOMAIN_ERRORS = [
    (
        swap('version: "3.1"', 'version: "2.0"'),
        1,
        "the format's version is '2.0'",
        'Write `version: "3.1"`, with the quotes',
    ),
    (
        swap('version: "3.1"', "version: 3.1"),
        1,
        "the format's version is 3.1",
        'Write `version: "3.1"`, with the quotes',
    ),
    (swap('version: "3.1"\n', ""), 1, "the domain lacks `version`", "Add `version:` to it"),
    (DOMAIN + "stuff: 1\n", LAST + 1, "the domain has the unknown key `stuff`", None),
    (
        DOMAIN + "e2e_actions: [hello]\n",
        LAST + 1,
        "the domain uses `e2e_actions`, which is not supported",
        "Write responses and rules instead of end-to-end actions",
    ),
    (DOMAIN + "intents: [more]\n", LAST + 1, "the key `intents` stands here twice", "Keep one of the two"),
    (
        swap("[greet, complain", "[greet, greet, complain"),
        2,
        "the intent `greet` is listed twice",
        "Keep one of the two",
    ),
    (swap("[greet, complain", "[greet, back, complain"), 2, "the intent `back` is Rasa's own", "Choose another name"),
    (
        swap("[greet, complain", "[greet, 'chit/chat', complain"),
        2,
        "an intent is `chit/chat`",
        "Name it with letters, digits, `_` and `-`, beginning with a letter",
    ),
    (swap("[greet, complain", "[greet, true, complain"), 2, "an intent is not a text", None),
    (swap("intents: [greet, complain, inform, faq, skip]", "intents: greet"), 2, "`intents` is not a list", None),
    (
        swap("[number, colour]\nslots", "[number, number, colour]\nslots"),
        3,
        "the entity `number` is listed twice",
        None,
    ),
    (swap("[action_a, action_b]", "[action_a, action_a]"), 30, "the action `action_a` is listed twice", None),
    (
        swap("[action_a, action_b]", "[action_a, action_listen]"),
        30,
        "the action `action_listen` is one of Rasa's own",
        "Give yours another name",
    ),
    (
        swap("[action_a, action_b]", "[action_a, utter_greet]"),
        30,
        "the action `utter_greet` is a response",
        "List it under `responses` alone",
    ),
    # slots
    (
        swap("  mood:\n    type: categorical\n", "  mood:\n    type: colour\n"),
        12,
        "the slot `mood` has the type `colour`",
        "Choose of text, bool, categorical, float, list, any",
    ),
    (swap("  mood:\n    type: categorical\n", "  mood:\n"), 11, "the slot `mood` lacks `type`", "Add `type:` to it"),
    (
        swap("    values: [good, bad]\n", ""),
        11,
        "the slot `mood` lacks `values`",
        "List the values that it may have",
    ),
    (
        swap("    values: [good, bad]\n", "    values: [good, bad]\n    initial_value: ugly\n"),
        14,
        "the slot `mood` begins as 'ugly'",
        "Write a value of categorical",
    ),
    (
        swap("    values: [good, bad]\n    mappings: [{type: custom}]\n", "    values: [good, bad]\n"),
        11,
        "the slot `mood` lacks `mappings`",
        "Add `mappings:` to it",
    ),
    (
        swap(
            "    values: [good, bad]\n    mappings: [{type: custom}]",
            "    values: [good, bad]\n    mappings: [{type: from_air}]",
        ),
        14,
        "a mapping of the slot `mood` has the type `from_air`",
        "Choose of from_entity, from_intent, from_trigger_intent, from_text, custom",
    ),
    (
        swap("{type: from_entity, entity: colour}", "{type: from_entity, entity: shade}"),
        24,
        "a mapping of the slot `colour` takes the entity `shade`, which is unknown",
        "Add it to `entities`, or correct it",
    ),
    (
        swap("{type: from_entity, entity: colour}", "{type: from_entity}"),
        24,
        "a mapping of the slot `colour` lacks `entity`",
        "Add `entity:` to it",
    ),
    (
        swap("{type: from_entity, entity: colour}", "{type: from_entity, entity: colour, intent: [greet, grete]}"),
        24,
        "a mapping of the slot `colour` names the unknown intent `grete`",
        "Add it to `intents`, or correct it",
    ),
    (
        swap("{type: from_entity, entity: colour}", "{type: custom, action: action_c}"),
        24,
        "a mapping of the slot `colour` asks the action `action_c`, which is unknown",
        "Add it to `actions`, or correct it",
    ),
    (
        swap("active_loop: details_form, requested_slot: colour", "active_loop: other_form, requested_slot: colour"),
        25,
        "a mapping of the slot `colour` names the unknown form `other_form`",
        "Add it to `forms`, or correct it",
    ),
    (
        swap("requested_slot: colour", "requested_slot: color"),
        25,
        "a mapping of the slot `colour` names the unknown slot `color`",
        "Correct its name",
    ),
    (swap("  number:\n    type", "  requested_slot:\n    type"), 15, "the slot `requested_slot` is Rasa's own", None),
    (
        swap(
            "  mood:\n    type: categorical\n    values: [good, bad]\n", "  mood:\n    type: float\n    min_value: 3\n"
        ),
        13,
        "the slot `mood` has a range that ends before it begins",
        "Write min_value below max_value",
    ),
    (
        swap(
            "  mood:\n    type: categorical\n    values: [good, bad]\n",
            "  mood:\n    type: any\n    influence_conversation: true\n",
        ),
        13,
        "the slot `mood` is of type any and cannot influence",
        "Write `false`",
    ),
    (
        swap(
            "    initial_value: en\n    influence_conversation: false",
            "    initial_value: en\n    influence_conversation: 'no'",
        ),
        9,
        "`influence_conversation` is neither true nor false",
        "Write `true` or `false`, without quotes",
    ),
    # forms
    (
        swap("[number, colour]\n    ignored", "[number, size]\n    ignored"),
        28,
        "the form `details_form` requires the unknown slot `size`",
        "Add it to `slots`",
    ),
    (
        swap("required_slots", "slots_required"),
        28,
        "the form `details_form` has the unknown key `slots_required`",
        None,
    ),
    (
        swap("[faq, greet]", "[faq, grete]"),
        29,
        "the form `details_form` names the unknown intent `grete`",
        "Add it to `intents`, or correct it",
    ),
    (
        DOMAIN + "session_config:\n  session_expiration_time: soon\n",
        LAST + 2,
        "`session_expiration_time` is not a number",
        None,
    ),
    # responses
    (
        DOMAIN + SPOKEN + ZH,
        LAST + 1,
        "the response `utter_x` has no variation for `en`",
        "Add one whose only condition is the slot `language` with the value en, and no channel",
    ),
    (
        DOMAIN + SPOKEN + ZH + EN + "      channel: web\n",
        LAST + 1,
        "the response `utter_x` has no variation for `en`",
        None,
    ),
    (
        DOMAIN + SPOKEN + ZH + EN + "    - text: hm\n",
        LAST + 8,
        "a variation of `utter_x` does not say its language",
        "Add a condition on the slot `language` (zh or en)",
    ),
    (
        DOMAIN + "  say_x:\n" + ZH + EN,
        LAST + 1,
        "the response `say_x` is not called `utter_...`",
        "Call it `utter_say_x`",
    ),
    (
        DOMAIN + SPOKEN + ZH + EN + "      image: cat.png\n",
        LAST + 8,
        "a variation of `utter_x` uses `image`, which is not supported",
        "Say it in `text` and `buttons`: not every channel can show more",
    ),
    (
        DOMAIN + SPOKEN + ZH + EN.replace("hello", "hello {nam"),
        LAST + 5,
        "the text of a variation of `utter_x` has a brace without its pair",
        "Write {name}, or {{ and }} for braces",
    ),
    (
        DOMAIN + SPOKEN + ZH + EN.replace("hello", "'[[case_nummer]]'"),
        LAST + 5,
        "the text of a variation of `utter_x` speaks of [[case_nummer]], which nobody fills",
        "Known are [[case_number]], [[case_link]]",
    ),
    (
        DOMAIN + SPOKEN + ZH + EN.replace("value: en", "value: fr"),
        LAST + 7,
        "a condition of a variation of `utter_x` wants `language` to be `fr`, which it never is",
        "Choose of zh, en",
    ),
    (
        DOMAIN + SPOKEN + ZH + EN.replace("name: language", "name: tongue"),
        LAST + 7,
        "a condition of a variation of `utter_x` is on the unknown slot `tongue`",
        "Add it to `slots`",
    ),
    (
        DOMAIN + SPOKEN + ZH + EN + "      buttons: [{title: Go, payload: /nowhere}]\n",
        LAST + 8,
        "a button of a variation of `utter_x` leads to the unknown intent `nowhere`",
        "Add it to `intents`",
    ),
    (
        DOMAIN + SPOKEN + ZH + EN + '      buttons: [{title: Go, payload: \'/faq{{"size": "x"}}\'}]\n',
        LAST + 8,
        "a button of a variation of `utter_x` carries the unknown entity `size`",
        "Add it to `entities`",
    ),
    (
        DOMAIN + SPOKEN + ZH + EN + "      buttons: [{title: Go, payload: go home}]\n",
        LAST + 8,
        "a button of a variation of `utter_x` has a payload that cannot be read: a payload is `/intent` or "
        "`/intent{...}`",
        'Write "/intent" or \'/intent{{"entity": "value"}}\'',
    ),
    (
        DOMAIN + SPOKEN + ZH + EN + f"      buttons: [{{title: {'long ' * 15}, payload: /faq}}]\n",
        LAST + 8,
        "a button of a variation of `utter_x` has a long title",
        "Keep it to 60",
    ),
]

RULE_ERRORS = [
    (
        RULES + RULE + "      - intent: grete\n      - action: utter_greet\n",
        27,
        "the rule `more` names the unknown intent `grete`",
        "Add it to `intents` of domain.yml, or correct it",
    ),
    (
        RULES + RULE + "      - intent: inform\n      - action: utter_gret\n",
        28,
        "the rule `more` names the unknown action `utter_gret`",
        "Add it to `responses` of domain.yml, or correct it",
    ),
    (
        RULES + RULE + "      - intent: inform\n      - action: action_z\n",
        28,
        "the rule `more` names the unknown action `action_z`",
        "Add it to `actions` of domain.yml, or correct it",
    ),
    (
        RULES + RULE + "      - intent: inform\n      - action: action_listen\n",
        28,
        "the rule `more` names `action_listen`",
        "Leave it out: a rule ends by listening",
    ),
    (
        RULES + RULE + "      - intent: inform\n      - action: action_back\n",
        28,
        "the rule `more` uses `action_back`, which is not supported",
        "Write an action of your own",
    ),
    (
        RULES + RULE + "      - intent: inform\n      - active_loop: other\n      - action: action_a\n",
        28,
        "the rule `more` names the unknown form `other`",
        "Add it to `forms` of domain.yml",
    ),
    (
        RULES + RULE + "      - slot_was_set:\n          - size: 3\n      - action: action_a\n",
        28,
        "the rule `more` names the unknown slot `size`",
        "Add it to `slots` of domain.yml",
    ),
    (
        RULES + RULE + "      - slot_was_set:\n          - mood: ugly\n      - action: action_a\n",
        28,
        "the rule `more` wants `mood` to be what it never is",
        "Write a value of type categorical",
    ),
    (
        RULES + RULE + "      - slot_was_set:\n          - mood\n      - action: action_a\n",
        28,
        "the rule `more` names the slot `mood` without a value",
        "Write `- mood: VALUE`",
    ),
    (
        RULES + RULE + "      - slot_was_set:\n          - number: 3\n      - action: action_a\n",
        28,
        "the rule `more` looks at the slot `number`, which does not influence the conversation",
        "Set `influence_conversation: true` on it, or leave it out of the rule",
    ),
    (
        RULES + RULE + "      - intent: inform\n      - action: action_a\n      - intent: skip\n",
        29,
        "the rule `more` has a user message after its first step",
        "Split it: one rule for each message",
    ),
    (
        RULES + RULE + "      - checkpoint: here\n      - action: action_a\n",
        27,
        "a step of the rule `more` uses `checkpoint`, which is not supported",
        "Write it as rules, which say the same whatever was said before",
    ),
    (
        RULES + RULE + "      - user: hello\n        intent: inform\n      - action: action_a\n",
        27,
        "a step of the rule `more` uses `user`, which is not supported",
        "Name the intent instead of an example (`- intent: ...`)",
    ),
    (
        RULES + RULE + "      - intent: inform\n      - bot: hello\n      - action: action_a\n",
        28,
        "a step of the rule `more` uses `bot`, which is not supported",
        "Name a response instead of its words (`- action: utter_...`)",
    ),
    (
        RULES + RULE + "      - intent: inform\n        entities: [number]\n      - action: action_a\n",
        28,
        "a step of the rule `more` uses `entities`, which is not supported",
        "Map the entity to a slot and use `slot_was_set`",
    ),
    (RULES + RULE + "      - intent: inform\n", 25, "the rule `more` does nothing", "Add a step `- action: ...`"),
    (RULES + "  - rule: more\n    steps: []\n", 26, "the rule `more` has no steps", "Give it at least one action"),
    (RULES + "  - steps:\n      - action: action_a\n", 25, "a rule lacks `rule`", "Add `rule:` to it"),
    (
        RULES + "  - rule: greet\n    steps:\n      - intent: inform\n      - action: action_a\n",
        25,
        "the rule `greet` has the name of another, at data/rules.yml:3",
        "Give one of them another name",
    ),
    (
        RULES
        + "  - rule: more\n    conversation_start: 'yes'\n    steps:\n"
        + "      - intent: inform\n      - action: action_a\n",
        26,
        "`conversation_start` is neither true nor false",
        None,
    ),
    (
        RULES + "  - rule: more\n    conversation_start: true\n    steps:\n      - action: action_a\n",
        25,
        "the rule `more` is for a start but hears nothing",
        "Begin its steps with an `intent`",
    ),
    (
        RULES + "stories:\n  - story: once\n    steps: []\n",
        25,
        "the file uses `stories`, which is not supported",
        "Write rules instead: stories need a trained policy",
    ),
    (
        'version: "3.1"\nrules:\n  - rule: [x\n',
        4,
        "not valid YAML: did not find expected ',' or ']'",
        "Check the indentation, the quotes and the colons of this line and the one before",
    ),
    ("", 1, "the file is empty", 'Begin it with `version: "3.1"`'),
    (
        'version: "3.1"\nrules: &all\n  - *all\n',
        3,
        "an anchor (&) is used again (*)",
        "Write the lines out where they are used",
    ),
    (
        'version: "3.1"\nrules: !!python/object:os.system {}\n',
        2,
        "the tag tag:yaml.org,2002:python/object:os.system is not supported",
        None,
    ),
]

NLU_ERRORS = [
    (
        NLU + "  - intent: grete\n    examples: |\n      - hi\n",
        7,
        "there are examples of the unknown intent `grete`",
        "Add it to `intents`",
    ),
    (
        NLU + "  - intent: faq\n    examples: |\n      - Hello\n",
        9,
        "`Hello` is an example of `faq` here and of `greet` at data/nlu.yml:5",
        "Keep it under one of the two",
    ),
    (
        NLU + "  - intent: faq\n    examples: |\n      - [red](shade) shirt\n",
        9,
        "the entity `shade` is unknown",
        "Add it to `entities` of domain.yml, or correct it",
    ),
    (
        NLU + '  - intent: faq\n    examples: |\n      - [red]{"value": "x"} shirt\n',
        9,
        "an annotation cannot be read",
        'Write [words](entity) or [words]{"entity": "...", "value": "..."}',
    ),
    (
        NLU + "  - intent: faq\n    examples: |\n      - one\n      two\n",
        10,
        "one of the examples of `faq` does not begin with `- ` or is empty",
        "Write `- words`",
    ),
    (
        NLU + "  - intent: faq\n    examples: [one]\n",
        8,
        "the examples of `faq` are not a block of text",
        "Write `examples: |`, then lines of `- words`",
    ),
    (
        NLU + "  - regex: number\n    examples: |\n      - [0-9\n",
        9,
        "the pattern cannot be read: unterminated character set at position 0",
        "Correct the regular expression",
    ),
    (
        NLU + "  - lookup: shade\n    examples: |\n      - red\n",
        7,
        "the entity `shade` is unknown",
        "Add it to `entities` of domain.yml, or correct it",
    ),
    (
        NLU + "  - examples: |\n      - red\n",
        7,
        "an entry of `nlu` is of no known kind",
        "Begin it with `intent:`, `synonym:`, `regex:` or `lookup:`",
    ),
]


@pytest.mark.parametrize(
    ("file", "text", "line", "words", "remedy"),
    [(D, *each) for each in DOMAIN_ERRORS] + [(R, *each) for each in RULE_ERRORS] + [(N, *each) for each in NLU_ERRORS],
    ids=lambda value: None if not isinstance(value, str) or len(value) > 90 or "\n" in value else value[:60],
)
def test_an_error_names_its_file_line_and_remedy(
    tmp_path: Path, file: str, text: str, line: int, words: str, remedy: str | None
) -> None:
    """What is wrong, where it stands, and what to write instead."""
    problems = found(tmp_path, **{{D: "domain", R: "rules", N: "nlu"}[file]: text})
    matching = [problem for problem in problems if problem.message == words]
    assert matching, [str(problem) for problem in problems]
    assert (matching[0].file, matching[0].line) == (file, line)
    assert matching[0].remedy == remedy if remedy else matching[0].remedy


def test_all_problems_of_all_files_are_found_at_once(tmp_path: Path) -> None:
    """An author sees everything in one go, in the order of files and lines; str() has one a line."""
    with pytest.raises(ContentError) as caught:
        load(
            write(
                tmp_path,
                swap("[good, bad]", "good"),
                RULES + RULE + "      - intent: grete\n      - action: utter_gret\n",
                NLU + "  - intent: grete\n    examples: |\n      - hi\n",
            )
        )
    problems = caught.value.problems
    assert [(problem.file, problem.line) for problem in problems] == [(N, 7), (R, 27), (R, 28), (D, 13)]
    assert str(caught.value).splitlines() == [str(problem) for problem in problems]
    assert str(problems[1]) == (
        "data/rules.yml:27: the rule `more` names the unknown intent `grete`. "
        "Add it to `intents` of domain.yml, or correct it"
    )


def test_a_missing_domain_is_one_problem(tmp_path: Path) -> None:
    """Without it everything else would seem unknown; that would help nobody."""
    write(tmp_path)
    (tmp_path / "domain.yml").unlink()
    with pytest.raises(ContentError) as caught:
        load(tmp_path)
    assert [str(problem) for problem in caught.value.problems] == [
        "domain.yml:1: the file is missing. Put a domain.yml there, or start from the one that Earful ships"
    ]


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        (b"version: \xff\xfe", 1, "cannot be read (UnicodeDecodeError)"),
        (b'version: "3.1"\nrules: "a\x00b"\n', 2, "not valid YAML: control characters are not allowed"),
        (b"[" * 100_000, 1, "nested too deeply"),
        (b'version: "3.1"\n---\nrules: []\n', 2, "a second document begins here (---)"),
    ],
)
def test_what_is_hardly_a_file_is_refused_without_harm(tmp_path: Path, raw: bytes, line: int, words: str) -> None:
    """Odd bytes, NUL, endless nesting and several documents end in a sentence, never in a crash."""
    write(tmp_path)
    (tmp_path / "data" / "rules.yml").write_bytes(raw)
    with pytest.raises(ContentError) as caught:
        load(tmp_path)
    assert (caught.value.problems[0].line, caught.value.problems[0].message) == (line, words)


def test_words_that_yaml_would_turn_into_truth_values_stay_words(tmp_path: Path) -> None:
    """YAML 1.2, as Rasa reads it: an intent may be called yes, on or off."""
    domain = swap("skip]", "skip, yes, on]")
    rules = RULES + "  - rule: more\n    steps:\n      - intent: yes\n      - action: action_a\n"
    assert "yes" in load(write(tmp_path, domain, rules)).domain.intents


def test_a_placeholder_in_a_rule_must_be_a_slot(tmp_path: Path) -> None:
    """A response that an action fills in cannot be said by a rule alone."""
    domain = swap("zh utter_other", "zh {name}")
    rules = RULES + RULE + "      - intent: inform\n      - action: utter_other\n"
    assert [str(problem) for problem in found(tmp_path, domain, rules)] == [
        "data/rules.yml:28: the rule `more` says `utter_other`, whose {name} is no slot. "
        "Say it from an action that fills it in, or add the slot"
    ]


def test_an_action_without_code_is_found_when_the_engine_is_made(tmp_path: Path) -> None:
    """The line is that of the list in the domain."""
    assistant = load(write(tmp_path, swap("action_b]", "action_b, action_z]")))
    with pytest.raises(ContentError) as caught:
        Engine(assistant, executor())
    assert str(caught.value) == (
        "domain.yml:30: the action `action_z` has no code. "
        "Write its class in bot/actions and name it in bot/actions/registry.py, or take it off the list"
    )
