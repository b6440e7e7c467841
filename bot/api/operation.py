"""The way of every call: who calls, may they, what do they say, do it, answer; and every refusal a problem.

An operation is declared once, with its models; the same declaration serves it and describes it (`openapi`).
"""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.api import problems, repeats, tokens
from bot.api.problems import Problem
from bot.api.repeats import Repeat
from bot.api.tokens import Caller, Scope
from bot.loop.intake import Overloaded
from bot.service import SERVICE, Service
from nlu.understanding import Language
from storage.database import Conflict, is_outage

log = structlog.get_logger()

Method = Literal["GET", "POST"]
JSON = "application/json"
B = TypeVar("B", bound=BaseModel)
Q = TypeVar("Q", bound=BaseModel)
RETRY_AFTER = 2  # seconds
FRAMES = 8  # of a fault's traceback, the innermost, that are logged


class File(BaseModel):
    """A file."""

    content: bytes


class Nothing(BaseModel):
    """No body, or no parameters."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """One call, checked. `key` stands for its Idempotency-Key, where it has one: a digest of 48 characters."""

    service: Service
    caller: Caller
    path: Mapping[str, str]
    body: B
    query: Q
    key: str | None
    language: Language

    @property
    def now(self) -> datetime:
        return self.service.clock.now()


Run = Callable[[Call[Any, Any]], Awaitable[BaseModel]]
R = TypeVar("R", bound=Run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`path` below /api/v1, with aiohttp's variables; `problems`: statuses that it may refuse with by itself. `secret`:
    the answer holds one, so it is not remembered, and has no Idempotency-Key. `media`: what the answer is; with
    another than JSON it is a `File`."""

    name: str
    method: Method
    path: str
    tag: str
    summary: str
    description: str
    scope: Scope
    status: int
    body: type[BaseModel]
    query: type[BaseModel]
    answer: type[BaseModel]
    problems: tuple[int, ...]
    secret: bool
    media: str
    run: Run

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a request; never raises but what ends the connection itself."""
        service = request.app[SERVICE]
        try:
            body = await self._work(service, request)
            headers = {"Content-Type": self.media, "Cache-Control": "no-store"}
            if self.media != JSON:
                name = self.path.rpartition("/")[2]
                headers["Content-Disposition"] = f'attachment; filename="{name}"'
            return web.Response(status=self.status, body=body, headers=headers)
        except Exception as error:
            problem = _problem(error, self)
            service.count(f"api_refused.{problem.kind.slug}")
            return problem.response()

    async def _work(self, service: Service, request: web.Request) -> bytes:
        caller = await _caller(service, request, self.scope)
        try:
            query = self.query.model_validate(_parameters(request))
        except ValidationError as error:
            raise problems.in_query(error) from None
        raw = await _body(request) if self.method == "POST" else b""
        repeat: Repeat | None = None
        if self.method == "POST" and not self.secret:
            header = request.headers.get(repeats.HEADER)
            repeat = repeats.repeat_of(caller, f"{self.name} {request.path}", header, raw)
        if repeat:
            before = await repeats.remembered(service.database, repeat, service.clock.now())
            if before is not None:
                return before
        try:
            body = self.body.model_validate_json(raw) if self.method == "POST" else self.body()
        except ValidationError as error:
            raise problems.in_body(error) from None
        key = repeat.key if repeat else None
        call = Call(service, caller, request.match_info, body, query, key, _language(request))
        made = await self.run(call)
        if isinstance(made, File):
            return made.content
        answer = made.model_dump_json().encode()
        if repeat:
            await repeats.remember(service.database, repeat, answer, service.clock.now())
        return answer


class Operations:
    """The operations of one resource, in the order in which they are declared."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.all: list[Operation] = []

    def get(
        self,
        path: str,
        *,
        scope: Scope,
        answer: type[BaseModel],
        query: type[BaseModel] = Nothing,
        problems: tuple[int, ...] = (),
        media: str = JSON,
    ) -> Callable[[R], R]:
        """Declare the function below as a read. Its docstring is the description: a summary, then more."""
        return self._declare("GET", path, scope, 200, Nothing, query, answer, problems, media=media)

    def post(
        self,
        path: str,
        *,
        scope: Scope,
        body: type[BaseModel],
        answer: type[BaseModel],
        status: int = 200,
        problems: tuple[int, ...] = (),
        secret: bool = False,
    ) -> Callable[[R], R]:
        """Declare the function below as a change. `secret`: its answer holds one."""
        return self._declare("POST", path, scope, status, body, Nothing, answer, problems, secret)

    def _declare(
        self,
        method: Method,
        path: str,
        scope: Scope,
        status: int,
        body: type[BaseModel],
        query: type[BaseModel],
        answer: type[BaseModel],
        problems: tuple[int, ...],
        secret: bool = False,
        media: str = JSON,
    ) -> Callable[[R], R]:
        def declare(run: R) -> R:
            summary, _, description = (run.__doc__ or "").partition("\n\n")
            self.all.append(
                Operation(
                    name=run.__name__,
                    method=method,
                    path=path,
                    tag=self.tag,
                    summary=" ".join(summary.split()),
                    description=" ".join(description.split()),
                    scope=scope,
                    status=status,
                    body=body,
                    query=query,
                    answer=answer,
                    problems=problems,
                    secret=secret,
                    media=media,
                    run=run,
                )
            )
            return run

        return declare


