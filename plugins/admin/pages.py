"""The administrators' page and its tabs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from stellar import settings
from stellar.auth.permissions import Actor
from stellar.db import call
from stellar.extend.registry import PageRegistrar
from stellar.http.answers import Answer, Html
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.web.formats import span
from stellar.web.menu import MenuItem
from stellar.web.site import fragment, page

from . import audit_log, overview, service
from .audit_log import AuditFilter
from .schemas import Stats, UsersQuery

PER_PAGE = 50
Tab = Literal["overview", "users", "audit", "plugins", "settings"]


def add_pages(pages: PageRegistrar) -> None:
    """Register it."""
    pages.add("/admin", AdminPage())


def menu(actor: Actor, location: str) -> Sequence[MenuItem]:
    """The entries of this plugin."""
    if location == "main" and actor.allowed("admin.read"):
        return [MenuItem("Admin", "/admin", "shield", 80)]
    return []


def slot(name: str, view: Mapping[str, Any]) -> str | None:
    """Say on every page that somebody acts as somebody else, and let them return."""
    if name != "main.top" or view["actor"].impersonator_id is None:
        return None
    return fragment("admin/impersonation.html", view)


class AdminQuery(msgspec.Struct):
    """Which tab; ``page`` and ``search`` of the users, ``before`` of the audit log."""

    tab: Tab = "overview"
    page: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    search: Annotated[str, msgspec.Meta(max_length=254)] = ""
    before: int | None = None


class AdminPage:
    """``/admin``"""

    @endpoint(permission="admin.read", query=AdminQuery, returns=Html)
    async def on_get(self, req: Request, query: AdminQuery) -> Answer:
        """Everyone and everything on this panel."""
        variables = await _TABS[query.tab](req, query)
        return await page(req, f"admin/{query.tab}.html", tab=query.tab, **variables)


async def _overview(req: Request, query: AdminQuery) -> dict[str, Any]:
    stats = await overview.stats()
    return {"statistics": _statistics(stats), "versions": stats.versions, "health": await overview.health(req.panel)}


async def _users(req: Request, query: AdminQuery) -> dict[str, Any]:
    req.actor.require("accounts.read")
    found = await call(service.list_accounts, UsersQuery(query.page, PER_PAGE, query.search))
    pages = max(1, -(-found.total // PER_PAGE))
    return {
        "users": found.users,
        "total": found.total,
        "number": query.page,
        "pages": pages,
        "search": query.search,
    }


async def _audit(req: Request, query: AdminQuery) -> dict[str, Any]:
    req.actor.require("audit.read")
    found = await call(audit_log.page, AuditFilter(), query.before, PER_PAGE)
    return {"entries": found.entries, "older": found.next}


async def _plugins(req: Request, query: AdminQuery) -> dict[str, Any]:
    return {"plugins": overview.plugins(req.panel)}


async def _settings(req: Request, query: AdminQuery) -> dict[str, Any]:
    req.actor.require("settings.manage")
    return {"settings": await call(settings.listing)}


_TABS = {"overview": _overview, "users": _users, "audit": _audit, "plugins": _plugins, "settings": _settings}


def _statistics(stats: Stats) -> list[tuple[str, str]]:
    return [
        ("People", str(stats.users.total)),
        ("Servers", str(stats.servers.total)),
        ("Running now", str(stats.servers.states.get("running", 0))),
        ("Nodes online", f"{stats.nodes.online} of {stats.nodes.total}"),
        ("Up for", span(stats.uptime)),
    ]
