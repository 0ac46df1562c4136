"""Signing in with an account elsewhere, and linking one."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Any, ClassVar

import msgspec

from .. import db
from ..bus.ratelimit import Limit
from ..errors import Forbidden
from ..http.answers import Answer, Cookie, Redirect
from ..http.declaration import SIGNED_IN
from ..http.endpoint import endpoint
from ..http.request import Request
from . import identities, passkeys, proof, providers, sessions, signin
from .cookies import cookie_of
from .identities import IdentityView, Return
from .second import SecondStep

BROWSER_COOKIE = "stellar_oauth"
LIMIT = Limit(30, 600)
HOME = "/dashboard"


class ProviderView(msgspec.Struct):
    """A way to sign in."""

    name: str
    label: str

    __example__: ClassVar[dict[str, Any]] = {"name": "github", "label": "GitHub"}


class SetOut(msgspec.Struct, forbid_unknown_fields=True):
    """``next`` is the page of this panel to go to afterwards."""

    next: Annotated[str, msgspec.Meta(max_length=500)] = HOME

    __example__: ClassVar[dict[str, Any]] = {"next": "/servers"}


class Elsewhere(msgspec.Struct):
    """Where the browser has to go."""

    url: str

    __example__: ClassVar[dict[str, Any]] = {"url": "https://github.com/login/oauth/authorize?client_id=stellar"}


class ProvidersResource:
    """``/auth/oauth``."""

    @endpoint(permission=None, returns=list[ProviderView])
    async def on_get(self, req: Request) -> list[ProviderView]:
        """List the services that one can sign in with."""
        return [ProviderView(one.name, one.label) for one in providers.configured(req.config)]


class SetOutResource:
    """``/auth/oauth/{provider}``."""

    @endpoint(permission=None, body=SetOut, returns=Elsewhere, limit=LIMIT)
    async def on_post(self, req: Request, provider: str, body: SetOut) -> Answer:
        """Begin to sign in with an account elsewhere."""
        return await _set_out(req, provider, local(body.next), None)


class IdentitiesResource:
    """``/users/me/identities``."""

    @endpoint(permission=SIGNED_IN, returns=list[IdentityView])
    async def on_get(self, req: Request) -> list[IdentityView]:
        """List one's own linked accounts elsewhere."""
        return await db.call(identities.list_for, req.require_session().user_id)


class OneIdentityResource:
    """``/users/me/identities/{identity}``."""

    @endpoint(permission=SIGNED_IN, returns=Elsewhere, limit=LIMIT)
    async def on_post(self, req: Request, identity: str) -> Answer:
        """Begin to link an account at the provider ``identity``."""
        session = req.require_session()
        if session.impersonator is not None:
            raise Forbidden("Only the account's owner can link an account to it.", code="impersonating")
        await proof.require(session)
        return await _set_out(req, identity, "/settings", session.user_id)

    @endpoint(permission=SIGNED_IN)
    async def on_delete(self, req: Request, identity: str) -> None:
        """Unlink the account with the id ``identity``."""
        session = req.require_session()
        await proof.require(session)
        await db.call(identities.unlink, req.actor, session.user_id, identity)


class CallbackPage:
    """``/auth/oauth/{provider}/callback``"""

    @endpoint(permission=None, query=Return, returns=Redirect, limit=LIMIT)
    async def on_get(self, req: Request, provider: str, query: Return) -> Answer:
        """Come back from signing in elsewhere."""
        found = providers.find(req.config, provider)
        browser = req.cookie(BROWSER_COOKIE) or ""
        place = passkeys.place_of(req)
        journey, who = await identities.come_back(found, place, browser, query)
        gone = Cookie(BROWSER_COOKIE, "", 0)
        if journey.user_id is not None:
            if req.session is None or req.session.user_id != journey.user_id:
                raise Forbidden("You have signed out meanwhile; sign in and link the account again.")
            await db.call(identities.link, req.actor, journey.user_id, found, who)
            return Redirect(journey.next, cookies=(gone,))
        user = await identities.owner(req.actor, found, who)
        begun = await signin.sign_in_elsewhere(req.actor, user, req.user_agent or "")
        if isinstance(begun, SecondStep):
            from ..web.pages import second_step

            return await second_step(req, begun, journey.next)
        if req.session is not None:
            await db.call(sessions.end, req.session.user_id, req.session.id)
        return Redirect(journey.next, cookies=(cookie_of(begun), gone))


ROUTES: dict[str, object] = {
    "/auth/oauth": ProvidersResource(),
    "/auth/oauth/{provider}": SetOutResource(),
    "/users/me/identities": IdentitiesResource(),
    "/users/me/identities/{identity}": OneIdentityResource(),
}

PAGES: dict[str, object] = {"/auth/oauth/{provider}/callback": CallbackPage()}


def local(url: str) -> str:
    """A path of this panel; anything that a browser might take for another site becomes the dashboard."""
    if re.fullmatch(r"/(?![/\\])[^\\\x00-\x20]*", url):
        return url
    return HOME


async def _set_out(req: Request, name: str, target: str, user_id: str | None) -> Answer:
    browser = secrets.token_urlsafe(32)
    found = providers.find(req.config, name)
    url = await identities.set_out(found, passkeys.place_of(req), browser, target, user_id)
    return Answer(Elsewhere(url), cookies=(Cookie(BROWSER_COOKIE, browser, identities.SECONDS),))
