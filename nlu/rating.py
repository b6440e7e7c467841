"""Ratings in words: "给你们打9分", "四星", "two stars", "8/10", 👍, and what only looks like one.

Scores are 0 to 100 = 100 × value ÷ maximum (R5.1). Without an open survey stars are of 5, and 分 of 10 up to 10, else
of 100. A number counts only where it can be nothing else: with its unit, and after a verb of giving or alone in its
clause, so that 十分满意, 一分钱一分货, 三星手机, 五星酒店, 十二点五分 and 3分钟 are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from nlu.normalise import HEAD, normalise, translation
from nlu.numerals import CHINESE, ENGLISH, number


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
    if "分" in text and _POINTS_GATE.search(text):
        yield from _points(text)
    if "星" in text and _STARS_GATE.search(text):
        yield from _stars(text)
    if "star" in text:
        yield from _english_stars(text)
    if "/" in text or "out of" in text:
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
    found = _ANSWER.fullmatch(text) or _ANSWER_AND_WHY.match(text)
    if not found:
        return
    value = 10.0 if found["n"] == "🔟" else number(found["n"])
    if value is not None and _lowest(maximum) <= value <= maximum:
        yield _Stated("bare", value, float(maximum), found.start("n"), found.end("n"), True)


def _points(text: str) -> Iterator[_Stated]:
    scale = _SCALE.search(text)
    of = number(scale["a"] or scale["b"]) if scale else None
    if scale and of and (found := _SCALED.search(text, scale.end())) and not _UNGIVING.search(text[: found.start()]):
        value = number(found["n"])
        if value is not None and value <= of:
            yield _Stated("points", value, of, found.start(), found.end(), True)
    for found in _LEAST_POINTS.finditer(text):
        yield _Stated("points", 1.0 if found["n"] in _ONE else 0.0, 10.0, found.start(), found.end(), True)
    for found in _POINTS.finditer(text):
        value = number(found["n"])
        if value is None or (scale and scale.start() <= found.start() < scale.end()) or found["n"] == "百":
            continue
        value += 0.5 if found["half"] else 0.0
        before = _clause(text, found.start())
        given, alone = _context(before, found["n"])
        edge = bool(_EDGE.match(text, found.end()))
        # 十分 is mostly "very", 一分 mostly a bit, and 点 mostly o'clock: those need more than being alone.
        strict = found["n"] in {"十", "一"} or "点" in found["n"]
        whole = found.group() == text.strip(_AROUND) and "点" not in found["n"]
        whole = whole or (alone and bool(_SCORED.match(text, found.end())))
        if _UNGIVEN.match(text, found.end()):
            continue
        if strict and not (edge and (given or whole)):
            continue
        if not (given or (alone and edge)) or value > 100:
            continue
        scaled = of if of and value <= of else (10.0 if value <= 10 else 100.0)
        yield _Stated("points", value, scaled, found.start(), found.end(), given)


def _stars(text: str) -> Iterator[_Stated]:
    for found in _LEAST_STARS.finditer(text):
        yield _Stated("stars", 1.0 if found["n"] in _ONE else 0.0, 5.0, found.start(), found.end(), True)
    for found in _STARS.finditer(text):
        value = 0.5 if found["n"] == "半" else number(found["n"])
        if value is None or value > 10:
            continue
        value += 0.5 if found["half"] or found["part"] else 0.0
        before = _clause(text, found.start())
        given, alone = _context(before, found["n"])
        # 颗 counts stars that somebody gives, whoever gets them.
        alone = alone or ("颗" in found[0] and not _UNGIVING.search(before))
        praised = bool(_REVIEW.match(text, found.end()))
        edge = praised or bool(_EDGE.match(text, found.end()))
        if found.group() == "三星" and not (given or praised or text.strip(_AROUND) == "三星"):
            continue  # the brand
        if (given or alone) and edge and not _UNGIVEN.match(text, found.end()):
            shared = bool(_SHARE.match(text, found.end()))  # 两星，一星给环境一星给味道
            yield _Stated("share" if shared else "stars", min(value, 5.0), 5.0, found.start(), found.end(), given)


def _english_stars(text: str) -> Iterator[_Stated]:
    for found in _ENGLISH_STARS.finditer(text):
        value = 0.0 if found["n"] in {"no", "negative"} else 0.5 if found["n"] == "half a" else number(found["n"])
        if value is None or value > 10:
            continue
        value += 0.5 if found["half"] else 0.0
        before = _ENGLISH_CLAUSE.split(text[: found.start()])[-1]
        if _ENGLISH_UNREAL.search(before) or _ENGLISH_THEN.match(text, found.end()):
            continue
        if value > 1 and _ENGLISH_NOT.search(before):
            continue
        given = bool(_ENGLISH_GIVES.search(before))
        if given or (_ENGLISH_ALONE.search(before) and _ENGLISH_EDGE.match(text, found.end())):
            yield _Stated("stars", min(value, 5.0), 5.0, found.start(), found.end(), given)


def _fractions(text: str) -> Iterator[_Stated]:
    for found in _FRACTION.finditer(text):
        value, of = number(found["n"]), number(_HUNDRED.sub("100", found["of"]))
        if value is None or not of or value > of:
            continue
        before = text[: found.start()]
        clause = _clause(text, found.start())
        given = bool(_ENGLISH_GIVES.search(before)) or bool(_GIVES.search(clause))
        chinese = bool(before[-1:]) and before[-1] > "\u2e80"
        alone = bool(_LABEL.fullmatch(clause)) if chinese else not _DATED.search(before)
        if not chinese and _ENGLISH_UNREAL.search(_ENGLISH_CLAUSE.split(before)[-1]):
            continue
        # No day of a month, and no part of a hundred things: whatever follows.
        certain = (of == 100 or value in {0, 10}) and "/" in found[0] and not _COUNTED.match(text, found.end())
        if (given or alone) and (certain or _ENGLISH_EDGE.match(text, found.end())):
            kind = "stars" if text[found.end() : found.end() + 5].strip().startswith("star") else "fraction"
            yield _Stated(kind, value, of, found.start(), found.end(), given)


def _full_marks(text: str) -> Iterator[_Stated]:
    for found in _FULL.finditer(text):
        before = _clause(text, found.start())
        if not (_NOT_FULL.search(before) or _UNREAL.search(before)):
            yield _Stated("full", 1.0, 1.0, found.start(), found.end(), True)


def _thumbs(text: str) -> Iterator[_Stated]:
    thumbs = list(_THUMBS.finditer(text))
    beside = _BESIDE.sub("", _THUMBS.sub("", text)) if thumbs else ""
    if thumbs and len(beside) <= (10 if beside.isascii() else 6):
        for found in thumbs:
            yield _Stated("thumbs", float("👍" in found[0] or "up" in found[0]), 1.0, *found.span(), False)


def _star_signs(text: str) -> Iterator[_Stated]:
    runs = list(_STAR_SIGNS.finditer(text))
    if len(runs) == 1:
        filled, hollow = (sum(map(runs[0][0].count, signs)) for signs in ("★⭐🌟", "☆✩"))
        if filled + hollow == 5 or (not hollow and (filled > 1 or not _BESIDE.sub("", text.replace(runs[0][0], "")))):
            yield _Stated("stars", float(min(filled, 5)), 5.0, runs[0].start(), runs[0].end(), False)


def _clause(text: str, end: int) -> str:
    return _SENTENCE.split(text[:end])[-1].strip()


def _context(before: str, written: str) -> tuple[bool, bool]:
    """Whether somebody gives the number that follows `before`, and whether it stands alone there."""
    if _UNGIVING.search(before):
        return False, False
    return bool(_GIVES.search(before)), bool(_LABEL.fullmatch(before))


@cache
def _table() -> dict[int, int]:
    return translation(dict(zip("顆個給評滿級點鐘錢兩們務貨電機", "颗个给评满级点钟钱两们务货电机", strict=True)))


_NUMBER = rf"(?:\d{{1,3}}(?:\.\d)?|{CHINESE})"
_ONE = {"一", "1"}
_SENTENCE = re.compile(r"[^\w\s]+|\n")
_AROUND = " \t\n\r,.;!?。、…~'\""
_PRONOUN = (
    r"(?:你们?|您|他们?|她们?|它们?|咱们?|贵司|商家|店家|卖家|店铺|客服|师傅|骑手|小哥|快递|物流|老师|医生|司机"
    r"|护士|物业|管家|保洁|保安|前台|店员|店长|柜员|导游|教练|技师|阿姨|顾问|经理|主播|房东|中介)"
)
_THING = (
    r"(?:总体|整体|综合|总分|服务|态度|质量|味道|口味|口感|环境|物流|速度|配送|卫生|价格|体验|满意度|评分|打分|分数|客服|师傅|"
    r"骑手|外卖|商品|产品|描述|包装|效率|性价比|颜值|外观|质感|房间|早餐|位置|这次|本次|今天|这家|这个|这单|我|的|是|为|就|只有|只值|"
    r"的话|下来|全部|要我说|我觉得|个人|非要|顶天|撑死|充其量|闭眼|无脑|手法|技术|专业|讲解|沟通|耐心|安全|舒适|舒适度|隔音|设施|设备|菜品|分量|"
    r"画质|音质|续航|手感|做工|面料|清洁|响应|售后|售前|安装|维修|教学|课程|流程|效果|内容|性能|界面|功能|交通|停车|景色|装修|氛围|"
    r"最多|顶多|勉强|才|那就|至少|起码|算|全|都|统统|必须|妥妥|满满|绝对|一律|果断|直接|差评|好评|\s)"
)
_GIVES = re.compile(
    rf"(?:给|打|评|评价|评分|打分|赏|送上|奉上|献上|送(?=你|您|他|她|贵)|改|变|降|升|涨|选|投|值得|值|配得上|对得起|配|必须|妥妥|点(?=个))"
    rf"(?:{_PRONOUN}|{_THING}|个|一个|了|上|到|出|成|作|满分|满|评价|差评|好评)*$"
)
_LABEL = re.compile(rf"(?:{_PRONOUN}|{_THING})*")
_TAKEN = re.compile(
    r"(?:扣|减|差|加|考|积|涨|跌|丢|欠|省|罚|(?<!至)少|掉|第|高出|领先|落后|百|点|时|-)了?(?:我|你|他|掉)?\s*$"
)
_UNREAL = re.compile(
    r"本来|原本|原来|本想|原想|曾经|以前|之前|上次|上回|去年|要不是|如果|要是|假如|除非|等.{1,8}再|默认|系统|自动"
    r"|别人|人家|网友|水军|其他人|别的(?:人|顾客|客人)|差一?点|险些|就差|怎么|如何|怎样|请问|哪[里儿]|能不能|可不可以|要不要|凭什么|为什么要"
    r"|谁[会能敢肯给]|(?:[他她们妹姐哥弟妈爸]|同事|室友|邻居|同学|朋友|闺蜜)说[^,]{0,6}$"
    r"|(?:让(?!我(?:打分|评分|来说|说))|叫|求|要求|逼|催|骗|刷|强制|诱导|索要)[^,]{0,6}$"
)
_NOT = re.compile(
    rf"(?:不|没|别|无法|没法|难)(?:值|想|能|会|配|肯|愿意?|够|得|有|是|到|止|算|敢)*"
    rf"(?:给|打|评|值)?(?:{_PRONOUN}|不了|个|了|上|到|出)*$|[给打配值]不(?:了|上|起|出)"
)
_UNGIVING = re.compile(f"{_TAKEN.pattern}|{_UNREAL.pattern}|{_NOT.pattern}")
_SCALED = re.compile(rf"(?:给|打|评)(?:{_PRONOUN}|{_THING}|个|了|上|到|出)*(?P<n>{_NUMBER})(?=$|[^\w%.]|吧|了|分)")
_POINTS = re.compile(
    rf"(?<!\d:)(?<![\d.])(?P<n>{_NUMBER})\s?分(?P<half>半)?"
    r"(?!半?[钟钱之店行期手秒类享析别部公开布配批付家机册组层数币米寸裤熟饱甜糖辣针贝歧辨辩割化身红子母泌裂叉散量贵明外文工列支百制满球])"
)
_POINTS_GATE = re.compile(r"满分\s?\d|[\d零〇一二两俩三四五六七八九十百负]\s?分(?!钟)")
_STARS_GATE = re.compile(r"[\d零〇一二两俩三四五六七八九十半颗粒个小]\s?星(?!期)")
_NONE_AT_ALL = r"(?:都|也)(?:[不没懒][想愿肯会能配值给法得用嫌]|嫌)"
_LEAST_POINTS = re.compile(rf"(?<![\d.十百点])(?P<n>[一1零0])\s?分{_NONE_AT_ALL}|(?P<m>负)分(?!之|数)")
_SCALE = re.compile(rf"满分(?:是|为)?\s?(?P<a>{_NUMBER})\s?分?|(?P<b>{_NUMBER})\s?分制")
_STARS = re.compile(
    rf"(?<![\d.])(?P<n>{_NUMBER}|半)\s?[颗粒个]?(?P<part>半)?小?星{{1,2}}(?P<half>半)?"
    r"(?!级|期|座|辰|球|巴|系|探|光|空|际|云|堆|的?酒店|宾馆|饭店|民宿|电器|红旗|的?手机|的?电视|平板|屏|品牌|显示器|集团|公司|笔记本"
    r"|冰箱|洗衣机|空调|内存|硬盘|固态|耳机|手表|\s?[a-z]?\d|\s?galaxy|\s?note|以[上下])"
)
_LEAST_STARS = re.compile(rf"(?<![\d.十点])(?P<n>[一1零0])\s?[颗个]?星{{1,2}}{_NONE_AT_ALL}")
_REVIEW = re.compile(
    r"\s?(?:好评|差评|中评|评价|推荐|支持|必须|奉上|送上|走起|给|吧|滴|啦|了|的?服务|的?体验|的?态度|也|都|不能再)(?!返)"
)
_EDGE = re.compile(
    r"\s*(?:$|[^\w\s]|\n|吧|啊|呀|哦|喔|噢|呢|啦|了|嘛|哈|呗|噻|不能再|左右|以上|差不多|没问题|好评|差评|评价|我?(?:都|也|还)|给|送|,|谢|是?因为|不过分|不为过|没毛病|奉上|送上|走人|拿去|收好)"
)
# What follows a number that nobody gives: a bargain for it, or a question about it.
_UNGIVEN = re.compile(
    r"[^,。!;\n]{0,6}(?:返现|返红包|返\d|返[一二两三五十]|有礼|送礼|送红包|领红包|截图)"
    r"|都(?:找不|没|难|不(?!过分|为过|嫌|够))|[^,。!;?\n]{0,8}(?:吗|么|呢\?)\s*(?:[?。!]|$)"
)
_SHARE = re.compile(r"\s?给(?!你|您|贵|力|到|满|$)")
_SCORED = re.compile(r"[^\n]{0,6}(?:及格|打给|送给|评给|满分|不能再|给得|打得|奉上|送上)")
_FULL = re.compile(r"满分(?!\s?[\d一五七十百]|是|为|制|作文|卷|答案)|满星|\bfull marks\b|\bperfect score\b|全五星")
_NOT_FULL = re.compile(r"(?:不|没|非|离|算不上|够不上|几分|多少|怎么|别人)[^,]{0,4}$|本来|原本|如果|要是")
_THUMBS = re.compile(r"[👍👎][🏻🏼🏽🏾🏿]?|\b(?:two )?thumbs[ -](?:up|down)\b")
_STAR_SIGNS = re.compile(r"(?:[★⭐🌟☆✩]\s?)+")
_BESIDE = re.compile(r"[\W_]+|(?:from|me|it|is|a|for|you|the|both|our|us|we|my|all|of|big|huge)\b")
_ENGLISH_NUMBER = rf"\d{{1,3}}(?:\.\d)?|{ENGLISH}"
_ENGLISH_STARS = re.compile(
    rf"(?<![\d.$])\b(?P<n>{_ENGLISH_NUMBER}|no|negative|half a)(?P<half> and a half)?[ -]?stars?\b"
    r"(?![ -](?:rated )?(?:hotel|resort|motel|inn|general|restaurant|chef|dining|property|accommodation|trek|wars"
    r"|system|energy|players?|recruit))"
)
_ENGLISH_GIVES = re.compile(
    r"\b(?:giv\w*|gave|rat(?:e|ed|ing)|scor(?:e|ed|ing)|leav\w*|left|deserv\w*|gets?|earn\w*|worth|award\w*"
    r"|mak(?:e|ing) (?=it|that|this)|(?:up|down)grad\w*|drop\w*|put (?:it|this|that|them|you|him|her)(?= at| down)"
    r"|chang\w+(?= )|bump\w*"
    r"|lower\w*|rais\w*)"
    r"(?: ?\b(?:you|it|this|that|them|him|her|the \w+|these guys|this \w+|your \w+|my \w+|a|an"
    r"|only|just|even|full|solid|barely|to|up|down|from \w+(?: stars?)?|at|as|of|is|out|me|maybe|about|all|no more than"
    r"|more than))*[ :=]*$"
)
_ENGLISH_UNREAL = re.compile(
    r"\b(?:would have|would've|could have|wanted to|was going to|were going to|almost|used to|usually|normally"
    r"|if|unless|once|how (?:do|can|to|would)|where (?:do|can)|can i|could i|should i|may i|do i"
    r"|am i|ask\w*|begg\w*|told|want(?:s|ed)? (?:me|us)|forc\w*|brib\w*|offer\w*|everyone|everybody|other people"
    r"|others|people who|who(?:'d| would| will| gives)|back in the day"
    r"|my friends?|last (?:time|year|month)|previously|before i|thought|minus|docked|deduct\w*|knock\w*"
    r"|remov\w*|taking|took|tak(?:e|ing) off|lost|los(?:e|ing))\b"
)
_ENGLISH_CLAUSE = re.compile(r"[^\w\s'’-]+|\s-+\s|\n|\b(?:but|now|however|instead)\b")
_ENGLISH_THEN = re.compile(
    r" (?:\w+ ){0,2}(?:last (?:time|year|month|week|summer|winter)|back then|years? ago|months? ago)\b"
)
_COUNTED = re.compile(
    r"\s?(?:page|piece|item|people|person|order|parcel|user|time|seat|ticket|file|mb|gb|%|day|步|页|件|人|个)"
)
_ENGLISH_NOT = re.compile(r"\b(?:not|never|no|nowhere near|far from)\b|n't\b")
_ENGLISH_ALONE = re.compile(
    r"(?:^|[^\w\s])\s*(?:(?:a|an|easiest|only|just|full|solid|easily|definitely|easy|overall|my|rating|verdict|score|is|it's"
    r"|that's|total|strong|all|service|food|at|best|the|still|so|and|yes|no|ok|okay|well|i'd say|not"
    r"|even|here|have|take|make|that|your)\W*)*$"
)
_ENGLISH_EDGE = re.compile(
    r"\s*(?:$|[^\w\s]|stars?\b|分|吧|(?:from|for|would|overall|rating|review|because|and|but|so|if|service|experience|recommend|all|no|only|at|to|across|throughout"
    r"|thanks|i|it|just|as|is (?:one|too|all|what|generous|more|enough|plenty)"
    r"|holiday|trip|stay|meal|job|treatment|performance|visit|effort|customer|this time|today|never|avoid)\b)"
)
_FRACTION = re.compile(
    rf"(?<![\d./$-])\b(?P<n>{_ENGLISH_NUMBER})(?:\s?/\s?|[ -]out[ -]of[ -])"
    r"(?P<of>100|10|5|7|five|seven|ten|a hundred)\b(?!\s?[/.:-]?\s?\d)"
)
_HUNDRED = re.compile(r"a hundred")
_DATED = re.compile(
    r"(?:\b(?:on|at|by|from|since|until|till|before|after|dated?|due|over|page|chapter|part|step|level|lesson|version|v|open|about|for|in)|[\d-])\s*$"
)
_FILLER = (
    r"(?:我|给|打|选|评|就|大概|只能|最多|勉强|可能|应该|评分|打分|选项|答案|是|你们?|个|那|嗯|[\W_]"
    r"|i'?d|i|i'?ll|rate|give|it|a|an|say|that'?s|maybe|probably|about|score|rating|number|option|it'?s|my|is|answer|you|this|go|with|just|only|ok|um|well)*?"
)
_ANSWER = re.compile(
    rf"{_FILLER}\s*(?<![\d.\-+$¥€£])(?P<n>\d{{1,3}}(?:\.\d)?|{CHINESE}|\b{ENGLISH}\b|🔟)\s?(?:⃣|分|颗?星|stars?|points?)?"
    r"(?:吧|啊|哦|呢|了|哈|啦|呗|please|thanks|thank you|谢谢|[^\w%$¥€£°]|_)*"
)
_ANSWER_AND_WHY = re.compile(
    rf"[^\w+-]*(?P<n>\d{{1,3}}(?:\.\d)?|{CHINESE}|\b{ENGLISH}\b)\s?(?:⃣|分|颗?星|stars?|points?)?"
    r"(?:\s?[,;:!。\n(]\s?|\s-+\s|\s?因为|\s(?:because|but|cause|cos|since|as)\s)(?![\s\d])"
)
