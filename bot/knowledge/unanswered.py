"""Questions that the knowledge base could not answer, alike ones together: what to write an entry about next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from sqlalchemy import Connection, select

from nlu.retrieval import Entry, Retriever
from storage.tables import messages

ALIKE = 0.5
"""From this score on one question would be the answer to the other (see `nlu.retrieval`)."""
NEIGHBOURS = 10
CHUNK = 5_000
MOST = 5_000
"""Questions that are grouped at most, the newest."""


@dataclass(frozen=True, slots=True)
class Question:
    """As the customer wrote it."""

    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """Questions about one thing, the newest first."""

    questions: tuple[Question, ...]


def asked(connection: Connection, since: datetime, chunks: int | None = None) -> list[Question]:
    """The questions since then that found no answer, the newest first, at most MOST. Walks back from the newest
    message, so that it costs what was said since then, not what is stored; with `chunks` at most so many thousands."""
    found: list[Question] = []
    columns = select(messages.c.id, messages.c.author, messages.c.text, messages.c.data, messages.c.created_at)
    before: int | None = None
    for read in count():
        if len(found) >= MOST or read == chunks:
            break
        chunk = columns.order_by(messages.c.id.desc()).limit(CHUNK)
        rows = connection.execute(chunk if before is None else chunk.where(messages.c.id < before)).all()
        for row in rows:
            if row.created_at >= since and row.author == "customer" and (row.data or {}).get("unanswered"):
                found.append(Question(row.text, row.created_at))
        if len(rows) < CHUNK or rows[-1].created_at < since:
            break
        before = rows[-1].id
    return found[:MOST]


def grouped(questions: Sequence[Question]) -> list[Group]:
    """Alike questions together: the largest group first, of equals the one asked last."""
    retriever = Retriever([Entry(str(place), "zh", (each.text,)) for place, each in enumerate(questions)])
    leader = list(range(len(questions)))

    def root(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    for place, question in enumerate(questions):
        for hit in retriever.search(question.text, limit=NEIGHBOURS):
            if hit.score >= ALIKE:
                one, other = sorted((root(place), root(int(hit.key))))
                leader[other] = one
    groups: dict[int, list[Question]] = {}
    for place, question in enumerate(questions):
        groups.setdefault(root(place), []).append(question)
    return sorted((Group(tuple(each)) for each in groups.values()), key=lambda group: -len(group.questions))


def phrasings(group: Group, most: int = 3) -> Iterable[str]:
    """Different ways in which it was asked, the newest first."""
    return list(dict.fromkeys(question.text for question in group.questions))[:most]
