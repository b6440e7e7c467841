"""/contacts and /care-messages: who is valuable, who may be lost and why, what customers are written by ourselves; what
is kept of one of them, given out and erased."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection, Select, select

from bot.api.casework import staff_of
from bot.api.operation import Call, Nothing, Operations
from bot.api.pages import Page, Paging, Rows, page_of
from bot.api.problems import CONFLICT, NOT_FOUND, Problem, at
from bot.api.values import Given, Line60, Line100, Line200, Line500
from bot.api.views import CUSTOMER, CustomerView, case_number, customer_of, part
from bot.contacts import consent, privacy
from bot.contacts.care import Risk
from bot.contacts.care_messages import REASONS
from bot.staff.service import note
from storage import tables

operations = Operations("contacts")

_who, _watch, _staff, _sent = tables.contacts.c, tables.care_watches.c, tables.staff.c, tables.care_messages.c
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class RiskView(BaseModel):
    """Why we may lose a customer."""

    reason: Risk = Field(description="low_ratings in a row, repeated complaints, silent after a low rating.")
    since: datetime
    surveys: list[int] = Field(description="The surveys whose ratings it stands on.")
    cases: list[str] = Field(description="The numbers of the complaints that it stands on.")


class ContactView(BaseModel):
    """A customer, and how they are cared for."""

    contact: int
    customer: CustomerView
    revenue: float | None
    risk: RiskView | None
    priority: bool = Field(description="They are served before others: of high value, or at risk.")
    agreed_at: datetime | None = Field(description="When they agreed to hear from us; null: they did not, or no more.")
    birthday: str | None
    manager: str | None = Field(description="The login of whoever looks after them.")


class ContactFilter(Paging):
    risk: Literal["any", "low_ratings", "complaints", "silent"] | None = Field(None, description="Those at risk.")
    segment: Line100 | None = None
    agreed: Literal["true", "false"] | None = None
    customer: Line200 | None = Field(None, description="The customer's id.")


class CareIn(Given):
    """What is to be known of a customer. What is left out, or null, stays as it is."""

    customer: Line200 = Field(description="Your own id of the customer.")
    agreed: bool | None = Field(None, description="They agree to hear from us by ourselves, or take it back.")
    birthday: Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")] | None = Field(
        None, description="Month and day, such as 03-05."
    )
    manager: Line100 | None = Field(None, description="The login of whoever looks after them.")


class CareMessageView(BaseModel):
    """A message by ourselves, sent or not."""

    id: int
    key: str = Field(description="Its key in care.yml.")
    occasion: str = Field(description="once, the year of a birthday, or episode:<id>.")
    state: Literal["planned", "sent", "suppressed"]
    reason: str | None = Field(description=f"Why it was not sent: {', '.join(REASONS)}.")
    customer: CustomerView
    channel: str | None
    due_at: datetime
    sent_at: datetime | None


class CareMessageFilter(Paging):
    state: Literal["planned", "sent", "suppressed"] | None = None
    reason: Line60 | None = None
    key: Line60 | None = None
    customer: Line200 | None = Field(None, description="The customer's id.")


class Whose(Given):
    customer: Line500 = Field(
        description="Your own id of the customer, `contact:12` with the number of our lists, or an address as "
        "channel:account:address."
    )


class ExportView(BaseModel):
    """Everything that is kept of a customer."""

    contact: int
    kept: dict[str, list[dict[str, Any]]] = Field(
        description="By table. Nothing is masked, files are in base64; answers without a name are left out."
    )


class ErasedView(BaseModel):
    """A customer who is known no more."""

    contact: int = Field(description="The number under which figures stay.")


@operations.get("/contacts", scope="contacts:read", query=ContactFilter, answer=Page[ContactView])
async def list_contacts(call: Call[Nothing, ContactFilter]) -> Page[ContactView]:
    """List customers: those at risk with the reason, those of a segment."""
    asked = call.query
    statement = _contacts()
    if asked.risk is not None:
        statement = statement.where(_who.risk.is_not(None) if asked.risk == "any" else _who.risk == asked.risk)
    if asked.agreed is not None:
        yes = _who.care_agreed_at.is_not(None)
        statement = statement.where(yes if asked.agreed == "true" else ~yes)
    for column, value in ((_who.segment, asked.segment), (_who.external_id, asked.customer)):
        if value is not None:
            statement = statement.where(column == value)

    def shown(_: Connection, rows: Rows) -> list[ContactView]:
        return [_contact(row) for row in rows]

    items, following = await page_of(call.service, "contacts", asked, statement, _who.id, shown)
    return Page[ContactView](items=items, next=following)


@operations.post("/contacts/care", scope="contacts:write", body=CareIn, answer=ContactView, problems=(404,))
async def care_for(call: Call[CareIn, Nothing]) -> ContactView:
    """Say how a customer is cared for: consent, birthday, who looks after them.

    Each change of consent is in the audit, with who told it.
    """
    body, now, manager = call.body, call.now, None
    if body.birthday is not None:
        month, day = map(int, body.birthday.split("-"))
        if day > _DAYS[month - 1]:
            raise at("/birthday", f"Month {month} has no day {day}.")
    if body.manager is not None:
        manager = (await staff_of(call, body.manager, "/manager")).id

    def work(connection: Connection) -> Any:
        told = consent.tell(
            connection,
            body.customer,
            now,
            call.caller.actor,
            agreed=body.agreed,
            birthday=body.birthday,
            manager_id=manager,
        )
        return None if told is None else connection.execute(_contacts().where(_who.id == told)).one()

    row = await call.service.database.write(work)
    if row is None:
        raise Problem(NOT_FOUND, "There is no customer of this id.")
    return _contact(row)


@operations.post(
    "/contacts/export", scope="privacy:export", body=Whose, answer=ExportView, problems=(404,), secret=True
)
async def export_contact(call: Call[Whose, Nothing]) -> ExportView:
    """Give out everything that is kept of a customer, over all channels they were met on.

    For their own request: it is more than the desk shows, colleagues' notes and files among it. Each one is in the
    audit.
    """
    database, contact = call.service.database, await _found(call)
    actor, now = call.caller.actor, call.now
    await database.write(lambda link: note(link, now, actor, "contact_exported", f"contact:{contact}"))
    return ExportView(contact=contact, kept=await database.snapshot(lambda link: privacy.export(link, contact)))


@operations.post("/contacts/erase", scope="privacy:erase", body=Whose, answer=ErasedView, problems=(404, 409))
async def erase_contact(call: Call[Whose, Nothing]) -> ErasedView:
    """Erase a customer: words, names, numbers and addresses, over all channels. Figures stay and belong to nobody.

    It cannot be undone. What is open ends: cases are withdrawn, solved ones closed unconfirmed, surveys not asked.
    Backups and what webhooks were told are yours to erase.
    """
    contact = await _found(call)
    try:
        lanes = await privacy.erase(call.service.database, contact, call.now, call.caller.actor)
    except privacy.Sending:
        raise Problem(CONFLICT, "A message to them is on its way. Try again in a minute.") from None
    if lanes is None:
        raise Problem(NOT_FOUND, "This customer is erased already.")
    call.service.router.changed(lanes)
    if call.service.policy.closer_look is not None:
        call.service.policy.closer_look.forget()
    return ErasedView(contact=contact)


@operations.get("/care-messages", scope="contacts:read", query=CareMessageFilter, answer=Page[CareMessageView])
async def list_care_messages(call: Call[Nothing, CareMessageFilter]) -> Page[CareMessageView]:
    """List care messages: planned, sent, and not sent with the reason."""
    asked, names = call.query, [name for name in CareMessageView.model_fields if name not in ("customer", "channel")]
    statement = (
        select(*(_sent[name] for name in names), tables.addresses.c.channel, *CUSTOMER)
        .join(tables.contacts, _who.id == _sent.contact_id)
        .outerjoin(tables.addresses, tables.addresses.c.id == _sent.address_id)
    )
    for column, value in (
        (_sent.state, asked.state),
        (_sent.reason, asked.reason),
        (_sent.key, asked.key),
        (_who.external_id, asked.customer),
    ):
        if value is not None:
            statement = statement.where(column == value)

    def shown(_: Connection, rows: Rows) -> list[CareMessageView]:
        return [
            CareMessageView(
                **dict(zip(names, row, strict=False)),
                channel=row.channel,
                customer=customer_of(part(row, len(names) + 1, CUSTOMER)),
            )
            for row in rows
        ]

    items, following = await page_of(call.service, "care-messages", asked, statement, _sent.id, shown)
    return Page[CareMessageView](items=items, next=following)


async def _found(call: Call[Whose, Nothing]) -> int:
    contact = await call.service.database.read(lambda connection: privacy.find(connection, call.body.customer))
    if contact is None:
        raise Problem(NOT_FOUND, "There is no such customer.")
    return contact


def _contacts() -> Select[Any]:
    return (
        select(_who.id, _who.revenue, _who.risk, _who.care_agreed_at, _who.birthday, _staff.login)
        .add_columns(_watch.since, _watch.evidence, *CUSTOMER)
        .select_from(tables.contacts)
        .outerjoin(tables.care_watches, _watch.contact_id == _who.id)
        .outerjoin(tables.staff, _staff.id == _who.manager_id)
    )


def _contact(row: Any) -> ContactView:
    customer = customer_of(part(row, 8, CUSTOMER))
    evidence = row.evidence or {}
    risk = None
    if row.risk is not None:
        risk = RiskView(
            reason=cast(Risk, row.risk),
            since=row.since,
            surveys=evidence.get("surveys", []),
            cases=[case_number(each) or "" for each in evidence.get("cases", [])],
        )
    return ContactView(
        contact=row.id,
        customer=customer,
        revenue=row.revenue,
        risk=risk,
        priority=risk is not None or customer.segment == "high_value",
        agreed_at=row.care_agreed_at,
        birthday=row.birthday,
        manager=row.login,
    )
