"""``stellar server``; the console and its commands come from the plugin that has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from stellar.auth.completion import complete_user
from stellar.commands.bodies import body, given
from stellar.commands.groups import Group
from stellar.commands.opened import opened, require_redis
from stellar.commands.options import confirm, data_option, json_option
from stellar.commands.tables import print_json, print_pairs, print_table
from stellar.plugins.blueprints.completion import complete_blueprint
from stellar.plugins.nodes.completion import complete_node

from .arguments import choose_place, pairs
from .calls import ServerState
from .completion import complete_server

if TYPE_CHECKING:
    from stellar.panel import Panel

    from .models import Server
    from .schemas import CreateServer, ServerDetail, ServerView

STATES = (*get_args(ServerState), "suspended")
SORTS = ("name", "-name", "created_at", "-created_at", "state", "-state")
ACTIONS = ("start", "stop", "restart", "kill")
PAGE = 200


@click.group(cls=Group)
def server() -> None:
    """Create, list, drive and delete game servers.

    SERVER is an id, a short id, or a name that only one server has.
    """


@server.command("list")
@click.option("--search", default="", help="Words of the name or the description.")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--node", shell_complete=complete_node, help="Only those on this node (name or id).")
@click.option("--blueprint", shell_complete=complete_blueprint, help="Only those of this blueprint (name or id).")
@click.option("--owner", shell_complete=complete_user, help="Only those of this account (e-mail address or id).")
@click.option("--sort", type=click.Choice(SORTS), default="-created_at", show_default=True, help="In which order.")
@data_option
@json_option
def list_(data: Path | None, as_json: bool, owner: str | None, **filters: Any) -> None:
    """List the servers."""
    from stellar.auth.lookup import find_user
    from stellar.auth.permissions import SYSTEM

    from . import listing, sighted
    from .schemas import ListQuery

    with opened(data):
        query = ListQuery(limit=PAGE, owner=find_user(owner).id if owner else None, **filters)
        rows: list[ServerView] = []
        while True:
            page = listing.page(SYSTEM, query)
            rows += page.items
            if page.next is None:
                break
            query.after = page.next
        sighted.sight(rows)
    if as_json:
        print_json(rows)
        return
    lines = [
        (
            row.short_id,
            row.name,
            "suspended" if row.suspended else row.state,
            row.node.name,
            row.blueprint.name,
            row.owner.name,
            _address(row),
        )
        for row in rows
    ]
    print_table(("ID", "NAME", "STATE", "NODE", "BLUEPRINT", "OWNER", "ADDRESS"), lines, "There are no such servers.")


@server.command()
@click.argument("server", shell_complete=complete_server)
@data_option
@json_option
def show(server: str, data: Path | None, as_json: bool) -> None:
    """Show SERVER."""
    from stellar.auth.permissions import SYSTEM

    from . import sighted, views
    from .lookup import find_server

    with opened(data):
        found = views.detail(SYSTEM, find_server(server))
        sighted.sight([found])
    if as_json:
        print_json(found)
        return
    _print_detail(found)


@server.command()
@click.argument("name")
@click.option("--blueprint", required=True, shell_complete=complete_blueprint, help="What to install (name or id).")
@click.option("--owner", required=True, shell_complete=complete_user, help="Whose it is (e-mail address or id).")
@click.option("--node", shell_complete=complete_node, help="Where (name or id).  [default: where it fits best]")
@click.option("--description", default="", help="What it is for.")
@click.option("--memory", "memory_mb", type=int, metavar="MIB", help="Its memory; 0 is no limit.")
@click.option("--cpu", "cpu_percent", type=int, metavar="PERCENT", help="Its CPU; 100 is one core, 0 no limit.")
@click.option("--disk", "disk_mb", type=int, metavar="MIB", help="Its disk space; 0 is no limit.")
@click.option("--runtime", help="docker, process or a plugin's.  [default: docker, where it can]")
@click.option("--image", help="Which of the blueprint's images.  [default: its first]")
@click.option("--swap", "swap_mb", type=int, metavar="MIB", help="Swap besides its memory; -1 is no limit.")
@click.option("--cpu-set", help="The processors it may use, such as 0-1,3.")
@click.option("--io-weight", type=int, metavar="WEIGHT", help="Its share of block I/O, 10 to 1000.")
@click.option("--pids", type=int, metavar="COUNT", help="Its processes and threads; 0 is the node's default.")
@click.option("--oom-kill/--no-oom-kill", default=None, help="Whether it is ended when its memory is full.")
@click.option("--variable", "-v", "variables", multiple=True, metavar="NAME=VALUE", help="A start-up variable.")
@data_option
@json_option
def create(owner: str, variables: tuple[str, ...], data: Path | None, as_json: bool, **values: Any) -> None:
    """Create the server NAME and have it installed."""
    from stellar.auth.lookup import find_user
    from stellar.auth.permissions import SYSTEM

    from . import views
    from .schemas import CreateServer

    wanted = body(CreateServer, given({**values, "variables": pairs(variables)}))
    with opened(data) as panel:
        require_redis()
        made = _create(panel, wanted, find_user(owner).id)
        found = views.detail(SYSTEM, made.id)
    if as_json:
        print_json(found)
        return
    click.echo(f"Created {found.name} ({found.short_id}) on {found.node.name}; it is being installed.")


@server.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("action", type=click.Choice(ACTIONS))
@data_option
def power(server: str, action: Any, data: Path | None) -> None:
    """Start, stop, restart or kill SERVER."""
    from stellar.auth.permissions import SYSTEM

    from . import service
    from .lookup import find_server
    from .power import begin_sync

    with opened(data):
        found = service.before_action(SYSTEM, find_server(server), action)
        state = begin_sync(found, action)
        service.after_action(SYSTEM, found, action)
    click.echo(f"{found.name} is {state}.")


@server.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("name", required=False)
@click.option("--description", help="What it is for.")
@data_option
def rename(server: str, name: str | None, description: str | None, data: Path | None) -> None:
    """Give SERVER another NAME or description."""
    from stellar.auth.permissions import SYSTEM

    from . import changes
    from .lookup import find_server
    from .schemas import PatchServer

    wanted = body(PatchServer, given({"name": name, "description": description}))
    with opened(data):
        require_redis()
        changes.patch_server(SYSTEM, find_server(server), wanted)
    click.echo("Changed.")


@server.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("when", type=click.Choice(("on", "off")))
@data_option
def autostart(server: str, when: str, data: Path | None) -> None:
    """Have SERVER started again after its node's machine was, if it ran before, or not."""
    from stellar.auth.permissions import SYSTEM

    from . import changes, service
    from .lookup import find_server
    from .schemas import PatchServer

    with opened(data):
        require_redis()
        found = service.get_server(SYSTEM, find_server(server), "servers.read")
        changes.patch_server(SYSTEM, found.id, PatchServer(autostart=when == "on"))
    again = "is started again" if when == "on" else "stays off"
    click.echo(f"{found.name} {again} after its node's machine was.")


