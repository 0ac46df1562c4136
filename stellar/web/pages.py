"""The core's own pages."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from .. import db, settings
from ..auth import sessions, setup, users
from ..auth.schemas import view_of
from ..errors import NotFound
from ..http.answers import Answer, Html, Redirect
from ..http.declaration import SIGNED_IN
from ..http.endpoint import endpoint
from ..http.request import Request
from .site import page

HOME = "/dashboard"

_SYSTEMS = (("iPhone|iPad", "iOS"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "macOS"))
_BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrom(?:e|ium)/", "Chrome"), ("Safari/", "Safari"))


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
        target = _local(query.next)
        if req.actor.signed_in:
            return Redirect(target)
        is_open = await db.call(settings.get, settings.OPEN_REGISTRATION)
        return await page(req, "core/signin.html", next_url=target, open_registration=is_open)


class SignUpPage:
    """``/auth/signup``"""

    @endpoint(permission=None, returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """The form to make an account with, where registration is open."""
        if req.actor.signed_in:
            return Redirect(HOME)
        if not await db.call(settings.get, settings.OPEN_REGISTRATION):
            raise NotFound("Registration is closed on this panel; ask an administrator for an account.")
        return await page(req, "core/signup.html")


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
        # The token must not travel to another page in a Referer header.
        answer = await page(req, "core/setup.html", token=query.token)
        answer.headers = {**answer.headers, "Referrer-Policy": "no-referrer"}
        return answer


class Dashboard:
    """``/dashboard``"""

    @endpoint(permission=SIGNED_IN, returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """Everything at a glance; plugins fill it."""
        return await page(req, "core/dashboard.html")


class SessionRow(msgspec.Struct):
    """A session as the settings page shows it."""

    id: str
    device: str
    address: str
    created_at: datetime
    current: bool


class Settings:
    """``/settings``"""

    @endpoint(permission=SIGNED_IN, returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """One's own account."""
        session = req.require_session()
        user = await db.call(users.get, session.user_id)
        found = await db.call(sessions.list_for, session.user_id)
        rows = [
            SessionRow(one.id, device(one.user_agent), one.address, one.created_at, one.id == session.id)
            for one in found
        ]
        return await page(req, "core/settings.html", user=view_of(user), sessions=rows)


PAGES: dict[str, object] = {
    "/": Landing(),
    "/auth/signin": SignInPage(),
    "/auth/signup": SignUpPage(),
    "/setup": SetupPage(),
    "/dashboard": Dashboard(),
    "/settings": Settings(),
}


def device(user_agent: str) -> str:
    """What a person would call the program behind a User-Agent header: ``Firefox on Windows``."""
    browser = next((name for pattern, name in _BROWSERS if re.search(pattern, user_agent)), None)
    system = next((name for pattern, name in _SYSTEMS if re.search(pattern, user_agent)), None)
    if browser is None:
        return user_agent.partition("/")[0][:40] or "Unknown device"
    return f"{browser} on {system or 'Linux'}"


def _local(url: str) -> str:
    """A path of this panel; anything that a browser might take for another site becomes the dashboard."""
    if re.fullmatch(r"/(?![/\\])[^\\\x00-\x20]*", url):
        return url
    return HOME
