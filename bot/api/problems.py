"""Errors as RFC 9457 problem details: every refusal of the API says what is wrong, and with which value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

MEDIA_TYPE = "application/problem+json"
ERRORS_SHOWN = 50


class ProblemError(BaseModel):
    """One thing that is wrong."""

    detail: str = Field(description="What is wrong with it.")
    pointer: str | None = Field(
        None, description="Where in the body, as a JSON pointer: #/customer/addresses/0/channel"
    )
    parameter: str | None = Field(None, description="Or which parameter of the query.")


class ProblemBody(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="The kind of problem: a stable name, not an address to visit.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What went wrong this time, and what to do.")
    errors: list[ProblemError] | None = Field(None, description="Each wrong value.")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem. `slug` is stable: callers may decide by it."""

    status: int
    slug: str
    title: str


MALFORMED = Kind(400, "malformed", "The request cannot be read")
BAD_PARAMETER = Kind(400, "bad-parameter", "A parameter is wrong")
UNAUTHORIZED = Kind(401, "unauthorized", "No valid token")
FORBIDDEN = Kind(403, "forbidden", "The token lacks a scope")
NOT_FOUND = Kind(404, "not-found", "There is no such thing")
METHOD_NOT_ALLOWED = Kind(405, "method-not-allowed", "This cannot be done here")
CONFLICT = Kind(409, "conflict", "It does not fit the present state")
TOO_LARGE = Kind(413, "too-large", "The body is too large")
UNSUPPORTED = Kind(415, "unsupported-media-type", "The body is not JSON")
INVALID = Kind(422, "invalid", "A value is wrong")
KEY_REUSED = Kind(422, "idempotency-key-reused", "The Idempotency-Key belongs to another request")
FAULT = Kind(500, "fault", "Something went wrong on our side")
UNAVAILABLE = Kind(503, "unavailable", "Not at the moment")


class Problem(Exception):
    """Ends a call. `more` is added to the problem's members, `headers` to the answer's."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: Iterable[ProblemError] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(kind.slug)
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> web.Response:
        body: dict[str, Any] = {
            "type": f"urn:earful:problem:{self.kind.slug}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [error.model_dump(exclude_none=True) for error in self.errors]
        return web.Response(
            status=self.kind.status,
            # ASCII: whatever was sent and is named here, a lone surrogate too, can be written.
            body=json.dumps(body | self.more).encode(),
            headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **self.headers},
        )


def at(pointer: str, detail: str) -> Problem:
    """The body's value at `pointer` ("/customer/id") is wrong."""
    return Problem(INVALID, detail, errors=[ProblemError(detail=detail, pointer=f"#{pointer}", parameter=None)])


def in_body(error: ValidationError) -> Problem:
    """What is wrong with a body. JSON that cannot be read is 400, JSON that says something impossible 422."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found and found[0]["type"] == "json_invalid":
        return Problem(MALFORMED, f"The body is not JSON. {found[0]['msg']}")
    errors = [
        ProblemError(
            detail=_said(each), pointer="#" + "".join(f"/{_escaped(part)}" for part in each["loc"]), parameter=None
        )
        for each in found[:ERRORS_SHOWN]
    ]
    return Problem(INVALID, f"{errors[0].pointer}: {errors[0].detail}", errors=errors)


def in_query(error: ValidationError) -> Problem:
    """What is wrong with the parameters of a query."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    errors = [
        ProblemError(detail=_said(each), pointer=None, parameter=".".join(str(part) for part in each["loc"]))
        for each in found[:ERRORS_SHOWN]
    ]
    return Problem(BAD_PARAMETER, f"{errors[0].parameter}: {errors[0].detail}", errors=errors)


def of_status(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem for a refusal of the server itself."""
    known = {kind.status: kind for kind in (MALFORMED, NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LARGE, UNSUPPORTED, FAULT)}
    phrase = HTTPStatus(status).phrase
    kind = known.get(status) or Kind(status, phrase.lower().replace(" ", "-"), phrase)
    return Problem(kind, f"{kind.title}.", headers=headers)


def _said(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "There is no such field"
    if error["type"] == "missing":
        return "This field is needed"
    return error["msg"].removeprefix("Value error, ")


def _escaped(part: int | str) -> str:
    """As RFC 6901 writes it, in a URI's fragment."""
    return str(part).replace("~", "~0").replace("/", "~1")
