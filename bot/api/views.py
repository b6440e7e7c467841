"""What callers see of episodes, customers, surveys, ratings, cases and conversations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from bot.cases import numbers
from storage import tables

contact, episode = tables.contacts.c, tables.episodes.c

CUSTOMER = (contact.external_id, contact.name, contact.language, contact.segment)
EPISODE = (
    episode.id,
    episode.external_id,
    episode.touchpoint,
    episode.ended_at,
    episode.agent,
    episode.product,
    episode.region,
    episode.business_line,
)


class CustomerView(BaseModel):
    """A customer, as far as we know them."""

    id: str | None = Field(description="The business system's id; null for somebody it has not named.")
    name: str | None
    language: str | None
    segment: str | None


class EpisodeView(BaseModel):
    """The service that a survey is about."""

    id: int
    external_id: str
    touchpoint: str
    ended_at: datetime
    agent: str | None
    product: str | None
    region: str | None
    business_line: str | None


def customer_of(columns: Any) -> CustomerView:
    """From the columns CUSTOMER."""
    return CustomerView(id=columns[0], name=columns[1], language=columns[2], segment=columns[3])


def episode_of(columns: Any) -> EpisodeView | None:
    """From the columns EPISODE; None where there is none."""
    if columns[0] is None:
        return None
    names = list(EpisodeView.model_fields)
    return EpisodeView.model_validate(dict(zip(names, columns, strict=True)))


def case_number(case_id: int | None) -> str | None:
    return None if case_id is None else numbers.number(case_id)


def part(row: Row[Any], start: int, columns: tuple[Any, ...]) -> Any:
    """Those columns of a row that begin at `start`."""
    return tuple(row)[start : start + len(columns)]
