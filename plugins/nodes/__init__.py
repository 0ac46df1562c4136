"""Nodes: the machines that run game servers, and the link to each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stellar.extend import Manifest, hookimpl

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from stellar.auth.permissions import Actor
    from stellar.extend import registry
    from stellar.extend.agent import AgentRegistrar
    from stellar.panel import Panel
    from stellar.web.menu import MenuItem

manifest = Manifest(
    name="nodes",
    version="1.0.0",
    description="The machines that run game servers, and the link to each",
    hookspecs="stellar.plugins.nodes.hookspecs",
)


@hookimpl
def register_config(config: registry.ConfigRegistrar) -> None:
    from .settings import AgentSettings, NodesSettings

    config.section("nodes", NodesSettings)
    config.section("agent", AgentSettings)


@hookimpl
def register_commands(cli: registry.CommandRegistrar) -> None:
    cli.add("node", "stellar.plugins.nodes.cli:node", "Create, list, change, join, drain and remove nodes.")
    cli.add("node show", "stellar.plugins.nodes.change_cli:show", "Show a node.")
    cli.add("node change", "stellar.plugins.nodes.change_cli:change", "Change a node.")
    cli.add("node rotate-key", "stellar.plugins.nodes.change_cli:rotate_key", "Give a node a new key.")
    cli.add("node revoke", "stellar.plugins.nodes.change_cli:revoke", "Take a node's key away.")
    cli.add("node ports", "stellar.plugins.nodes.place_cli:ports", "List, reserve and release a node's ports.")
    cli.add("location", "stellar.plugins.nodes.place_cli:location", "List, create, change and delete locations.")
    cli.add("agent", "stellar.plugins.nodes.agent.cli:agent", "Run the node agent on this machine.")


@hookimpl
def register_models() -> Sequence[type[Any]]:
    from .models import MODELS

    return MODELS


@hookimpl
def register_permissions(permissions: registry.PermissionRegistrar) -> None:
    permissions.add("nodes.read", "See nodes, their state and their figures")
    permissions.add("nodes.manage", "Create, change and remove nodes")


@hookimpl
def register_routes(routes: registry.RouteRegistrar) -> None:
    from .routes import add_routes

    add_routes(routes)


@hookimpl
def register_pages(pages: registry.PageRegistrar) -> None:
    from .detail_pages import add_pages as add_detail_pages
    from .pages import add_pages

    add_pages(pages)
    add_detail_pages(pages)


@hookimpl
def page_slot(slot: str, view: Mapping[str, Any]) -> str | None:
    from .pages import slot as fill

    return fill(slot, view)


@hookimpl
def visible_events(actor: Actor) -> Mapping[str, Collection[str] | None]:
    return {"node": None} if actor.allowed("nodes.read") else {}


@hookimpl
def menu_items(actor: Actor, location: str) -> Sequence[MenuItem]:
    from .pages import menu

    return menu(actor, location)


@hookimpl
def register_agent(agent: AgentRegistrar) -> None:
    from .agent.new_key import new_key

    agent.handler("nodes.new_key", new_key)


@hookimpl
def startup(app: Panel) -> None:
    from . import reports, wanted

    reports.collect(app)
    wanted.collect(app)


@hookimpl
def prepare_run(app: Panel) -> None:
    from .local import enrol_local_node

    enrol_local_node(app.config)
