"""Ratings in words: "给你们打9分", "四星", "two stars", "8/10", 👍, and what only looks like one.

Scores are 0 to 100 = 100 × value ÷ maximum (R5.1). Without an open survey stars are of 5, and 分 of 10 up to 10, else
of 100. A number counts only where it can be nothing else: with its unit, and after a verb of giving or alone in its
clause, so that 十分满意, 一分钱一分货, 三星手机, 五星酒店, 十二点五分 and 3分钟 are none.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from nlu import rating_words as words
from nlu.normalise import HEAD, normalise, translation
from nlu.numerals import number


class Rating(NamedTuple):
    """`score` is 0 to 100; the words that state it stand from `start` to `end`."""

    score: float
    start: int
    end: int


def rating(text: str, maximum: int | None = None) -> float | None:
    """The rating that `text` states, 0 to 100, or None; only the first HEAD characters are read; never raises.

    `maximum` is the scale of the open survey (1 is thumbs): a bare number, its words and 👍 are read on it, and what
    does not meet the scale is None. Scales to 5 and to 7 begin at 1, the others at 0."""
    found = find(normalise(text[:HEAD], _table()), maximum)
    return found.score if found else None


def find(text: str, maximum: int | None = None) -> Rating | None:
    """As `rating`, for a normalised text, with the place. Of several that differ the last one that somebody gives
    ("改成一星") counts; where nobody gives any, none does."""
    if maximum is None and not (
        "分" in text or "星" in text or "star" in text or "/" in text or "👍" in text or "👎" in text or " out " in text
        or "out of" in text or " scale " in text
        or "★" in text or "⭐" in text or "🌟" in text or "thumb" in text or "full mark" in text or "perfect sc" in text
    ):  # fmt: skip
        return None
    stated = list(_stated(text))
    if any(one.kind == "stars" for one in stated):
        stated = [one for one in stated if one.kind != "share"]
    if maximum is not None:
        stated = [fitted for one in stated if (fitted := _fit(one, maximum))] or list(_bare(text, maximum))
    given = [one for one in stated if one.given]
    if given:
        return _rating(max(given, key=lambda one: one.start))
    return _rating(stated[0]) if stated and len({one.value / one.of for one in stated}) == 1 else None


class _Stated(NamedTuple):
    kind: str
    value: float
    of: float
    start: int
    end: int
    given: bool


def _rating(stated: _Stated) -> Rating:
    return Rating(round(100 * stated.value / stated.of, 1), stated.start, stated.end)


def _stated(text: str) -> Iterator[_Stated]:
    """What is stated on its own terms, whatever survey is open."""
    if "分" in text and words.POINTS_GATE.search(text):
        yield from _points(text)
    if "星" in text and words.STARS_GATE.search(text):
        yield from _stars(text)
    if "star" in text:
        yield from _english_stars(text)
    if "/" in text or "out of" in text or " scale " in text:
        yield from _fractions(text)
    if "满" in text or "full" in text or "perfect" in text or "全五星" in text:
        yield from _full_marks(text)
    if "👍" in text or "👎" in text or "thumb" in text:
        yield from _thumbs(text)
    if "★" in text or "⭐" in text or "🌟" in text:
        yield from _star_signs(text)


def _fit(stated: _Stated, maximum: int) -> _Stated | None:
    """`stated` on the survey's scale, where it meets a step of it."""
    if stated.kind == "thumbs":
        return stated if stated.value else stated._replace(value=float(_lowest(maximum)), of=float(maximum))
    if stated.kind == "full":
        return stated
    own = stated.kind == "points" or stated.of == maximum or (stated.kind == "stars" and stated.value > 5)
    value = stated.value if own else stated.value * maximum / stated.of
    if (own or value == int(value)) and maximum > 1 and _lowest(maximum) <= value <= maximum:
        return stated._replace(value=value, of=float(maximum))
    return None


def _lowest(maximum: int) -> int:
    return 1 if maximum in {5, 7} else 0


