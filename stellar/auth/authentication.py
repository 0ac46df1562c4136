"""Finding out who sends a request: the one place where credentials become an ``Actor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import db
from . import sessions
from .permissions import Actor
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
    """Set ``req.actor`` and ``req.session`` from the session cookie, else from what plugins say.

    Plugins aren't asked about ``public`` endpoints, which bring their own credentials or need none.
    """
    token = req.session_token
    if token and (found := await sessions.look_up(token)) is not None:
        req.session, req.session_renewed = found
        req.actor = actor_of(req.session, req.address, req.request_id)
        return
    if not public and _plugins is not None and _plugins.implements("authenticate"):
        actor = await db.call(_ask, _plugins, dict(req.headers_lower))
        if actor is not None:
            req.actor = _placed(actor, req)
            return
    req.actor = Actor(user_id=None, name="", kind="anonymous", address=req.address, request_id=req.request_id)


def actor_of(session: Session, address: str, request_id: str) -> Actor:
    """The actor of a session."""
    return Actor(
        user_id=session.user_id,
        name=session.name,
        email=session.email,
        is_admin=session.role == "admin",
        kind="session",
        session_id=session.id,
        address=address,
        request_id=request_id,
    )


def _ask(plugins: PluginManager, headers: Mapping[str, str]) -> Actor | None:
    for _, actor in plugins.each("authenticate", credentials=headers):
        if isinstance(actor, Actor):
            return actor
    return None


def _placed(actor: Actor, req: Request) -> Actor:
    return Actor(
        user_id=actor.user_id,
        name=actor.name,
        email=actor.email,
        is_admin=actor.is_admin,
        kind="key",
        address=req.address,
        request_id=req.request_id,
    )