@server.command()
@click.argument("server", shell_complete=complete_server)
@data_option
def suspend(server: str, data: Path | None) -> None:
    """Stop SERVER and let nobody do anything with it."""
    _suspend(server, data, suspended=True)


@server.command()
@click.argument("server", shell_complete=complete_server)
@data_option
def unsuspend(server: str, data: Path | None) -> None:
    """Let SERVER be used again."""
    _suspend(server, data, suspended=False)


@server.command()
@click.argument("server", shell_complete=complete_server)
@data_option
def reinstall(server: str, data: Path | None) -> None:
    """Install SERVER again, its files kept; it has to be off."""
    from stellar.auth.permissions import SYSTEM

    from . import service
    from .lookup import find_server

    with opened(data):
        require_redis()
        found = service.get_server(SYSTEM, find_server(server), "settings.reinstall")
        service.reinstall(SYSTEM, found.id)
    click.echo(f"{found.name} is being installed again.")


@server.command()
@click.argument("server", shell_complete=complete_server)
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--force", is_flag=True, help="Forget it although its node can't be reached.")
@data_option
def delete(server: str, yes: bool, force: bool, data: Path | None) -> None:
    """Delete SERVER with all its files."""
    from stellar.auth.permissions import SYSTEM

    from . import service
    from .lookup import find_server

    with opened(data):
        found = service.get_server(SYSTEM, find_server(server), "servers.delete")
        confirm(f"Delete {found.name} ({found.short_id}) with all its files?", yes)
        _remove(found, force=force)
    click.echo(f"Deleted {found.name}.")


