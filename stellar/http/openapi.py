"""The OpenAPI 3.1 description of the API, from what the endpoints declare."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec

from .. import __version__
from .answers import JSON, Raw, Stream
from .csrf import HEADER
from .declaration import SIGNED_IN, Declaration
from .endpoint import endpoint
from .errors import PROBLEM, Problem
from .request import SESSION_COOKIE, Request
from .router import API, Operation

SCHEMAS = "#/components/schemas/{name}"


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
        "responses": _responses(declared, schemas),
        "security": _security(operation),
    }
    if declared.permission not in (None, SIGNED_IN):
        described["x-permission"] = declared.permission
    if declared.limit is not None:
        described["x-rate-limit"] = {"requests": declared.limit.uses, "seconds": declared.limit.seconds}
    if declared.body is not None:
        content = {JSON: {"schema": schemas[repr(declared.body)]}}
        described["requestBody"] = {"required": True, "content": content}
    if declared.uploads:
        described["requestBody"] = {"required": True, "content": {type_: _upload(type_) for type_ in declared.uploads}}
    return described


def _upload(type_: str) -> dict[str, Any]:
    if type_ != "multipart/form-data":
        return {"schema": {"type": "string", "format": "binary"}}
    files = {"type": "string", "contentMediaType": "application/octet-stream"}
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
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema["properties"].items()
    ]


def _responses(declared: Declaration, schemas: dict[str, Any]) -> dict[str, Any]:
    problem = {"description": "A problem", "content": {PROBLEM: {"schema": schemas[repr(Problem)]}}}
    if declared.is_websocket:
        return {"101": {"description": "The connection becomes a WebSocket"}, "default": problem}
    if declared.returns is None:
        return {"204": {"description": "Done"}, "default": problem}
    success: dict[str, Any] = {"description": HTTPStatus(declared.status).phrase}
    if _is_answer(declared.returns):
        success["content"] = {"*/*": {}}
    else:
        success["content"] = {JSON: {"schema": schemas[repr(declared.returns)]}}
    return {str(declared.status): success, "default": problem}


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
