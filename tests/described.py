"""Watches every panel that runs in this process: whatever its API refuses has to be in the API's description."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from stellar.http.errors import ErrorHandlers
from stellar.http.problems import statuses
from stellar.http.request import Request
from stellar.http.router import API, Operation, Router

PROBES = {"probe", "example"}
"""Plugins of tests, which also have endpoints that say too little of themselves."""

_add, _answer = Router.add, ErrorHandlers._answer
_operations: dict[tuple[str, str], Operation] = {}
_undescribed: list[str] = []


@contextmanager
def watched() -> Iterator[None]:
    """Collect what ``undescribed`` returns."""
    with patch.object(Router, "add", _note_operations), patch.object(ErrorHandlers, "_answer", _check_answer):
        yield


def undescribed() -> list[str]:
    """The refusals since the last time that the description does not know."""
    found = list(_undescribed)
    _undescribed.clear()
    return found


def _note_operations(router: Router, plugin: str, path: str, resource: object) -> None:
    known = len(router.operations)
    _add(router, plugin, path, resource)
    for operation in router.operations[known:]:
        _operations[operation.method.upper(), path] = operation


async def _check_answer(handlers: ErrorHandlers, req: Request, resp: Any, ws: Any, found: Any, headers: Any) -> None:
    operation = _operations.get(("WEBSOCKET" if ws else req.method, req.uri_template or ""))
    if operation is not None and (ws is None or ws.unaccepted) and not _is_described(operation, found.status):
        _undescribed.append(f"{operation.method} {operation.path}: {found.status} {found.code} ({found.detail})")
    await _answer(handlers, req, resp, ws, found, headers)


def _is_described(operation: Operation, status: int) -> bool:
    """500 is for tests that break something on purpose."""
    shown = operation.path.startswith(f"{API}/") and operation.plugin not in PROBES
    return not shown or status == 500 or status in statuses(operation)
