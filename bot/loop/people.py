"""People are another sender: what agents do to a conversation, through the same effects and the same versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

from sqlalchemy import String, literal, select, union, update
from sqlalchemy import cast as cast_to

from bot import typography
from bot.cases import rules as cases
from bot.loop import filing
from bot.loop.asking import Asking
from bot.loop.case_moves import move, responded, state_now
from bot.loop.effects import Effects, Kind
from bot.loop.notices import Notices
from bot.loop.reach import ENTERED
from bot.loop.render import split
from bot.loop.resolving import ask_about_agent, talked
from bot.loop.state import LaneState
from bot.loop.talking import ownership
from bot.loop.turn import Turns
from bot.staff.service import called
from bot.takeover import rules
from bot.takeover.rules import Agent, Ownership, Refusal
from bot.yamlfile import Words
from nlu.understanding import Language
from storage import tables
from storage.changes import Insert
from storage.database import Conflict, Database
from storage.records import Case

T = TypeVar("T")
_Decide = Callable[[LaneState, Effects, str | None], T]


class Refused(Exception):
    """Nothing was changed. `said` gives the reason in a language; `code` is stable."""

    code: str

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.code = refusal.code
        self.refusal = refusal

    def said(self, language: Language) -> str:
        return self.refusal.said(language)


class NoConversation(Exception):
    """There is no such conversation."""


class CannotReply(Refused):
    """This is a public comment: nobody's free words go under it, and it has no private line to answer on."""

    code = "public"

    def __init__(self) -> None:
        Exception.__init__(self, self.code)

    def said(self, language: Language) -> str:
        return _PUBLIC.said(language)


class NobodyReads(Refused):
    """What was said elsewhere and typed in: its customer does not read here."""

    code = "entered"

    def __init__(self) -> None:
        Exception.__init__(self, self.code)

    def said(self, language: Language) -> str:
        return _ENTERED.said(language)


class CannotAttach(Refused):
    """The customer's channel takes no files, none as large as this, or this one is not there to be sent."""

    code = "cannot_attach"

    def __init__(self) -> None:
        Exception.__init__(self, self.code)

    def said(self, language: Language) -> str:
        return _ATTACH.said(language)


_ATTACH = Words(
    "客户的渠道收不了这个文件，或者文件已经不在了。请重新上传，或改用文字说明",
    "The customer's channel does not take this file, or the file is gone. Attach it again, or tell them in words",
)

_PUBLIC = Words(
    "公开评论下面不能自由回复。客户已收到一条私信，他们回复后会作为新会话出现",
    "A public comment takes no free reply. The customer got a private message; their answer is a new conversation",
)

_ENTERED = Words(
    "这是录入的反馈，客户在这里看不到回复。请打电话，或在他的其他渠道回复",
    "This was typed in for the customer, who does not read here. Call them, or reply on another channel of theirs",
)