async def _caller(service: Service, request: web.Request, scope: Scope) -> Caller:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    found = None
    if scheme.lower() == "bearer":
        found = await tokens.caller(service.database, service.settings.api_token, token.strip())
    if found is None:
        raise Problem(
            problems.UNAUTHORIZED,
            "Send a valid token: Authorization: Bearer <token>. An administrator makes one with `earful token add`.",
            headers={"WWW-Authenticate": 'Bearer realm="earful"'},
        )
    if scope not in found.scopes:
        raise Problem(
            problems.FORBIDDEN,
            f"This needs the scope {scope}, which this token does not have.",
            headers={"WWW-Authenticate": f'Bearer realm="earful", error="insufficient_scope", scope="{scope}"'},
        )
    return found


def _parameters(request: web.Request) -> dict[str, str]:
    repeated = sorted({name for name in request.query if len(request.query.getall(name)) > 1})
    if repeated:
        raise Problem(problems.BAD_PARAMETER, f"{', '.join(repeated)}: give it once.")
    return dict(request.query)


async def _body(request: web.Request) -> bytes:
    kind = request.content_type if "Content-Type" in request.headers else "application/json"
    if kind != "application/json" and not kind.endswith("+json"):
        raise Problem(problems.UNSUPPORTED, "Send JSON, with Content-Type: application/json.")
    limit = request.app[SERVICE].settings.body_limit
    try:
        if request.content_length is not None and request.content_length > limit:
            raise web.HTTPRequestEntityTooLarge(limit, request.content_length)
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Problem(problems.TOO_LARGE, f"A body has at most {limit} bytes. Send less at a time.") from None


def _language(request: web.Request) -> Language:
    return "zh" if request.headers.get("Accept-Language", "").strip().lower().startswith("zh") else "en"


def _problem(error: Exception, operation: Operation) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, web.HTTPException):
        return problems.of_status(error.status)
    if isinstance(error, Overloaded | Conflict) or is_outage(error):
        if is_outage(error):
            log.error("the database did not take a call", operation=operation.name, error=type(error).__name__)
        return Problem(
            problems.UNAVAILABLE,
            "Too much is going on at the moment. Send the same request again.",
            headers={"Retry-After": str(RETRY_AFTER)},
        )
    number = uuid.uuid4().hex[:8]
    # Where, but not what the error says: it may quote what people wrote.
    where = [
        f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(error.__traceback__)[-FRAMES:]
    ]
    log.error("call failed", incident=number, operation=operation.name, error=type(error).__name__, where=where)
    return Problem(problems.FAULT, f"Tell your administrator: incident {number}.", incident=number)
