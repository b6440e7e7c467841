"""Content files of understanding: what is read from them, and how exactly an error is told."""

# ruff: noqa: E501 - Chinese counts double, and rows of examples read best as rows

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from nlu import lexicon, rasa_data, seeds
from nlu.rasa_data import Annotation, DataError, read

ASSISTANT = Path(__file__).parent.parent / "bot" / "assistant" / "data" / "nlu"


def put(folder: Path, text: str, name: str = "nlu.yml") -> Path:
    """A file with `text` in `folder`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_all_parts_of_rasas_format_are_read(tmp_path: Path) -> None:
    """Intents over several files, both ways to annotate, regular expressions, lookup tables, synonyms, long examples."""
    put(tmp_path, 'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - 你好\n    - hi\n')
    put(
        tmp_path,
        """\
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hello
- intent: inform
  examples: |
    - 在[浦东](place)买的
    - my [orange]{"entity": "colour", "value": "amber"} one
    - it was [Monday](day:mon)
- regex: card
  examples: |
    - VIP-\\d+
- lookup: place
  examples: |
    - 徐汇
- synonym: 徐家汇
  examples: |
    - 徐汇
- intent: long
  examples:
  - text: |
      one example
    metadata:
      sentiment: neutral
""",
        "sub/more.yml",
    )
    put(tmp_path, "rules:\n- rule: x\n", "rules.yml")
    data = read(tmp_path)
    assert data.intents["greet"] == ("你好", "hi", "hello")
    assert data.intents["inform"] == ("在浦东买的", "my orange one", "it was Monday")
    assert data.intents["long"] == ("one example",)
    assert data.annotations == (
        Annotation("place", "浦东", "浦东"),
        Annotation("colour", "orange", "amber"),
        Annotation("day", "Monday", "mon"),
    )
    assert data.patterns == (("card", "VIP-\\d+"),)
    assert data.lookups == {"place": ("徐汇",)}
    assert data.synonyms == {"徐汇": "徐家汇"}
    assert data.entities == {"place", "colour", "day"}


HEAD = 'version: "3.1"\nnlu:\n'
BROKEN = {
    "no dash": (HEAD + "- intent: a\n  examples: |\n    - one\n    two\n", 6, "Begin every example with '- '"),
    "no examples": (HEAD + "- intent: a\n", 3, "Add 'examples: |'"),
    "empty examples": (HEAD + "- intent: a\n  examples: |\n", 4, "Add lines that begin with '- '"),
    "unknown kind": (HEAD + "- intnet: a\n  examples: |\n    - one\n", 3, "intent, synonym, regex or lookup"),
    "unknown field": (HEAD + "- intent: a\n  exmples: x\n  examples: |\n    - one\n", 3, "Use 'intent' and 'examples'"),
    "no name": (HEAD + "- intent: ''\n  examples: |\n    - one\n", 3, "- intent: name"),
    "broken json": (HEAD + "- intent: a\n  examples: |\n    - x\n    - [b]{entity}\n", 6, "Write [text](entity)"),
    "no entity": (HEAD + "- intent: a\n  examples: |\n    - [b]()\n", 5, "Write [text](entity)"),
    "open bracket": (HEAD + "- intent: a\n  examples: |\n    - [b](c\n", 5, "both brackets closed"),
    "bad regex": (HEAD + "- regex: a\n  examples: |\n    - (\n", 5, "Correct it"),
    "two intents": (
        HEAD + "- intent: a\n  examples: |\n    - Same\n- intent: b\n  examples: |\n    - same\n", 8, "Keep it in one of them",
    ),
    "no list": (HEAD + "  intent: a\n", 3, "Begin each member"),
    "twice": (HEAD + "- intent: a\n  intent: b\n  examples: |\n    - one\n", 4, "Keep one of them"),
    "no yaml": (HEAD + "- intent: [\n", 4, "Check indentation"),
    "empty": ("", 1, "Fill it or remove it"),
    "no intent": (HEAD + "- regex: a\n  examples: |\n    - b\n", 1, "Add '- intent: greet'"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "remedy"), BROKEN.values(), ids=BROKEN)
def test_an_error_names_file_line_and_remedy(tmp_path: Path, text: str, line: int, remedy: str) -> None:
    """Whoever edits the examples is told where to look and what to write."""
    path = put(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert remedy in str(caught.value)


def test_a_file_that_is_no_utf8_says_so(tmp_path: Path) -> None:
    """An editor's old encoding is named with the line it shows in."""
    (tmp_path / "nlu.yml").write_bytes(HEAD.encode() + "- intent: 好\n".encode("gbk"))
    with pytest.raises(DataError, match=r"nlu\.yml:3: The file is not UTF-8\. Save it"):
        read(tmp_path)


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    """As does a folder that is not there."""
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match=r"No training data here\. Put at least one file"):
            read(folder)


def test_the_assistants_own_examples_are_sound() -> None:
    """What Earful ships can be read, and both languages teach every intent."""
    data = rasa_data.read(ASSISTANT)
    for name, examples in data.intents.items():
        assert any(example.isascii() for example in examples), name
        assert any(not example.isascii() for example in examples), name