def _suspend(ref: str, data: Path | None, *, suspended: bool) -> None:
    from stellar.auth.permissions import SYSTEM

    from . import changes, service
    from .lookup import find_server

    with opened(data):
        require_redis()
        found = service.get_server(SYSTEM, find_server(ref), "servers.suspend")
        changes.set_suspended(SYSTEM, found.id, suspended)
    click.echo(f"{found.name} is suspended." if suspended else f"{found.name} may be used again.")


def _create(panel: Panel, wanted: CreateServer, owner_id: str) -> Server:
    from stellar.auth.permissions import SYSTEM
    from stellar.plugins.blueprints import service as blueprints
    from stellar.plugins.nodes import service as nodes

    from . import views
    from .creation import create_server
    from .settings import ServersSettings

    blueprint = blueprints.get_blueprint(wanted.blueprint)
    candidates = [nodes.get_node(wanted.node)] if wanted.node else nodes.list_nodes()
    place = choose_place(panel, candidates, blueprint, views.promised_memory(), wanted.runtime)
    settings = panel.config.section(ServersSettings)
    return create_server(SYSTEM, wanted, blueprint, place, settings, owner_id=owner_id)


def _remove(found: Server, *, force: bool) -> None:
    from stellar.auth.permissions import SYSTEM
    from stellar.bus import sync
    from stellar.errors import DomainError, NodeUnreachable

    from . import service
    from .calls import Remove, Result

    service.begin_delete(SYSTEM, found.id)
    try:
        sync.call(found.node_id, "servers.remove", Remove(found.id), returns=Result, timeout=120.0)
    except DomainError as error:
        if not (isinstance(error, NodeUnreachable) and force):
            service.cancel_delete(found)
            raise
    service.finish_delete(SYSTEM, found)


def _address(row: ServerView) -> str:
    return f"{row.allocation.address}:{row.allocation.port}" if row.allocation else "-"


def _print_detail(found: ServerDetail) -> None:
    from .resource_cli import fine_limits

    limits = found.limits
    install = found.install
    print_pairs(
        [
            ("id", found.id),
            ("short id", found.short_id),
            ("name", found.name),
            ("state", f"{found.state} (suspended)" if found.suspended else found.state),
            ("node", found.node.name),
            ("blueprint", f"{found.blueprint.title} ({found.blueprint.name})"),
            ("owner", found.owner.name),
            ("address", _address(found)),
            ("ports", ", ".join(f"{port.name} {port.port}/{port.protocol}" for port in found.allocations)),
            ("runtime", f"{found.runtime} ({found.image})" if found.image else found.runtime),
            ("memory", f"{limits.memory_mb} MiB" if limits.memory_mb else "no limit"),
            ("cpu", f"{limits.cpu_percent} %" if limits.cpu_percent else "no limit"),
            ("disk", f"{limits.disk_mb} MiB" if limits.disk_mb else "no limit"),
            *fine_limits(limits),
            ("install", "not finished" if install is None else "done" if install.ok else "failed"),
            ("autostart", "on" if found.autostart else "off"),
            *(("asks", f"{prompt.title} ({prompt.name})") for prompt in found.prompts),
            ("created", found.created_at),
            *((f"{variable.env}", variable.value) for variable in found.variables),
        ]
    )
