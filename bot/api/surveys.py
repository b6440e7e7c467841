"""GET /surveys and /ratings: who was asked, who was not and why, and what they said."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Connection, Select, select

from bot.api.operation import Call, Nothing, Operations
from bot.api.pages import Page, Paging, Rows, page_of
from bot.api.problems import NOT_FOUND, Problem
from bot.api.values import Line60, Line200, Moment
from bot.api.views import CUSTOMER, EPISODE, CustomerView, EpisodeView, case_number, customer_of, episode_of, part
from bot.surveys.selection import REASONS
from storage import tables

operations = Operations("surveys")

State = Literal["planned", "awaiting", "answered", "expired", "superseded", "suppressed"]


class SurveyView(BaseModel):
    """One survey, sent or not."""

    id: int
    definition: str = Field(description="Its key in surveys.yml.")
    state: State
    reason: str | None = Field(
        description=f"Why it was not sent ({', '.join(REASONS)}), or gave way to (newer_survey, case_follow_up)."
    )
    channel: str | None = Field(description="Where it is asked, or would have been.")
    customer: CustomerView
    episode: EpisodeView | None = Field(description="What it is about, if it is a service.")
    case: str | None = Field(description="The case that it follows up, if it is one.")
    judged: str | None = Field(description="Whom it judges: agent:<your id>, or staff:<id>.")
    anonymous: bool = Field(description="Whether nobody is shown who answered.")
    period: str | None = Field(description="Of a scheduled survey, such as 2026Q2.")
    too_fast: int = Field(description="Answers that came faster than a person reads; they count nowhere.")
    created_at: datetime
    asked_at: datetime | None = Field(description="When it was put, or is going to be.")
    expires_at: datetime | None
    answered_at: datetime | None


class SurveyFilter(Paging):
    state: State | None = None
    reason: Line60 | None = Field(None, description="Such as opted_out.")
    definition: Line60 | None = None
    episode: Line200 | None = Field(None, description="The episode's external_id.")
    customer: Line200 | None = Field(None, description="The customer's id.")


class AnswerView(BaseModel):
    """An answer after the rating."""

    question: str
    option: str | None = Field(description="The key of the option chosen.")
    options: list[str] = Field(description="The keys of the options chosen, of a question that takes several.")
    text: str = Field(description="What was written.")


class RatingView(BaseModel):
    """What a customer said in a survey. What nobody answered is no rating: it is never a zero. Of an anonymous one
    neither customer nor service is told."""

    id: int
    survey: int | None
    definition: str
    value: float = Field(description="On the survey's own scale.")
    score: float = Field(description="From 0 to 100.")
    source: str = Field(description="tap, text or page.")
    answers: list[AnswerView]
    channel: str | None
    customer: CustomerView
    episode: EpisodeView | None
    case: str | None
    judged: str | None
    received_at: datetime
    changed_at: datetime | None


class RatingFilter(Paging):
    definition: Line60 | None = None
    episode: Line200 | None = Field(None, description="The episode's external_id.")
    customer: Line200 | None = Field(None, description="The customer's id.")
    since: Moment | None = Field(None, description="Received then or later.")
    until: Moment | None = Field(None, description="Received before.")


survey, rating, contact, episode = tables.surveys.c, tables.ratings.c, tables.contacts.c, tables.episodes.c
_SURVEY = (
    survey.id,
    survey.definition,
    survey.state,
    survey.reason,
    tables.addresses.c.channel,
    survey.case_id,
    survey.judged,
    survey.created_at,
    survey.expires_at,
    survey.answered_at,
    survey.anonymous,
    survey.period,
    survey.asked_at,
    survey.progress,
)
_RATING = (
    rating.id,
    rating.survey_id,
    survey.definition,
    rating.value,
    rating.score,
    rating.source,
    rating.answers,
    tables.addresses.c.channel,
    survey.case_id,
    survey.judged,
    rating.received_at,
    rating.changed_at,
    survey.anonymous,
)


@operations.get("/surveys", scope="surveys:read", query=SurveyFilter, answer=Page[SurveyView])
async def list_surveys(call: Call[Nothing, SurveyFilter]) -> Page[SurveyView]:
    """List surveys, sent or not.

    `state=suppressed` are those that were not sent, each with its reason.
    """
    asked = call.query
    statement = _surveys()
    for column, value in (
        (survey.state, asked.state),
        (survey.reason, asked.reason),
        (survey.definition, asked.definition),
        (episode.external_id, asked.episode),
        (contact.external_id, asked.customer),
    ):
        if value is not None:
            statement = statement.where(column == value)
    items, following = await page_of(call.service, "surveys", asked, statement, survey.id, _shown_surveys)
    return Page[SurveyView](items=items, next=following)


@operations.get(r"/surveys/{id:\d{1,18}}", scope="surveys:read", answer=SurveyView, problems=(404,))
async def read_survey(call: Call[Nothing, Nothing]) -> SurveyView:
    """Read one survey."""
    statement = _surveys().where(survey.id == int(call.path["id"]))
    row = await call.service.database.read(lambda connection: connection.execute(statement).first())
    if row is None:
        raise Problem(NOT_FOUND, "There is no survey of this id.")
    return _survey(row)


@operations.get("/ratings", scope="ratings:read", query=RatingFilter, answer=Page[RatingView])
async def list_ratings(call: Call[Nothing, RatingFilter]) -> Page[RatingView]:
    """List ratings, each with what it is about."""
    asked = call.query
    statement = _joined(select(*_RATING, *CUSTOMER, *EPISODE), tables.ratings.join(tables.surveys))
    for column, value in (
        (survey.definition, asked.definition),
        (episode.external_id, asked.episode),
        (contact.external_id, asked.customer),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if asked.episode is not None or asked.customer is not None:
        statement = statement.where(~survey.anonymous)  # whoever asks for one customer would be told whose it is
    if asked.since is not None:
        statement = statement.where(rating.received_at >= asked.since)
    if asked.until is not None:
        statement = statement.where(rating.received_at < asked.until)
    items, following = await page_of(call.service, "ratings", asked, statement, rating.id, _shown_ratings)
    return Page[RatingView](items=items, next=following)


UNNAMED = CustomerView(id=None, name=None, language=None, segment=None)


def _surveys() -> Select[Any]:
    return _joined(select(*_SURVEY, *CUSTOMER, *EPISODE), tables.surveys)


def _joined(statement: Select[Any], begin: Any) -> Select[Any]:
    return (
        statement.select_from(begin)
        .join(tables.contacts, contact.id == survey.contact_id)
        .outerjoin(tables.episodes, episode.id == survey.episode_id)
        .outerjoin(tables.addresses, tables.addresses.c.id == survey.address_id)
    )


def _shown_surveys(_: Connection, rows: Rows) -> list[SurveyView]:
    return [_survey(row) for row in rows]


def _survey(row: Any) -> SurveyView:
    return SurveyView(
        id=row[0],
        definition=row[1],
        state=row[2],
        reason=row[3],
        channel=row[4],
        case=case_number(row[5]),
        judged=row[6],
        created_at=row[7],
        expires_at=row[8],
        answered_at=None if row[10] else row[9],  # the moment would tell which rating it is
        anonymous=row[10],
        period=row[11],
        asked_at=row[12],
        too_fast=(row[13] or {}).get("too_fast", 0),
        customer=customer_of(part(row, len(_SURVEY), CUSTOMER)),
        episode=episode_of(part(row, len(_SURVEY) + len(CUSTOMER), EPISODE)),
    )


def _shown_ratings(_: Connection, rows: Rows) -> list[RatingView]:
    return [
        RatingView(
            id=row[0],
            survey=None if row[12] else row[1],
            definition=row[2],
            value=row[3],
            score=row[4],
            source=row[5],
            answers=[
                AnswerView(
                    question=each["question"],
                    option=each.get("option"),
                    options=each.get("options") or [],
                    text=each.get("text") or "",
                )
                for each in row[6] or ()
            ],
            channel=row[7],
            case=None if row[12] else case_number(row[8]),
            judged=row[9],
            received_at=row[10],
            changed_at=row[11],
            customer=UNNAMED if row[12] else customer_of(part(row, len(_RATING), CUSTOMER)),
            episode=None if row[12] else episode_of(part(row, len(_RATING) + len(CUSTOMER), EPISODE)),
        )
        for row in rows
    ]
