"""Settings: one typed, frozen object, checked at start. `EARFUL_*` variables win over `earful.toml`.

Every setting is documented in docs/settings.md; a test fails if one is not.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

from bot import settings_errors
from bot.settings_engines import EngineSettings
from bot.settings_outgoing import OutgoingSettings
from bot.takeover.assignment import Rule

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")
SECRET_SHORTEST = 32
ASSISTANT = Path(__file__).parent / "assistant"


class SettingsError(Exception):
    """The service does not start half-configured. The message lists each setting, what is wrong and what to do."""


class Settings(EngineSettings, OutgoingSettings):
    """What an operator may set. Names in capitals with `EARFUL_` before them are environment variables."""

    model_config = SettingsConfigDict(env_prefix="EARFUL_", frozen=True, extra="forbid")

    company: str = Field("Earful", description="The name that customers know you by.")
    time_zone: str = Field("Asia/Shanghai", description="Where the desk shows times; office hours have calendar.yml.")
    language: str = Field("zh", description="The language of a customer of whom nothing is known: zh or en.")
    data_dir: Path = Field(Path("data"), description="Where SQLite, the trained model and the secret live.")
    database_url: str | None = Field(None, description="sqlite:///path or postgresql://…; default: SQLite in data_dir.")
    redis_url: str | None = Field(None, description="redis://host: wake-ups between processes; absent: none needed.")
    assistant_dir: Path = Field(ASSISTANT, description="The assistant's content: a Rasa project and what lies beside.")
    public_url: str = Field("", description="The address that customers and platforms reach; default: host and port.")
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="The port to listen on.")
    admin_password: SecretStr | None = Field(None, description="The first administrator's; else one is printed once.")
    api_token: SecretStr | None = Field(None, description="A first API token with every scope.")
    secret: SecretStr | None = Field(None, description="Signs links and sessions; default: made once in data_dir.")
    body_limit: int = Field(1_000_000, ge=1_000, description="The largest webhook body taken, in bytes.")
    attachment_limit: int = Field(
        10_000_000, ge=1_000, le=50_000_000, description="The largest file that is taken or sent, in bytes."
    )
    attachments_a_day: int = Field(
        2_000_000_000, ge=0, description="Bytes of files that all web visitors together may send in a day."
    )
    keep_messages_days: int = Field(
        0, ge=0, description="Days that messages and their files are kept; 0: for ever. What is open stays."
    )
    keep_events_days: int = Field(
        90, ge=0, description="Days that events of platforms are kept as they came, 14 or more; 0: for ever."
    )
    keep_audit_days: int = Field(0, ge=0, description="Days that the audit is kept; 0: for ever.")
    encoders: bool = Field(True, description="Look twice at what the fast understanding leaves unsure.")
    text_limit: int = Field(4_000, ge=100, description="Characters of a customer's message that are understood.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning, error.")
    log_format: str = Field("console", pattern="^(console|json)$", description="console, or json a line.")
    traces_url: str = Field("", description="Where traces go: an OpenTelemetry collector, http://host:4318.")
    frame_origins: tuple[str, ...] = Field((), description="Websites that may embed the chat; empty: any.")
    agent_patience_minutes: int = Field(
        15,
        ge=0,
        description="Office minutes without an answer after which a conversation returns to the queue; 0: never.",
    )
    assignment: Rule = Field("off", description="Who is given who waits: off, round_robin or least_loaded.")
    agent_load: int = Field(5, ge=1, description="Conversations that an agent is given at most.")
    channels: dict[str, dict[str, dict[str, Any]]] = Field(
        default_factory=dict, description="[channels.<channel>.<account>]: credentials, api_base."
    )

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f"'{value}' is not a time zone: use a name such as Asia/Shanghai or Europe/Paris"
            ) from error
        return value

    @field_validator("language")
    @classmethod
    def _language(cls, value: str) -> str:
        if value not in ("zh", "en"):
            raise ValueError(f"'{value}' is not a language of the assistant: use zh or en")
        return value

    @field_validator("keep_events_days")
    @classmethod
    def _deduped(cls, value: int) -> int:
        if 0 < value < 14:
            raise ValueError("platforms may send an event again for two weeks: write 14 or more, or 0 for ever")
        return value

    @field_validator("public_url", "traces_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(f"'{value}' is not an address: write it with http:// or https://")
        return value.rstrip("/")

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("this is not an address of Redis: write redis://host:6379/0, rediss://… or unix://…")
        return value or None

    @field_validator("assistant_dir")
    @classmethod
    def _assistant(cls, value: Path) -> Path:
        if not value.is_dir():
            raise ValueError(f"there is no folder {value.absolute()}. Copy {ASSISTANT} there, or correct the path")
        if not (value / "domain.yml").is_file():
            raise ValueError(f"the folder {value.absolute()} has no domain.yml. Copy the whole of {ASSISTANT} there")
        return value

    @field_validator("secret")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SECRET_SHORTEST:
            raise ValueError(
                f"a secret has {SECRET_SHORTEST} random characters or more: openssl rand -hex 32 makes one"
            )
        return value

    @field_validator("frame_origins")
    @classmethod
    def _origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not _ORIGIN.fullmatch(value):
                raise ValueError(f"'{value}' is not an origin: write for example https://shop.example.com")
        return values

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'earful.db'}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def address(self) -> str:
        """The public address, without a slash at its end."""
        return self.public_url or f"http://{'localhost' if self.host in _EVERYWHERE else self.host}:{self.port}"


_EVERYWHERE = ("127.0.0.1", "0.0.0.0", "::")  # noqa: S104 - compared, not bound


def load(file: Path | None = None, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Settings from `earful.toml` (or `file`), the environment, and for every secret `EARFUL_…_FILE`; `given` wins
    over the file. Raises SettingsError."""
    environment = os.environ if environment is None else environment
    path = file or Path(environment.get("EARFUL_CONFIG", "earful.toml"))
    values: dict[str, Any] = {}
    if path.exists():
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}: {error}. Mend the file, or remove it to use the defaults.") from error
    elif file is not None:
        raise SettingsError(f"{path} does not exist. Create it, or leave --config out to use the defaults.")
    _check_names(environment)
    try:
        return Settings(**_with_files(values, environment) | given)
    except ValidationError as error:
        raise SettingsError("\n".join(_said(problem, path) for problem in error.errors())) from error
    except UnreadableError as error:  # a variable that holds a list or a table is read as JSON
        name = re.sub(r'.*field "(\w+)".*', r"EARFUL_\1", str(error)).upper()
        raise SettingsError(
            f'{name}: this is not JSON. Write a list such as ["https://shop.example.com"] with brackets and quotes, '
            f"or set it in {path}"
        ) from None


