"""Files: what a server keeps below its data directory, in the browser and for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellar.extend import Manifest, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stellar.auth.permissions import Actor
    from stellar.extend import registry
    from stellar.extend.agent import AgentRegistrar
    from stellar.web.menu import MenuItem

manifest = Manifest(
    name="files",
    version="1.0.0",
    description="List, edit, upload and download a server's files",
    requires=("nodes", "servers"),
)


@hookimpl
def register_config(config: registry.ConfigRegistrar) -> None:
    from .settings import FilesSettings

    config.section("files", FilesSettings)


@hookimpl
def register_permissions(permissions: registry.PermissionRegistrar) -> None:
    permissions.add("files.read", "List and download a server's files", scope="server")
    permissions.add("files.write", "Change and rename a server's files", scope="server")
    permissions.add("files.create", "Make new files and folders on a server", scope="server")
    permissions.add("files.delete", "Delete a server's files", scope="server")


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
def register_agent(agent: AgentRegistrar) -> None:
    from .agent import register

    register(agent)
