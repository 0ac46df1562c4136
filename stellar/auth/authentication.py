"""Finding out who sends a request: the one place where credentials become an ``Actor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .. import db
from . import keys, roles, sessions
from .permissions import ADMIN, BUILTIN, Actor
from .sessions import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..extend.manager import PluginManager
    from ..http.request import Request

_plugins: PluginManager | None = None


def configure(plugins: PluginManager | None) -> None:
    """Ask these plugins about requests without a session."""
    global _plugins
    _plugins = plugins


async def authenticate(req: Request, *, public: bool) -> None:
    """Set ``req.actor`` and ``req.session`` from an API key, else the session cookie, else from what plugins say.

    Keys and plugins aren't asked about on ``public`` endpoints, which bring their own credentials or need none. A key
    that isn't valid raises, whatever else the request carries.
    """
    bearer = None if public else req.bearer_token
    if bearer is not None and bearer.startswith(keys.PREFIX):
        req.actor = await db.call(keys.actor_of, bearer, req.address, req.request_id)
        return
    token = req.session_token
    if token and (found := await sessions.look_up(token)) is not None:
        req.session, req.session_renewed = found
        if req.session.role in BUILTIN:
            req.actor = actor_of(req.session, req.address, req.request_id)
        else:
            req.actor = await db.call(actor_of, req.session, req.address, req.request_id)
        return
    if not public and _plugins is not None and _plugins.implements("authenticate"):
        actor = await db.call(_ask, _plugins, dict(req.headers_lower))
        if actor is not None:
            req.actor = _placed(actor, req)
            return
    req.actor = Actor(user_id=None, name="", kind="anonymous", address=req.address, request_id=req.request_id)


def actor_of(session: Session, address: str, request_id: str) -> Actor:
    """The actor of a session; asks the database what a custom role is made of, each time, so that it is never old."""
    return Actor(
        user_id=session.user_id,
        name=session.name,
        email=session.email,
        is_admin=session.role == ADMIN,
        kind="session",
        role=session.role,
        granted=roles.granted_by(session.role),
        session_id=session.id,
        address=address,
        request_id=request_id,
        impersonator_id=session.impersonator.id if session.impersonator else None,
        impersonator=session.impersonator.email if session.impersonator else "",
    )


def _ask(plugins: PluginManager, headers: Mapping[str, str]) -> Actor | None:
    for _, actor in plugins.each("authenticate", credentials=headers):
        if isinstance(actor, Actor):
            return actor
    return None


def _placed(actor: Actor, req: Request) -> Actor:
    return msgspec.structs.replace(actor, kind="key", address=req.address, request_id=req.request_id)