def _bare(text: str, maximum: int) -> Iterator[_Stated]:
    """A number that is the answer: alone, after "I'd say", or before a reason."""
    found = words.ANSWER.fullmatch(text) or words.ANSWER_AND_WHY.match(text)
    if not found:
        return
    value = 10.0 if found["n"] == "🔟" else number(found["n"])
    if value is not None and _lowest(maximum) <= value <= maximum:
        yield _Stated("bare", value, float(maximum), found.start("n"), found.end("n"), True)


def _points(text: str) -> Iterator[_Stated]:
    scale = words.SCALE.search(text)
    if scale and (found := words.OF_SCALE.match(text, scale.end())) and (value := number(found["n"])) is not None:
        yield _Stated("points", value, max(value, number(scale["a"] or scale["b"]) or 0), *found.span("n"), True)
        return
    of = number(scale["a"] or scale["b"]) if scale else None
    if (
        scale
        and of
        and (found := words.SCALED.search(text, scale.end()))
        and not words.UNGIVING.search(text[: found.start()])
    ):
        value = number(found["n"])
        if value is not None and value <= of:
            yield _Stated("points", value, of, found.start(), found.end(), True)
    for found in words.LEAST_POINTS.finditer(text):
        yield _Stated("points", 1.0 if found["n"] in words.ONE else 0.0, 10.0, found.start(), found.end(), True)
    for found in words.POINTS.finditer(text):
        value = number(found["n"])
        if value is None or (scale and scale.start() <= found.start() < scale.end()) or found["n"] == "百":
            continue
        value += 0.5 if found["half"] else 0.0
        before = _clause(text, found.start())
        given, alone = _context(before, found["n"])
        edge = bool(words.EDGE.match(text, found.end()))
        # 十分 is mostly "very", 一分 mostly a bit, and 点 mostly o'clock: those need more than being alone.
        strict = found["n"] in {"十", "一"} or "点" in found["n"]
        whole = found.group() == text.strip(words.AROUND) and "点" not in found["n"]
        whole = whole or (alone and bool(words.SCORED.match(text, found.end())))
        if words.UNGIVEN.match(text, found.end()):
            continue
        if strict and not (edge and (given or whole)):
            continue
        if not (given or (alone and edge)) or value > 100:
            continue
        scaled = of if of and value <= of else (10.0 if value <= 10 else 100.0)
        yield _Stated("points", value, scaled, found.start(), found.end(), given)


def _stars(text: str) -> Iterator[_Stated]:
    for found in words.LEAST_STARS.finditer(text):
        yield _Stated("stars", 1.0 if found["n"] in words.ONE else 0.0, 5.0, found.start(), found.end(), True)
    for found in words.STARS.finditer(text):
        value = 0.5 if found["n"] == "半" else number(found["n"])
        if value is None or value > 10:
            continue
        value += 0.5 if found["half"] or found["part"] else 0.0
        before = _clause(text, found.start())
        given, alone = _context(before, found["n"])
        # 颗 counts stars that somebody gives, whoever gets them.
        alone = alone or ("颗" in found[0] and not words.UNGIVING.search(before))
        praised = bool(words.REVIEW.match(text, found.end()))
        edge = praised or bool(words.EDGE.match(text, found.end()))
        if found.group() == "三星" and not (given or praised or text.strip(words.AROUND) == "三星"):
            continue  # the brand
        if (given or alone) and edge and not words.UNGIVEN.match(text, found.end()):
            shared = bool(words.SHARE.match(text, found.end()))  # 两星，一星给环境一星给味道
            yield _Stated("share" if shared else "stars", min(value, 5.0), 5.0, found.start(), found.end(), given)


