"""Numbers in words: 三百二十, 两万五, 九点五, nine."""

from __future__ import annotations

CHINESE = r"[零〇一二两俩三四五六七八九十百千万]+(?:点[零〇一二三四五六七八九]+)?"
DIGITS = r"\d{1,9}(?:,\d{3})*(?:\.\d{1,2})?"
ENGLISH = r"(?:zero|one|two|three|four|five|six|seven|eight|nine|ten)"


def number(written: str) -> float | None:
    """The value of a normalised number in digits, in Chinese or (zero to ten) in English; None where it is none, such
    as 七八 ("seven or eight")."""
    if written[:1].isdigit() and written.isascii():
        try:
            return float(written.replace(",", ""))
        except ValueError:
            return None
    if written in _WORDS:
        return float(_WORDS[written])
    whole, _, decimals = written.partition("点")
    value = _whole(whole)
    if value is None or not decimals:
        return None if decimals else value
    places = [_ONES.get(figure) for figure in decimals]
    if None in places:
        return None
    return float(f"{value:.0f}.{''.join(str(place) for place in places)}")


def _whole(written: str) -> float | None:
    if not written or not all(figure in _ONES or figure in _UNITS for figure in written):
        return None
    if all(figure in _ONES for figure in written):  # 二〇二四, but 七八 is a guess, not a number
        if len(written) > 1 and len(written) < 4:
            return None
        return float("".join(str(_ONES[figure]) for figure in written))
    total = section = 0
    pending: int | None = None
    unit = 1
    for figure in written:
        if figure in _ONES:
            if pending:
                return None
            pending = _ONES[figure]
            continue
        unit = _UNITS[figure]
        if unit == 10_000:
            total = (total + section + (pending or 0)) * unit
            section = 0
        else:
            section += (1 if pending is None else pending) * unit
        pending = None
    if pending:
        # 两万五 is 25,000 and 三百二 is 320, but 三百零二 is 302
        section += pending * (unit // 10 if unit > 10 and "零" not in written and "〇" not in written else 1)
    return float(total + section)


_ONES = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "俩": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
_WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
