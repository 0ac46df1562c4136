"""The pages of one's own account."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import msgspec

from .. import audit, db
from ..auth import identities, keys, passkeys, permissions, providers, sessions, totp, users
from ..auth.schemas import me_of
from ..http.answers import Answer, Html
from ..http.declaration import SIGNED_IN
from ..http.endpoint import endpoint
from ..http.request import Request
from .actions import Group, groups
from .site import page

LOCALES = (
    ("en", "English"),
    ("en-GB", "English (United Kingdom)"),
    ("en-US", "English (United States)"),
    ("cs", "Čeština"),
    ("da", "Dansk"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("fr", "Français"),
    ("it", "Italiano"),
    ("nl", "Nederlands"),
    ("nb", "Norsk"),
    ("pl", "Polski"),
    ("pt-BR", "Português (Brasil)"),
    ("pt", "Português (Portugal)"),
    ("fi", "Suomi"),
    ("sv", "Svenska"),
    ("tr", "Türkçe"),
    ("ru", "Русский"),
    ("uk", "Українська"),
    ("ja", "日本語"),
    ("ko", "한국어"),
    ("zh", "中文"),
)
_SYSTEMS = (("iPhone|iPad", "iOS"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "macOS"))
_BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrom(?:e|ium)/", "Chrome"), ("Safari/", "Safari"))


class AccountPage:
    """``/settings``"""

    @endpoint(permission=SIGNED_IN, returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """Who one is, and how the panel looks."""
        session = req.require_session()
        user = await db.call(users.get, session.user_id)
        return await page(
            req,
            "core/settings_account.html",
            user=me_of(user),
            zones=sorted(users.zones()),
            locales=_locales(user.locale),
            identities=await db.call(identities.list_for, session.user_id),
            providers=providers.configured(req.config),
        )


class SessionRow(msgspec.Struct):
    """A session as the page shows it."""

    id: str
    device: str
    address: str
    created_at: datetime
    current: bool


class SecurityPage:
    """``/settings/security``"""

    @endpoint(permission=SIGNED_IN, returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """Password, second factors, and where one is signed in."""
        session = req.require_session()
        found = await db.call(sessions.list_for, session.user_id)
        rows = [
            SessionRow(one.id, device(one.user_agent), one.address, one.created_at, one.id == session.id)
            for one in found
        ]
        return await page(
            req,
            "core/settings_security.html",
            user=await db.call(users.get, session.user_id),
            sessions=rows,
            factors=await db.call(totp.view, session.user_id),
            passkeys=await db.call(passkeys.list_for, session.user_id),
        )


class KeysPage:
    """``/settings/keys``"""

    @endpoint(permission=SIGNED_IN, returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """One's API keys, and the form for another."""
        found = await db.call(keys.list_for, req.require_session().user_id)
        return await page(req, "core/settings_keys.html", keys=found, now=db.now(), groups=await db.call(_scopes, req))


class ActivityQuery(msgspec.Struct):
    """``before`` is the last line of the page before."""

    before: Annotated[int, msgspec.Meta(ge=1)] | None = None


class ActivityPage:
    """``/settings/activity``"""

    @endpoint(permission=SIGNED_IN, query=ActivityQuery, returns=Html)
    async def on_get(self, req: Request, query: ActivityQuery) -> Answer:
        """What one has done."""
        user_id = req.require_session().user_id
        found = await db.call(audit.list_page, before=query.before, actor_id=user_id)
        return await page(
            req, "core/settings_activity.html", entries=found.entries, older=found.next, before=query.before
        )


PAGES: dict[str, object] = {
    "/settings": AccountPage(),
    "/settings/security": SecurityPage(),
    "/settings/keys": KeysPage(),
    "/settings/activity": ActivityPage(),
}


def device(user_agent: str) -> str:
    """What a person would call the program behind a User-Agent header: ``Firefox on Windows``."""
    browser = next((name for pattern, name in _BROWSERS if re.search(pattern, user_agent)), None)
    system = next((name for pattern, name in _SYSTEMS if re.search(pattern, user_agent)), None)
    if browser is None:
        return user_agent.partition("/")[0][:40] or "Unknown device"
    return f"{browser} on {system or 'Linux'}"


def _locales(chosen: str) -> tuple[tuple[str, str], ...]:
    """What can be chosen, with what was chosen over the API."""
    return LOCALES if chosen in dict(LOCALES) else (*LOCALES, (chosen, chosen))


def _scopes(req: Request) -> list[Group]:
    return groups(lambda permission: permissions.may_try(req.actor, permission.action))