def _english_stars(text: str) -> Iterator[_Stated]:
    for found in words.FROM_TO.finditer(text):
        if (
            (value := number(found["n"])) is not None
            and value <= 5
            and not words.ENGLISH_UNREAL.search(found["before"])
        ):
            yield _Stated("stars", value, 5.0, found.start("n"), found.end("n"), True)
    for found in words.ENGLISH_STARS.finditer(text):
        value = 0.0 if found["n"] in {"no", "negative"} else 0.5 if found["n"] == "half a" else number(found["n"])
        if value is None or value > 10:
            continue
        value += 0.5 if found["half"] else 0.0
        before = words.ENGLISH_CLAUSE.split(text[: found.start()])[-1]
        if words.ENGLISH_UNREAL.search(before) or words.ENGLISH_THEN.match(text, found.end()):
            continue
        most = bool(words.NO_MORE.search(before))
        if value > 1 and words.ENGLISH_NOT.search(before) and not most:
            continue
        given = most or bool(words.ENGLISH_GIVES.search(before)) or text.startswith(" it is", found.end())
        if given or (words.ENGLISH_ALONE.search(before) and words.ENGLISH_EDGE.match(text, found.end())):
            yield _Stated("stars", min(value, 5.0), 5.0, found.start(), found.end(), given)


def _fractions(text: str) -> Iterator[_Stated]:
    for pattern in (words.ON_A_SCALE, words.OUT_OF):
        if (found := pattern.search(text)) and not words.ENGLISH_UNREAL.search(text[: found.start()]):
            value, of = number(found["n"]), number(words.HUNDRED.sub("100", found["of"]))
            if value is not None and of and value <= of:
                yield _Stated("fraction", value, of, found.start("n"), found.end("n"), True)
    for found in words.FRACTION.finditer(text):
        value, of = number(found["n"]), number(words.HUNDRED.sub("100", found["of"]))
        if value is None or not of or value > of:
            continue
        before = text[: found.start()]
        clause = _clause(text, found.start())
        given = bool(words.ENGLISH_GIVES.search(before)) or bool(words.GIVES.search(clause))
        chinese = bool(before[-1:]) and before[-1] > "\u2e80"
        alone = bool(words.LABEL.fullmatch(clause)) if chinese else not words.DATED.search(before)
        if not chinese and words.ENGLISH_UNREAL.search(words.ENGLISH_CLAUSE.split(before)[-1]):
            continue
        # No day of a month, and no part of a hundred things: whatever follows.
        certain = (of == 100 or value in {0, 10}) and "/" in found[0] and not words.COUNTED.match(text, found.end())
        if (given or alone) and (certain or words.ENGLISH_EDGE.match(text, found.end())):
            kind = "stars" if text[found.end() : found.end() + 5].strip().startswith("star") else "fraction"
            yield _Stated(kind, value, of, found.start(), found.end(), given)


def _full_marks(text: str) -> Iterator[_Stated]:
    for found in words.FULL.finditer(text):
        before = _clause(text, found.start())
        if not (words.NOT_FULL.search(before) or words.UNREAL.search(before)):
            yield _Stated("full", 1.0, 1.0, found.start(), found.end(), True)


def _thumbs(text: str) -> Iterator[_Stated]:
    thumbs = list(words.THUMBS.finditer(text))
    beside = words.BESIDE.sub("", words.THUMBS.sub("", text)) if thumbs else ""
    if thumbs and len(beside) <= (10 if beside.isascii() else 6):
        for found in thumbs:
            yield _Stated("thumbs", float("👍" in found[0] or "up" in found[0]), 1.0, *found.span(), False)


def _star_signs(text: str) -> Iterator[_Stated]:
    runs = list(words.STAR_SIGNS.finditer(text))
    if len(runs) == 1:
        filled, hollow = (sum(map(runs[0][0].count, signs)) for signs in ("★⭐🌟", "☆✩"))
        if filled + hollow == 5 or (
            not hollow and (filled > 1 or not words.BESIDE.sub("", text.replace(runs[0][0], "")))
        ):
            yield _Stated("stars", float(min(filled, 5)), 5.0, runs[0].start(), runs[0].end(), False)


def _clause(text: str, end: int) -> str:
    return words.SENTENCE.split(text[:end])[-1].strip()


def _context(before: str, written: str) -> tuple[bool, bool]:
    """Whether somebody gives the number that follows `before`, and whether it stands alone there."""
    if words.UNGIVING.search(before):
        return False, False
    return bool(words.GIVES.search(before)), bool(words.LABEL.fullmatch(before))


@cache
def _table() -> dict[int, int]:
    return translation(dict(zip("顆個給評滿級點鐘錢兩們務貨電機", "颗个给评满级点钟钱两们务货电机", strict=True)))
