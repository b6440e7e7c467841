"""Pages by mail: what a page says, and the mail server that takes it. A mail bears no word that a customer wrote."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import aiosmtplib

from bot.outgoing.posts import Outcome, Post
from bot.outgoing.server import Server
from bot.yamlfile import Words
from nlu.understanding import Language

TIMEOUT = 20.0
"""Seconds for each step of a conversation with the mail server."""
TEST = "page.test"


@dataclass(frozen=True, slots=True)
class Mail:
    """`desk`: the address of the desk; `zone`: of the times that are said."""

    server: Server
    company: str
    desk: str
    zone: ZoneInfo

    async def send(self, post: Post) -> Outcome:
        """Taken by the mail server is delivered. What it will never take is final; everything else is tried again."""
        ours = self.server
        if not ours.host:
            return Outcome(ok=False, reason="no mail server is set: EARFUL_SMTP_HOST", final=True)
        try:
            async with self._client() as client:
                await client.send_message(self.message(post), sender=ours.sender, recipients=[post.address or ""])
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = max((each.code for each in error.recipients), default=0)
            return _refused(code)
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return Outcome(ok=False, reason=f"{ours.host}: {type(error).__name__}")
        return Outcome(ok=True, status=250)

    async def check(self) -> str | None:
        """Greet the server as we would to send; what is wrong, and what to do. None: nothing."""
        ours = self.server
        try:
            async with self._client() as client:
                await client.noop()
        except aiosmtplib.SMTPAuthenticationError:
            return "the mail server refuses the password: check EARFUL_SMTP_USERNAME and EARFUL_SMTP_PASSWORD"
        except (aiosmtplib.SMTPException, OSError) as error:
            return (
                f"{ours.host}:{ours.port} cannot be used ({type(error).__name__}): check EARFUL_SMTP_HOST, "
                f"EARFUL_SMTP_PORT and EARFUL_SMTP_TLS, which is {ours.tls}"
            )
        return None

    def message(self, post: Post) -> EmailMessage:
        """The same with each attempt; repeats of one page belong together."""
        language = cast(Language, post.data.get("language", "en"))
        number, repeat = str(post.data.get("number") or ""), int(post.data.get("repeat", 1))
        made = EmailMessage(policy=SMTP)
        made["From"] = self.server.sender
        made["To"] = post.address or ""
        made["Subject"] = self._subject(post, language, number, repeat)
        made["Date"] = format_datetime(post.at)
        domain = self.server.sender.rpartition("@")[2]
        made["Message-ID"] = f"<{post.key}@{domain}>"
        thread = post.data.get("thread")
        if thread and repeat > 1:
            made["In-Reply-To"] = made["References"] = f"<{thread}@{domain}>"
        made["Auto-Submitted"] = "auto-generated"
        made["X-Auto-Response-Suppress"] = "All"
        made.set_content(self._text(post, language, number, repeat))
        return made

    def _subject(self, post: Post, language: Language, number: str, repeat: int) -> str:
        if post.kind == TEST:
            return _TESTED.said(language, company=self.company)
        words = _SUBJECTS.get(post.kind, _SUBJECTS["urgent"])
        again = _AGAIN.said(language, repeat=repeat) if repeat > 1 else ""
        return words.said(language, company=self.company, number=number) + again

    def _text(self, post: Post, language: Language, number: str, repeat: int) -> str:
        if post.kind == TEST:
            return _TEST_TEXT.said(language, desk=self.desk)
        since = datetime.fromisoformat(str(post.data["since"])).astimezone(self.zone)
        lines = [
            _WHAT.get(post.kind, _WHAT["urgent"]).said(language, number=number, **_counted(post.data)),
            "",
            _SINCE.said(language, since=f"{since:%Y-%m-%d %H:%M} ({self.zone})"),
            *([_DEPARTMENT.said(language, name=name)] if (name := post.data.get("department")) else []),
            "",
            _TAKE.said(language, minutes=post.data.get("every", 10)),
            f"{self.desk}/alerts",
        ]
        return "\n".join(lines) + "\n"

    def _client(self) -> aiosmtplib.SMTP:
        ours = self.server
        return aiosmtplib.SMTP(
            hostname=ours.host,
            port=ours.port,
            username=ours.username or None,
            password=ours.password or None,
            use_tls=ours.tls == "tls",
            start_tls=ours.tls == "starttls",
            tls_context=ours.trust or (ssl.create_default_context() if ours.tls != "none" else None),
            timeout=TIMEOUT,
        )


def _refused(code: int) -> Outcome:
    # 535 and 530 are about us, not about the mail: the operator may mend the password while it waits.
    final = 500 <= code < 600 and code not in (530, 534, 535, 538)
    return Outcome(ok=False, reason=f"the mail server answered {code}", status=code, final=final)


def _counted(data: Mapping[str, Any]) -> dict[str, object]:
    return {"customers": data.get("customers", "")}


_SUBJECTS = {
    "urgent": Words("【{company}】紧急工单 {number}，请马上处理", "[{company}] Urgent: case {number} needs you now"),
    "group": Words(
        "【{company}】多位客户反映同一个问题（{number}）", "[{company}] Many customers, one matter (case {number})"
    ),
}
_AGAIN = Words("（第 {repeat} 次提醒，还没有人接手）", " (call {repeat}, nobody has taken it yet)")
_WHAT = {
    "urgent": Words("工单 {number} 情况紧急，需要有人马上接手。", "Case {number} is urgent and needs somebody now."),
    "group": Words(
        "一天之内有 {customers} 位客户反映了同一个问题，例如工单 {number}。请尽快安排专人跟进。",
        "Within a day {customers} customers told of the same matter, such as case {number}. Please have somebody lead.",
    ),
}
_SINCE = Words("发生时间：{since}", "Since: {since}")
_DEPARTMENT = Words("负责部门：{name}", "Department: {name}")
_TAKE = Words(
    "接手后就不再提醒；没有人接手的话，每 {minutes} 分钟提醒一次：",
    "Take it here and the calls stop; otherwise they come every {minutes} minutes:",
)
_TESTED = Words("【{company}】提醒邮件测试", "[{company}] A test of pages by mail")
_TEST_TEXT = Words(
    "收到这封邮件，说明紧急情况的提醒可以送到这个邮箱。\n\n{desk}\n",
    "This mail arrived, so pages for what is urgent will too.\n\n{desk}\n",
)
