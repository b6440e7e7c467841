"""The OpenAPI 3.1 document, written from the same declarations that serve the calls: it cannot say anything else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from bot.api.operation import File, Nothing, Operation
from bot.api.problems import MEDIA_TYPE, ProblemBody
from bot.api.repeats import HEADER
from bot.api.tokens import SCOPES

_REF = "#/components/schemas/{model}"
_VARIABLE = re.compile(r"\{(\w+)(?::((?:[^{}]|\{[^{}]*\})+))?\}")  # aiohttp's {name:pattern}
_EVERY = (400, 401, 403, 500, 503)
_POSTED = (413, 415, 422)
_REASONS: Mapping[int, str] = {
    400: "The request cannot be read, or a parameter is wrong.",
    401: "No valid token.",
    403: "The token lacks the scope.",
    404: "There is no such thing.",
    409: "It does not fit the present state.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A value is wrong: `errors` says which.",
    500: "Something went wrong on our side.",
    503: "Not at the moment: send it again after Retry-After.",
}


def document(operations: Sequence[Operation], address: str) -> dict[str, Any]:
    """The document of these operations, served at `address`."""
    return _document(tuple(operations)) | {"servers": [{"url": f"{address}/api/v1"}]}


@cache
def _document(operations: tuple[Operation, ...]) -> dict[str, Any]:
    schemas, components = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = _VARIABLE.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Earful",
            "version": version("earful"),
            "summary": "Hears every customer on every channel.",
            "description": (
                "Lists are cut in pages, the newest first; `next` is the cursor of the next one. Errors are problem "
                "details (RFC 9457). Times are RFC 3339, with their zone."
            ),
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"Made with `earful token add`. Scopes: {', '.join(SCOPES)}.",
                }
            },
        },
    }


Schemas = Mapping[tuple[Any, JsonSchemaMode], Mapping[str, Any]]


def _schemas(operations: Sequence[Operation]) -> tuple[Schemas, dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ProblemBody, "serialization"): None}
    for operation in operations:
        if operation.answer is not File:
            wanted[operation.answer, "serialization"] = None
        if operation.method == "POST":
            wanted[operation.body, "validation"] = None
    found, definitions = models_json_schema(list(wanted), ref_template=_REF)
    return found, definitions.get("$defs", {})


def _operation(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": [{"token": [operation.scope]}],
        "parameters": [*_path(operation), *_query(operation), *_headers(operation)],
        "responses": {
            str(operation.status): {
                "description": " ".join((operation.answer.__doc__ or "Done.").split()),
                "content": {operation.media.partition(";")[0]: {"schema": _answered(operation, schemas)}},
            }
        },
    }
    if operation.description:
        described["description"] = operation.description
    if operation.method == "POST":
        schema = schemas[operation.body, "validation"]
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    problem = {MEDIA_TYPE: {"schema": schemas[ProblemBody, "serialization"]}}
    own = (*operation.problems, *(_POSTED if operation.method == "POST" else ()))
    for status in sorted({*_EVERY, *own}):
        described["responses"][str(status)] = {"description": _REASONS[status], "content": problem}
    return described


def _answered(operation: Operation, schemas: Schemas) -> Mapping[str, Any]:
    return {} if operation.answer is File else schemas[operation.answer, "serialization"]


def _path(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": f"^{pattern}$"}}
        for name, pattern in _VARIABLE.findall(operation.path)
    ]


def _query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is Nothing:
        return []
    schema = operation.query.model_json_schema(ref_template=_REF)
    parameters: list[dict[str, Any]] = []
    for name, each in schema["properties"].items():
        shown = {key: value for key, value in each.items() if key not in ("title", "description", "default")}
        chosen = [option for option in shown.pop("anyOf", ()) if option.get("type") != "null"]
        if chosen:
            shown |= chosen[0]  # a parameter is left out, never null
        if each.get("default") is not None:
            shown["default"] = each["default"]
        parameter = {"name": name, "in": "query", "required": False, "schema": shown}
        if "description" in each:
            parameter["description"] = each["description"]
        parameters.append(parameter)
    return parameters


def _headers(operation: Operation) -> list[dict[str, Any]]:
    if operation.method != "POST" or operation.secret:
        return []
    return [
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "description": "The same request sent again under the same key, within a day, is done once.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }
    ]
