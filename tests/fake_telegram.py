"""A Bot API server on port 0, as documented: tokens, limits, error descriptions, webhook or polling but not both."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiohttp import web
from fake_platform import Call, FakePlatform

TOKEN = "123456:fake-TOKEN_of-a-bot"


@dataclass
class Message:
    """A message that the bot sent. `keyboard` has (title, data) by rows."""

    chat: int
    number: int
    text: str
    keyboard: list[list[tuple[str, str]]] = field(default_factory=list)


class Refused(Exception):
    """What Telegram answers instead of a result."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.parameters = parameters


class FakeTelegram(FakePlatform):
    """Chats are private ones, by id; `blocked` are those whose person blocked the bot."""

    def __init__(self) -> None:
        super().__init__()
        self.chats: set[int] = {4711, 4712}
        self.blocked: set[int] = set()
        self.messages: dict[tuple[int, int], Message] = {}
        self.sent: list[Message] = []
        self.toasts: list[tuple[str, str]] = []
        self.taps: set[str] = set()
        self.webhook: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.got: list[tuple[str, str, bytes]] = []  # what the bot sent: how, its name, its bytes
        self.actions: list[tuple[int, str]] = []
        self.updates: list[Any] = []
        self.polled_elsewhere = False
        self._numbers = 100
        self._update_ids = 900_000

    async def answer(self, call: Call) -> web.Response:
        try:
            if call.path.startswith(f"/file/bot{TOKEN}/"):
                found = self.files.get(call.path.rpartition("/")[2])
                return web.Response(status=404) if found is None else web.Response(body=found)
            _, bot, method = call.path.split("/")
            if bot != f"bot{TOKEN}":
                raise Refused(401, "Unauthorized")
            answer = getattr(self, f"_{method}", None)
            if answer is None:
                raise Refused(404, "Not Found")
            asked = json.loads(call.body) if call.body[:1] == b"{" else _form(call)
            return web.json_response({"ok": True, "result": answer(asked)})
        except Refused as refused:
            answered = {"ok": False, "error_code": refused.status, "description": str(refused)}
            if refused.parameters:
                answered["parameters"] = refused.parameters
            return web.json_response(answered, status=refused.status)

    # ---- what people do ----

    def write(self, chat: int, text: str) -> dict[str, Any]:
        """A person writes; the update also waits for a poll."""
        return self._update(message=self._message(chat, text, self._person(chat)))

    def send_file(self, chat: int, kind: str, file: str, content: bytes, **about: Any) -> dict[str, Any]:
        """A person sends a photo, document, voice..., of which the bot is told the id alone."""
        self.files[file] = content
        told = {"file_id": file, "file_unique_id": file, "file_size": len(content), **about}
        message = self._message(chat, "", self._person(chat))
        del message["text"]
        return self._update(message={**message, kind: [{**told, "file_size": 9}, told] if kind == "photo" else told})

    def tap(self, message: Message, position: int) -> dict[str, Any]:
        """A person taps a button of a message; the update also waits for a poll."""
        buttons = [button for row in message.keyboard for button in row]
        handle = str(77_000_000_000_000_000 + len(self.taps))
        self.taps.add(handle)
        shown = {**self._message(message.chat, message.text, self._me()), "message_id": message.number}
        query = {
            "id": handle,
            "from": self._person(message.chat),
            "message": shown,
            "chat_instance": "-5551",
            "data": buttons[position][1],
        }
        return self._update(callback_query=query)

    def _update(self, **content: Any) -> dict[str, Any]:
        self._update_ids += 1
        update = {"update_id": self._update_ids, **content}
        self.updates.append(update)
        return update

    # ---- what the bot asks for ----

    def _sendMessage(self, asked: dict[str, Any]) -> dict[str, Any]:
        chat = self._reachable(asked)
        sent = Message(chat, self._next(), self._words(asked), self._keyboard(asked))
        self.messages[chat, sent.number] = sent
        self.sent.append(sent)
        return {**self._message(chat, sent.text, self._me()), "message_id": sent.number}

    def _editMessageText(self, asked: dict[str, Any]) -> dict[str, Any]:
        chat = self._reachable(asked)
        message = self.messages.get((chat, int(asked["message_id"])))
        if message is None:
            raise Refused(400, "Bad Request: message to edit not found")
        text, keyboard = self._words(asked), self._keyboard(asked)
        if (text, keyboard) == (message.text, message.keyboard):
            raise Refused(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly"
                " the same as a current content and reply markup of the message",
            )
        message.text, message.keyboard = text, keyboard
        return {**self._message(chat, text, self._me()), "message_id": message.number}

    def _getFile(self, asked: dict[str, Any]) -> dict[str, Any]:
        file = asked["file_id"]
        if file not in self.files:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(self.files[file]) > 20 << 20:
            raise Refused(400, "Bad Request: file is too big")
        return {"file_id": file, "file_size": len(self.files[file]), "file_path": f"documents/{file}"}

    def _sendPhoto(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._sent_file("photo", asked)

    def _sendDocument(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._sent_file("document", asked)

    def _sent_file(self, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
        chat = self._reachable(asked)
        name, content = asked[kind]
        if kind == "photo" and "thin" in name:
            raise Refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        self.got.append((kind, name, content))
        return self._message(chat, "", self._me())

    def _sendChatAction(self, asked: dict[str, Any]) -> bool:
        self.actions.append((self._reachable(asked), asked["action"]))
        return True

    def _answerCallbackQuery(self, asked: dict[str, Any]) -> bool:
        handle, text = asked["callback_query_id"], asked.get("text", "")
        if handle not in self.taps:
            raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if len(text) > 200:
            raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
        self.toasts.append((handle, text))
        return True

    def _setWebhook(self, asked: dict[str, Any]) -> bool:
        if not asked["url"].startswith("https://"):
            raise Refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self.webhook = asked
        return True

    def _deleteWebhook(self, asked: dict[str, Any]) -> bool:
        self.webhook = {}
        return True

    def _getUpdates(self, asked: dict[str, Any]) -> list[Any]:
        if self.webhook:
            raise Refused(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first",
            )
        if self.polled_elsewhere:
            raise Refused(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )
        start = asked.get("offset", 0)
        self.updates = [u for u in self.updates if not isinstance(u, dict) or u.get("update_id", 0) >= start]
        return self.updates[: asked.get("limit", 100)]

    # ---- rules ----

    def _reachable(self, asked: dict[str, Any]) -> int:
        chat = int(asked["chat_id"])
        if chat not in self.chats:
            raise Refused(400, "Bad Request: chat not found")
        if chat in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        return chat

    def _words(self, asked: dict[str, Any]) -> str:
        text: str = asked["text"]
        if not text.strip():
            raise Refused(400, "Bad Request: message text is empty")
        if len(text) > 4096:
            raise Refused(400, "Bad Request: message is too long")
        return text

    def _keyboard(self, asked: dict[str, Any]) -> list[list[tuple[str, str]]]:
        rows = asked.get("reply_markup", {}).get("inline_keyboard", [])
        if sum(len(row) for row in rows) > 100 or len(json.dumps(rows, ensure_ascii=False).encode()) > 12_000:
            raise Refused(400, "Bad Request: reply markup is too long")
        for row in rows:
            for button in row:
                if not button["text"].strip():
                    raise Refused(400, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed")
                if not 1 <= len(button["callback_data"].encode()) <= 64:
                    raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
        return [[(button["text"], button["callback_data"]) for button in row] for row in rows]

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _message(self, chat: int, text: str, sender: dict[str, Any]) -> dict[str, Any]:
        there = {"id": chat, "first_name": "Li", "last_name": "Na", "username": "lina", "type": "private"}
        return {"message_id": self._next(), "from": sender, "chat": there, "date": 1_767_225_600, "text": text}

    def _person(self, chat: int) -> dict[str, Any]:
        return {"id": chat, "is_bot": False, "first_name": "Li", "last_name": "Na", "language_code": "zh-hans"}

    def _me(self) -> dict[str, Any]:
        return {"id": 123456, "is_bot": True, "first_name": "Earful", "username": "earful_bot"}


def _form(call: Call) -> dict[str, Any]:
    """A form of several parts, as another library reads it: words, and files as (name, bytes)."""
    head = f"Content-Type: {call.headers['Content-Type']}\r\n\r\n".encode()
    parts = BytesParser(policy=default).parsebytes(head + call.body)
    found: dict[str, Any] = {}
    for part in parts.iter_parts():
        name = str(part.get_param("name", header="Content-Disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[name] = (part.get_filename(), content) if part.get_filename() else content.decode()
    return found