def _check_names(environment: Mapping[str, str]) -> None:
    known = {f"EARFUL_{name}".upper() for name in Settings.model_fields} | {"EARFUL_CONFIG"}
    wrong = [
        name
        for name in environment
        if name.startswith("EARFUL_") and name not in known and name.removesuffix("_FILE") not in known
    ]
    if wrong:
        raise SettingsError(
            f"unknown: {', '.join(sorted(wrong))}. The settings are {', '.join(sorted(known))}; "
            "channels are set in earful.toml."
        )


def _with_files(values: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """`EARFUL_X_FILE` is read into x; inside a channel's table `token_file = "…"` is read into token."""
    values = dict(values)
    for name in Settings.model_fields:
        place = environment.get(f"EARFUL_{name.upper()}_FILE")
        if place:
            values[name] = _secret_in(Path(place), f"EARFUL_{name.upper()}_FILE")
    channels = values.get("channels")
    if isinstance(channels, dict):
        values["channels"] = {
            channel: {account: _opened(table, f"[channels.{channel}.{account}]") for account, table in accounts.items()}
            if isinstance(accounts, dict)
            else accounts
            for channel, accounts in channels.items()
        }
    return values


def _opened(table: Any, where: str) -> Any:
    if not isinstance(table, dict):
        return table
    return {
        name.removesuffix("_file"): _secret_in(Path(str(value)), f"{where} {name}") if name.endswith("_file") else value
        for name, value in table.items()
    }


def _secret_in(path: Path, what: str) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(
            f"{what}: {path} cannot be read ({error.strerror}). Check the path and its rights."
        ) from error


def _said(problem: Any, path: Path) -> str:
    """One line: the setting, where it is set, what is wrong, what to do."""
    name = ".".join(part for part in problem["loc"] if isinstance(part, str))
    message = settings_errors.explained(problem, tuple(Settings.model_fields))
    return f"{name} (EARFUL_{name.split('.')[0].upper()}, or in {path}): {message}"


def make_data_dir(settings: Settings) -> None:
    """The data directory, if it is not there. Raises SettingsError."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"the data directory {settings.data_dir.absolute()} cannot be made ({error.strerror}). Make it, or set "
            "EARFUL_DATA_DIR to a place where this user may write"
        ) from None


def server_secret(settings: Settings) -> bytes:
    """The key that signs links and sessions: the setting, else 32 bytes made once in data_dir, readable by us only."""
    if settings.secret:
        return settings.secret.get_secret_value().encode()
    path = settings.data_dir / "secret.key"
    if not path.exists():
        make_data_dir(settings)
        draft = settings.data_dir / f".secret.{os.getpid()}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(32).encode())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # whole or not at all, and the first of two starts wins
        draft.unlink()
    return path.read_bytes()
