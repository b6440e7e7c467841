"""The model as a whole: training, the cache, and everything an Understanding carries."""

# ruff: noqa: E501 - Chinese counts double, and rows of examples read best as rows

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from test_nlu_heldout import assistant, trained
from understanding_stages import SEEDS, small

from nlu import cache, model
from nlu.model import FALLBACK, KEPT, fingerprint, load_or_train, train
from nlu.rasa_data import TrainingData
from nlu.understanding import Intent

TEXTS = [
    "你好", "快递三天没到,客服也不理我", "我的订单号是20240518123456", "给你们打5分", "hello", "转人工", "谢谢", "4 stars",
    "My order arrived broken and nobody answers", "how long does a refund take", "电话13800000000", "等了一个星期还没发货",
]  # fmt: skip


def test_the_same_examples_give_the_same_model(tmp_path: Path) -> None:
    """Training has no chance in it: twice is the same to the last bit."""
    (tmp_path / "en.yml").write_text(SEEDS, encoding="utf-8")
    one, other = train(assistant(), tmp_path), train(assistant(), tmp_path)
    assert one.heads.vocabulary == other.heads.vocabulary
    assert np.array_equal(one.heads.weights, other.heads.weights)
    assert one.heads.calibration == other.heads.calibration


def test_a_batch_understands_as_one_by_one() -> None:
    """What else is in a batch changes nothing but rounding."""
    for alone, together in zip(map(trained().parse, TEXTS), trained().parse_many(TEXTS), strict=True):
        assert alone.intent.name == together.intent.name
        assert alone.intent.confidence == pytest.approx(together.intent.confidence, abs=1e-4)
        assert alone.sentiment.score == pytest.approx(together.sentiment.score, abs=1e-4)
        assert alone.as_json() | {"intent": 0, "sentiment": 0} == together.as_json() | {"intent": 0, "sentiment": 0}


def test_threads_share_a_model() -> None:
    """A model keeps no state between texts."""
    expected = trained().parse_many(TEXTS)
    results: list[bool] = []

    def work() -> None:
        results.append(all(trained().parse_many(TEXTS) == expected for _ in range(20)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4


def test_nothing_in_nothing_out() -> None:
    """No texts: no answers."""
    assert trained().parse_many([]) == []


def test_what_was_taught_word_for_word_is_certain() -> None:
    """An example is its intent, in whatever case or width it is typed."""
    for text, intent in (("转人工", "ask_human"), ("ＨＥＬＬＯ", "greet"), (" Thank you so much ", "thank")):
        assert trained().parse(text).intent == Intent(intent, 1.0)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("麻烦帮我转一下人工客服", "ask_human"), ("can I talk to a real human please", "ask_human"),
        ("非常感谢你的帮助", "thank"), ("thanks a lot", "thank"), ("退款几天到账啊", "ask_question"),
        ("how long will the refund take", "ask_question"), ("客服态度太差，东西也是坏的", "complain"),
        ("the package never arrived and nobody answers me", "complain"), ("给你们打3分", "give_rating"),
        ("I give it 2 stars", "give_rating"), ("哈喽你好", "greet"), ("拜拜啦", "goodbye"),
    ],
)  # fmt: skip
def test_close_paraphrases_find_their_intent(text: str, intent: str) -> None:
    """What is said a little differently than taught is still understood."""
    assert trained().parse(text).intent.name == intent


def test_every_answer_says_what_decided_it() -> None:
    """Words of the message itself, whatever was understood of it; only what was not understood has none to show."""
    said = [
        "退款几天到账啊",
        "好的",
        "ok",
        "can I talk to a real human please",
        "给你们打3分",
        "客服态度太差",
        "love it",
        "88",
    ]
    for text, found in zip(said, trained().parse_many(said), strict=True):
        assert found.evidence, text
        assert all(word in text for word in found.evidence)
    assert trained().parse("   ").evidence == ()


def test_what_is_far_from_every_example_is_a_fallback() -> None:
    """Most talk that has nothing to do with the assistant is handed on as unknown."""
    strays = [
        "量子纠缠的原理",
        "帮我写首关于月亮的诗",
        "熊猫吃竹子",
        "the capital of Mongolia",
        "integrate x squared",
        "penguins cannot fly",
    ]
    names = [found.intent.name for found in trained().parse_many(strays)]
    assert names.count(FALLBACK) >= 4, names


def test_a_rating_speaks_for_the_sentiment() -> None:
    """Where words judge nothing, nine of ten is praise and two stars are blame."""
    assert trained().parse("给你们打9分").sentiment.label == "positive"
    assert trained().parse("two stars").sentiment.label == "negative"
    assert trained().parse("👎").sentiment.label == "negative"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("不是不好", "positive"), ("not bad at all", "positive"), ("服务好但是太慢", "negative"), ("不好吃", "negative"),
        ("一点都不贵", "positive"), ("没有一点瑕疵", "positive"), ("I don't like it", "negative"), ("not good", "negative"),
        ("虽然有点贵，但是非常好用", "positive"), ("It is expensive but absolutely worth it", "positive"),
        ("Great screen but terrible battery, very disappointed", "negative"), ("從來沒有這麼滿意過", "positive"),
        ("態度很差，再也不來了", "negative"), ("真 的 很 差", "negative"), ("GREAT!!!", "positive"), ("soooo bad", "negative"),
        ("希望味道好一点", "negative"), ("没有不满意的地方", "positive"),
    ],
)  # fmt: skip
def test_negation_degree_and_contrast_are_heard(text: str, label: str) -> None:
    """A judging word counts as its clause means it, in simplified or traditional script, in any case."""
    assert trained().parse(text).sentiment.label == label


