"""Administration: accounts, figures, audit log, plugins and health of the installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stellar.extend import Manifest, hookimpl

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from stellar.auth.permissions import Actor
    from stellar.extend import registry
    from stellar.web.menu import MenuItem

manifest = Manifest(
    name="admin",
    version="1.0.0",
    description="Accounts, figures, audit log, plugins and health of the installation",
    requires=("nodes", "servers"),
)


@hookimpl
def register_commands(cli: registry.CommandRegistrar) -> None:
    cli.add("audit", "stellar.plugins.admin.audit_cli:audit", "Read and export the audit log.")
    cli.add("health", "stellar.plugins.admin.health_cli:health", "Check everything that the panel needs.")
    cli.add("user show", "stellar.plugins.admin.user_cli:show", "Show a user.")
    cli.add("user change", "stellar.plugins.admin.user_cli:change", "Change a user.")
    cli.add("user delete", "stellar.plugins.admin.user_cli:delete", "Delete a user who owns no servers.")


@hookimpl
def register_permissions(permissions: registry.PermissionRegistrar) -> None:
    permissions.add("admin.read", "See figures, plugins and health of the installation")
    permissions.add("accounts.impersonate", "Act as users who may do no more than oneself")
    permissions.add("jobs.read", "See the worker's jobs")
    permissions.add("jobs.manage", "Try jobs again, cancel and delete them")


@hookimpl
def register_routes(routes: registry.RouteRegistrar) -> None:
    from .routes import add_routes

    add_routes(routes)


@hookimpl
def register_pages(pages: registry.PageRegistrar) -> None:
    from .pages import add_pages

    add_pages(pages)


@hookimpl
def visible_events(actor: Actor) -> Mapping[str, Collection[str] | None]:
    return {"job": None} if actor.allowed("jobs.read") else {}


@hookimpl
def page_slot(slot: str, view: Mapping[str, Any]) -> str | None:
    from .pages import slot as fill

    return fill(slot, view)


@hookimpl
def menu_items(actor: Actor, location: str) -> Sequence[MenuItem]:
    from .pages import menu

    return menu(actor, location)
