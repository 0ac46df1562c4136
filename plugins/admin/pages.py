"""The administrators' page and its tabs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from stellar import settings
from stellar.auth import roles
from stellar.auth.permissions import ADMIN, USER, Actor
from stellar.auth.roles import RoleView
from stellar.db import call
from stellar.extend.registry import PageRegistrar
from stellar.http.answers import Answer, Html
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.jobs import control
from stellar.web.actions import groups
from stellar.web.formats import span
from stellar.web.menu import MenuItem
from stellar.web.site import fragment, page

from . import accounts, audit_log, audit_page, overview
from .audit_page import AuditForm
from .schemas import Stats, UsersQuery

PER_PAGE = 50
Tab = Literal["overview", "users", "roles", "jobs", "audit", "plugins", "settings"]
JobState = Literal["", "queued", "running", "scheduled", "failed"]


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


class AdminQuery(AuditForm):
    """Which tab; ``page`` of the users and jobs, ``search`` of the users, ``state`` of the jobs."""

    tab: Tab = "overview"
    page: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    search: Annotated[str, msgspec.Meta(max_length=254)] = ""
    state: JobState = ""


class AdminPage:
    """``/admin``"""

    @endpoint(permission="admin.read", query=AdminQuery, returns=Html)
    async def on_get(self, req: Request, query: AdminQuery) -> Answer:
        """Everyone and everything on this panel."""
        permission, fill = _TABS[query.tab]
        req.actor.require(permission)
        variables = await fill(req, query)
        offered = {name for name, (needed, _) in _TABS.items() if req.actor.allowed(needed)}
        return await page(req, f"admin/{query.tab}.html", tab=query.tab, tabs=offered, **variables)


async def _overview(req: Request, query: AdminQuery) -> dict[str, Any]:
    stats = await overview.stats()
    return {"statistics": _statistics(stats), "versions": stats.versions, "health": await overview.health(req.panel)}


async def _users(req: Request, query: AdminQuery) -> dict[str, Any]:
    found = await call(accounts.list_accounts, UsersQuery(query.page, PER_PAGE, query.search))
    known = await call(roles.listing)
    return {
        "users": found.users,
        "total": found.total,
        "number": query.page,
        "pages": _pages(found.total),
        "search": query.search,
        "titles": {role.name: role.title for role in known},
        "assignable": [role for role in known if _assignable(req.actor, role)],
    }


async def _roles(req: Request, query: AdminQuery) -> dict[str, Any]:
    offered = groups(lambda permission: req.actor.allowed(permission.action))
    return {"roles": await call(roles.listing), "groups": offered}


async def _jobs(req: Request, query: AdminQuery) -> dict[str, Any]:
    found = await call(control.listing, query.state or None, None, query.page, PER_PAGE)
    pages = _pages(found.total)
    return {"jobs": found.jobs, "total": found.total, "state": query.state, "number": query.page, "pages": pages}


async def _audit(req: Request, query: AdminQuery) -> dict[str, Any]:
    zone = req.session.time_zone if req.session else "UTC"
    wanted = audit_page.filter_of(query, zone)
    found = await call(audit_log.page, wanted, query.before, PER_PAGE)
    return {
        "entries": found.entries,
        "older": found.next,
        "form": query,
        "zone": zone,
        "given": audit_page.form_query(query),
        "export": audit_page.export_query(wanted),
    }


async def _plugins(req: Request, query: AdminQuery) -> dict[str, Any]:
    return {"plugins": overview.plugins(req.panel)}


async def _settings(req: Request, query: AdminQuery) -> dict[str, Any]:
    return {"settings": await call(settings.listing)}


_TABS: dict[str, tuple[str, Callable[[Request, AdminQuery], Awaitable[dict[str, Any]]]]] = {
    "overview": ("admin.read", _overview),
    "users": ("accounts.read", _users),
    "roles": ("roles.read", _roles),
    "jobs": ("jobs.read", _jobs),
    "audit": ("audit.read", _audit),
    "plugins": ("admin.read", _plugins),
    "settings": ("settings.manage", _settings),
}


def _pages(total: int) -> int:
    return max(1, -(-total // PER_PAGE))


def _assignable(actor: Actor, role: RoleView) -> bool:
    if actor.is_admin or role.name == USER:
        return True
    return role.name != ADMIN and all(actor.allowed(action) for action in role.actions)


def _statistics(stats: Stats) -> list[tuple[str, str]]:
    return [
        ("People", str(stats.users.total)),
        ("Servers", str(stats.servers.total)),
        ("Running now", str(stats.servers.states.get("running", 0))),
        ("Nodes online", f"{stats.nodes.online} of {stats.nodes.total}"),
        ("Up for", span(stats.uptime)),
    ]
