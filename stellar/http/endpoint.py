"""The declaration that every responder carries, and what is enforced because of it before the responder runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import falcon.asgi
import msgspec

from .. import audit as audit_log
from .. import db
from ..auth import authentication, permissions, sessions
from ..bus.ratelimit import Limit
from ..errors import Forbidden
from .answers import Answer, Cookie, answer
from .body import check_path, parse_query, read_json, refuse_query
from .csrf import SAFE_METHODS, check_origin, check_token
from .declaration import ATTRIBUTE, MAX_BODY, SIGNED_IN, Declaration, describe
from .ratelimits import CREATES, WRITES, enforce_limit
from .request import SESSION_COOKIE, Request
from .router import API

Responder = Callable[..., Awaitable[Any]]

_CREATED = 201
_LEFT_READING = ("/auth/session", "/auth/sessions", "/auth/signin")
_LEFT_CHANGING = ("/auth/signout", "/auth/impersonation/end")


def endpoint(
    *,
    permission: str | None,
    body: Any = None,
    query: type[msgspec.Struct] | None = None,
    returns: Any = None,
    status: int = 200,
    limit: Limit | None = None,
    audit: str | None = None,
    max_body: int = MAX_BODY,
    csrf: bool = True,
    summary: str = "",
    keys: bool = False,
    uploads: tuple[str, ...] = (),
    downloads: tuple[str, ...] = (),
    problems: tuple[int, ...] = (),
) -> Callable[[Responder], Responder]:
    """Declare a responder ``async def on_post(self, req, *, body, query, **path_parameters)``.

    ``permission`` is an action, ``"signed_in"``, or None for everybody. ``body`` and ``query`` are msgspec types and
    arrive as keyword arguments; a struct in a body has to forbid unknown fields. The responder returns a struct, a
    list, None (204) or an ``Answer`` (``Raw``, ``Html``, ``Redirect``, ``Stream``). ``status`` is that of success.
    ``limit`` counts per account; per address for callers who aren't signed in, and on public endpoints. ``audit`` is
    the action recorded after success. ``max_body`` is in bytes. Cookie requests that change something need the CSRF
    token unless ``csrf`` is False. API keys reach ``"signed_in"`` endpoints only with ``keys``: they have no scope
    that says so.
    ``uploads`` are the media types of a body that the responder reads itself, ``downloads`` those of a ``Raw`` or
    ``Stream`` that it returns. ``problems`` are the statuses of refusals that the rest of the declaration doesn't
    imply (see ``problems.py``), such as the 401 of a public endpoint; they are described, not enforced.
    """
    _check_body_type(body)

    def decorate(function: Responder) -> Responder:
        name, doc = describe(function)
        declared = Declaration(
            permission,
            body,
            query,
            returns,
            status,
            limit,
            audit,
            max_body,
            csrf,
            name,
            summary or doc,
            keys=keys,
            uploads=uploads,
            downloads=downloads,
            problems=problems,
        )

        @wraps(function)
        async def responder(self: Any, req: Request, resp: falcon.asgi.Response, **parameters: Any) -> None:
            await _admit(declared, req, resp)
            arguments = dict(parameters)
            if query is not None:
                arguments["query"] = parse_query(req, query)
            elif req.query_string and req.path.startswith(API):
                refuse_query(req)
            if body is not None:
                arguments["body"] = await read_json(req, body, max_body)
            value = await function(self, req, **arguments)
            if audit is not None:
                await _record(audit, req, parameters, value)
            answer(req, resp, value, status)
            if req.session_renewed and not (isinstance(value, Answer) and value.cookies):
                _renew_cookie(req, resp)

        setattr(responder, ATTRIBUTE, declared)
        return responder

    return decorate


async def authorise(req: Request, permission: str | None, *, keys: bool = False) -> None:
    """Find out who asks, and raise ``Unauthenticated`` or ``Forbidden`` unless they have the permission.

    ``keys``: whether being signed in by an API key is enough where being signed in is.
    """
    await authentication.authenticate(req, public=permission is None)
    if permission is None:
        return
    if not req.actor.signed_in:
        raise permissions.refusal(req.actor)
    if permission == SIGNED_IN:
        if req.actor.scopes is not None and not keys:
            req.require_session()
        return
    if permissions.hooked():
        may = await db.call(permissions.may_try, req.actor, permission)
    else:
        may = permissions.may_try(req.actor, permission)
    if not may:
        raise permissions.refusal(req.actor, permission)


async def _admit(declared: Declaration, req: Request, resp: falcon.asgi.Response) -> None:
    check_path(req)
    await authorise(req, declared.permission, keys=declared.keys)
    if req.actor.impersonator_id is not None:
        _spare_account(req)
    changes = req.method not in SAFE_METHODS
    if (counted := _counted(declared, changes)) is not None:
        await enforce_limit(req, resp, *counted, public=declared.permission is None)
    if not changes or req.actor.kind == "key":
        return
    check_origin(req)
    if declared.csrf and declared.permission is not None and req.session is not None:
        check_token(req)


def _counted(declared: Declaration, changes: bool) -> tuple[str, Limit] | None:
    """What is counted, and how much of it there may be."""
    if declared.limit is not None:
        return declared.name, declared.limit
    if not changes:
        return None
    return (declared.name, CREATES) if declared.status == _CREATED else ("writes", WRITES)


def _spare_account(req: Request) -> None:
    """Whoever acts as somebody else changes nothing that belongs to the person: password, keys, second factor."""
    path = req.path.removeprefix(API)
    if path.startswith("/auth/"):
        refused = path not in (_LEFT_READING if req.method in SAFE_METHODS else _LEFT_CHANGING)
    else:
        refused = path.startswith("/users/me") and req.method not in SAFE_METHODS
    if refused:
        raise Forbidden("You act as somebody else; end that first.", code="impersonating")


def _renew_cookie(req: Request, resp: falcon.asgi.Response) -> None:
    if (token := req.session_token) is not None:
        Cookie(SESSION_COOKIE, token, sessions.ttl()).apply(req, resp)


async def _record(action: str, req: Request, parameters: dict[str, Any], value: Any) -> None:
    target = next(iter(parameters.values()), None) or getattr(value, "id", None)
    await db.call(
        audit_log.record,
        req.actor,
        action,
        target_type=action.split(".", 1)[0],
        target_id=None if target is None else str(target),
    )


def _check_body_type(type_: Any) -> None:
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        config = type_.__struct_config__
        if not config.forbid_unknown_fields:
            raise TypeError(f"{type_.__qualname__} is a request body: declare it with forbid_unknown_fields=True")