@dataclass(frozen=True, slots=True)
class People:
    """Raises Refused where the rules of ownership say no, NoConversation where there is none.

    Public comments are owned like any conversation, but nothing is said in them: their one private reply is the bot's,
    and an answer to it comes as a conversation of its own."""

    database: Database
    turns: Turns
    asking: Asking
    notices: Notices

    async def claim(self, lane: str, agent: Agent, *, assigned: bool = False) -> None:
        """Take a conversation over: of two at once one wins, and the other is told who has it. From here on no reply
        of the bot goes out, also none that was queued. Cases that nobody has yet are theirs, but not one that a rating
        of themselves opened. `assigned`: the house gives it to them, and only while it waits."""
        about_them = await self._about(lane, agent)

        def decide(state: LaneState, effects: Effects, holder: str | None) -> None:
            now = ownership(effects, holder)
            if assigned and now.owner != "queue":
                raise Refused(Refusal("not_waiting"))
            new = _granted(rules.claim(now, agent))
            effects.own(new.owner, new.epoch, agent_id=agent.id, queued_at=None, department=None)
            event = "assigned" if assigned else "claimed"
            effects.record("system", event, data={"staff": agent.name}, staff_id=agent.id)
            _tell(
                effects,
                typography.said(self.notices.joined, effects.tongue, name=called(agent.name, effects.language)),
                "notice",
            )
            for case in state.cases:
                here = state.conversation and case.conversation_id == state.conversation.id
                if here and not case.owner_id and case.id not in about_them:
                    effects.change_guarded(tables.cases, case.id, case.version, {"owner_id": agent.id})
                    self._moved(effects, case, agent, "assigned")

        await self._act(lane, decide)

    async def reply(
        self,
        lane: str,
        agent: Agent,
        text: str,
        client_key: str,
        hold: timedelta = timedelta(0),
        files: Sequence[str] = (),
    ) -> int:
        """Words from the agent who holds the conversation, and `files` that they sent up for it. The same `client_key`
        twice is one message. Its id. The first reply answers the open cases of this conversation. Nothing goes out for
        `hold`, while it may be taken back. Raises CannotReply for a public comment, NobodyReads for what was typed in,
        CannotAttach where the channel takes no such file."""
        known = await self._known(lane, client_key)
        if known is not None:
            return known
        unanswered = await self._unanswered(lane) - await self._about(lane, agent)
        try:
            sent_up = await filing.ready(self.database, lane, agent.id, files) if files else []
        except filing.NotThere:
            raise CannotAttach from None

        def decide(state: LaneState, effects: Effects, holder: str | None) -> Insert:
            now = ownership(effects, holder)
            if now.owner != "agent":
                raise Refused(Refusal("not_held"))
            if now.agent_id != agent.id:
                raise Refused(Refusal("taken", holder or ""))
            if state.public:
                raise CannotReply
            if state.thread.startswith(ENTERED):
                raise NobodyReads
            for case in filter(None, map(state.case, sorted(unanswered))):
                if case.state in cases.SETTLED:
                    continue
                self._moved(effects, case, agent, "assigned", "in_progress")
                responded(effects, self.asking.desk.house, case, f"staff:{agent.id}")
            # Not `say`: what stands in [[brackets]] in a person's own words is theirs, not for us to fill.
            can = effects.capabilities
            if any(file.size > can.file_limit for file in sent_up):
                raise CannotAttach
            said = {"name": called(agent.name, effects.language)} | filing.said(effects, sent_up)
            words = text or f"[{sent_up[0].family}]"
            message = effects.record("agent", words, data=said, staff_id=agent.id, client_key=client_key)
            for part in split(text, can.text_limit, in_bytes=can.limit_in_bytes) if text else ():
                effects.send(part, kind="agent", form="text", message=message, hold=hold)
            for file in sent_up:
                effects.send("", kind="agent", form="file", target=file.key, message=message, hold=hold)
            return message

        try:
            message = await self._act(lane, decide, more=sorted(unanswered))
        except Conflict:
            # The same message was under way twice at once, and the other one was faster.
            known = await self._known(lane, client_key)
            if known is None:
                raise
            return known
        return cast(int, message.id)

    async def hand_back(self, lane: str, agent: Agent, summary: str = "") -> None:
        """Leave the customer to the bot again, which starts afresh. The `summary` of what was settled stands with the
        hand-back on the transcript, for the bot and for whoever comes next; customers do not see it."""

        def decide(state: LaneState, effects: Effects, holder: str | None) -> None:
            new = _granted(rules.hand_back(ownership(effects, holder), agent))
            effects.own(new.owner, new.epoch, agent_id=None, queued_at=None, reason=None, department=None)
            effects.tracker = None
            said = {"summary": summary} if summary else {}
            effects.record("system", "handed_back", data={"staff": agent.name} | said, staff_id=agent.id)
            _tell(effects, self.notices.left.said(effects.tongue), "notice")

        await self._act(lane, decide)

    async def requeue(self, lane: str, agent: Agent) -> None:
        """Put the conversation back for a colleague, behind those who wait already."""

        def decide(state: LaneState, effects: Effects, holder: str | None) -> None:
            new = _granted(rules.return_to_queue(ownership(effects, holder), agent))
            effects.own(new.owner, new.epoch, agent_id=None, queued_at=effects.now)
            effects.record("system", "requeued", data={"staff": agent.name}, staff_id=agent.id)

        await self._act(lane, decide)

    async def resolve(self, lane: str, agent: Agent) -> None:
        """The matter is settled: the bot has the conversation again, and the customer is asked to rate the agent, or
        it is recorded why not."""
        at = self.turns.now()
        said = await self.database.read(lambda connection: talked(connection, lane, self.asking, at))

        def decide(state: LaneState, effects: Effects, holder: str | None) -> None:
            now = ownership(effects, holder)
            new = _granted(rules.resolve(now, agent))
            effects.own(new.owner, new.epoch, agent_id=None, queued_at=None, reason=None, department=None)
            effects.tracker = None
            effects.record("system", "resolved", data={"staff": agent.name}, staff_id=agent.id)
            if said is not None and not state.public:
                ask_about_agent(self.asking, effects, said, f"staff:{now.agent_id}")

        await self._act(lane, decide)

    async def send_again(self, lane: str, agent: Agent, outbox_id: int) -> bool:
        """Send once more what failed or may not have arrived: a person's decision, never ours. False if it is
        neither."""
        await self._may_write(lane, agent)
        now = self.turns.now()
        rows = tables.outbox
        statement = (
            update(rows)
            .where(
                rows.c.id == outbox_id,
                rows.c.state.in_(["failed", "unknown"]),
                rows.c.conversation_id
                == select(tables.conversations.c.id).where(tables.conversations.c.lane == lane).scalar_subquery(),
            )
            .values(state="queued", kind="agent", reason=None, attempts=0, not_before=now, finished_at=None)
            .returning(rows.c.channel, rows.c.account, rows.c.address)
        )
        found = await self.database.write(lambda connection: connection.execute(statement).first())
        if found is None:
            return False
        self.turns.sent([(found[0], found[1], found[2])], [lane])
        return True

    def _moved(self, effects: Effects, case: Case, agent: Agent, *through: cases.State) -> None:
        """The case goes on by these steps, as far as they are ahead of it: each stands on its timeline."""
        for new in through:
            if state_now(effects, case) in _BEHIND[new]:
                move(effects, self.asking.desk.house, case, new, "staff", actor=f"staff:{agent.id}")

    async def _act(self, lane: str, decide: _Decide[T], more: Sequence[int] = ()) -> T:
        holder: dict[str, str | None] = {}

        def act(state: LaneState, effects: Effects) -> T:
            if state.conversation is None:
                raise NoConversation(lane)
            return decide(state, effects, holder.get("name"))

        try:
            return await self.turns.act(lane, act, cases=more)
        except Refused as refused:
            if refused.code not in ("taken", "not_yours", "with_agent"):
                raise
            # Say who has it: the name is looked up only for those who lost.
            holder["name"] = await self._holder(lane)
            return await self.turns.act(lane, act, cases=more)

    async def _may_write(self, lane: str, agent: Agent) -> None:
        """Beside the one who holds a conversation only a supervisor sends anything in it."""
        talks, staff = tables.conversations, tables.staff
        statement = (
            select(talks.c.owner, talks.c.agent_id, staff.c.name)
            .outerjoin(staff, staff.c.id == talks.c.agent_id)
            .where(talks.c.lane == lane)
        )
        found = await self.database.read(lambda connection: connection.execute(statement).first())
        if found is None:
            raise NoConversation(lane)
        if found.owner == "agent" and found.agent_id != agent.id and not agent.supervisor:
            raise Refused(Refusal("not_yours", found.name or ""))

    async def _holder(self, lane: str) -> str | None:
        talks, staff = tables.conversations, tables.staff
        statement = select(staff.c.name).join(talks, talks.c.agent_id == staff.c.id).where(talks.c.lane == lane)
        return await self.database.read(lambda connection: connection.execute(statement).scalar())

    async def _known(self, lane: str, client_key: str) -> int | None:
        talks, messages = tables.conversations, tables.messages
        statement = (
            select(messages.c.id)
            .join(talks, talks.c.id == messages.c.conversation_id)
            .where(talks.c.lane == lane, messages.c.client_key == client_key)
        )
        return await self.database.read(lambda connection: connection.execute(statement).scalar())

    async def _unanswered(self, lane: str) -> set[int]:
        """The cases of this conversation, and those that something told in it joined, that no person has answered."""
        talks, rows, reports = tables.conversations, tables.cases, tables.case_reports
        talk = select(talks.c.id).where(talks.c.lane == lane).scalar_subquery()
        opened = select(rows.c.id).where(rows.c.conversation_id == talk, rows.c.responded_at.is_(None))
        joined = (
            select(rows.c.id)
            .join(reports, reports.c.case_id == rows.c.id)
            .where(reports.c.conversation_id == talk, reports.c.split_into.is_(None), rows.c.responded_at.is_(None))
        )
        statement = union(opened, joined)
        return set(await self.database.read(lambda connection: connection.execute(statement).scalars().all()))

    async def _about(self, lane: str, agent: Agent) -> set[int]:
        """The cases that low ratings of this agent opened: somebody else's business."""
        talks, rows, surveys = tables.conversations, tables.cases, tables.surveys
        judged = (
            select(literal("survey:") + cast_to(surveys.c.id, String))
            .join(talks, talks.c.contact_id == surveys.c.contact_id)
            .where(talks.c.lane == lane, surveys.c.judged == f"staff:{agent.id}")
        )
        statement = (
            select(rows.c.id)
            .join(talks, talks.c.id == rows.c.conversation_id)
            .where(talks.c.lane == lane, rows.c.origin.in_(judged))
        )
        return set(await self.database.read(lambda connection: connection.execute(statement).scalars().all()))


_BEHIND: dict[cases.State, frozenset[cases.State]] = {
    "assigned": frozenset({"received", "acknowledged", "returned", "reopened"}),
    "in_progress": frozenset({"assigned", "planned"}),
}
"""The states from which these are steps forward; others lead to them, too, but back."""


def _tell(effects: Effects, text: str, kind: Kind) -> None:
    if not effects.state.public:
        effects.say(text, kind=kind)


def _granted(answer: Ownership | Refusal) -> Ownership:
    if isinstance(answer, Refusal):
        raise Refused(answer)
    return answer
