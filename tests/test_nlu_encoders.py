"""The real encoders, as installed: the same numbers each time, no text that stops them, and life without them."""

from __future__ import annotations

import importlib.util
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_nlu_hostile import HOSTILE

from nlu import e5, hybrid
from nlu.encoders import LONGEST, Packaged, available, prepared
from nlu.pieces import Pieces
from nlu.retrieval import Entry, Retriever

ENCODERS = available()
HARD = {
    **HOSTILE,
    "characters that fold to many": "\ufdfa" * 300,
    "marks of the model": "</s><mask><unk><pad></s>",
    "unknown characters": "\U0001fabc\U000e0041" * 200,
    "chinese without an end": "客服推来推去三个月没人管" * 100,
}

ENTRIES = [
    Entry("refund", "zh", ("退款多久到账", "钱什么时候退给我")),
    Entry("hours", "zh", ("你们几点开门", "周末上班吗")),
    Entry("invoice", "zh", ("怎么开发票", "可以开专票吗")),
    Entry("address", "zh", ("怎么修改收货地址", "地址填错了怎么办")),
]


def test_both_are_installed() -> None:
    """Development and CI measure the whole cascade; who ships trains for both, the cheaper one first."""
    assert [encoder.name.split("-")[0] for encoder in ENCODERS] == ["use", "e5"]


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: encoder.name)
def test_the_same_text_has_the_same_row(encoder: Packaged) -> None:
    """Again, in company, or from another thread: to the last bits that could turn an answer."""
    texts = ["快递三天没到，客服也不理我", "Great value, arrived early.", "ok", "退款 refund 什么时候到"]
    rows = encoder.encode(texts)
    assert rows.shape == (4, encoder.width)
    assert rows.dtype == np.float32
    assert np.array_equal(rows, encoder.encode(texts))
    assert np.allclose(rows, np.concatenate([encoder.encode([text]) for text in texts]), atol=2e-6)
    elsewhere: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: elsewhere.append(encoder.encode(texts)))
    thread.start()
    thread.join()
    assert np.array_equal(rows, elsewhere[0])


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: encoder.name)
def test_texts_of_one_meaning_are_near_in_both_languages(encoder: Packaged) -> None:
    """A question lies nearer to its translation than to another question."""
    texts = ["退款多久到账", "How long does a refund take?", "What time do you open?"]
    asked, same, other = encoder.encode(texts)[:, encoder.about]
    assert float(asked @ same) > float(asked @ other)


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: encoder.name)
@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_no_text_stops_an_encoder(encoder: Packaged, text: str) -> None:
    """Every text has a row of numbers, soon: what is read of it is bounded."""
    encoder.encode(["load"])
    before = time.process_time()
    [row] = encoder.encode([text])
    assert time.process_time() - before < 1.0
    assert np.isfinite(row).all()
    assert bool(row.any()) == bool(prepared(text))


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(codec=None), max_size=700))
def test_what_is_prepared_is_short_and_clean(text: str) -> None:
    """Whatever comes in: at most LONGEST characters and the seam, no lone surrogate, no control character; and it is
    prepared already."""
    found = prepared(text)
    assert len(found) <= LONGEST + 1
    found.encode()
    assert not any(ord(character) < 32 for character in found)
    assert prepared(found).split() == found.split()


def test_signs_of_mood_differ() -> None:
    """Encoders take 👍 and 👎 for the same sign; as words they are not."""
    assert prepared("👍") != prepared("👎")
    for encoder in ENCODERS:
        good, bad = encoder.encode(["👍", "👎"])
        assert not np.allclose(good, bad, atol=0.01)


def test_of_a_long_text_both_ends_are_encoded() -> None:
    """The beginning and the end of a long complaint both change its row; its middle does not."""
    filler = "这里没有什么要说的。" * 200
    for encoder in ENCODERS:
        plain, begun, ended, between = encoder.encode(
            [filler, "垃圾骗子" + filler, filler + "垃圾骗子", filler[:1000] + "垃圾骗子" + filler[1000:]]
        )
        assert not np.allclose(plain, begun, atol=1e-3)
        assert not np.allclose(plain, ended, atol=1e-3)
        assert np.allclose(plain, between, atol=1e-6)


def test_without_the_packages_there_are_no_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without them says so by an empty list, and search goes by terms."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert available() == ()
    assert hybrid.Hybrid(ENTRIES).search("退款多久到账") == Retriever(ENTRIES).search("退款多久到账")


@pytest.mark.parametrize("content", [b"", b"E5S1", b"E5S1" + bytes(200), b"PK" + bytes(100)])
def test_a_damaged_file_of_weights_is_told(tmp_path: Path, content: bytes) -> None:
    """What is no file of weights raises Misread, and nothing worse."""
    path = tmp_path / "weights.bin"
    path.write_bytes(content)
    with pytest.raises(e5.Misread):
        e5.E5(path)


def test_a_text_is_split_into_its_likeliest_pieces() -> None:
    """Long pieces win where they are likelier than their parts; what no piece has is unknown."""
    places = {piece: place for place, piece in enumerate(["?", "▁", "a", "b", "ab", "▁ab", "c"])}
    pieces = Pieces(places, [0, -3, -2, -2, -2.5, -3, -2], unknown=0, table={ord("X"): " ab"})
    assert pieces.split("ab c") == [places["▁ab"], places["▁"], places["c"]]
    assert pieces.split("  ab  ") == [places["▁ab"]]
    assert pieces.split("X") == [places["▁ab"]]
    assert pieces.split("q") == [places["▁"], 0]
    assert pieces.split("") == []


def test_a_question_finds_its_entry_without_a_word_in_common() -> None:
    """By meaning, across languages, and still by terms where an encoder can read nothing."""
    search = hybrid.Hybrid(ENTRIES, ENCODERS)
    assert search.search("How long until I get my money back?")[0].key == "refund"
    assert search.search("When are you open?")[0].key == "hours"
    assert search.search("退款多久到账")[0].key == "refund"
    assert search.search("退款多久到账")[0].score > 0.5
    assert search.search("?!") == []
    assert [hit.score for hit in search.search("发票")] == sorted(
        (hit.score for hit in search.search("发票")), reverse=True
    )
    assert hybrid.Hybrid([], ENCODERS).search("退款") == []
    for text in HARD.values():
        assert all(0 <= hit.score <= 1 for hit in search.search(text))


@pytest.mark.parametrize("most", [0, 2500], ids=["each alike", "weighed against each other"])
def test_an_entry_with_one_phrasing_stands_beside_one_with_many(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """What is asked for decides, not how much was written; also where phrasings are too many to be weighed."""
    monkeypatch.setattr(hybrid, "MOST", most)
    many = tuple(
        f"退款{what}"
        for what in ("多久到账", "什么时候到", "进度", "去哪儿看", "要几天", "没收到", "怎么申请", "到哪张卡")
    )
    search = hybrid.Hybrid([Entry("refund", "zh", many), Entry("hours", "zh", ("周末上班吗",))], ENCODERS[:1])
    assert search.search("你们星期天开门吗")[0].key == "hours"
    assert search.search("钱什么时候退给我")[0].key == "refund"
