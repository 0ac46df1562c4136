"""The answers by which an endpoint refuses a request, for the API's description."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from .errors import PROBLEM, Problem
from .router import Operation

_PROBLEMS = {
    400: ("malformed_request", "The address contains a NUL character."),
    401: ("unauthenticated", "Sign in first."),
    403: ("forbidden", "You may not do this."),
    404: ("not_found", "There is no such thing."),
    405: ("method_not_allowed", "This address does not answer to this method."),
    408: ("request_timeout", "The body did not arrive in time."),
    409: ("conflict", "Its state does not allow this now."),
    412: ("changed", "The file was changed meanwhile: load it again."),
    413: ("too_large", "The body may have at most 262144 bytes."),
    415: ("unsupported_media_type", "Send the body as JSON, with the header Content-Type: application/json."),
    422: ("invalid", "The field name is missing."),
    429: ("rate_limited", "Too many requests; try again in 12 s."),
    503: ("redis_unavailable", "Redis does not answer; check that it runs, then try again."),
}
_SOCKET = frozenset({400, 401, 403, 404, 405, 409, 422, 429, 431, 503})
"""A WebSocket may bring a token of its own; 405 is for a request that isn't a handshake."""

_NUMBER = {"type": "integer", "minimum": 0}
_LIMIT_HEADERS = {
    "RateLimit-Limit": {"description": "How many requests the caller has in a window", "schema": _NUMBER},
    "RateLimit-Remaining": {"description": "How many are left in this one", "schema": _NUMBER},
    "RateLimit-Reset": {"description": "Seconds until it ends", "schema": _NUMBER},
}
_RETRY = {"description": "Seconds until the next request may work", "schema": _NUMBER}
_ALLOW = {"description": "The methods that work", "schema": {"type": "string"}}
_HEADERS = {405: {"Allow": _ALLOW}, 429: {"Retry-After": _RETRY, **_LIMIT_HEADERS}}


def refusals(operation: Operation) -> dict[str, Any]:
    """The responses of an operation that are problems, as references to ``components``."""
    return {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses(operation))}


def components(problem: dict[str, Any]) -> dict[str, Any]:
    """What ``refusals`` refers to; ``problem`` is the schema of ``Problem``."""
    answered = {_name(status): _response(status, problem) for status in _PROBLEMS}
    return {**answered, _name(431): {"description": "The address and headers are too large to be read; without a body"}}


def limit_headers(operation: Operation) -> dict[str, Any]:
    """The headers by which a limited operation says how much of its limit is left."""
    return _LIMIT_HEADERS if _limited(operation) else {}


def statuses(operation: Operation) -> frozenset[int]:
    """With what an operation may refuse a request."""
    declared = operation.declaration
    if declared.is_websocket:
        return _SOCKET
    found = {400, 422, 431, 503, *declared.problems}
    if declared.permission is not None:
        found |= {401, 403}
    if operation.parameters:
        found |= {404, 422}
    if declared.query is not None:
        found.add(422)
    if declared.body is not None or declared.uploads:
        found |= {408, 413, 415, 422}
    if operation.changes:
        found |= {403, 409}
    if _limited(operation):
        found.add(429)
    return frozenset(found)


def _limited(operation: Operation) -> bool:
    return operation.declaration.limit is not None or operation.changes


def _response(status: int, schema: dict[str, Any]) -> dict[str, Any]:
    code, detail = _PROBLEMS[status]
    value = msgspec.to_builtins(Problem(_phrase(status), status, detail, code, "5d41402abc4b-1a"))
    content = {PROBLEM: {"schema": schema, "examples": {code: {"value": value}}}}
    described = {"description": _phrase(status), "content": content}
    return {**described, "headers": _HEADERS[status]} if status in _HEADERS else described


def _name(status: int) -> str:
    return _phrase(status).replace(" ", "")


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
