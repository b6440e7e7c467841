"""An endpoint that completes chats as OpenAI's protocol documents it; `reply` is what the model would write."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web
from fake_platform import Call, FakePlatform


class FakeLlm(FakePlatform):
    """`reply` is given the instructions and the question; `finish` is why the model stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.reply: Callable[[str, str], str] = lambda instructions, question: "{}"
        self.finish = "stop"
        self.questions: list[str] = []
        self.instructions: list[str] = []

    def says(self, **answer: Any) -> None:
        self.reply = lambda instructions, question: json.dumps(answer, ensure_ascii=False)

    async def answer(self, call: Call) -> web.Response:
        if (call.method, call.path) != ("POST", "/v1/chat/completions"):
            return web.json_response(
                {"error": {"message": "no such path", "type": "invalid_request_error"}}, status=404
            )
        body = json.loads(call.body)
        system, user = body["messages"]
        assert (system["role"], user["role"], body["temperature"]) == ("system", "user", 0)
        self.instructions.append(system["content"])
        self.questions.append(user["content"])
        message = {"role": "assistant", "content": self.reply(system["content"], user["content"]), "refusal": None}
        return web.json_response(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1_772_000_000,
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            }
        )
