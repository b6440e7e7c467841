"""What a customer may see of their conversation: their own words, and what was sent to them. Read, never written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from bot.attachments import store
from bot.attachments.store import File
from bot.cases.calendar import Calendar, is_open, opens_at
from bot.staff.service import called
from bot.web.visitors import ACCOUNT, CHANNEL
from storage.sets import other_than
from storage.tables import conversations, inbox, messages, outbox, staff

PAGE = 60
"""Messages that a first look shows; older ones are asked for."""

BEHIND = 500
"""Who is further behind than this is given a first look again instead of everything in between."""

_SHOWN = frozenset({"sent", "unknown"})  # unknown: claimed, so allowed to be seen, when the process died
_COMING = frozenset({"queued", "sending"})
_COLUMNS = (messages.c.id, messages.c.author, messages.c.text, messages.c.data, messages.c.created_at)
Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """`items` in order. `upto` is where to look from next time: everything up to it has been shown or never will be;
    what stands after it may come again. `done` are those of the client's own messages that are on the transcript by
    now. `more`: there are older ones. `fresh`: forget what was shown before."""

    items: list[Item]
    upto: int
    more: bool = False
    fresh: bool = False
    done: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "items": self.items,
            "upto": self.upto,
            "more": self.more,
            "fresh": self.fresh,
            "done": self.done,
            "state": self.state,
        }


def view(lane: str, *, after: int, waiting: Sequence[str] = ()) -> Callable[[Connection], View]:
    """What there is after the message `after`; 0 is a first look. `waiting` are dedupe keys of what the client sent and
    has not seen on the transcript."""

    def work(connection: Connection) -> View:
        # First what is done, then the transcript: whatever is done stands there.
        done = _done(connection, waiting)
        talk = _conversation(connection, lane)
        if talk is None:
            return View([], 0, fresh=after > 0, done=done, state={"owner": "bot"})
        state = _state(connection, talk)
        rows = _after(connection, talk["id"], after) if after else None
        if rows is None:
            newest = _newest(connection, talk["id"])
            shown, upto = _shown(connection, talk["id"], newest)
            return View(shown[-PAGE:], upto, len(shown) > PAGE or len(newest) > 2 * PAGE, True, done, state)
        shown, upto = _shown(connection, talk["id"], rows)
        return View(shown, max(after, upto), done=done, state=state)

    return work


def with_hours(found: View, calendar: Calendar, now: datetime) -> View:
    """The view; who waits while the office is closed is told when it opens."""
    if found.state.get("owner") == "queue" and not is_open(calendar, now):
        found.state["opens_at"] = opens_at(calendar, now).astimezone(calendar.zone).isoformat()
    return found


def earlier(lane: str, before: int) -> Callable[[Connection], View]:
    """The page of messages before `before`."""

    def work(connection: Connection) -> View:
        talk = _conversation(connection, lane)
        if talk is None:
            return View([], 0)
        older = _newest(connection, talk["id"], before)
        shown, upto = _shown(connection, talk["id"], older)
        return View(shown[-PAGE:], upto, len(shown) > PAGE or len(older) > 2 * PAGE)

    return work


def bears_button(lane: str, seq: int, index: int) -> Callable[[Connection], bool]:
    """Whether the message `seq` stands in this conversation for the customer to see, and has a button `index`."""

    def work(connection: Connection) -> bool:
        talk = _conversation(connection, lane)
        if talk is None:
            return False
        its_own = select(*_COLUMNS).where(messages.c.id == seq, messages.c.conversation_id == talk["id"])
        shown, _ = _shown(connection, talk["id"], connection.execute(its_own).mappings().all())
        return bool(shown) and 0 <= index < len(shown[0].get("buttons", ()))

    return work


def from_people(connection: Connection, conversation: int, since: datetime) -> list[Item]:
    """What people of ours wrote to the customer since a time, and was sent."""
    statement = select(*_COLUMNS).where(
        messages.c.conversation_id == conversation, messages.c.author == "agent", messages.c.created_at >= since
    )
    rows = connection.execute(statement.order_by(messages.c.id)).mappings().all()
    return _shown(connection, conversation, rows)[0]


def _conversation(connection: Connection, lane: str) -> RowMapping | None:
    columns = (
        conversations.c.id,
        conversations.c.owner,
        conversations.c.queued_at,
        conversations.c.rank,
        conversations.c.agent_id,
        conversations.c.reason,
        conversations.c.language,
    )
    return connection.execute(select(*columns).where(conversations.c.lane == lane)).mappings().first()


def _state(connection: Connection, talk: RowMapping) -> dict[str, Any]:
    """Whom the customer is with: the bot, the queue (and their place in it), or a person by name."""
    state: dict[str, Any] = {"owner": talk["owner"]}
    if talk["owner"] == "queue" and talk["queued_at"] is not None:
        ahead = select(func.count()).where(
            other_than(conversations.c.owner, "bot"),
            conversations.c.owner == "queue",
            (conversations.c.rank < talk["rank"])
            | ((conversations.c.rank == talk["rank"]) & (conversations.c.queued_at < talk["queued_at"])),
        )
        state["position"] = 1 + connection.execute(ahead).scalar_one()
        if talk["reason"] == "urgent":
            state["urgent"] = True
    if talk["agent_id"] is not None:
        name = connection.execute(select(staff.c.name).where(staff.c.id == talk["agent_id"])).scalar()
        state["name"] = name and called(name, talk["language"])
    return state


def _done(connection: Connection, waiting: Sequence[str]) -> list[str]:
    if not waiting:
        return []
    statement = select(inbox.c.dedupe_key).where(
        inbox.c.channel == CHANNEL, inbox.c.account == ACCOUNT, inbox.c.dedupe_key.in_(waiting), inbox.c.state != "new"
    )
    return list(connection.execute(statement).scalars())


def _after(connection: Connection, conversation: int, after: int) -> Sequence[RowMapping] | None:
    """The rows after `after`; None if they are too many, or if `after` is not of this conversation's time (the client
    remembers another database)."""
    statement = (
        select(*_COLUMNS)
        .where(messages.c.conversation_id == conversation, messages.c.id > after)
        .order_by(messages.c.id)
        .limit(BEHIND + 1)
    )
    rows = connection.execute(statement).mappings().all()
    if not rows:
        last = select(func.max(messages.c.id)).where(messages.c.conversation_id == conversation)
        return rows if after <= (connection.execute(last).scalar() or 0) else None
    return None if len(rows) > BEHIND else rows


def _newest(connection: Connection, conversation: int, before: int | None = None) -> Sequence[RowMapping]:
    """Twice a page and one, for not every row is for the customer."""
    statement = select(*_COLUMNS).where(messages.c.conversation_id == conversation)
    if before is not None:
        statement = statement.where(messages.c.id < before)
    return list(
        reversed(connection.execute(statement.order_by(messages.c.id.desc()).limit(2 * PAGE + 1)).mappings().all())
    )


def _shown(connection: Connection, conversation: int, rows: Sequence[RowMapping]) -> tuple[list[Item], int]:
    """Those that the customer may see, and up to where nothing is still to come."""
    if not rows:
        return [], 0
    sent = _sent(connection, conversation, rows[0]["id"])
    files = store.find(connection, store.keys_of(row["data"] for row in rows))
    items: list[Item] = []
    coming: list[int] = []
    for row in rows:
        if row["author"] == "customer":
            items.append(_item(row, files))
        elif row["author"] != "system" and row["id"] in sent:
            states = sent[row["id"]]
            if states & _COMING:
                coming.append(row["id"])
            elif states <= _SHOWN:
                items.append(_item(row, files))
    return items, (coming[0] - 1 if coming else rows[-1]["id"])


def _sent(connection: Connection, conversation: int, since: int) -> dict[int, set[str]]:
    """The states of the outgoing rows (a long text has several) of each message from `since` on."""
    statement = select(outbox.c.message_id, outbox.c.state).where(
        outbox.c.conversation_id == conversation, outbox.c.message_id >= since
    )
    found: dict[int, set[str]] = {}
    for message, state in connection.execute(statement):
        found.setdefault(message, set()).add(state)
    return found


def _item(row: RowMapping, files: Mapping[str, File]) -> Item:
    data = row["data"] or {}
    item: Item = {
        "seq": row["id"],
        "from": "you" if row["author"] == "customer" else row["author"],
        "text": row["text"],
        "at": row["created_at"].isoformat(timespec="seconds"),
    }
    if data.get("files"):
        item["files"] = [files[key].as_json() for key in data["files"] if key in files]
        if row["text"] == f"[{data.get('media')}]":
            item["text"] = ""  # it has no words beside it
    if row["author"] == "agent" and data.get("name"):
        item["name"] = data["name"]
    if row["author"] == "customer":
        if "tapped" in data:
            item["tapped"] = data["tapped"]
    elif data.get("buttons"):
        item["buttons"] = [str(button["title"]) for button in data["buttons"]]
        item["again"] = "survey" in data  # a rating may be changed
    return item
