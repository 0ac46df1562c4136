"""The API for acting as somebody else."""

from __future__ import annotations

from stellar.auth import impersonation
from stellar.auth.cookies import cookie_of
from stellar.auth.schemas import SessionAnswer, answer_of
from stellar.auth.sessions import NewSession
from stellar.bus.ratelimit import Limit
from stellar.db import call
from stellar.extend.registry import RouteRegistrar
from stellar.http.answers import Answer
from stellar.http.declaration import SIGNED_IN
from stellar.http.endpoint import endpoint
from stellar.http.request import Request


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
        return _answer(await call(impersonation.begin, req.actor, session, user_id, req.user_agent or ""))


class End:
    """``/auth/impersonation/end``"""

    @endpoint(permission=SIGNED_IN, returns=SessionAnswer)
    async def on_post(self, req: Request) -> Answer:
        """Return to one's own account."""
        session = req.require_session()
        return _answer(await call(impersonation.end, req.actor, session, req.user_agent or ""))


def _answer(begun: NewSession) -> Answer:
    return Answer(answer_of(begun.session, begun.expires_at), cookies=(cookie_of(begun),))
