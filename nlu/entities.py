"""Things named in a text: order numbers, phones, mail addresses, amounts, dates, and what the training data lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import add

from nlu.numerals import CHINESE, number
from nlu.understanding import Entity


@dataclass(frozen=True)
class Gazetteer:
    """Entities of the assistant's own. `patterns` are (entity, regular expression) for texts as typed; `names` are
    (normalised spelling, entity, value), longest first; `synonyms` are surfaces in lower case with their value."""

    patterns: tuple[tuple[str, re.Pattern[str]], ...] = ()
    names: tuple[tuple[str, str, str], ...] = ()
    synonyms: dict[str, str] = field(default_factory=dict)

    @cached_property
    def by_first(self) -> dict[str, list[tuple[str, str, str]]]:
        """The first two characters → the names that begin with them, longest first."""
        found: dict[str, list[tuple[str, str, str]]] = {}
        for name in self.names:
            found.setdefault(name[0][:2], []).append(name)
        return found


def find(text: str, written: str, own: Gazetteer | None = None) -> tuple[Entity, ...]:
    """The entities in `text` (normalised) with values from `written` (as typed, the same length), in order of place.
    The assistant's own come first where several claim a place for the same entity.

    Values: order_number and date as typed without blanks (a full date as YYYY-MM-DD), phone as digits with a leading +
    if it has one, email in lower case, amount as "CNY 99.5" (the currency of the sign or word; 块 and 元 are CNY)."""
    found: list[Entity] = []
    if own is not None:
        found.extend(_own(text, written, own))
    if _NUMERIC.search(text):
        found.extend(_numeric(text, written))
    if _DAY.search(text) and (day := _DAYS.search(text)) is not None:
        found.append(Entity("date", written[day.start() : day.end()].strip(), *day.span()))
    if len(found) < 2:
        return tuple(found)
    kept: list[Entity] = []
    for entity in found:
        if not any(_clash(entity, other) for other in kept):
            kept.append(entity)
    return tuple(sorted(kept, key=lambda entity: entity.start))


def amount(entity: Entity) -> tuple[str, float]:
    """Currency and number of an `amount`."""
    currency, _, value = entity.value.partition(" ")
    return currency, float(value)


def _clash(one: Entity, other: Entity) -> bool:
    overlap = one.start < other.end and other.start < one.end
    return overlap and (one.entity == other.entity or {one.entity, other.entity} <= _BUILT_IN)


def _own(text: str, written: str, own: Gazetteer) -> Iterator[Entity]:
    for entity, pattern in own.patterns:
        if pattern.search(written):
            for found in pattern.finditer(written):
                if value := found.group():
                    yield Entity(entity, own.synonyms.get(value.lower(), value), *found.span())
    for first in sorted(own.by_first.keys() & {*text, *map(add, text, text[1:])}):
        for name, entity, value in own.by_first[first]:
            at = text.find(name)
            while at >= 0:
                end = at + len(name)
                if _whole(text, at, end):
                    yield Entity(entity, value, at, end)
                at = text.find(name, end)


def _whole(text: str, start: int, end: int) -> bool:
    """Whether a Latin name is not just a part of a longer word."""
    return not (
        (text[start] in _WORD and start > 0 and text[start - 1] in _WORD)
        or (text[end - 1] in _WORD and end < len(text) and text[end] in _WORD)
    )


def _numeric(text: str, written: str) -> Iterator[Entity]:
    if "@" in text:
        for found in _EMAIL.finditer(text):
            yield Entity("email", found.group(), *found.span())
    long = _LONG_NUMBER.search(text)
    if long or "月" in text:
        for found in _DATE.finditer(text):
            month = int(found["m1"] or found["m2"] or found["m3"])
            day = int(found["d1"] or found["d2"] or found["d3"])
            if 1 <= month <= 12 and 1 <= day <= 31:
                plain = re.sub(r"\s", "", written[found.start() : found.end()])
                year = found["y"]
                yield Entity("date", f"{int(year):04}-{month:02}-{day:02}" if year else plain, *found.span())
    if _MONEY.search(text):
        yield from _amounts(text)
    if long:
        for found in _PHONE.finditer(text):
            digits = re.sub(r"\D", "", found.group())
            yield Entity("phone", f"+{digits}" if found.group().startswith("+") else digits, *found.span())
        for found in _ORDER.finditer(text):
            start, end = found.span("cued") if found["cued"] else found.span("bare")
            if sum(map(str.isdigit, text[start:end])) >= 4:
                yield Entity("order_number", written[start:end], start, end)


def _amounts(text: str) -> Iterator[Entity]:
    for found in _AMOUNT.finditer(text):
        sign = found["sign"] or found["unit"]
        value = number(found["n1"] or found["n2"])
        if value is None or (sign == "块" and value < 10 and text[found.end() : found.end() + 1] > "\u2e80"):
            continue  # 三块巧克力, 一块儿
        value *= 10_000 if "万" in (found["wan"] or "") or sign.startswith("万") else 1
        yield Entity("amount", f"{_currency(sign)} {value:.10g}", *found.span())


def _currency(sign: str) -> str:
    return next(code for signs, code in _CURRENCIES if any(part in sign for part in signs))


_BUILT_IN = {"email", "date", "amount", "phone", "order_number"}
_WORD = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_LONG_NUMBER = re.compile(r"\d\d\d")
_MONEY = re.compile(r"[元块万$¥￥€£]|rmb|yuan|usd|dollar|buck|eur|gbp|pound|quid|人民币")
_NUMERIC = re.compile(r"[\d@块元万¥￥]")
_CURRENCIES: Sequence[tuple[tuple[str, ...], str]] = (
    (("hk",), "HKD"),
    (("nt",), "TWD"),
    (("$", "美元", "美金", "usd", "dollar", "buck"), "USD"),
    (("€", "欧元", "eur"), "EUR"),
    (("£", "英镑", "gbp", "pound", "quid"), "GBP"),
    (("",), "CNY"),
)
_EMAIL = re.compile(r"[a-z0-9][a-z0-9._%+-]{0,63}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,4}\.[a-z]{2,24}(?![a-z0-9])")
_DATE = re.compile(
    r"(?<!\d)(?:(?P<y>20\d\d)\s?(?:年\s?(?P<m1>\d{1,2})\s?月\s?(?P<d1>\d{1,2})\s?[日号]?|(?P<by>[-/.])(?P<m2>\d{1,2})(?P=by)(?P<d2>\d{1,2}))"
    r"|(?P<m3>\d{1,2})\s?月\s?(?P<d3>\d{1,2})\s?[日号]?)(?!\d)"
)
_MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_WEEK = r"(?:周|星期|礼拜)[一二三四五六日天]"
_DAY = re.compile(r"天|[上本这下]个?[周星礼月]|\d|last |day\b|tonight")  # what every _DAYS has, found sooner
_DAYS = re.compile(
    rf"[今昨前明后]天|大前天|[上本这下]个?{_WEEK}|上个?月(?:\d{{1,2}}号)?"
    r"|\b(?:yesterday|today|tomorrow|tonight"
    r"|last (?:week|month|night|monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
    rf"|{_MONTHS}\.? \d{{1,2}}(?:st|nd|rd|th)?(?:,? 20\d\d)?"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTHS}(?:,? 20\d\d)?)\b"
)
_AMOUNT = re.compile(
    rf"(?:(?P<sign>hk\$|nt\$|us\$|[$¥￥€£])\s?(?P<n1>\d{{1,9}}(?:,\d{{3}})*(?:\.\d{{1,2}})?)(?P<wan>万)?"
    rf"|(?<![\d.])(?P<n2>\d{{1,9}}(?:,\d{{3}})*(?:\.\d{{1,2}})?|{CHINESE})\s?"
    r"(?P<unit>万?(?:元|块钱?|人民币|美元|美金|欧元|英镑)(?!件|的?饼|头|儿糖)|万(?=[,.!?。\s]|$|多|都|块)|(?:rmb|yuan|usd|dollars?|bucks?|euros?|eur|gbp|pounds?|quid)\b))"
)
_PHONE = re.compile(
    r"(?<![\d+-])(?:(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}|400[ -]?\d{3}[ -]?\d{4}|0\d{2,3}[ -]\d{7,8}"
    r"|\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4})(?![\d-])"
)
_ORDER = re.compile(
    r"(?:单号|编号|order(?: ?(?:number|no\.?|num|id|#))?|tracking(?: number| no\.?)?|invoice(?: number)?|ref(?:erence)?"
    r"|case(?: number)?|#)"
    r"(?:是|为|is|was|[\s:#])*(?P<cued>[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){3,31})(?![a-z0-9])"
    r"|(?<![a-z0-9@./#&=-])(?P<bare>(?:[a-z]{1,4}-?)?\d{6,24}|\d{3,10}(?:-\d{3,10}){1,3})(?![a-z0-9@/&=-]|\.\d)"
)
