"""Settings of engines beside the local ones. All off: without them nothing is asked of any other server."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

LLM_USES = ("answers", "intents")


class EngineSettings(BaseSettings):
    """A Rasa server, and an endpoint that speaks OpenAI's chat protocol."""

    rasa_url: str = Field("", description="A Rasa 3.6 server that was trained on the assistant; empty: none is asked.")
    rasa_token: SecretStr | None = Field(None, description="What that server was started with as --auth-token.")
    rasa_for: str = Field(
        "understanding", pattern="^(understanding|dialogue)$", description="dialogue: it talks as well."
    )
    rasa_timeout: float = Field(2.0, ge=0.1, le=30, description="Seconds that Rasa may take for one call.")
    llm_url: str = Field("", description="An endpoint up to, and without, /chat/completions; empty: none is asked.")
    llm_key: SecretStr | None = Field(None, description="Its key, sent as a bearer token.")
    llm_model: str = Field("", description="The model that it is asked for.")
    llm_for: tuple[str, ...] = Field(LLM_USES, description="answers from the knowledge base, second opinions: intents.")
    llm_timeout: float = Field(5.0, ge=0.1, le=60, description="Seconds that it may take for one call.")
    llm_requests_a_day: int = Field(500, ge=0, description="Calls a day and process; no more are made.")
    llm_characters_a_day: int = Field(3_000_000, ge=0, description="Characters sent and received a day and process.")

    @field_validator("rasa_url", "llm_url")
    @classmethod
    def _server(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(f"'{value}' is not an address: write it with http:// or https://")
        return value.rstrip("/")

    @field_validator("llm_for")
    @classmethod
    def _uses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [each for each in values if each not in LLM_USES]
        if unknown:
            raise ValueError(f"there is no use '{unknown[0]}': write one or both of {', '.join(LLM_USES)}")
        return values

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.llm_url and not self.llm_model:
            raise ValueError("llm_model is missing: name the model that llm_url shall be asked for")
        if self.llm_url.startswith("http://") and self.llm_key and not _near(self.llm_url):
            raise ValueError("llm_key would go over the network in the clear: write llm_url with https://")
        return self


def _near(url: str) -> bool:
    """Whether the address is this machine's own."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
