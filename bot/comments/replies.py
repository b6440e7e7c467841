"""The sentences that may be said in public: read from `public_replies.yml`, chosen, checked again before sending."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bot.comments.filter import REMEDIES, Refusal, public_filter
from bot.yamlfile import Item, Sheet
from nlu.understanding import Language

Occasion = Literal["acknowledge", "thank"]
OCCASIONS: tuple[Occasion, ...] = get_args(Occasion)
LANGUAGES: tuple[Language, ...] = get_args(Language)


@dataclass(frozen=True, slots=True)
class PublicReplies:
    """`texts` holds the variants of each occasion and language; `thanks` tells whether praise is answered at all."""

    texts: Mapping[tuple[Occasion, Language], tuple[str, ...]]
    thanks: bool

    def choose(
        self, occasion: Occasion, language: Language, comment_id: str, names: Collection[str] = ()
    ) -> str | None:
        """A variant that depends on the comment's id alone, so that a turn decided twice says the same; the next one if
        it happens to hold one of `names`. None if every variant does: then nothing is said in public."""
        variants = self.texts[occasion, language]
        first = int.from_bytes(hashlib.sha256(comment_id.encode(errors="surrogatepass")).digest()[:8], "big")
        turns = (variants[(first + turn) % len(variants)] for turn in range(len(variants)))
        return next((text for text in turns if public_filter(text, names) is None), None)

    def refusal(self, text: str, names: Collection[str] = ()) -> Refusal | Literal["not_approved"] | None:
        """Why this text must not be sent in public, asked once more before it is; None if it may."""
        if not any(text in variants for variants in self.texts.values()):
            return "not_approved"
        return public_filter(text, names)


def read(path: Path) -> PublicReplies:
    """The file's texts. Raises ContentError naming every line that is wrong, with what to write instead."""
    sheet = Sheet(path)
    texts: dict[tuple[Occasion, Language], tuple[str, ...]] = {}
    thanks = False
    with sheet.part():
        top = sheet.mapping(sheet.root, "the file", needs=("praise", *OCCASIONS))
        with sheet.part():
            thanks = sheet.choice(top["praise"], "praise", ("thank", "silent")) == "thank"
        for occasion in OCCASIONS:
            with sheet.part():
                both = sheet.mapping(top[occasion], occasion, needs=LANGUAGES)
                for language in LANGUAGES:
                    with sheet.part():
                        texts[occasion, language] = _variants(sheet, both[language], f"{occasion}, {language},")
    sheet.check()
    return PublicReplies(texts, thanks)


def _variants(sheet: Sheet, item: Item, what: str) -> tuple[str, ...]:
    items = sheet.items(item, what)
    if not items:
        raise sheet.refuse(item, f"{what} has no sentence", "Write at least one, as a line that begins with `- `")
    found: list[str] = []
    for each in items:
        with sheet.part():
            text = sheet.text(each, f"a sentence of {what}")
            if text in found:
                raise sheet.refuse(each, f"{what} has the same sentence twice", "Keep one of the two")
            if (refusal := public_filter(text)) is not None:
                raise sheet.refuse(each, f"{what} has a sentence unfit for the public ({refusal})", REMEDIES[refusal])
            found.append(text)
    return tuple(found)
