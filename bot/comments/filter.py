"""Keeps anything personal out of what is said in public (invariant 9).

It guards a few approved sentences, not free speech, so it refuses more than it must: no figure at all, however written,
no link, nobody's name, no score, and no question for any of these. Look-alike forms are folded first (NFKC).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Literal

Refusal = Literal[
    "blank",
    "too_long",
    "hidden",
    "placeholder",
    "mention",
    "link",
    "score",
    "number",
    "rating",
    "personal_data",
    "name",
]

LIMIT = 300
"""Characters of a public reply: what Instagram takes, the strictest of the platforms."""

REMEDIES: Mapping[Refusal, str] = {
    "blank": "Write one sentence",
    "too_long": f"Keep it to {LIMIT} characters on one line",
    "hidden": "Type the sentence anew: it holds invisible characters, or line breaks",
    "placeholder": "Write it out without braces, brackets or other signs: a public text is the same for everybody",
    "mention": "Leave out the @: neither e-mail addresses nor people's names belong in public",
    "link": "Leave out the link; links go into the private reply. Put a space after every full stop",
    "score": "Leave out stars and points: nobody's score belongs in public",
    "number": "Leave out every figure, also spelled out: order, case and phone numbers must never be public",
    "rating": "Do not speak of ratings, reviews or surveys in public; the private reply asks for them",
    "personal_data": "Do not ask for names, numbers or addresses in public: people would write them there",
    "name": "Greet nobody by name or title: a public text is the same for everybody",
}

_ZH_DIGIT = "[零〇一二三四五六七八九两幺壹贰叁肆伍陆柒捌玖]"
_ZH_NUMERAL = "[零〇一二三四五六七八九两幺壹贰叁肆伍陆柒捌玖十百千万亿]"
_EN_NUMERAL = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    "eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million"
)
_TITLES = "先生|女士|小姐|太太|老师|同学|阿姨|叔叔|师傅"


def _english(words: str) -> re.Pattern[str]:
    """These as whole words. Not `\b`, which sees no border between a Latin letter and a Chinese character."""
    return re.compile(f"(?<![A-Za-z])(?:{words})(?![A-Za-z])", re.IGNORECASE)


# In the order in which they are looked for: the first that fits is the reason given.
_PATTERNS: tuple[tuple[Refusal, re.Pattern[str]], ...] = (
    ("placeholder", re.compile(r"[{}\[\]<>$%|\\^~`]")),
    ("mention", re.compile("@")),
    ("link", re.compile(r"://|www|[a-z0-9][.。][a-z]{2}", re.IGNORECASE)),
    ("link", _english(r"(?:dot\s*|点\s*)(?:com|cn|net|org)|https?|mailto")),
    ("score", re.compile("[\u2b50\u2605\u2606\u2729\u272a\u272d\u272e\u272f\U0001f31f\U0001f4af]|满分|星级")),
    ("score", re.compile(f"{_ZH_DIGIT}\\s*颗?\\s*[分星](?![钟之期])")),
    ("score", _english(rf"(?:{_EN_NUMERAL})[\s-]*(?:stars?|points?|out\s+of)")),
    ("number", re.compile(f"(?:{_ZH_NUMERAL}[\\s、，,.·-]*){{3}}")),
    ("number", _english(rf"(?:{_EN_NUMERAL})(?:[\s,.-]+(?:and\s+)?(?:{_EN_NUMERAL}))+")),
    ("number", re.compile("[A-Za-z]{20}")),  # a token, not a word
    ("rating", re.compile("评分|打分|打个分|评价|点评|好评|差评|问卷|调查")),
    ("rating", _english("(?:rate|rated|rating|review|survey|star|score|questionnaire)s?")),
    ("personal_data", re.compile("单号|工单|编号|手机|电话|号码|邮箱|地址|姓名|名字|证件|身份证|卡号|账号|密码")),
    ("personal_data", _english("(?:number|phone|e-?mail|passport|account|password)s?|address(?:es)?|your name")),
    ("name", re.compile(f"[\u3400-\u9fff](?:{_TITLES})")),
    ("name", re.compile("(?:亲爱的|尊敬的)(?!顾客|客户|用户|朋友|您|各位)")),
    ("name", _english("mr|mrs|ms|miss|mx|dr|sir|madam")),
    ("name", _english(r"(?:dear|hi|hello|hey)[\s,]+(?!(?:there|all|everyone|customer|friend)s?(?![A-Za-z]))\w+")),
    ("name", re.compile(r"(?:[Tt]hanks|[Tt]hank you|[Ss]orry),? (?!I(?![A-Za-z]))[A-Z]")),
)
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}  # invisible, or of no agreed look: they could hide anything
_VARIATIONS = re.compile("[\ufe00-\ufe0f]")  # choose a picture's colour, and could part a name in two
_NAME_LIMIT = 200  # characters of a name that are looked at: no platform has longer ones
_WORD = re.compile(r"[^\W_]+")


def public_filter(text: str, names: Collection[str] = ()) -> Refusal | None:
    """Why `text` must not be said in public; None if it may.

    `names` are those of the people concerned: neither a whole name nor a part of it may be said.
    """
    if not text.strip():
        return "blank"
    if len(text) > LIMIT:
        return "too_long"
    kinds = {unicodedata.category(sign) for sign in text}
    if kinds & _HIDDEN:
        return "hidden"
    plain = _VARIATIONS.sub("", unicodedata.normalize("NFKC", text))
    for refusal, pattern in _PATTERNS:
        if pattern.search(plain):
            return refusal
    if any(kind[0] == "N" for kind in {*kinds, *map(unicodedata.category, plain)}):
        return "number"
    return "name" if any(_named(plain, name) for name in names) else None


def _named(plain: str, name: str) -> bool:
    """Whether the whole name stands there in any case, or a part of it as it is written."""
    whole = unicodedata.normalize("NFKC", name[:_NAME_LIMIT]).strip()
    if len(whole) > 1 and _stands(plain.casefold(), whole.casefold()):
        return True
    return any(len(part) > 1 and _stands(plain, part) for part in _WORD.findall(whole))


def _stands(text: str, name: str) -> bool:
    """Latin letters must stand as a word of their own ("Ann" is not in "planned"); Chinese has no such borders."""
    before = r"(?<![A-Za-z])" if name[0].isascii() else ""
    after = r"(?![A-Za-z])" if name[-1].isascii() else ""
    return re.search(before + re.escape(name) + after, text) is not None
