"""Customers, and where they are reached."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, String, UniqueConstraint, text

from storage.table import ref, table, when
from storage.types import CleanText, Id

contacts = table(
    "contacts",
    Column("external_id", String(200), unique=True),
    Column("name", CleanText),
    Column("language", String(8)),
    Column("segment", String(100)),
    Column("revenue", Float),
    Column("phone", CleanText),
    Column("email", CleanText),
    when("created_at", nullable=False),
    Column("segment_told", Boolean, nullable=False, server_default=text("false")),  # by the business system
    Column("risk", String(20)),  # low_ratings, complaints, silent: why we may lose them
    Column("birthday", String(5)),  # 03-05
    when("care_agreed_at"),  # to hear from us by ourselves; none: they did not, or take it back
    Column("manager_id", Id, ForeignKey("staff.id", name="fk_contacts_manager_id")),  # who looks after them
    Index(
        "ix_contacts_revenue",
        "revenue",
        postgresql_where=text("revenue is not null"),
        sqlite_where=text("revenue is not null"),
    ),
    Index(
        "ix_contacts_segment",
        "segment",
        "revenue",
        postgresql_where=text("segment is not null"),
        sqlite_where=text("segment is not null"),
    ),
    Index(
        "ix_contacts_unsegmented",
        "id",
        postgresql_where=text("segment is null and revenue is not null"),
        sqlite_where=text("segment is null and revenue is not null"),
    ),
    Index("ix_contacts_risk", "id", postgresql_where=text("risk is not null"), sqlite_where=text("risk is not null")),
    Index(
        "ix_contacts_birthday",
        "birthday",
        "id",
        postgresql_where=text("birthday is not null"),
        sqlite_where=text("birthday is not null"),
    ),
    Index(
        "ix_contacts_care_agreed_at",
        "care_agreed_at",
        postgresql_where=text("care_agreed_at is not null"),
        sqlite_where=text("care_agreed_at is not null"),
    ),
)

addresses = table(
    "addresses",
    ref("contact_id", "contacts", nullable=False),
    Column("channel", String(40), nullable=False),
    Column("account", String(100), nullable=False),
    Column("address", String(300), nullable=False),
    when("stopped_at"),  # they opted out
    when("blocked_at"),  # the platform says that we cannot reach them
    when("heard_at"),  # their last message: opens the platform's window
    when("created_at", nullable=False),
    UniqueConstraint("channel", "account", "address"),
    Index("ix_addresses_contact_id", "contact_id"),
)
