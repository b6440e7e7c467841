"""POST /episodes: a business system reports a service, and the customer is asked about it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from bot.api.operation import Call, Nothing, Operations
from bot.api.problems import Problem, at
from bot.api.values import CustomerIn, Given, Line60, Line90, Line100, Line200, Moment, spoken
from bot.contacts.service import Person, Place
from bot.loop.episodes import AHEAD, Reported, UnknownPlace
from bot.service import Service
from bot.surveys.selection import REASONS

operations = Operations("episodes")

NOT_ADDRESSES = ("comment:", "author:")  # a public comment's place and its author's: nobody is surveyed there


class EpisodeIn(Given):
    """One service that a customer had."""

    external_id: Line200 = Field(description="Your own id of this episode: told twice, it counts once.")
    touchpoint: Line100 = Field(description="Where the service took place, such as hotline, store, self_service.")
    ended_at: Moment = Field(description="When it ended.")
    agent: Line90 | None = Field(None, description="Your own id of who served: the rating judges them.")
    product: Line200 | None = None
    region: Line200 | None = None
    business_line: Line200 | None = None
    survey: Line60 | None = Field(None, description="The survey to ask, if it is not the one of the touchpoint.")
    customer: CustomerIn


class SurveyDecision(BaseModel):
    """What was decided about asking when the episode was first told."""

    id: int
    state: Literal["awaiting", "planned", "suppressed"] = Field(
        description="awaiting: the question is on its way; planned: it will be asked later; suppressed: it will not."
    )
    reason: str | None = Field(
        description=f"Why it is suppressed: {', '.join(REASONS)}; too_old: told so late that it would have expired."
    )


class EpisodeTaken(BaseModel):
    """The episode is kept."""

    episode: int = Field(description="Our id of it.")
    survey: SurveyDecision


@operations.post("/episodes", scope="episodes:write", body=EpisodeIn, answer=EpisodeTaken, status=202)
async def report_episode(call: Call[EpisodeIn, Nothing]) -> EpisodeTaken:
    """Report a service that a customer had, and ask them about it.

    Idempotent on `external_id`: told again, at once or years later, also with other content, it has the same answer,
    and nothing is changed and nobody asked again; what became of the survey since stands at /surveys/{id}. The
    customer is known by `customer.id`; an address that wrote to us before as a stranger is theirs from then on, with
    its conversations. Addresses are tried in the order given.
    """
    said = call.body
    if said.ended_at > call.now + AHEAD:
        raise at("/ended_at", f"This lies more than {AHEAD.days} days in the future.")
    reported = Reported(
        external_id=said.external_id,
        touchpoint=said.touchpoint,
        ended_at=said.ended_at,
        agent=said.agent,
        product=said.product,
        region=said.region,
        business_line=said.business_line,
        survey=said.survey,
        person=person(said.customer),
        places=places(said.customer),
    )
    try:
        taken = await call.service.episodes.take(reported, call.caller.actor)
    except UnknownPlace as unknown:
        raise unknown_place(call.service, unknown) from None
    decision = SurveyDecision.model_validate({"id": taken.survey, "state": taken.state, "reason": taken.reason})
    return EpisodeTaken(episode=taken.episode, survey=decision)


def person(customer: CustomerIn) -> Person:
    """Who a customer is."""
    return Person(
        external_id=customer.id,
        name=customer.name,
        language=spoken(customer.language),
        segment=customer.segment,
        revenue=customer.revenue,
    )


def places(customer: CustomerIn) -> tuple[Place, ...]:
    """Where a customer is reached. Raises Problem for what is no address."""
    for index, each in enumerate(customer.addresses):
        if each.address.startswith(NOT_ADDRESSES):
            raise at(f"/customer/addresses/{index}/address", "A public comment is not an address of a customer.")
    return tuple((each.channel, each.account, each.address) for each in customer.addresses)


def unknown_place(service: Service, unknown: UnknownPlace) -> Problem:
    """Names the channel or the account that we do not have."""
    accounts = sorted(account for channel, account in service.adapters if channel == unknown.channel)
    if accounts:
        detail = f"There is no account '{unknown.account}' on {unknown.channel}; there is {', '.join(accounts)}."
    else:
        channels = sorted({channel for channel, _ in service.adapters})
        detail = f"There is no channel '{unknown.channel}'; there is {', '.join(channels)}."
    part = "account" if accounts else "channel"
    return at(f"/customer/addresses/{unknown.index}/{part}", detail)
