"""What may never be said in public, and the file of what may."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.comments.filter import LIMIT, REMEDIES, Refusal, public_filter
from bot.comments.replies import LANGUAGES, OCCASIONS, PublicReplies, read
from bot.errors import ContentError

FILE = Path(__file__).parent.parent / "bot" / "assistant" / "public_replies.yml"
REPLIES = read(FILE)
TEXTS = [text for variants in REPLIES.texts.values() for text in variants]

DIGITS = st.sampled_from(["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "𝟘𝟙𝟚𝟛𝟜𝟝𝟞𝟟𝟠𝟡", "⓪①②③④⑤⑥⑦⑧⑨", "⁰¹²³⁴⁵⁶⁷⁸⁹"])
PHONES = st.builds(
    lambda script, digits, sign: sign.join(script[n] for n in digits),
    DIGITS,
    st.lists(st.integers(0, 9), min_size=1, max_size=15),
    st.sampled_from(["", " ", "-", "."]),
)
SPELLED = st.lists(st.sampled_from("零一二三四五六七八九"), min_size=3, max_size=11).map("".join)
NAMES = st.sampled_from(["李娜", "Anna Schmidt", "王小明", "tea.lover", "O'Neil", "ＡＮＮＡ", "Björk", "Ли На", "안나"])
# What must be caught, and the reason given where it stands in a Chinese or an English sentence.
CAUGHT: list[tuple[str, Refusal]] = [
    ("anna@example.com", "mention"),
    ("ａｎｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "mention"),
    ("@teafan", "mention"),
    ("earful://r/abc", "link"),
    ("www.earful.cn", "link"),
    ("example.com/r", "link"),
    ("example。com", "link"),
    ("earful dot com", "link"),
    ("earful 点 com", "link"),
    ("mailto anna", "link"),
    ("#2041", "number"),
    ("case 2041", "number"),
    ("138 0013 8000", "number"),
    ("二〇四一", "number"),
    ("两千零四十一", "number"),
    ("一 三 八", "number"),
    ("twenty forty-one", "number"),
    ("two thousand and forty", "number"),
    ("第Ⅷ件", "number"),
    ("eyJhbGciOiJIUzIabcdefghij", "number"),
    ("五星", "score"),
    ("四分", "score"),
    ("三颗星", "score"),
    ("满分", "score"),
    ("five stars", "score"),
    ("nine out of ten", "score"),
    ("⭐", "score"),
    ("💯", "score"),
    ("4/5", "number"),
    ("请给我们打分", "rating"),
    ("感谢好评", "rating"),
    ("please rate us", "rating"),
    ("our survey", "rating"),
    ("请留下您的手机号", "personal_data"),
    ("请提供订单号码", "personal_data"),
    ("send your order number", "personal_data"),
    ("发email给我们", "personal_data"),
    ("your addresses", "personal_data"),
    ("王先生", "name"),
    ("李女士", "name"),
    ("Ms Li", "name"),
    ("sir", "name"),
    ("Dear Anna", "name"),
    ("hello, anna", "name"),
    ("Thank you, Anna", "name"),
    ("Sorry Anna", "name"),
    ("亲爱的小明", "name"),
    ("尊敬的张总", "name"),
    ("{name}", "placeholder"),
    ("[[case]]", "placeholder"),
    ("$x", "placeholder"),
    ("%s", "placeholder"),
]


def planted(text: str, place: int, personal: str) -> str:
    at = place % (len(text) + 1)
    return f"{text[:at]} {personal} {text[at:]}"[:LIMIT]


# ---- the shipped sentences ----


def test_every_shipped_sentence_may_be_said() -> None:
    """Both languages have sentences for every occasion, several of them, and each passes the filter."""
    for occasion in OCCASIONS:
        for language in LANGUAGES:
            assert len(REPLIES.texts[occasion, language]) >= 3
    assert [text for text in TEXTS if public_filter(text) is not None] == []
    for (_, language), variants in REPLIES.texts.items():
        assert all(any("\u4e00" <= sign <= "\u9fff" for sign in text) is (language == "zh") for text in variants)


@pytest.mark.parametrize(
    "text",
    [
        "十分抱歉，一定跟进。",
        "万分感谢，这一次是我们没做好。",
        "请稍等一分钟，我们看一下。",
        "谢谢您，一路有您真好！",
        "Sorry about that, this one is on us.",
        "Thank you! We will look into this.",
        "Hi there, thanks for telling us.",
        "亲爱的朋友，谢谢您 ❤️",
        "We planned this badly.",
    ],
)
def test_ordinary_sentences_pass(text: str) -> None:
    """Words that merely look like figures, scores or greetings by name are left alone."""
    assert public_filter(text, ["Ann"]) is None


# ---- what is caught ----


@pytest.mark.parametrize(("personal", "reason"), CAUGHT)
def test_personal_data_is_caught_and_named(personal: str, reason: Refusal) -> None:
    """An address, a link, a number, a score, a name with a title, a placeholder or a question for such data is caught
    in either language, with the reason that tells the author what to change."""
    for before, after in (("抱歉，", "，我们会跟进。"), ("We are sorry, ", " we will look into it."), ("", "")):
        assert public_filter(before + personal + after) == reason


@pytest.mark.parametrize(("personal", "reason"), CAUGHT)
def test_personal_data_planted_in_any_shipped_sentence_is_caught(personal: str, reason: Refusal) -> None:
    """Wherever it stands in whichever approved sentence."""
    for text in TEXTS:
        for place in (0, len(text) // 3, len(text) // 2, len(text)):
            assert public_filter(planted(text[:200], place, personal)) is not None


@given(st.sampled_from(TEXTS), st.integers(0, LIMIT), PHONES | SPELLED)
def test_a_number_planted_in_a_sentence_is_caught(text: str, place: int, number: str) -> None:
    """A phone, order or case number of any length, in any script, spaced or spelled out, is caught anywhere."""
    assert public_filter(planted(text[:200], place, number)) is not None


@given(st.sampled_from(TEXTS), st.integers(0, LIMIT), NAMES)
def test_a_name_planted_in_a_sentence_is_caught(text: str, place: int, name: str) -> None:
    """The author's name is caught, whole or a part of it, full-width or in another case."""
    part = name.split(maxsplit=1)[0]
    for form in (name, name.upper(), part):
        assert public_filter(planted(text[:200], place, form), [name]) is not None


