"""Conversations as other systems read and work them: for an agent whom they name, by the same rules as at the desk."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection, Row, Select, select

from bot.api.operation import Call, Nothing, Operations
from bot.api.pages import Page, Paging, Rows, page_of
from bot.api.problems import CONFLICT, NOT_FOUND, Problem, at
from bot.api.values import Given, Line40, Line100, Line200, Line300
from bot.api.views import CUSTOMER, CustomerView, customer_of, part
from bot.cases import numbers
from bot.contacts.belongings import is_hollow
from bot.loop.people import NoConversation, Refused
from bot.staff.service import folded
from bot.takeover.rules import Agent
from storage import tables
from storage.records import Conversation, Staff

operations = Operations("conversations")

Owner = Literal["bot", "queue", "agent"]
LATEST = 100
"""Messages shown with a conversation."""


class ConversationView(BaseModel):
    """One conversation: with one customer, at one place."""

    id: int
    channel: str
    account: str
    thread: str = Field(description="The customer's address there.")
    owner: Owner = Field(description="Who answers: the bot, nobody yet (queue), or an agent.")
    owner_epoch: int = Field(description="Moves by one whenever the conversation changes hands.")
    agent: str | None = Field(description="The login of the agent who has it.")
    reason: str | None = Field(description="Why a person was asked for.")
    waiting_since: datetime | None
    language: str
    customer: CustomerView
    created_at: datetime
    active_at: datetime


class MessageView(BaseModel):
    """A line of the transcript."""

    id: int
    author: Literal["customer", "bot", "agent", "system"] = Field(description="system: what the desk notes.")
    agent: str | None = Field(description="The login of the agent who wrote it.")
    text: str
    buttons: list[str] = Field(description="What the buttons said.")
    delivery: str | None = Field(
        description="queued, sending, sent, failed, unknown or dropped; null: nothing to send."
    )
    created_at: datetime


class ConversationDetail(ConversationView):
    """One conversation with what was said last."""

    cases: list[str] = Field(description="The numbers of its cases.")
    messages: list[MessageView] = Field(description=f"The last {LATEST}, the oldest first.")


class ConversationFilter(Paging):
    owner: Owner | None = None
    channel: Line40 | None = None
    thread: Line300 | None = None
    customer: Line200 | None = Field(None, description="The customer's id.")


class Ownership(BaseModel):
    """Who has the conversation now."""

    conversation: int
    owner: Owner
    owner_epoch: int
    agent: str | None


class ByAgent(Given):
    """Who acts."""

    agent: Line100 = Field(description="The login of a member of the staff.")


class Release(ByAgent):
    to: Literal["bot", "queue"] = Field("bot", description="To the bot again, or to the queue for a colleague.")


class AgentMessage(ByAgent):
    text: Annotated[str, StringConstraints(min_length=1, max_length=4_000, pattern=r"\S")]


class MessageTaken(BaseModel):
    """The message is on its way."""

    message: int


talk, message = tables.conversations.c, tables.messages.c
_TALK = (
    talk.id,
    talk.channel,
    talk.account,
    talk.thread,
    talk.owner,
    talk.owner_epoch,
    tables.staff.c.login,
    talk.reason,
    talk.queued_at,
    talk.language,
    talk.created_at,
    talk.active_at,
)


@operations.get("/conversations", scope="conversations:read", query=ConversationFilter, answer=Page[ConversationView])
async def list_conversations(call: Call[Nothing, ConversationFilter]) -> Page[ConversationView]:
    """List conversations."""
    asked = call.query
    statement = _talks()
    for column, value in (
        (talk.owner, asked.owner),
        (talk.channel, asked.channel),
        (talk.thread, asked.thread),
        (tables.contacts.c.external_id, asked.customer),
    ):
        if value is not None:
            statement = statement.where(column == value)

    def shown(_: Connection, rows: Rows) -> list[ConversationView]:
        return [ConversationView(**_values(row)) for row in rows]

    items, following = await page_of(call.service, "conversations", asked, statement, talk.id, shown)
    return Page[ConversationView](items=items, next=following)


@operations.get(r"/conversations/{id:\d{1,18}}", scope="conversations:read", answer=ConversationDetail, problems=(404,))
async def read_conversation(call: Call[Nothing, Nothing]) -> ConversationDetail:
    """Read one conversation, with what was said last."""
    number = int(call.path["id"])

    def work(connection: Connection) -> ConversationDetail | None:
        row = connection.execute(_talks().where(talk.id == number)).first()
        if row is None:
            return None
        last = connection.execute(_messages(number).order_by(message.id.desc()).limit(LATEST)).all()
        cases = select(tables.cases.c.id).where(tables.cases.c.conversation_id == number).order_by(tables.cases.c.id)
        return ConversationDetail(
            **_values(row),
            cases=[numbers.number(case) for case in connection.execute(cases).scalars()],
            messages=_shown_messages(connection, last)[::-1],
        )

    found = await call.service.database.read(work)
    if found is None:
        raise Problem(NOT_FOUND, "There is no conversation of this id.")
    return found


@operations.get(
    r"/conversations/{id:\d{1,18}}/messages",
    scope="conversations:read",
    query=Paging,
    answer=Page[MessageView],
    problems=(404,),
)
async def list_messages(call: Call[Nothing, Paging]) -> Page[MessageView]:
    """List the messages of a conversation."""
    number = (await _conversation(call)).id
    name = f"messages:{number}"
    items, following = await page_of(call.service, name, call.query, _messages(number), message.id, _shown_messages)
    return Page[MessageView](items=items, next=following)


@operations.post(
    r"/conversations/{id:\d{1,18}}/claim",
    scope="conversations:write",
    body=ByAgent,
    answer=Ownership,
    problems=(404, 409),
)
async def claim(call: Call[ByAgent, Nothing]) -> Ownership:
    """Take a conversation over for an agent.

    Of two at once one wins and the other is told who has it (409). What an agent has already is simply theirs.
    """
    found, agent = await _conversation(call), await _agent(call)
    try:
        await _done(call, call.service.people.claim(found.lane, agent))
    except Problem as problem:
        if problem.more.get("code") != "already_yours":
            raise
    return await _ownership(call)


@operations.post(
    r"/conversations/{id:\d{1,18}}/release",
    scope="conversations:write",
    body=Release,
    answer=Ownership,
    problems=(404, 409),
)
async def release(call: Call[Release, Nothing]) -> Ownership:
    """Hand a conversation back to the bot, or to the queue for a colleague."""
    found, agent = await _conversation(call), await _agent(call)
    people = call.service.people
    await _done(call, (people.hand_back if call.body.to == "bot" else people.requeue)(found.lane, agent))
    return await _ownership(call)


@operations.post(
    r"/conversations/{id:\d{1,18}}/messages",
    scope="conversations:write",
    body=AgentMessage,
    answer=MessageTaken,
    status=202,
    problems=(404, 409),
)
async def send_message(call: Call[AgentMessage, Nothing]) -> MessageTaken:
    """Write to the customer for the agent who has the conversation.

    Give an Idempotency-Key: the same message sent again under it is one message.
    """
    found, agent = await _conversation(call), await _agent(call)
    key = f"api:{call.key or uuid.uuid4().hex}"
    return MessageTaken(message=await _done(call, call.service.people.reply(found.lane, agent, call.body.text, key)))


async def _conversation(call: Call[Any, Any]) -> Conversation:
    number = int(call.path["id"])
    found = await call.service.database.read(lambda connection: Conversation.one(connection, talk.id == number))
    if found is None or is_hollow(found.thread):
        raise Problem(NOT_FOUND, "There is no conversation of this id.")
    return found


async def _agent(call: Call[Any, Any]) -> Agent:
    login, staff = folded(call.body.agent), tables.staff.c
    found = await call.service.database.read(
        lambda connection: Staff.one(connection, staff.login == login, staff.disabled_at.is_(None))
    )
    if found is None:
        raise at("/agent", f"There is no member of the staff with the login '{call.body.agent}'.")
    return Agent(found.id, found.name, supervisor=found.role in ("supervisor", "admin"))


async def _done(call: Call[Any, Any], act: Awaitable[Any]) -> Any:
    try:
        return await act
    except Refused as refused:
        raise Problem(CONFLICT, refused.said(call.language), code=refused.code) from None
    except NoConversation:
        raise Problem(NOT_FOUND, "There is no conversation of this id.") from None


async def _ownership(call: Call[Any, Any]) -> Ownership:
    statement = (
        select(talk.id, talk.owner, talk.owner_epoch, tables.staff.c.login)
        .outerjoin_from(tables.conversations, tables.staff, tables.staff.c.id == talk.agent_id)
        .where(talk.id == int(call.path["id"]))
    )
    row = await call.service.database.read(lambda connection: connection.execute(statement).one())
    return Ownership(conversation=row[0], owner=row[1], owner_epoch=row[2], agent=row[3])


def _talks() -> Select[Any]:
    return (
        select(*_TALK, *CUSTOMER)
        .select_from(tables.conversations)
        .join(tables.contacts, tables.contacts.c.id == talk.contact_id)
        .outerjoin(tables.staff, tables.staff.c.id == talk.agent_id)
    )


def _values(row: Row[Any]) -> dict[str, Any]:
    values = dict(zip([column.name for column in _TALK], row, strict=False))
    return values | {
        "agent": values["login"],
        "waiting_since": values["queued_at"],
        "customer": customer_of(part(row, len(_TALK), CUSTOMER)),
    }


def _messages(conversation: int) -> Select[Any]:
    return (
        select(
            message.id,
            message.author,
            tables.staff.c.login,
            message.text,
            message.data,
            message.created_at,
            message.conversation_id,
        )
        .outerjoin_from(tables.messages, tables.staff, tables.staff.c.id == message.staff_id)
        .where(message.conversation_id == conversation)
    )


def _shown_messages(connection: Connection, rows: Rows) -> list[MessageView]:
    delivery = _delivery(connection, rows[0][6], [row[0] for row in rows]) if rows else {}
    return [
        MessageView(
            id=row[0],
            author=row[1],
            agent=row[2],
            text=row[3],
            buttons=[str(button["title"]) for button in (row[4] or {}).get("buttons", ())],
            delivery=delivery.get(row[0]),
            created_at=row[5],
        )
        for row in rows
    ]


def _delivery(connection: Connection, conversation: int, ids: Sequence[int]) -> dict[int, str]:
    """What became of each message that was to be sent; of one in several parts, the last part speaks."""
    sent = tables.outbox.c
    statement = (
        select(sent.message_id, sent.state)
        .where(sent.conversation_id == conversation, sent.message_id.in_(ids))
        .order_by(sent.id)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}
