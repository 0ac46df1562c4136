"""The account endpoints."""

from __future__ import annotations

from .. import db
from ..bus.ratelimit import Limit
from ..errors import NotFound
from ..http.answers import Answer
from ..http.declaration import SIGNED_IN
from ..http.endpoint import endpoint
from ..http.request import Request
from . import account_routes, emails, oauth_routes, passkey_routes, passkeys, proof, second_routes, sessions, signin
from .cookies import GONE, cookie_of
from .schemas import (
    ChangePassword,
    FinishSignUp,
    PasskeySignIn,
    Proof,
    SecondSignIn,
    SessionAnswer,
    SessionView,
    Setup,
    SignIn,
    SignInAnswer,
    SignUp,
    SignUpAnswer,
    answer_of,
)
from .second import SecondStep
from .sessions import NewSession


class SignInResource:
    """``/auth/signin``."""

    @endpoint(permission=None, body=SignIn, returns=SignInAnswer, limit=Limit(120, 60), problems=(401,))
    async def on_post(self, req: Request, body: SignIn) -> Answer:
        """Sign in with e-mail address and password; an account with two factors needs a second step."""
        begun = await signin.sign_in(req.actor, body.email, body.password, _agent(req))
        if isinstance(begun, SecondStep):
            return Answer(SignInAnswer(second_factor=begun))
        return await _begun(req, begun)


class SecondSignInResource:
    """``/auth/signin/second``."""

    @endpoint(permission=None, body=SecondSignIn, returns=SessionAnswer, limit=Limit(60, 60), problems=(401,))
    async def on_post(self, req: Request, body: SecondSignIn) -> Answer:
        """Finish signing in with a code of the authenticator app, or a recovery code."""
        begun = await signin.sign_in_second(req.actor, body, passkeys.place_of(req), _agent(req))
        return await _begun(req, begun)


class PasskeySignInResource:
    """``/auth/signin/passkey``."""

    @endpoint(permission=None, body=PasskeySignIn, returns=SessionAnswer, limit=Limit(60, 60), problems=(401,))
    async def on_post(self, req: Request, body: PasskeySignIn) -> Answer:
        """Sign in with nothing but a passkey."""
        place = passkeys.place_of(req)
        return await _begun(
            req, await signin.sign_in_passkey(req.actor, body.token, body.credential, place, _agent(req))
        )


class SignUpResource:
    """``/auth/signup``."""

    @endpoint(permission=None, body=SignUp, returns=SignUpAnswer, status=201, limit=Limit(10, 600))
    async def on_post(self, req: Request, body: SignUp) -> Answer:
        """Make an account, where registration is open; where the panel sends mail, a mailed link makes it."""
        begun = await signin.sign_up(req.actor, req.config, body, _agent(req))
        if begun is None:
            return Answer(SignUpAnswer(detail="A mail to this address says how to go on."))
        await db.call(emails.change, req.actor, req.config, begun.session.user_id, begun.session.email)
        return await _begun(req, begun)


class FinishSignUpResource:
    """``/auth/signup/finish``."""

    @endpoint(
        permission=None, body=FinishSignUp, returns=SessionAnswer, status=201, limit=Limit(30, 600), problems=(404,)
    )
    async def on_post(self, req: Request, body: FinishSignUp) -> Answer:
        """Make the account of a mailed link."""
        return await _begun(req, await signin.finish_sign_up(req.actor, body.token, _agent(req)))


class SetupResource:
    """``/auth/setup``."""

    @endpoint(permission=None, body=Setup, returns=SessionAnswer, status=201, limit=Limit(20, 600), problems=(404,))
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
        return Answer(cookies=(GONE,))


class ProofResource:
    """``/auth/proof``."""

    @endpoint(permission=SIGNED_IN, body=Proof, limit=Limit(30, 600))
    async def on_post(self, req: Request, body: Proof) -> None:
        """Prove again who one is, which making keys, linking accounts and deleting passkeys takes after a while."""
        await proof.give(req.actor, req.require_session(), body, passkeys.place_of(req))


class SessionResource:
    """``/auth/session``."""

    @endpoint(permission=SIGNED_IN, returns=SessionAnswer)
    async def on_get(self, req: Request) -> SessionAnswer:
        """Who is signed in, and the CSRF token."""
        session = req.require_session()
        return answer_of(session, sessions.expires_at(session))


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
    async def on_post(self, req: Request, body: ChangePassword) -> Answer:
        """Change one's own password; ends one's other sessions, and gives this one another cookie."""
        begun = await signin.change_password(req.actor, req.require_session(), body.current, body.new)
        return Answer(cookies=(cookie_of(begun),))


ROUTES: dict[str, object] = {
    "/auth/signin": SignInResource(),
    "/auth/signin/second": SecondSignInResource(),
    "/auth/signin/passkey": PasskeySignInResource(),
    **second_routes.ROUTES,
    **passkey_routes.ROUTES,
    **oauth_routes.ROUTES,
    "/auth/signup": SignUpResource(),
    "/auth/signup/finish": FinishSignUpResource(),
    "/auth/setup": SetupResource(),
    "/auth/signout": SignOutResource(),
    "/auth/proof": ProofResource(),
    "/auth/session": SessionResource(),
    "/auth/sessions": SessionsResource(),
    "/auth/sessions/{session_id}": OneSessionResource(),
    "/auth/password": PasswordResource(),
    **account_routes.ROUTES,
}


async def _begun(req: Request, begun: NewSession) -> Answer:
    if req.session is not None:
        await db.call(sessions.end, req.session.user_id, req.session.id)
    return Answer(answer_of(begun.session, begun.expires_at), cookies=(cookie_of(begun),))


def _agent(req: Request) -> str:
    return req.user_agent or ""
