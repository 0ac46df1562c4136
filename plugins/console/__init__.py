"""Console: a server's live output, its history and its input, in the browser and for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellar.extend import Manifest, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stellar.auth.permissions import Actor
    from stellar.extend import registry
    from stellar.web.menu import MenuItem

manifest = Manifest(
    name="console",
    version="1.0.0",
    description="A server's live output, its history and its input",
    requires=("servers",),
)


@hookimpl
def register_config(config: registry.ConfigRegistrar) -> None:
    from .settings import ConsoleSettings

    config.section("console", ConsoleSettings)


@hookimpl
def register_commands(cli: registry.CommandRegistrar) -> None:
    cli.add("server command", "stellar.plugins.console.cli:command", "Type a line into a server's console.")
    cli.add("server console", "stellar.plugins.console.cli:console", "Show a server's console and type into it.")


@hookimpl
def register_permissions(permissions: registry.PermissionRegistrar) -> None:
    permissions.add("console.read", "Read a server's console", scope="server")
    permissions.add("console.write", "Type into a server's console", scope="server")


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