@given(st.sampled_from(TEXTS), st.text(max_size=60))
def test_whatever_passes_has_neither_figures_nor_hidden_signs(text: str, added: str) -> None:
    """Any text added to an approved sentence either is refused or holds no digit, @, link or invisible character."""
    whole = text[:200] + added
    if public_filter(whole) is None:
        assert not any(sign.isdigit() or (sign.isnumeric() and not "\u3400" <= sign <= "\u9fff") for sign in added)
        assert not set(added) & set("@＠{}[]<>\n\r\t\u200b\u202e\u2028")
        assert "://" not in added


@given(st.text(max_size=400), st.lists(st.text(max_size=40), max_size=4))
def test_the_filter_never_fails(text: str, names: list[str]) -> None:
    """Whatever the text and the names, there is an answer, and for each refusal a remedy."""
    refusal = public_filter(text, names)
    assert refusal is None or refusal in REMEDIES


@pytest.mark.parametrize("hidden", ["\u200b", "\u202e", "\u200d", "\x00", "\n", "\u2028", "\ue000"])
def test_hidden_signs_are_refused(hidden: str) -> None:
    """Invisible characters could part a name or turn a number round."""
    assert public_filter(f"对不起{hidden}，我们会跟进。") == "hidden"


def test_a_name_parted_by_a_colour_sign_is_still_a_name() -> None:
    """A variation selector in the middle hides nothing."""
    assert public_filter("谢谢 An\ufe0fna 来信", ["Anna"]) == "name"


def test_an_endless_name_costs_nothing() -> None:
    """A name of a million characters is looked at as far as any platform lets a name be."""
    endless = " ".join(f"N{n}x" for n in range(150_000))
    assert public_filter("谢谢 Anna 来信", [f"{endless} Anna"]) is None
    assert public_filter("谢谢 Anna 来信", ["Anna " + endless]) == "name"


# ---- the file ----


def problems_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "public_replies.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        read(path)
    return [str(problem) for problem in caught.value.problems]


def test_every_bad_sentence_is_named_with_its_line_and_remedy(tmp_path: Path) -> None:
    """All problems of the file are told at once, each with the line to change and what to write instead."""
    text = FILE.read_text(encoding="utf-8")
    lines = text.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("    - "))
    lines[first] = "    - 亲爱的王先生，您的订单 2041 我们看到了。"
    lines[first + 1] = "    - 请访问 https://example.com 评价我们"
    found = problems_of(tmp_path, "\n".join(lines))
    assert len(found) == 2
    assert found[0].startswith(f"public_replies.yml:{first + 1}: acknowledge, zh, has a sentence unfit for the public")
    assert REMEDIES["name"] in found[0]
    assert found[1].startswith(f"public_replies.yml:{first + 2}: ")
    assert REMEDIES["link"] in found[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("praise: thank", "praise: loudly"), "praise is 'loudly'"),
        (("praise: thank", "prais: thank"), "lacks 'praise'"),
        (("\nthank:", "\nthanks:"), "lacks 'thank'"),
        (("  en:", "  de:"), "lacks 'en'"),
        (("Thank you so much, that's lovely to hear!", "x" * 301), "(too_long)"),
        (("Thank you so much, that's lovely to hear!", "''"), "is not a text"),
        (("谢谢您的喜欢，能让您满意，我们也很开心！", "收到您的夸奖啦，我们会继续加油的，谢谢您！"), "twice"),
    ],
)
def test_a_file_with_an_error_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    """A wrong key or choice, a missing language, and a blank, endless or repeated sentence are named."""
    text = FILE.read_text(encoding="utf-8")
    assert change[0] in text
    assert any(message in problem for problem in problems_of(tmp_path, text.replace(*change)))


def test_an_occasion_without_sentences_is_refused(tmp_path: Path) -> None:
    """An empty list would leave complaints in that language without an answer: it is named."""
    text = "praise: silent\nacknowledge: {zh: [], en: [Sorry.]}\nthank: {zh: [谢谢。], en: Thanks.}\n"
    found = problems_of(tmp_path, text)
    assert "acknowledge, zh, has no sentence" in found[0]
    assert "thank, en, is not a list" in found[1]


def test_what_is_not_approved_is_refused_before_sending() -> None:
    """Only sentences of the file, letter for letter, pass the last check; and not with a name in them."""
    replies = PublicReplies({("thank", "en"): ("Thanks for coming to Paris!",)}, thanks=True)
    assert replies.refusal("Thanks for coming to Paris!") is None
    assert replies.refusal("Thanks for coming to Paris! ") == "not_approved"
    assert replies.refusal("您好") == "not_approved"
    assert replies.refusal("Thanks for coming to Paris!", ["Paris Li"]) == "name"
