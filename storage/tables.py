"""Every table. Names are the field's terms; states are words, checked by the rules that move them.

Order of locks, and of inserts: contacts, addresses, conversations, episodes, surveys, ratings, cases, then what hangs
on them. `version` columns move by one with every change of a conversation or a case (optimistic concurrency).
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    text,
)

from storage import (
    attachment_tables,
    care_tables,
    case_tables,
    contact_tables,
    desk_tables,
    improvement_tables,
    post_tables,
    table,
)
from storage.types import CleanText, Id, Json, Unread

metadata, _table, _when, _ref = table.metadata, table.table, table.when, table.ref

contacts = contact_tables.contacts
addresses = contact_tables.addresses

conversations = _table(
    "conversations",
    Column("lane", String(500), nullable=False, unique=True),  # chat:channel:account:thread
    Column("channel", String(40), nullable=False),
    Column("account", String(100), nullable=False),
    Column("thread", String(300), nullable=False),
    _ref("contact_id", "contacts", nullable=False),
    _ref("address_id", "addresses", nullable=False),
    Column("owner", String(10), nullable=False, server_default="bot"),
    Column("owner_epoch", Integer, nullable=False, server_default="0"),
    _ref("agent_id", "staff"),
    Column("reason", String(40)),  # why a person was asked for
    Column("department", String(60)),  # whom it was passed to; none: whoever is free
    _when("queued_at"),
    Column(
        "rank", Integer, nullable=False, server_default="2"
    ),  # in the queue: 0 urgent, 1 priority customer, 2 others
    Column("language", String(8), nullable=False),
    Column("tracker", Json),
    Column("version", Integer, nullable=False, server_default="0"),
    _when("created_at", nullable=False),
    _when("active_at", nullable=False),
    Index(
        "ix_conversations_waiting",
        "owner",
        "rank",
        "queued_at",
        postgresql_where=text("owner <> 'bot'"),
        sqlite_where=text("owner <> 'bot'"),
    ),
    Index("ix_conversations_contact_id", "contact_id"),
    Index("ix_conversations_address_id", "address_id"),
)

inbox = _table(
    "inbox",
    Column("channel", String(40), nullable=False),
    Column("account", String(100), nullable=False),
    Column("dedupe_key", String(200), nullable=False),
    Column("lane", String(500), nullable=False),
    Column("event", Unread, nullable=False),
    Column("raw", LargeBinary),  # what could not be parsed, as it came
    Column("state", String(10), nullable=False, server_default="new"),  # new, done, dead
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("reason", String(500)),
    _when("received_at", nullable=False),
    _when("tried_at"),  # by itself, after it was left behind or failed
    UniqueConstraint("channel", "account", "dedupe_key"),
    Index("ix_inbox_dead", "id", postgresql_where=text("state = 'dead'"), sqlite_where=text("state = 'dead'")),
    Index("ix_inbox_new", "lane", "id", postgresql_where=text("state = 'new'"), sqlite_where=text("state = 'new'")),
)

messages = _table(
    "messages",
    _ref("conversation_id", "conversations", nullable=False),
    Column("author", String(10), nullable=False),  # customer, bot, agent, system
    _ref("staff_id", "staff"),
    Column("text", CleanText, nullable=False),
    Column("data", Json),  # buttons with their payloads, what was understood, what kind of event it was
    Column("client_key", String(80)),  # the sender's own key: a message posted twice is one
    _when("created_at", nullable=False),
    Index("ix_messages_conversation_id_id", "conversation_id", "id"),
    Index(
        "ix_messages_staff_id_created_at",
        "staff_id",
        "created_at",
        postgresql_where=text("staff_id is not null"),
        sqlite_where=text("staff_id is not null"),
    ),
    UniqueConstraint("conversation_id", "client_key"),
)

outbox = _table(
    "outbox",
    _ref("conversation_id", "conversations", nullable=False),
    _ref("message_id", "messages"),
    Column("channel", String(40), nullable=False),
    Column("account", String(100), nullable=False),
    Column("address", String(300), nullable=False),
    Column("place", String(500), nullable=False),  # channel:account:address, in one
    Column("kind", String(20), nullable=False),  # reply (fenced by owner_epoch), notice, survey, consent, agent
    Column("form", String(20), nullable=False),  # text, toast, edit, public_reply, private_reply
    Column("owner_epoch", Integer),
    Column("text", CleanText, nullable=False),
    Column("buttons", Json),
    Column("target", String(300)),
    Column("state", String(10), nullable=False, server_default="queued"),
    Column("reason", String(500)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _when("not_before", nullable=False),
    Column("lease_owner", String(40)),
    Column("lease_until", Float),  # seconds since 1970 by the database's clock
    Column("reference", String(300)),  # the platform's id
    Column("receipt", String(20)),
    _when("created_at", nullable=False),
    _when("finished_at"),
    Index(
        "ix_outbox_open",
        "place",
        "id",
        postgresql_where=text("state in ('queued', 'sending')"),
        sqlite_where=text("state in ('queued', 'sending')"),
    ),
    Index("ix_outbox_reference", "channel", "account", "reference"),
    Index("ix_outbox_conversation_id_id", "conversation_id", "id"),
    Index("ix_outbox_message_id", "message_id"),
    # A comment has one private reply: the slot is claimed by this row, before anything is sent.
    Index(
        "uq_outbox_private_reply",
        "channel",
        "account",
        "target",
        unique=True,
        postgresql_where=text("form = 'private_reply'"),
        sqlite_where=text("form = 'private_reply'"),
    ),
)

attempts = _table(
    "attempts",
    _ref("outbox_id", "outbox", nullable=False),
    _when("at", nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("detail", String(500)),
    Column("milliseconds", Float, nullable=False),
    Index("ix_attempts_outbox_id", "outbox_id"),
)

timers = _table(
    "timers",
    Column("subject", String(80), nullable=False),  # survey:12
    Column("kind", String(40), nullable=False),  # expire
    Column("lane", String(500), nullable=False),
    Column("generation", Integer, nullable=False, server_default="1"),
    _when("due_at", nullable=False),
    Column("late", String(10), nullable=False),  # fire, skip, replan
    _when("skip_after"),  # with late = skip: too late to be of use
    Column("state", String(10), nullable=False, server_default="waiting"),  # waiting, fired, cancelled, skipped
    UniqueConstraint("subject", "kind"),
    Index(
        "ix_timers_due", "due_at", postgresql_where=text("state = 'waiting'"), sqlite_where=text("state = 'waiting'")
    ),
)

episodes = _table(
    "episodes",
    Column("external_id", String(200), nullable=False, unique=True),
    _ref("contact_id", "contacts", nullable=False),
    Column("touchpoint", String(100), nullable=False),
    _when("ended_at", nullable=False),
    Column("agent", CleanText),
    Column("product", CleanText),
    Column("region", CleanText),
    Column("business_line", CleanText),
    _when("created_at", nullable=False),
    Index("ix_episodes_contact_id", "contact_id"),
)

surveys = _table(
    "surveys",
    _ref("episode_id", "episodes"),
    _ref("case_id", "cases"),
    _ref("conversation_id", "conversations"),
    _ref("contact_id", "contacts", nullable=False),
    _ref("address_id", "addresses"),
    Column("definition", String(60), nullable=False),
    Column("state", String(12), nullable=False),  # planned, awaiting, answered, expired, superseded, suppressed
    Column("reason", String(60)),
    Column("progress", Json),
    Column("judged", String(100)),  # the agent judged, fixed when the survey is made; never shown to that agent
    Column("anonymous", Boolean, nullable=False, server_default=text("false")),  # nobody is shown who answered
    Column("period", String(20)),  # of a scheduled survey: 2026Q1
    _when("created_at", nullable=False),
    _when("asked_at"),  # when it is, or is going to be, put; none of what is not asked
    _when("expires_at"),
    _when("answered_at"),
    UniqueConstraint("episode_id", "definition"),
    Index("ix_surveys_created_at", "created_at"),
    Index("ix_surveys_definition_asked_at", "definition", "asked_at"),
    Index(
        "uq_surveys_period",
        "contact_id",
        "definition",
        "period",
        unique=True,
        postgresql_where=text("period is not null"),
        sqlite_where=text("period is not null"),
    ),
    Index("ix_surveys_contact_id", "contact_id"),
    Index(
        "ix_surveys_judged",
        "judged",
        postgresql_where=text("judged is not null"),
        sqlite_where=text("judged is not null"),
    ),
    # One survey per address awaits an answer.
    Index(
        "uq_surveys_awaiting",
        "address_id",
        unique=True,
        postgresql_where=text("state = 'awaiting'"),
        sqlite_where=text("state = 'awaiting'"),
    ),
)

survey_versions = _table(
    "survey_versions",
    Column("definition", String(60), nullable=False),
    Column("version", String(20), nullable=False),
    Column("content", Json, nullable=False),
    _when("created_at", nullable=False),
    UniqueConstraint("definition", "version"),
)

ratings = _table(
    "ratings",
    Column("survey_id", Id, ForeignKey("surveys.id"), nullable=False, unique=True),
    Column("value", Float, nullable=False),
    Column("score", Float, nullable=False),
    Column("source", String(20), nullable=False),  # tap, text, page
    Column("answers", Json),
    _when("received_at", nullable=False),
    _when("changed_at"),
    Index("ix_ratings_received_at", "received_at"),
)

rating_history = _table(
    "rating_history",
    _ref("rating_id", "ratings", nullable=False),
    Column("value", Float, nullable=False),
    Column("score", Float, nullable=False),
    Column("source", String(20), nullable=False),
    _when("at", nullable=False),
    Index("ix_rating_history_rating_id", "rating_id"),
)

alerts = case_tables.alerts
cases = case_tables.cases
case_events = case_tables.case_events
case_groups = case_tables.case_groups
case_remedies = case_tables.case_remedies
case_reports = case_tables.case_reports
case_tasks = case_tables.case_tasks
case_views = case_tables.case_views
deadlines = case_tables.deadlines

knowledge = _table(
    "knowledge",
    Column("key", String(100), nullable=False),
    Column("language", String(8), nullable=False),
    Column("question", CleanText, nullable=False),
    Column("answer", CleanText, nullable=False),
    Column("phrasings", Json, nullable=False),
    Column("helpful", Integer, nullable=False, server_default="0"),
    Column("unhelpful", Integer, nullable=False, server_default="0"),
    _when("updated_at", nullable=False),
    UniqueConstraint("key", "language"),
)

staff = _table(
    "staff",
    Column("login", String(100), nullable=False, unique=True),
    Column("name", CleanText, nullable=False),
    Column("password", String(300), nullable=False),  # argon2id
    Column("role", String(20), nullable=False),  # agent, supervisor, admin
    Column("must_change", Boolean, nullable=False, server_default=text("false")),
    Column("department", String(60)),
    Column("away", Boolean, nullable=False, server_default=text("false")),  # is given nothing to take
    _when("created_at", nullable=False),
    _when("disabled_at"),
    _when("seen_at"),  # their desk was last open
    Column("skills", Json),  # natures and aspects that they know
)

staff_sessions = _table(
    "staff_sessions",
    Column("digest", String(64), nullable=False, unique=True),  # sha256 of the cookie
    _ref("staff_id", "staff", nullable=False),
    _when("created_at", nullable=False),
    _when("expires_at", nullable=False),
)

api_tokens = _table(
    "api_tokens",
    Column("name", String(100), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", Json, nullable=False),
    _when("created_at", nullable=False),
    _when("revoked_at"),
)

audit = _table(
    "audit",
    _when("at", nullable=False),
    Column("actor", String(60), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("detail", Json),
)

notes = Table(
    "notes",
    metadata,
    Column("key", String(100), primary_key=True),  # small facts of the installation: a polling offset, the demo's mark
    Column("value", String(500), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(200), primary_key=True),  # lanes:17, poll:telegram:main, member:3f…
    Column("owner", String(40), nullable=False),  # one process, from its start to its end
    Column("until", Float, nullable=False),  # seconds since 1970 by the database's clock
)

call_tries = care_tables.call_tries
care_messages = care_tables.care_messages
care_watches = care_tables.care_watches
pagers = post_tables.pagers
posts = post_tables.posts
webhook_kinds = post_tables.webhook_kinds
webhooks = post_tables.webhooks
attachments = attachment_tables.attachments
attachment_parts = attachment_tables.attachment_parts
canned_replies = desk_tables.canned_replies
content_versions = desk_tables.content_versions
corrections = desk_tables.corrections
knowledge_versions = desk_tables.knowledge_versions
mentions = desk_tables.mentions
whispers = desk_tables.whispers

improvement_cases = improvement_tables.improvement_cases
improvements = improvement_tables.improvements
