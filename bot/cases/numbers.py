"""Case numbers: short enough to say on the telephone, with a check digit that catches a slip.

The last digit is Damm's (H. M. Damm, "Total anti-symmetrische Quasigruppen", 2004): it detects every wrong digit and
every swap of neighbours.
"""

from __future__ import annotations

import re
import unicodedata

_FIRST = 99  # added to the id, so that the first number has four digits and none begins with a zero
_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)
_SEPARATED = r"\d(?:[ \-\u2010-\u2015]?\d)*+"
_DATE = re.compile(r"(?<!\d)(?:19|20)\d\d[-/.年]\d{1,2}[-/.月]\d{1,2}日?(?!\d)|\d{1,2}:\d\d(?::\d\d)?")
# The number right after a word, or two, that announces it.
_NAMED = re.compile(
    r"(?:(?:\b(?:case|ticket|complaint|reference|ref|number|no|id|is)\b|#|工单|单号|编号|案件|投诉|号码|受理号|是|为)[\s:#.]*+)++"
    rf"({_SEPARATED})",
    re.IGNORECASE,
)
_BARE = re.compile(rf"(?<![\dA-Za-z.+¥$])({_SEPARATED})(?![\dA-Za-z%年月日元块]|\.\d)")
_LONGEST_BARE = 9  # digits: one more could be a telephone


def number(case_id: int) -> str:
    """What the case with this id, 1 or more, is called. Raises ValueError."""
    if case_id < 1:
        raise ValueError(f"a case's id is 1 or more, not {case_id}")
    digits = str(case_id + _FIRST)
    return f"{digits}{_check(digits)}"


def parse(text: str) -> int | None:
    """The id behind the case number in `text`, or None.

    Spaces, dashes and full-width digits are put up with. A number after a word such as "case" or 工单 comes first; a
    bare one counts up to nine digits, and not if it is a date, a time, a price or part of a word. That it has the right
    check digit does not mean that there is such a case, nor that it is the asker's: one number in ten passes.
    """
    plain = _DATE.sub(" ; ", unicodedata.normalize("NFKC", text[:2000]))
    whole = re.fullmatch(rf"[\s#]*({_SEPARATED})[\s.。!?]*", plain)
    for pattern, longest in ((_NAMED, 18), (_BARE, 18 if whole else _LONGEST_BARE)):
        for found in pattern.finditer(plain):
            parts = re.split(r"\D", found[1])
            for digits in ("".join(parts), *parts):
                if len(digits) <= longest and (case_id := _id(digits)) is not None:
                    return case_id
    return None


def _id(digits: str) -> int | None:
    if len(digits) < 4 or digits[0] == "0" or _check(digits) != 0:
        return None
    return int(digits[:-1]) - _FIRST


def _check(digits: str) -> int:
    """Damm's digit of `digits`; 0 if the last one is it already."""
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return interim