def test_the_seeds_are_many_and_mirrored() -> None:
    """Thousands of judging sentences a language, as much praise as blame, none twice with two labels."""
    known = seeds.load(lexicon.load().aspects)
    labels: dict[str, str] = {}
    for seed in known:
        assert labels.setdefault(seed.text.lower(), seed.polarity) == seed.polarity, seed.text
    for language in ("zh", "en"):
        praise = sum(seed.polarity == "positive" for seed in known if seed.language == language)
        blame = sum(seed.polarity == "negative" for seed in known if seed.language == language)
        assert min(praise, blame) >= 900
        assert 0.6 < praise / blame < 1.4


def test_every_class_has_sixty_examples_in_each_language() -> None:
    """Intents, natures, aspects, and what is urgent or only sounds so."""
    found: Counter[tuple[str, str]] = Counter()
    for name, examples in rasa_data.read(ASSISTANT).intents.items():
        found.update(("zh" if _CHINESE.search(example) else "en", name) for example in examples)
    for seed in seeds.load(lexicon.load().aspects):
        found.update((seed.language, "/".join(aspect)) for aspect in seed.aspects)
        found.update((seed.language, nature) for nature in seed.natures)
    found.update((alert.language, f"urgent: {alert.urgent}") for alert in seeds.alerts())
    classes = {name for _, name in found}
    assert len(classes) > 50
    few = {(language, name): found[language, name] for name in classes for language in ("zh", "en")}
    assert not {each: count for each, count in few.items() if count < 60}


WRONG_SEEDS = {
    "language": ("pairs: |\n  none | a | b\n", 1, "language: zh"),
    "parts": ("language: zh\npairs: |\n  none | a | b\n  none | a\n", 4, "topics | unhappy sentence | happy sentence"),
    "block": ("language: zh\npiars: |\n  none | a | b\n", 3, "one of the blocks pairs"),
    "nature": ("language: zh\npairs: |\n  produkt | a | b\n", 3, "Use one of product"),
    "aspect": ("language: zh\npairs: |\n\n  product/colour | a | b\n", 4, "Known for product"),
    "polarity": ("language: zh\nsingles: |\n  none | good | a\n", 3, "negative, neutral or positive"),
}


@pytest.mark.parametrize(("text", "line", "remedy"), WRONG_SEEDS.values(), ids=WRONG_SEEDS)
def test_a_wrong_seed_is_named(tmp_path: Path, text: str, line: int, remedy: str) -> None:
    """With its file and line."""
    path = put(tmp_path, text, "x.yml")
    with pytest.raises(DataError) as caught:
        seeds.load(lexicon.load().aspects, tmp_path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert remedy in str(caught.value)


def test_alerts_teach_urgency_alone(tmp_path: Path) -> None:
    """They stand among the seeds, are read by turns of language and kind, and are no seeds of sentiment."""
    put(tmp_path, "language: en\nurgent: |\n  fire\n  smoke\ncalm: |\n  fire sale\n  no smoke\n", "en.yml")
    put(tmp_path, "language: zh\nsingles: |\n  none | neutral | 路过\nurgent: |\n  着火了\n", "zh.yml")
    assert [seed.text for seed in seeds.load(lexicon.load().aspects, tmp_path)] == ["路过"]
    found = [(alert.text, alert.language, alert.urgent) for alert in seeds.alerts(tmp_path)]
    assert found == [
        ("fire", "en", True),
        ("fire sale", "en", False),
        ("着火了", "zh", True),
        ("no smoke", "en", False),
        ("smoke", "en", True),
    ]


WRONG_LISTS = {
    "both ways": (
        "sentiment_zh.yml",
        "positive:\n  clear: |\n    好,\n    坏\nnegative:\n  clear: 坏\n",
        6,
        "Take it out of one",
    ),
    "degree": ("sentiment_zh.yml", "positive:\n  great: 好\n", 2, "strong, clear, mild"),
    "role": ("sentiment_zh.yml", "negaters: 不\n", 1, "negators"),
    "pair": ("traditional.yml", "pairs: |\n  萬万\n  與\n", 3, "two characters together"),
    "reason": ("urgency.yml", "safty:\n  sure:\n    zh: 火\n", 2, "safety"),
}


@pytest.mark.parametrize(("name", "text", "line", "remedy"), WRONG_LISTS.values(), ids=WRONG_LISTS)
def test_a_wrong_word_list_is_named(tmp_path: Path, name: str, text: str, line: int, remedy: str) -> None:
    """With its file and line."""
    folder = tmp_path / "lexicon"
    shutil.copytree(lexicon.DIRECTORY, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    path = put(folder, text, name)
    with pytest.raises(DataError) as caught:
        lexicon.load(folder)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert remedy in str(caught.value)


def test_a_longer_word_hides_the_shorter_ones_inside_it() -> None:
    """不满意 is found as one word; so is "not bad at all"; clause breaks are found too."""
    words = lexicon.load()
    assert [text[hit.start : hit.end] for text in ["我不满意,走了"] for hit in words.find(text)][:2] == ["不满意", ","]
    [hit, *_] = words.find("not bad at all")
    assert (hit.start, hit.end) == (0, 14)
    assert hit.word.weight > 0


_CHINESE = re.compile(r"[\u3400-\u9fff]")
