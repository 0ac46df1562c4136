"""Errors as RFC 9457 problems, or as pages."""

from __future__ import annotations

import html
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import falcon
import falcon.asgi
import msgspec
import redis.exceptions
from falcon.asgi import WebSocket

from ..errors import DomainError, RateLimited
from .answers import encode
from .request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
SIGN_IN = "/auth/signin"
CLOSE_BASE = 4000
"""A WebSocket is closed with this plus the status that HTTP would have."""


class Problem(msgspec.Struct):
    """``code`` is stable, ``detail`` a sentence for a person, ``errors`` maps fields to what is wrong with them."""

    title: str
    status: int
    detail: str
    code: str
    request_id: str
    type: str = "about:blank"
    errors: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class ErrorPage(Protocol):
    """Renders a problem as a page."""

    def __call__(self, req: Request, problem: Problem) -> str:
        """The whole page's HTML."""
        ...


class ErrorHandlers:
    """The handlers of one application; ``page`` renders problems for people."""

    def __init__(self, page: ErrorPage | None) -> None:
        self._page = page

    def install(self, app: falcon.asgi.App[Request, falcon.asgi.Response]) -> None:
        """Handle everything that responders can raise."""
        app.add_error_handler(Exception, self._unexpected)
        app.add_error_handler(falcon.HTTPError, self._http)
        app.add_error_handler(DomainError, self._domain)
        app.add_error_handler((redis.exceptions.ConnectionError, redis.exceptions.TimeoutError), self._redis)

    async def _domain(
        self,
        req: Request,
        resp: falcon.asgi.Response | None,
        error: DomainError,
        params: dict[str, Any],
        ws: WebSocket | None = None,
    ) -> None:
        headers = {"Retry-After": str(error.retry_after)} if isinstance(error, RateLimited) else {}
        await self._answer(req, resp, ws, from_domain(req, error), headers)

    async def _http(
        self,
        req: Request,
        resp: falcon.asgi.Response | None,
        error: falcon.HTTPError,
        params: dict[str, Any],
        ws: WebSocket | None = None,
    ) -> None:
        headers = error.headers or {}
        await self._answer(req, resp, ws, _from_http(req, error), dict(headers))

    async def _redis(
        self,
        req: Request,
        resp: falcon.asgi.Response | None,
        error: Exception,
        params: dict[str, Any],
        ws: WebSocket | None = None,
    ) -> None:
        log.error("request %s: Redis does not answer: %s", req.request_id, error)
        text = "Redis does not answer; check that it runs, then try again."
        await self._answer(req, resp, ws, problem(req, 503, "redis_unavailable", text), {})

    async def _unexpected(
        self,
        req: Request,
        resp: falcon.asgi.Response | None,
        error: Exception,
        params: dict[str, Any],
        ws: WebSocket | None = None,
    ) -> None:
        log.error("request %s: %s %s failed", req.request_id, req.method, req.path, exc_info=error)
        text = f"Something went wrong here; the log says more about request {req.request_id}."
        await self._answer(req, resp, ws, problem(req, 500, "internal", text), {})

    async def _answer(
        self,
        req: Request,
        resp: falcon.asgi.Response | None,
        ws: WebSocket | None,
        found: Problem,
        headers: Mapping[str, str],
    ) -> None:
        if ws is not None:
            await end_socket(req, ws, found)
            return
        assert resp is not None
        resp.status = found.status
        resp.stream = None
        for name, value in headers.items():
            resp.set_header(name, value)
        resp.set_header("Cache-Control", "no-store")
        if found.status == 401 and _wants_page(req) and req.method == "GET":
            resp.status = 303
            resp.set_header("Location", f"{SIGN_IN}?next={quote(req.relative_uri, safe='')}")
        elif self._page is not None and _wants_page(req):
            resp.content_type = "text/html; charset=utf-8"
            resp.text = self._render(req, found)
        else:
            resp.content_type = PROBLEM
            resp.data = encode(found)

    def _render(self, req: Request, found: Problem) -> str:
        assert self._page is not None
        try:
            return self._page(req, found)
        except Exception:
            log.exception("request %s: the error page failed", req.request_id)
            return f"<!doctype html><title>{html.escape(found.title)}</title><p>{html.escape(found.detail)}</p>"


def problem(req: Request, status: int, code: str, detail: str, errors: dict[str, str] | None = None) -> Problem:
    """A problem that the request ran into."""
    return Problem(
        title=_title(status),
        status=status,
        detail=detail,
        code=code,
        request_id=req.request_id,
        errors=errors or msgspec.UNSET,
    )


def from_domain(req: Request, error: DomainError) -> Problem:
    """A broken rule as a problem."""
    return problem(req, error.status, error.code, error.message, error.fields)


async def end_socket(req: Request, ws: WebSocket, found: Problem) -> None:
    """Refuse a WebSocket with the problem's status, or tell an open one and close it with 4000 + status."""
    if ws.closed:
        return
    if ws.unaccepted:
        deny = req.scope["stellar.deny"]
        await deny(found.status, PROBLEM, encode(found))
        return
    frame = {"type": "error", "code": found.code, "message": found.detail}
    try:
        await ws.send_text(encode(frame).decode())
        await ws.close(1011 if found.status == 500 else CLOSE_BASE + found.status, found.code)
    except falcon.WebSocketDisconnected:
        return


def _wants_page(req: Request) -> bool:
    return not req.is_api


def _from_http(req: Request, error: falcon.HTTPError) -> Problem:
    status = error.status_code
    code, text = _HTTP.get(status, (HTTPStatus(status).name.lower(), error.description or error.title or ""))
    return problem(req, status, code, text)


def _title(status: int) -> str:
    return HTTPStatus(status).phrase


_HTTP = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not answer to this method."),
}
