"""Consent and language of a contact. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal

from bot.yamlfile import Words
from nlu.understanding import Language

Change = Literal["stop", "start", "help"]

# Whole messages, folded as `_folded` does, a space between two. None of them has another meaning in a conversation.
_KEYWORDS: Mapping[Change, str] = {
    "stop": (
        "stop stopall stopplease pleasestop unsubscribe unsubscribeme optout stopmessagingme stopmessages "
        "stopsendingmemessages donttextme dontmessageme removeme revoke "
        "退订 我要退订 退订短信 回t退订 取消订阅 拒收 停止发送 别发了 不要再发了 别再发了 不要再给我发了 别再给我发了 "
        "不要再发消息了 别再发消息了 不要再联系我 别再联系我 退訂 取消訂閱"
    ),
    "start": "unstop resubscribe subscribe optin 订阅 恢复订阅 重新订阅 恢复接收 訂閱 恢復訂閱",
    "help": "",
}
# By SMS these words are commands too, by the networks' rules and by custom; in a chat "cancel" leaves the queue,
# "start" opens the conversation and "help" is a question.
_SMS_KEYWORDS: Mapping[Change, str] = {
    "stop": "cancel end quit t td 停止",
    "start": "start 开始",
    "help": "help info 帮助",
}

CONFIRMATIONS: Mapping[Change, Words] = {
    "stop": Words(
        "好的，已为您退订，{company}不会再主动给您发消息。想恢复的话，回复“订阅”即可；有问题也随时可以直接找我们。",
        "Done: you are unsubscribed, and {company} won't message you first any more. "
        "Reply SUBSCRIBE to change your mind; you can still write to us at any time.",
    ),
    "start": Words(
        "已恢复，之后您会继续收到{company}的消息。随时回复“退订”就可以停止。",
        "Welcome back. You will hear from {company} again. Reply STOP at any time to end it.",
    ),
    "help": Words(
        "这里是{company}客户服务，直接把问题发过来就好。不想再收到消息，回复“退订”。",
        "This is {company} customer care. Just write what you need. Reply STOP to receive no more messages.",
    ),
}


AGREED = Words(
    "好的，以后{company}会给您发些实用的小贴士和生日祝福，一个月最多一条。不想收了，回复“退订”就好。",
    "Done: {company} will now and then send you a useful tip and a birthday greeting, one a month at most. "
    "Reply STOP at any time to end it.",
)
"""The answer to who agrees to hear from us by ourselves."""


def consent_of(text: str, *, sms: bool = False) -> Change | None:
    """The change of consent that a whole message asks for, on a channel that does not read it out itself.

    `sms`: the one-word commands of text messages count as well (CANCEL, END, QUIT, T, START, HELP).
    """
    return (_BY_SMS if sms else _IN_CHATS).get(_folded(text))


_NEITHER_LETTER_NOR_DIGIT = re.compile(r"[\W_]+")


def _by_word(*lists: Mapping[Change, str]) -> dict[str, Change]:
    return {word: change for words in lists for change, all_of_it in words.items() for word in all_of_it.split()}


_IN_CHATS = _by_word(_KEYWORDS)
_BY_SMS = _by_word(_KEYWORDS, _SMS_KEYWORDS)
_LONGEST = 2 * max(map(len, _BY_SMS))
"""Characters of a message that may still be one of the words, punctuation and spaces included."""


def language_after(
    current: Language | None,
    text_language: Language | None,
    stated: Language | None = None,
    default: Language = "zh",
) -> Language:
    """The language to answer in: the one asked for, else that of the words just written, else as before.

    `text_language` is None where the words show none (digits, an emoji, an order number).
    """
    return stated or text_language or current or default


def _folded(text: str) -> str:
    """Letters and digits only, narrow, case folded; long messages are never commands."""
    if len(text) > _LONGEST:
        return ""
    narrow = unicodedata.normalize("NFKC", text).casefold()
    if narrow.strip().startswith("/") and narrow.strip() != "/stop":
        return ""  # a bot command such as /start, not a word
    return _NEITHER_LETTER_NOR_DIGIT.sub("", narrow)
