"""Blueprints: how to install, start and stop a game."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stellar.extend import Manifest, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stellar.auth.permissions import Actor
    from stellar.extend import registry
    from stellar.panel import Panel
    from stellar.web.menu import MenuItem

manifest = Manifest(
    name="blueprints",
    version="1.0.0",
    description="How to install, start and stop a game",
    hookspecs="stellar.plugins.blueprints.hookspecs",
)


@hookimpl
def register_commands(cli: registry.CommandRegistrar) -> None:
    cli.add(
        "blueprint",
        "stellar.plugins.blueprints.cli:blueprint",
        "List, show, import, export and delete blueprints.",
    )


@hookimpl
def register_config(config: registry.ConfigRegistrar) -> None:
    from .settings import BlueprintsSettings

    config.section("blueprints", BlueprintsSettings)


@hookimpl
def register_models() -> Sequence[type[Any]]:
    from .models import MODELS

    return MODELS


@hookimpl
def register_permissions(permissions: registry.PermissionRegistrar) -> None:
    permissions.add("blueprints.read", "See the blueprints", roles=("user",))
    permissions.add("blueprints.manage", "Make, change, import, export and delete blueprints")


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


@hookimpl
def startup(app: Panel) -> None:
    if app.role != "migrate":
        return
    from .service import sync_builtin

    sync_builtin()
