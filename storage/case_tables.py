"""Cases and what hangs on them: timeline, deadlines, tasks, groups and alerts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, UniqueConstraint, text

from storage.table import ref, table, when
from storage.types import CleanText, Id, Json

cases = table(
    "cases",
    ref("contact_id", "contacts", nullable=False),
    ref("conversation_id", "conversations", nullable=False),
    Column("origin", String(40), nullable=False),  # conversation, survey:12, comment, desk
    Column("state", String(20), nullable=False),
    Column("title", CleanText, nullable=False),
    Column("nature", Json, nullable=False),
    Column("aspect", Json, nullable=False),
    Column("urgency", String(10), nullable=False),
    Column("department", String(60)),
    Column("fields", Json, nullable=False),
    Column("language", String(8), nullable=False),
    ref("owner_id", "staff"),
    Column("version", Integer, nullable=False, server_default="0"),
    when("opened_at", nullable=False),
    when("respond_by", nullable=False),
    when("responded_at"),
    when("resolved_at"),
    when("closed_at"),
    when("looked_at"),  # when the slow understanding had its second look
    Column("topic", String(200)),  # nature:aspect, by which many are seen to say the same
    Column("attempt", Integer, nullable=False, server_default="1"),  # moves by one with each reopening
    Column("reports", Integer, nullable=False, server_default="1"),  # how often it was told: what joined it is counted
    when("reported_at"),  # when it was last told; none: only when it was opened
    when("waiting_since"),  # we asked the customer something; deadlines stand still meanwhile
    when("handed_at"),  # since when it is with its department
    Column("plan", CleanText),  # what we will do
    Column("cause", CleanText),
    Column("countermeasure", CleanText),
    Column("result", CleanText),
    Column("score", Float),  # the customer's, after the last attempt
    Column("merged_into", Id, ForeignKey("cases.id", name="fk_cases_merged_into")),
    Column("group_id", Id, ForeignKey("case_groups.id", name="fk_cases_group_id")),
    Index("ix_cases_contact_id", "contact_id"),
    Index("ix_cases_conversation_id", "conversation_id"),
    Index("ix_cases_state_respond_by", "state", "respond_by"),
    Index("ix_cases_merged_into", "merged_into"),
    Index("ix_cases_topic_opened_at", "topic", "opened_at"),
    Index("ix_cases_group_id", "group_id"),
    Index(
        "ix_cases_second_look",
        "opened_at",
        postgresql_where=text("looked_at is null"),
        sqlite_where=text("looked_at is null"),
    ),
)

case_events = table(
    "case_events",
    ref("case_id", "cases", nullable=False),
    when("at", nullable=False),
    Column("actor", String(60), nullable=False),  # customer, bot, system, staff:3
    Column("kind", String(40), nullable=False),
    Column("from_state", String(20)),
    Column("to_state", String(20)),
    Column("note", CleanText),
    Index("ix_case_events_case_id_id", "case_id", "id"),
)

case_reports = table(
    "case_reports",  # what a customer told again, and what joined a case for it
    ref("case_id", "cases", nullable=False),
    ref("conversation_id", "conversations", nullable=False),
    when("at", nullable=False),
    Column("text", CleanText, nullable=False),
    Column("nature", Json, nullable=False),
    Column("aspect", Json, nullable=False),
    Column("urgency", String(10), nullable=False),
    Column("fields", Json, nullable=False),
    Column("split_into", Id, ForeignKey("cases.id", name="fk_case_reports_split_into")),  # it was something else
    Index("ix_case_reports_case_id", "case_id"),
    Index("ix_case_reports_conversation_id", "conversation_id"),
)

case_groups = table(
    "case_groups",  # many customers, one matter
    Column("topic", String(200), nullable=False),
    Column("state", String(10), nullable=False, server_default="open"),  # open, closed
    when("opened_at", nullable=False),
    when("active_at", nullable=False),
    Index("ix_case_groups_topic", "topic"),
)

deadlines = table(
    "deadlines",
    ref("case_id", "cases", nullable=False),
    Column("kind", String(20), nullable=False),  # first_response, plan, execution, follow_up, call_back, remedy, task
    Column("subject", String(40), nullable=False, server_default=""),  # task:5, remedy:3
    Column("department", String(60)),
    Column("counted", String(10), nullable=False),
    Column("state", String(10), nullable=False, server_default="running"),  # running, frozen, met, cancelled
    Column("attempt", Integer, nullable=False, server_default="1"),
    when("started_at", nullable=False),
    when("warn_at", nullable=False),
    when("due_at", nullable=False),
    when("warned_at"),
    when("breached_at"),
    Column("level", Integer, nullable=False, server_default="0"),  # how far up it was escalated
    when("next_at"),  # when something happens next
    when("frozen_at"),
    Column("left_seconds", Float),  # of its own counting, while frozen; below zero where it was due already
    Column("warn_left_seconds", Float),
    when("ended_at"),
    Column("took_seconds", Float),  # of its own counting, without the time frozen
    Column("spent_seconds", Float, nullable=False, server_default="0"),  # until it was last frozen
    when("counted_from", nullable=False),  # since then it runs
    Index("ix_deadlines_case_id", "case_id"),
    Index(
        "ix_deadlines_next",
        "next_at",
        "id",
        postgresql_where=text("next_at is not null"),
        sqlite_where=text("next_at is not null"),
    ),
    # Of one kind and subject one runs.
    Index(
        "uq_deadlines_open",
        "case_id",
        "kind",
        "subject",
        unique=True,
        postgresql_where=text("state in ('running', 'frozen')"),
        sqlite_where=text("state in ('running', 'frozen')"),
    ),
)

case_tasks = table(
    "case_tasks",  # what one asks of another: a hand-over, a sub-task, a call-back
    ref("case_id", "cases"),
    ref("contact_id", "contacts"),
    Column("kind", String(20), nullable=False),  # hand_over, sub_task, call_back
    Column("from_department", String(60)),
    Column("department", String(60), nullable=False),
    ref("owner_id", "staff"),
    Column("required", CleanText, nullable=False),  # what is to be done
    when("due_at"),
    Column("state", String(12), nullable=False),  # waiting, acknowledged, done, returned, cancelled
    Column("outcome", CleanText),
    Column("made_by", String(60), nullable=False),
    when("made_at", nullable=False),
    when("acknowledged_at"),
    when("ended_at"),
    Column("why", String(20)),  # of a call-back: unreachable, interview, asked, low_ratings, …
    Column("result", String(12)),  # of a call-back that is over: reached, not_reached
    Column("tries", Integer, nullable=False, server_default="0"),
    when("again_at"),  # when the customer wants to be called
    # Of a task without a case, which has no row in deadlines: when it is warned of, breached, escalated next.
    when("next_at"),
    Column("level", Integer, nullable=False, server_default="0"),
    Index("ix_case_tasks_case_id", "case_id"),
    Index("ix_case_tasks_contact_id", "contact_id"),
    Index(
        "ix_case_tasks_open",
        "department",
        "made_at",
        postgresql_where=text("state in ('waiting', 'acknowledged')"),
        sqlite_where=text("state in ('waiting', 'acknowledged')"),
    ),
    Index(
        "ix_case_tasks_calls",
        "due_at",
        "id",
        postgresql_where=text("kind = 'call_back' and state in ('waiting', 'acknowledged')"),
        sqlite_where=text("kind = 'call_back' and state in ('waiting', 'acknowledged')"),
    ),
    Index(
        "ix_case_tasks_next",
        "next_at",
        postgresql_where=text("next_at is not null"),
        sqlite_where=text("next_at is not null"),
    ),
)

case_remedies = table(
    "case_remedies",  # what makes good
    ref("case_id", "cases", nullable=False),
    Column("kind", String(20), nullable=False),  # refund, exchange, compensation, apology
    Column("amount", BigInteger),  # hundredths of the house's currency
    Column("note", CleanText),
    Column("state", String(12), nullable=False),  # proposed, approved, refused, done, cancelled
    Column("made_by", String(60), nullable=False),
    when("made_at", nullable=False),
    Column("decided_by", String(60)),
    when("decided_at"),
    Column("reason", CleanText),  # of a refusal, or why it was cancelled
    when("promised_until"),  # what the customer was told
    Column("done_by", String(60)),
    when("done_at"),
    Index("ix_case_remedies_case_id", "case_id"),
    Index(
        "ix_case_remedies_open",
        "id",
        postgresql_where=text("state in ('proposed', 'approved')"),
        sqlite_where=text("state in ('proposed', 'approved')"),
    ),
)

case_views = table(
    "case_views",  # filters under a name
    Column("name", String(60), nullable=False, unique=True),
    Column("filter", Json, nullable=False),
    Column("made_by", String(60), nullable=False),
    when("updated_at", nullable=False),
)

alerts = table(
    "alerts",  # what people are called for
    ref("case_id", "cases"),
    ref("contact_id", "contacts"),
    Column("kind", String(30), nullable=False),  # urgent, group, warned, breached, escalated, undelivered
    Column("subject", String(80), nullable=False),  # what it is about: the same twice is one
    Column("audience", String(80), nullable=False),  # supervisor, admin, department:logistics, staff:3
    Column("pages", Boolean, nullable=False, server_default=text("false")),  # repeated until somebody takes it
    Column("detail", Json),
    when("at", nullable=False),
    when("taken_at"),
    Column("taken_by", String(60)),
    Column("repeats", Integer, nullable=False, server_default="0"),
    when("next_at"),  # when it is repeated
    UniqueConstraint("subject", "audience"),
    Index("ix_alerts_case_id", "case_id"),
    Index(
        "ix_alerts_contact_id",
        "contact_id",
        postgresql_where=text("contact_id is not null"),
        sqlite_where=text("contact_id is not null"),
    ),
    Index("ix_alerts_open", "at", postgresql_where=text("taken_at is null"), sqlite_where=text("taken_at is null")),
    Index(
        "ix_alerts_next",
        "next_at",
        postgresql_where=text("next_at is not null"),
        sqlite_where=text("next_at is not null"),
    ),
)
