"""POST /feedback: what customers said elsewhere (on the hotline, on paper, in another system), typed in or passed on.

It takes the one way in: as words of the customer in a conversation of its own, on the web chat's account, whose thread
`api:<channel>:<id>` says where it comes from. So it is understood, opens a case, reaches the queue and is counted as
everything else is. Nobody sits at the other end of that thread: what the bot answers is on the transcript, and agents
reach the customer at their own addresses.
"""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection

from bot.api.episodes import person, places, unknown_place
from bot.api.operation import Call, Nothing, Operations
from bot.api.problems import at
from bot.api.values import CustomerIn, Given, LanguageTag, Line200, Moment, spoken
from bot.contacts import service as contacts
from bot.contacts.service import Met
from bot.loop.episodes import AHEAD, UnknownPlace
from bot.service import Service
from channels.base import Text

operations = Operations("feedback")

WEB = "web"
TEXT_LIMIT = 10_000  # characters


class FeedbackIn(Given):
    """What one customer said."""

    external_id: Line200 | None = Field(
        None, description="Your own id of it: told twice, it counts once. Without it, give an Idempotency-Key."
    )
    channel: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")] = Field(
        description="Where it was said, in a word of your own: hotline, store, paper, email."
    )
    text: Annotated[str, StringConstraints(min_length=1, max_length=TEXT_LIMIT, pattern=r"\S")]
    language: LanguageTag | None = Field(None, description="zh or en, where it is known.")
    said_at: Moment | None = Field(None, description="When it was said; without it: now.")
    customer: CustomerIn | None = Field(None, description="Who said it; without it: somebody unknown.")


class FeedbackTaken(BaseModel):
    """The feedback is kept, and is worked at once."""

    thread: str = Field(description="Its conversation: GET /conversations?thread=…")


@operations.post("/feedback", scope="feedback:write", body=FeedbackIn, answer=FeedbackTaken, status=202)
async def give_feedback(call: Call[FeedbackIn, Nothing]) -> FeedbackTaken:
    """Pass on what a customer said elsewhere.

    It is understood and handled as if it had been written in the chat: a complaint becomes a case, and urgent things
    reach a person. Idempotent on `channel` and `external_id`. The channel is a word of your own; the customer's
    addresses are where they are reached, not where they said it.
    """
    said, service = call.body, call.service
    if said.said_at and said.said_at > call.now + AHEAD:
        raise at("/said_at", f"This lies more than {AHEAD.days} days in the future.")
    thread = f"api:{said.channel}:{said.external_id or call.key or uuid.uuid4().hex}"
    account = _account(service)
    if said.customer:
        try:
            await _meet(call, said.customer, (WEB, account, thread))
        except UnknownPlace as unknown:
            raise unknown_place(service, unknown) from None
    event = Text(
        dedupe_key=f"feedback:{thread}",
        thread=thread,
        sent_at=said.said_at,
        text=said.text,
        sender_name=said.customer.name if said.customer else None,
        language=spoken(said.language or (said.customer.language if said.customer else None)),
    )
    await service.intake.accept(WEB, account, [event])
    return FeedbackTaken(thread=thread)


async def _meet(call: Call[FeedbackIn, Nothing], customer: CustomerIn, here: contacts.Place) -> None:
    """Know the customer, and that this thread is theirs, before they are heard."""
    given = places(customer)
    for index, (channel, account, _) in enumerate(given):
        if call.service.adapter(channel, account) is None:
            raise UnknownPlace(index, channel, account)
    now = call.now

    def work(connection: Connection) -> Met:
        return contacts.meet(connection, person(customer), (*given, here), now, call.caller.actor)

    met = await call.service.database.write(work)
    call.service.turns.sent((), met.moved)


def _account(service: Service) -> str:
    """The web chat's account: `default`, or the first that the operator named."""
    accounts = sorted(account for channel, account in service.adapters if channel == WEB)
    return "default" if "default" in accounts or not accounts else accounts[0]
