"""Administration: accounts, figures, audit log, plugins and health of the installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellar.extend import Manifest, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

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
def register_permissions(permissions: registry.PermissionRegistrar) -> None:
    permissions.add("admin.read", "See figures, plugins and health of the installation")


@hookimpl
def register_routes(routes: registry.RouteRegistrar) -> None:
    from .routes import add_routes

    add_routes(routes)


@hookimpl
def register_pages(pages: registry.PageRegistrar) -> None:
    from .pages import add_pages

    add_pages(pages)


@hookimpl
def menu_items(actor: Actor, location: str) -> Sequence[MenuItem]:
    from .pages import menu

    return menu(actor, location)
