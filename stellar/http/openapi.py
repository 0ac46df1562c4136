"""The OpenAPI 3.1 description of the API, from what the endpoints declare."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec

from .. import __version__
from .answers import JSON, Raw, Stream
from .body import SAFE
from .csrf import HEADER
from .declaration import SIGNED_IN, Declaration
from .endpoint import endpoint
from .errors import Problem
from .examples import example
from .problems import components as problem_components
from .problems import limit_headers, refusals
from .request import SESSION_COOKIE, Request
from .router import API, Operation

SCHEMAS = "#/components/schemas/{name}"
OCTETS = "application/octet-stream"


class OpenApiResource:
    """``/openapi.json``."""

    def __init__(self, operations: list[Operation]) -> None:
        self._operations = operations
        self._document: Raw | None = None

    @endpoint(permission=None, returns=dict[str, Any])
    async def on_get(self, req: Request) -> Raw:
        """This description."""
        if self._document is None:
            self._document = Raw(msgspec.json.encode(describe_api(self._operations)), JSON)
        return self._document


def describe_api(operations: list[Operation]) -> dict[str, Any]:
    """The document for the operations below ``/api/v1``."""
    shown = [operation for operation in operations if operation.path.startswith(f"{API}/")]
    schemas, components = msgspec.json.schema_components(_types(shown), ref_template=SCHEMAS)
    by_type = dict(zip(map(repr, _types(shown)), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in sorted(shown, key=lambda one: one.path):
        method = "get" if operation.method == "websocket" else operation.method
        path = re.sub(r":[^}]*}", "}", operation.path)
        paths.setdefault(path, {})[method] = _operation(operation, by_type, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stellar", "version": __version__, "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": problem_components(by_type[repr(Problem)]),
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
                "csrf": {"type": "apiKey", "in": "header", "name": HEADER},
                "key": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _types(operations: list[Operation]) -> list[Any]:
    found: dict[str, Any] = {repr(Problem): Problem}
    for declared in (operation.declaration for operation in operations):
        for type_ in (declared.body, declared.returns):
            if type_ is not None and not _is_answer(type_):
                found[repr(type_)] = type_
    return list(found.values())


def _operation(operation: Operation, schemas: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    declared = operation.declaration
    described: dict[str, Any] = {
        "operationId": _identifier(operation),
        "summary": declared.summary,
        "tags": [operation.plugin],
        "parameters": [*_path_parameters(operation), *_query_parameters(declared, components)],
        "responses": {**_success(operation, schemas), **refusals(operation)},
        "security": _security(operation),
    }
    if declared.permission not in (None, SIGNED_IN):
        described["x-permission"] = declared.permission
    if declared.limit is not None:
        described["x-rate-limit"] = {"requests": declared.limit.uses, "seconds": declared.limit.seconds}
    if declared.body is not None:
        described["requestBody"] = {"required": True, "content": _json(declared.body, schemas)}
    if declared.uploads:
        content = {type_: _upload(type_) for type_ in declared.uploads}
        # An empty file is a file, too.
        described["requestBody"] = {"required": OCTETS not in content, "content": content}
    return described


def _upload(type_: str) -> dict[str, Any]:
    if type_ == JSON:
        return {"schema": {"type": "object"}}
    if type_ != "multipart/form-data":
        return {"schema": {"type": "string", "format": "binary"}}
    files = {"type": "string", "contentMediaType": OCTETS}
    return {"schema": {"type": "object", "minProperties": 1, "additionalProperties": files}}


def _identifier(operation: Operation) -> str:
    words = re.findall(r"[A-Za-z0-9]+", operation.path.removeprefix(API))
    return "_".join([operation.method, *words])


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in operation.parameters
    ]


def _query_parameters(declared: Declaration, components: dict[str, Any]) -> list[dict[str, Any]]:
    if declared.query is None:
        return []
    _, found = msgspec.json.schema_components([declared.query], ref_template=SCHEMAS)
    schema = found.pop(declared.query.__name__)
    components.update(found)
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _parameter(field)}
        for name, field in schema["properties"].items()
    ]


def _parameter(schema: dict[str, Any]) -> dict[str, Any]:
    """What ``parse_query`` takes: a parameter is left out rather than null, and an integer has a size."""
    options = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    described = {key: value for key, value in schema.items() if key != "anyOf" and value is not None}
    if len(options) == 1:
        return _parameter({**options[0], **described})
    if options:
        return {**described, "anyOf": options}
    if described.get("type") != "integer":
        return described
    least, most = described.get("minimum", -SAFE), described.get("maximum", SAFE)
    return {**described, "minimum": max(-SAFE, least), "maximum": min(SAFE, most)}


def _success(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    declared = operation.declaration
    if declared.is_websocket:
        return {"101": {"description": "The connection becomes a WebSocket"}}
    status = 204 if declared.returns is None else declared.status
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if headers := limit_headers(operation):
        described["headers"] = headers
    if _is_answer(declared.returns):
        described["content"] = {type_: {} for type_ in declared.downloads or ("*/*",)}
    elif declared.returns is not None:
        described["content"] = _json(declared.returns, schemas)
    return {str(status): described}


def _json(type_: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    return {JSON: {"schema": schemas[repr(type_)], "examples": {"default": {"value": example(type_)}}}}


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.declaration.permission is None:
        return []
    if operation.declaration.permission == SIGNED_IN and not operation.declaration.keys:
        return [{"session": []} if operation.method in ("get", "websocket") else {"session": [], "csrf": []}]
    if operation.method in ("get", "websocket") or not operation.declaration.csrf:
        return [{"session": []}, {"key": []}]
    return [{"session": [], "csrf": []}, {"key": []}]


def _is_answer(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, (Raw, Stream))
