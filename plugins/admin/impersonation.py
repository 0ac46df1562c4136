"""The API for acting as somebody else."""

from __future__ import annotations

from stellar.auth import impersonation
from stellar.auth.schemas import SessionAnswer, answer_of
from stellar.auth.sessions import IMPERSONATION_SECONDS, NewSession, ttl
from stellar.bus.ratelimit import Limit
from stellar.db import call
from stellar.extend.registry import RouteRegistrar
from stellar.http.answers import Answer, Cookie
from stellar.http.declaration import SIGNED_IN
from stellar.http.endpoint import endpoint
from stellar.http.request import SESSION_COOKIE, Request


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/admin/users/{user_id}/impersonate", Impersonation())
    routes.add("/auth/impersonation/end", End())


class Impersonation:
    """``/admin/users/{user_id}/impersonate``"""

    @endpoint(permission=impersonation.ACTION, returns=SessionAnswer, limit=Limit(30, 600))
    async def on_post(self, req: Request, user_id: str) -> Answer:
        """Act as a user who is no administrator, for an hour at most; both names are in the audit log."""
        session = req.require_session()
        begun = await call(impersonation.begin, req.actor, session, user_id, req.user_agent or "")
        return _answer(begun, IMPERSONATION_SECONDS)


class End:
    """``/auth/impersonation/end``"""

    @endpoint(permission=SIGNED_IN, returns=SessionAnswer)
    async def on_post(self, req: Request) -> Answer:
        """Return to one's own account."""
        session = req.require_session()
        return _answer(await call(impersonation.end, req.actor, session, req.user_agent or ""), ttl())


def _answer(begun: NewSession, seconds: int) -> Answer:
    cookie = Cookie(SESSION_COOKIE, begun.token, seconds)
    return Answer(answer_of(begun.session, begun.expires_at), cookies=(cookie,))
