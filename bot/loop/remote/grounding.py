"""Whether an answer says only what the knowledge base says: rules that can be checked, and refuse when in doubt.

An answer stands if every sentence of it rests on the entries that it names: most of its words are theirs; every number,
date, price, link and mail address occurs in them; nothing is promised that they do not promise; and it denies exactly
where they deny. A paraphrase too free is refused as well: the customer then hears what the local search has to say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from nlu.numerals import CHINESE, number

OVERLAP = 0.75
"""The least share of a sentence's terms that must be the entries'."""

NEW_WORDS, NEW_PAIRS = 2, 4
"""The most terms of a sentence that may be its own: English words, pairs of Chinese characters."""

ANSWER_LIMIT = 1_000
SHORTEST = 4
"""Characters of an answer."""

_SENTENCE = re.compile(r"[^.!?。！？；;\n]+(?:\.(?=[^\s])[^.!?。！？；;\n]+)*")
_LINK = re.compile(
    r"(?:https?://|www\.)[^\s\u3000-\u303f\uff00-\uffef]+|[\w.+-]+@[\w-]+\.[\w.]+|\b[\w-]+\.(?:com|cn|net|org|io|co)\b[^\s，。]*"
)
_DIGITS = re.compile(r"\d+(?:[.,:/-]\d+)*")
_SPELLED = re.compile(
    rf"{CHINESE}(?=[天日周月年个小分秒时点元块折次件份成倍%％])"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|sixty|ninety"
    r"|hundred|thousand|dozen|half|once|twice|double)\b"
)
_CLAUSE = re.compile(r"[,、:]|\bbut\b|但是?|不过")
_WORD = re.compile(r"[a-z][a-z'’-]*[a-z]|[a-z]")
_MARKUP = re.compile(r"[<>\[\]{}|\\`*_#~^=]")
_READABLE = re.compile(r"[a-z\u00df-\u024f\u3400-\u9fff]")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_DENIAL = re.compile(
    r"不(?!客气|好意思|过|仅|但|用谢)|没|无法|无需|未|别(?=[再的去])|勿|禁止"
    r"|\b(?:not|no|never|none|without|nor|neither)\b|n[’']t\b|\bcannot\b|\bunable\b"
)
_PROMISES = re.compile(
    r"保证|承诺|一定|免费|赔|补偿|退款|全额|立即|马上|随时|永久|终身|优惠|折扣|赠送"
    r"|\b(?:guarantee\w*|promise\w*|free|compensat\w*|refund\w*|full|immediate\w*|instant\w*|always|lifetime|discount\w*"
    r"|bonus|gift|voucher\w*|credit\w*)\b"
)
_FILLER = re.compile(
    r"a|an|and|are|as|at|be|been|but|by|can|could|did|do|does|for|from|has|have|how|i|if|in|into|is|it|its"
    r"|may|me|more|my|of|on|or|our|please|so|than|that|the|their|them|then|there|these|they|this|to|up|us"
    r"|was|we|what|when|where|which|will|with|would|you|your|yes|sure"
)
"""English words that say nothing of their own."""
_PARTICLES = frozenset("的了吗呢吧啊哦您你我们它是在有会也都和与或请就把被给让")


def supported(answer: str, entries: Sequence[str]) -> bool:
    """Whether every sentence of `answer` rests on `entries`, the texts that it names."""
    if not SHORTEST <= len(answer.strip()) <= ANSWER_LIMIT or not entries:
        return False
    said, known = _plain(answer), _plain("\n".join(entries))
    if any(sign.isalpha() and not _READABLE.fullmatch(sign) for sign in said):
        return False  # in another script it could say anything
    if any(sign not in known for sign in _MARKUP.findall(said)):
        return False
    if any(link not in known for link in _LINK.findall(said)):
        return False
    if not _figures(said) <= _figures(known):
        return False
    if not {each[:4] for each in _PROMISES.findall(said)} <= {each[:4] for each in _PROMISES.findall(known)}:
        return False
    sources = [each for each in _SENTENCE.findall(known) if each.strip()]
    sentences = [each for each in _SENTENCE.findall(said) if _terms(each)]
    return bool(sentences) and all(_rests(each, sources) for each in sentences)


def _rests(sentence: str, sources: Sequence[str]) -> bool:
    """Most of the sentence's terms are the entries', and each of its clauses denies what its like there denies."""
    terms = _terms(sentence)
    clauses = [(part, found) for each in sources for part in (each, *_clauses(each)) if (found := _terms(part))]
    new = terms - set().union(*(found for _, found in clauses))
    words = sum(term.isascii() for term in new)
    if len(new) > (1 - OVERLAP) * len(terms) or words > NEW_WORDS or len(new) - words > NEW_PAIRS:
        return False
    return all(_agrees(clause, clauses) for clause in _clauses(sentence))


def _agrees(clause: str, known: Sequence[tuple[str, set[str]]]) -> bool:
    """Whether `clause` denies if and only if that of the entries which has the most in common with it does."""
    terms = _terms(clause)
    likeness = [(len(terms & found) / len(terms | found), part) for part, found in known] if terms else []
    most = max((like for like, _ in likeness), default=0.0)
    denies = bool(_DENIAL.search(clause))
    if not most:
        return not denies
    return any(bool(_DENIAL.search(part)) == denies for like, part in likeness if like == most)


def _clauses(sentence: str) -> list[str]:
    return [part for part in _CLAUSE.split(sentence) if part.strip()]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower().replace("’", "'")


def _figures(text: str) -> set[str | float]:
    """Every number that `text` states, in figures as they stand, in words by value."""
    found: set[str | float] = set()
    for each in _DIGITS.findall(text):
        value = number(each)
        found.add(each if value is None else value)
    for each in _SPELLED.findall(text):
        value = number(each)
        found.add(each if value is None else value)
    return found


def _terms(text: str) -> set[str]:
    """What a text speaks of: English words but the plainest, Chinese characters in pairs."""
    found = {word.removesuffix("s") for word in _WORD.findall(text) if not _FILLER.fullmatch(word)}
    for run in _HAN.findall(text):
        kept = "".join(sign for sign in run if sign not in _PARTICLES)
        found |= {kept[place : place + 2] for place in range(len(kept) - 1)} if len(kept) > 1 else set(kept)
    return found
