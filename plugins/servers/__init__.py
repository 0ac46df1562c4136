"""Game servers: creating, installing, starting, stopping and removing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stellar.extend import Manifest, hookimpl

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from stellar.auth.permissions import Actor
    from stellar.extend import registry
    from stellar.extend.agent import AgentRegistrar
    from stellar.panel import Panel
    from stellar.plugins.nodes.reports import ReportRegistrar
    from stellar.web.menu import MenuItem

manifest = Manifest(
    name="servers",
    version="1.0.0",
    description="Game servers: creating, installing, starting, stopping and removing them",
    requires=("nodes", "blueprints"),
    hookspecs="stellar.plugins.servers.hookspecs",
)


@hookimpl
def register_config(config: registry.ConfigRegistrar) -> None:
    from .settings import DockerSettings, ServersSettings

    config.section("servers", ServersSettings)
    config.section("docker", DockerSettings)


@hookimpl
def register_commands(cli: registry.CommandRegistrar) -> None:
    cli.add("server", "stellar.plugins.servers.cli:server", "Create, list, drive and delete game servers.")
    cli.add("server resources", "stellar.plugins.servers.resource_cli:resources", "Change how much a server may use.")
    cli.add("server runtime", "stellar.plugins.servers.resource_cli:runtime", "Choose what a server runs in.")
    cli.add("server answer", "stellar.plugins.servers.answer_cli:answer", "Answer what a server's game asks.")
    cli.add("server crashes", "stellar.plugins.servers.record_cli:crashes", "List how a server has crashed lately.")
    cli.add("server activity", "stellar.plugins.servers.record_cli:activity", "List what was done with a server.")
    cli.add("server startup", "stellar.plugins.servers.startup_cli:startup", "Show or change how a server is started.")
    cli.add("server blueprint", "stellar.plugins.servers.startup_cli:blueprint", "Make a server one of a blueprint.")
    cli.add("server ports", "stellar.plugins.servers.ports_cli:ports", "List and change a server's ports.")
    cli.add("server members", "stellar.plugins.servers.members_cli:members", "List and change a server's members.")
    cli.add("node unknown", "stellar.plugins.servers.unknown_cli:unknown", "Kill or delete servers that nobody knows.")
    cli.add("registry", "stellar.plugins.servers.registry_cli:registry", "Sign this node in to registries of images.")


@hookimpl
def register_models() -> Sequence[type[Any]]:
    from .models import MODELS

    return MODELS


@hookimpl
def register_permissions(permissions: registry.PermissionRegistrar) -> None:
    from .actions import declare as declare_more
    from .permissions import declare

    declare(permissions)
    declare_more(permissions)


@hookimpl
def register_jobs(jobs: registry.JobRegistrar) -> None:
    module = "stellar.plugins.servers.jobs"
    jobs.add("servers.install", f"{module}:install", retries=5, cancelled=f"{module}:install_cancelled")
    jobs.add("servers.mail_invitation", "stellar.plugins.servers.invitations:send", retries=3, timeout=120)


@hookimpl
def register_routes(routes: registry.RouteRegistrar) -> None:
    from .detail_routes import add_routes as add_detail_routes
    from .member_routes import add_routes as add_member_routes
    from .routes import add_routes
    from .unknown import add_routes as add_unknown_routes

    add_routes(routes)
    add_detail_routes(routes)
    add_member_routes(routes)
    add_unknown_routes(routes)


@hookimpl
def register_pages(pages: registry.PageRegistrar) -> None:
    from .detail_pages import add_pages as add_detail_pages
    from .member_pages import add_pages as add_member_pages
    from .pages import add_pages

    add_pages(pages)
    add_detail_pages(pages)
    add_member_pages(pages)


@hookimpl
def page_slot(slot: str, view: Mapping[str, Any]) -> str | None:
    from .pages import slot as fill

    return fill(slot, view)


@hookimpl
def visible_events(actor: Actor) -> Mapping[str, Collection[str] | None]:
    from .visibility import visible_servers

    return visible_servers(actor)


@hookimpl
def blueprint_uses(blueprint_id: str) -> int:
    from .models import Server

    return Server.select().where(Server.blueprint == blueprint_id).count()


@hookimpl
def blueprint_changed(blueprint_id: str) -> None:
    from .service import enqueue_install, ids_of_blueprint

    for server_id in ids_of_blueprint(blueprint_id):
        enqueue_install(server_id)


@hookimpl
def menu_items(actor: Actor, location: str) -> Sequence[MenuItem]:
    from .pages import menu

    return menu(actor, location)


@hookimpl
def register_agent(agent: AgentRegistrar) -> None:
    from .agent import register

    register(agent)


@hookimpl
def register_node_reports(reports: ReportRegistrar) -> None:
    from .reports import declare

    declare(reports)


@hookimpl
def node_specs(node_id: str) -> Sequence[dict[str, Any]]:
    from .specs import specs_of_node

    return specs_of_node(node_id)


@hookimpl
def node_server_ids(node_id: str) -> Sequence[str]:
    from .service import ids_on_node

    return ids_on_node(node_id)


@hookimpl
def node_server_names(actor: Actor, server_ids: Collection[str]) -> Mapping[str, str]:
    from .visibility import names_of

    return names_of(actor, server_ids)


@hookimpl
def node_changed(node_id: str) -> None:
    from .service import enqueue_install, ids_on_node

    for server_id in ids_on_node(node_id):
        enqueue_install(server_id)


@hookimpl
def node_removed(actor: Actor, node_id: str) -> None:
    from .service import forget_node

    forget_node(actor, node_id)


@hookimpl
def startup(app: Panel) -> None:
    from . import events

    events.collect(app)
    if app.role == "web":
        from . import placement

        placement.begin()
