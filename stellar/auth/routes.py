"""The account endpoints."""

from __future__ import annotations

from .. import db
from ..bus.ratelimit import Limit
from ..errors import NotFound
from ..http.answers import Answer, Cookie
from ..http.declaration import SIGNED_IN
from ..http.endpoint import endpoint
from ..http.request import SESSION_COOKIE, Request
from . import sessions, signin, users
from .schemas import (
    ChangePassword,
    ChangeProfile,
    SessionAnswer,
    SessionView,
    Setup,
    SignIn,
    SignUp,
    UserView,
    answer_of,
    view_of,
)
from .sessions import NewSession


class SignInResource:
    """``/auth/signin``."""

    @endpoint(permission=None, body=SignIn, returns=SessionAnswer, limit=Limit(120, 60))
    async def on_post(self, req: Request, body: SignIn) -> Answer:
        """Sign in with e-mail address and password."""
        return await _begun(req, await signin.sign_in(req.actor, body.email, body.password, _agent(req)))


class SignUpResource:
    """``/auth/signup``."""

    @endpoint(permission=None, body=SignUp, returns=SessionAnswer, status=201, limit=Limit(10, 600))
    async def on_post(self, req: Request, body: SignUp) -> Answer:
        """Make an account, where registration is open."""
        begun = await signin.sign_up(req.actor, body, _agent(req))
        return await _begun(req, begun)


class SetupResource:
    """``/auth/setup``."""

    @endpoint(permission=None, body=Setup, returns=SessionAnswer, status=201, limit=Limit(20, 600))
    async def on_post(self, req: Request, body: Setup) -> Answer:
        """Make the first account, with the token of the set-up link."""
        begun = await signin.set_up(req.actor, body, _agent(req))
        return await _begun(req, begun)


class SignOutResource:
    """``/auth/signout``."""

    @endpoint(permission=SIGNED_IN, audit="auth.signout")
    async def on_post(self, req: Request) -> Answer:
        """End this session."""
        session = req.require_session()
        await db.call(sessions.end, session.user_id, session.id)
        return Answer(cookies=(Cookie(SESSION_COOKIE, "", 0),))


class SessionResource:
    """``/auth/session``."""

    @endpoint(permission=SIGNED_IN, returns=SessionAnswer)
    async def on_get(self, req: Request) -> SessionAnswer:
        """Who is signed in, and the CSRF token."""
        return answer_of(req.require_session(), sessions.expires_at())


class SessionsResource:
    """``/auth/sessions``."""

    @endpoint(permission=SIGNED_IN, returns=list[SessionView])
    async def on_get(self, req: Request) -> list[SessionView]:
        """One's own sessions, the newest first."""
        found = await db.call(sessions.list_for, req.require_session().user_id)
        return [
            SessionView(one.id, one.created_at, one.address, one.user_agent, one.id == req.actor.session_id)
            for one in found
        ]


class OneSessionResource:
    """``/auth/sessions/{session_id}``."""

    @endpoint(permission=SIGNED_IN, audit="session.end")
    async def on_delete(self, req: Request, session_id: str) -> None:
        """End one of one's own sessions."""
        if not await db.call(sessions.end, req.require_session().user_id, session_id):
            raise NotFound("There is no such session.")


class PasswordResource:
    """``/auth/password``."""

    @endpoint(permission=SIGNED_IN, body=ChangePassword, audit="auth.password_change", limit=Limit(20, 600))
    async def on_post(self, req: Request, body: ChangePassword) -> None:
        """Change one's own password; ends one's other sessions."""
        req.require_session()
        await signin.change_password(req.actor, body.current, body.new)


class MeResource:
    """``/users/me``."""

    @endpoint(permission=SIGNED_IN, returns=UserView)
    async def on_get(self, req: Request) -> UserView:
        """One's own account."""
        assert req.actor.user_id is not None
        return view_of(await db.call(users.get, req.actor.user_id))

    @endpoint(permission=SIGNED_IN, body=ChangeProfile, returns=UserView, audit="user.change_profile")
    async def on_patch(self, req: Request, body: ChangeProfile) -> UserView:
        """Change one's own name and preferences."""
        assert req.actor.user_id is not None
        changed = await db.call(
            users.update_profile, req.actor.user_id, name=body.name, theme=body.theme, locale=body.locale
        )
        return view_of(changed)


ROUTES: dict[str, object] = {
    "/auth/signin": SignInResource(),
    "/auth/signup": SignUpResource(),
    "/auth/setup": SetupResource(),
    "/auth/signout": SignOutResource(),
    "/auth/session": SessionResource(),
    "/auth/sessions": SessionsResource(),
    "/auth/sessions/{session_id}": OneSessionResource(),
    "/auth/password": PasswordResource(),
    "/users/me": MeResource(),
}


async def _begun(req: Request, begun: NewSession) -> Answer:
    if req.session is not None:
        await db.call(sessions.end, req.session.user_id, req.session.id)
    cookie = Cookie(SESSION_COOKIE, begun.token, sessions.ttl())
    return Answer(answer_of(begun.session, begun.expires_at), cookies=(cookie,))


def _agent(req: Request) -> str:
    return req.user_agent or ""
