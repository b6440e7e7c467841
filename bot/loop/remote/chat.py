"""An endpoint that completes chats in OpenAI's protocol, behind one small interface. Only masked text goes there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from bot.loop.remote.budget import Budget
from bot.loop.remote.server import Failed, Server

ANSWER_TOKENS = 400
"""The longest answer that is asked for."""

CHARACTERS_A_TOKEN = 4
"""Booked for an answer until its length is known."""

QUESTION_LIMIT = 1_000
"""Characters of a customer's text that are sent."""


class Completes(Protocol):
    """Something that answers a question in JSON when told how."""

    async def complete(self, instructions: str, question: str) -> dict[str, Any]:
        """The JSON object that it answers with. Raises Failed."""
        ...


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """`server` is the endpoint up to and without `/chat/completions`."""

    server: Server
    model: str
    budget: Budget

    async def complete(self, instructions: str, question: str) -> dict[str, Any]:
        """Raises Failed: an empty budget, a server that fails, an answer cut off or filtered, or one that is no JSON
        object. `question` must be masked by whoever asks."""
        length = len(instructions) + len(question)
        booked = ANSWER_TOKENS * CHARACTERS_A_TOKEN
        if not self.budget.take(length + booked):
            self.server.note("over_budget")
            raise Failed("over_budget")
        body = {
            "model": self.model,
            "messages": [{"role": "system", "content": instructions}, {"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": ANSWER_TOKENS,
        }
        answer = await self.server.call("POST", "/chat/completions", body, _content)
        self.budget.give_back(booked - min(booked, len(answer)))
        return _object(answer)


def _content(answer: Any) -> str:
    """The words of a completion. Raises ValueError for what is none."""
    choice = answer["choices"][0]
    content = choice["message"]["content"]
    if not isinstance(content, str):
        raise ValueError("no content")
    return content if choice.get("finish_reason") in ("stop", None) else ""


def _object(content: str) -> dict[str, Any]:
    """The JSON object in an answer, also where it stands in a fence. Raises Failed: the endpoint works, the model does
    not do as it is told."""
    start, end = content.find("{"), content.rfind("}")
    try:
        found = orjson.loads(content[start : end + 1]) if start >= 0 else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Failed("not_as_told")
    return found