def test_several_objects_of_a_complaint_are_named() -> None:
    """One message may be of several natures, with their aspects."""
    found = trained().parse("快递慢，客服态度差，东西还是坏的")
    assert {"logistics", "service", "product"} <= set(found.nature)
    assert {"delay", "attitude"} <= set(found.aspect)
    found = trained().parse("The courier was rude and the delivery was two days late")
    assert {"service", "logistics"} <= set(found.nature)


def test_praise_questions_and_suggestions_are_no_complaints() -> None:
    """Their main nature says so."""
    assert trained().parse("送餐很快，味道也好").nature[0] == "praise"
    assert trained().parse("怎么申请退货").nature == ("none",)
    assert trained().parse("what are your opening hours?").nature == ("none",)
    assert "suggestion" in trained().parse("建议你们增加一个夜间配送的选项").nature
    assert "suggestion" in trained().parse("It would be nice to have a vegan option").nature
    assert trained().parse("差评！！！").nature == ("complaint",)


def test_views_and_emotions_are_named() -> None:
    """Each item has its second view (R2.2), and the feelings that its words name (R2.4)."""
    assert trained().parse("手机卡顿，电池也不耐用").view == "functional"
    assert trained().parse("快递送得太慢了").view == "basic"
    assert trained().parse("太失望了，气死我了").view == "emotional"
    assert {"anger", "disappointment"} <= set(trained().parse("太失望了，气死我了").emotions)
    assert "gratitude" in trained().parse("Thank you so much, I love it").emotions
    assert "joy" not in trained().parse("I am not happy").emotions


def test_entities_come_from_rules_and_from_the_training_data() -> None:
    """Built-in entities, a regular expression, a lookup table and a synonym, each at its place."""
    text = "徐汇店的VIP-2468会员，电话138-0000-0000，订单AB1234567，退我¥99.50，Camden也行"
    found = trained().parse(text)
    named = {(entity.entity, entity.value) for entity in found.entities}
    assert {("branch", "徐家汇店"), ("member_card", "VIP-2468"), ("phone", "13800000000"), ("order_number", "AB1234567"),
            ("amount", "CNY 99.5"), ("branch", "Camden")} <= named  # fmt: skip
    assert all(text[entity.start : entity.end] for entity in found.entities)
    assert [entity.start for entity in found.entities] == sorted(entity.start for entity in found.entities)


@pytest.fixture(scope="module", name="quickly")
def _quickly() -> Iterator[None]:
    """What is kept and found does not depend on how much was learnt: here it is learnt from a handful of seeds."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "en.yml").write_text(SEEDS, encoding="utf-8")
        patch.setattr(model, "train", lambda data, seeds=None: train(data, seeds or Path(folder)))
        yield


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, quickly: None) -> Path:
    """The file that a first start leaves."""
    folder = tmp_path_factory.mktemp("models")
    load_or_train(assistant(), folder)
    [kept] = folder.iterdir()
    return kept


def test_a_trained_model_is_kept_and_found(once: Path) -> None:
    """The second start trains nothing and understands the same, soon."""
    written = once.stat().st_mtime_ns
    before = time.process_time()
    second = load_or_train(assistant(), once.parent)
    assert time.process_time() - before < 10.0
    assert list(once.parent.iterdir()) == [once]
    assert once.stat().st_mtime_ns == written
    assert second.parse_many(TEXTS) == small().parse_many(TEXTS)
    assert once.stat().st_size < 15_000_000


def test_other_examples_make_another_model(once: Path, tmp_path: Path) -> None:
    """The cache goes by what was taught, to the last word; of older models only a few stay."""
    other = TrainingData(intents={**assistant().intents, "greet": ("喂",)})
    assert fingerprint(other) != fingerprint(assistant())
    shutil.copy(once, tmp_path)
    for number in range(4):
        (tmp_path / f"nlu-{number}.npz").write_bytes(b"older")
    load_or_train(other, tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == KEPT
    assert f"nlu-{fingerprint(other)}.npz" in left


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "folder"])
def test_a_damaged_cache_is_trained_again(once: Path, tmp_path: Path, damage: str) -> None:
    """A file that is cut, garbled, or not a model at all costs the training, never the start."""
    kept = Path(shutil.copy(once, tmp_path))
    good = small().parse_many(TEXTS)
    whole = kept.read_bytes()
    if damage == "cut":
        kept.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        kept.write_bytes(whole[:5000] + bytes(255 - byte for byte in whole[5000:5200]) + whole[5200:])
    elif damage == "other":
        cache.save(kept, {"weights": np.zeros((2, 2), np.float32)}, {"lexicon": []})
    else:
        kept.unlink()
        kept.mkdir()
    assert load_or_train(assistant(), tmp_path).parse_many(TEXTS) == good
    if damage == "folder":
        shutil.rmtree(kept)
    else:
        assert cache.load(kept) is not None
    assert not list(tmp_path.glob(".*")), "no half-written file is left behind"


@pytest.mark.usefixtures("quickly")
def test_without_a_place_for_the_cache_the_service_still_starts(tmp_path: Path) -> None:
    """A cache folder that cannot be made is no reason not to start."""
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert load_or_train(assistant(), blocked / "models").parse("你好").intent.name == "greet"


def test_a_model_is_small_and_quick() -> None:
    """Weights stay far below 15 MB, and 64 short messages far below 64 × 1 ms, on the slowest of machines."""
    assert trained().heads.weights.nbytes < 15_000_000
    batch = (TEXTS * 6)[:64]
    trained().parse_many(batch)
    best = min(_seconds(batch) for _ in range(5))
    assert best < 64 * 0.001


def _seconds(batch: list[str]) -> float:
    before = time.process_time()
    trained().parse_many(batch)
    return time.process_time() - before
