"""Watches every panel that runs in this process: whatever its API answers has to be in the API's description."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any
from unittest.mock import patch

import msgspec
from falcon.asgi import Response

from stellar.http.answers import Raw, Stream
from stellar.http.errors import ErrorHandlers, Problem
from stellar.http.problems import statuses
from stellar.http.request import Request
from stellar.http.router import API, Operation, Router

PROBES = {"probe", "example"}
"""Plugins of tests, which also have endpoints that say too little of themselves."""

_endpoint = import_module("stellar.http.endpoint")
_add, _refuse, _succeed = Router.add, ErrorHandlers._answer, _endpoint.answer
operations: dict[tuple[str, str], Operation] = {}
"""By method and template; what panels of this process have served."""
_undescribed: list[str] = []


@contextmanager
def watched() -> Iterator[None]:
    """Collect what ``undescribed`` returns."""
    with (
        patch.object(Router, "add", _note_operations),
        patch.object(ErrorHandlers, "_answer", _check_refusal),
        patch.object(_endpoint, "answer", _check_success),
    ):
        yield


def undescribed() -> list[str]:
    """The answers since the last time that are not as described."""
    found = list(_undescribed)
    _undescribed.clear()
    return found


def _note_operations(router: Router, plugin: str, path: str, resource: object) -> None:
    known = len(router.operations)
    _add(router, plugin, path, resource)
    for operation in router.operations[known:]:
        operations[operation.method.upper(), path] = operation


async def _check_refusal(
    handlers: ErrorHandlers, req: Request, resp: Response | None, ws: Any, problem: Problem, headers: Any
) -> None:
    operation = _asked_for("WEBSOCKET" if ws else req.method, req.uri_template)
    # 500 is for tests that break something on purpose.
    if operation is not None and (ws is None or ws.unaccepted) and problem.status not in {500, *statuses(operation)}:
        _note(operation, f"{problem.status} {problem.code}: {problem.detail}")
    await _refuse(handlers, req, resp, ws, problem, headers)


def _check_success(req: Request, resp: Response, value: Any, status: int) -> None:
    _succeed(req, resp, value, status)
    operation = _asked_for(req.method, req.uri_template)
    if operation is None:
        return
    declared = operation.declaration
    expected = 204 if declared.returns is None else declared.status
    if resp.status_code != expected:
        _note(operation, f"{resp.status_code}, not {expected}")
    if declared.returns in (Raw, Stream):
        if str(resp.content_type).partition(";")[0] not in declared.downloads:
            _note(operation, str(resp.content_type))
    elif declared.returns is not None and resp.data is not None:
        try:
            _decoder(declared.returns).decode(resp.data)
        except msgspec.ValidationError as error:
            _note(operation, f"{error}: {resp.data[:500]!r}")


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    """What takes what the type's schema in the description takes."""
    return msgspec.json.Decoder(type_)


def _asked_for(method: str, template: str | None) -> Operation | None:
    found = operations.get((method, template or ""))
    return found if found and found.path.startswith(f"{API}/") and found.plugin not in PROBES else None


def _note(operation: Operation, what: str) -> None:
    _undescribed.append(f"{operation.method.upper()} {operation.path}: {what}")
