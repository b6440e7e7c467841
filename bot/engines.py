"""Which engines understand and talk: the local ones, with what the settings put before them."""

from __future__ import annotations

from collections.abc import Iterable

from bot.clock import Clock
from bot.content import Content
from bot.knowledge.index import Article
from bot.loop.policy import Understands
from bot.loop.remote import (
    Breaker,
    Budget,
    ChatEndpoint,
    GroundedAnswers,
    RasaDialogue,
    RasaUnderstanding,
    SecondOpinions,
    Server,
)
from bot.loop.talking import Talks
from bot.settings import Settings
from channels.http import Http

BUTTONS_ONLY = frozenset({"helpful", "unhelpful", "skip", "something_else", "want_to_complain", "want_to_ask"})
"""Intents that answer a question of ours: no second opinion on words out of nowhere has them."""


class Engines:
    """Puts what the settings name before the local engines; without any, those are what is used. Nothing is sent
    before there is something to ask. `counts` is what becomes of calls."""

    def __init__(self, settings: Settings, clock: Clock, content: Content, articles: Iterable[Article]) -> None:
        self._settings = settings
        self._clock = clock
        self._content = content
        self._articles = articles
        self.counts: dict[str, int] = {}
        self._http = Http()
        self._endpoint = self._chat_endpoint() if settings.llm_url else None

    async def close(self) -> None:
        await self._http.close()

    def understands(self, local: Understands) -> Understands:
        """`local`, or what stands before it."""
        domain = self._content.assistant.domain
        found = local
        if self._settings.rasa_url:
            found = RasaUnderstanding(self._rasa("rasa"), found, domain.intents, domain.entities)
        if self._endpoint and "intents" in self._settings.llm_for:
            told = {
                name: texts
                for name, texts in self._content.training.intents.items()
                if name in domain.intents and name not in BUTTONS_ONLY and not name.startswith(("nlu_", "out_of"))
            }
            found = SecondOpinions(found, self._endpoint, told)
        return found

    def talks(self, embedded: Talks) -> Talks:
        """`embedded`, or what stands before it."""
        found = embedded
        if self._settings.rasa_url and self._settings.rasa_for == "dialogue":
            found = RasaDialogue(self._rasa("rasa-dialogue"), self._content.assistant, found)
        if self._endpoint and "answers" in self._settings.llm_for:
            found = GroundedAnswers(found, self._endpoint, self._articles, self.counts)
        return found

    def _rasa(self, name: str) -> Server:
        token = self._settings.rasa_token
        return Server(
            self._http,
            name,
            self._settings.rasa_url,
            Breaker(self._clock),
            self.counts,
            self._settings.rasa_timeout,
            query={"token": token.get_secret_value()} if token else {},
        )

    def _chat_endpoint(self) -> ChatEndpoint:
        settings = self._settings
        key = settings.llm_key
        server = Server(
            self._http,
            "llm",
            settings.llm_url,
            Breaker(self._clock),
            self.counts,
            settings.llm_timeout,
            headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
        )
        budget = Budget(self._clock, settings.llm_requests_a_day, settings.llm_characters_a_day)
        return ChatEndpoint(server, settings.llm_model, budget)
