"""The core's own pages."""

from __future__ import annotations

from typing import Any

import msgspec

from .. import db, mail, settings
from ..auth import links, oauth_routes, providers, setup, signups
from ..auth.second import SecondStep
from ..errors import NotFound
from ..http.answers import Answer, Html, Redirect
from ..http.declaration import SIGNED_IN
from ..http.endpoint import endpoint
from ..http.request import Request
from . import account_pages
from .site import page

HOME = "/dashboard"


class Landing:
    """``/``"""

    @endpoint(permission=None, returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """The way in: to the dashboard for whoever is signed in."""
        if req.actor.signed_in:
            return Redirect(HOME)
        return await page(req, "core/landing.html", setup_needed=await db.call(setup.needed))


class NextQuery(msgspec.Struct):
    """``next`` is where to go after signing in."""

    next: str = HOME


class SignInPage:
    """``/auth/signin``"""

    @endpoint(permission=None, query=NextQuery, returns=Html)
    async def on_get(self, req: Request, query: NextQuery) -> Answer:
        """The form to sign in with."""
        target = oauth_routes.local(query.next)
        if req.actor.signed_in:
            return Redirect(target)
        is_open = await db.call(settings.get, settings.OPEN_REGISTRATION)
        return await _sign_in_page(req, target, is_open)


async def second_step(req: Request, step: SecondStep, target: str) -> Html:
    """The sign-in page at its second step, for who comes back from signing in elsewhere."""
    return await _sign_in_page(req, target, False, step)


async def _sign_in_page(req: Request, target: str, is_open: bool, step: SecondStep | None = None) -> Html:
    ways = providers.configured(req.config)
    return await page(req, "core/signin.html", next_url=target, open_registration=is_open, step=step, providers=ways)


class SignUpPage:
    """``/auth/signup``"""

    @endpoint(permission=None, query=NextQuery, returns=Html)
    async def on_get(self, req: Request, query: NextQuery) -> Answer:
        """The form to make an account with, where registration is open."""
        target = oauth_routes.local(query.next)
        if req.actor.signed_in:
            return Redirect(target)
        if not await db.call(settings.get, settings.OPEN_REGISTRATION):
            raise NotFound("Registration is closed on this panel; ask an administrator for an account.")
        return await page(req, "core/signup.html", next_url=target, mail_enabled=mail.enabled(req.config))


class ForgotPage:
    """``/auth/forgot``"""

    @endpoint(permission=None, returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """The form to ask for a new password with."""
        return await page(req, "core/forgot.html", mail_enabled=mail.enabled(req.config))


class TokenQuery(msgspec.Struct):
    """``token`` comes with the link."""

    token: str = ""


class ResetPage:
    """``/auth/reset``"""

    @endpoint(permission=None, query=TokenQuery, returns=Html)
    async def on_get(self, req: Request, query: TokenQuery) -> Answer:
        """The form for a new password, behind a reset link."""
        await db.call(links.find, links.RESET, query.token)
        return await _unreferred(req, "core/reset.html", query.token)


class FinishSignUpPage:
    """``/auth/signup/finish``"""

    @endpoint(permission=None, query=TokenQuery, returns=Html)
    async def on_get(self, req: Request, query: TokenQuery) -> Answer:
        """The button behind the link to a new account: programs that look at links in mails press none."""
        wanted = await db.call(signups.find, query.token)
        target = oauth_routes.local(wanted.next)
        return await _unreferred(req, "core/signup_finish.html", query.token, email=wanted.email, next_url=target)


class ConfirmPage:
    """``/auth/confirm``"""

    @endpoint(permission=None, query=TokenQuery, returns=Html)
    async def on_get(self, req: Request, query: TokenQuery) -> Answer:
        """The button behind a confirmation link: programs that look at links in mails press none."""
        link = await db.call(links.find, links.EMAIL, query.token)
        return await _unreferred(req, "core/confirm.html", query.token, email=link.email)


class SetupQuery(msgspec.Struct):
    """``token`` comes with the set-up link."""

    token: str = ""


class SetupPage:
    """``/setup``"""

    @endpoint(permission=None, query=SetupQuery, returns=Html)
    async def on_get(self, req: Request, query: SetupQuery) -> Answer:
        """The form for the first account."""
        if not await db.call(setup.needed):
            return Redirect(HOME if req.actor.signed_in else "/auth/signin")
        await db.call(setup.check, query.token)
        return await _unreferred(req, "core/setup.html", query.token)


class Dashboard:
    """``/dashboard``"""

    @endpoint(permission=SIGNED_IN, returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """Everything at a glance; plugins fill it."""
        return await page(req, "core/dashboard.html")


PAGES: dict[str, object] = {
    "/": Landing(),
    "/auth/signin": SignInPage(),
    "/auth/signup": SignUpPage(),
    "/auth/signup/finish": FinishSignUpPage(),
    "/auth/forgot": ForgotPage(),
    "/auth/reset": ResetPage(),
    "/auth/confirm": ConfirmPage(),
    "/setup": SetupPage(),
    "/dashboard": Dashboard(),
    **account_pages.PAGES,
    **oauth_routes.PAGES,
}


async def _unreferred(req: Request, template: str, token: str, **variables: Any) -> Html:
    """A page whose address holds a token, which must not travel to another page in a Referer header."""
    answer = await page(req, template, token=token, **variables)
    answer.headers = {**answer.headers, "Referrer-Policy": "no-referrer"}
    return answer
