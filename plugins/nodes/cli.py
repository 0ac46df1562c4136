"""``stellar node``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stellar.commands.bodies import body
from stellar.commands.groups import Group
from stellar.commands.opened import opened
from stellar.commands.options import confirm, data_option, json_option
from stellar.commands.tables import print_json, print_table

from .completion import complete_node

if TYPE_CHECKING:
    from stellar.panel import Panel

    from .models import Node
    from .schemas import JoinCommand


@click.group(cls=Group)
def node() -> None:
    """Create, list, change, join, drain and remove nodes.

    NODE is a name or an id.
    """


@node.command("create")
@click.argument("name")
@click.option("--address", default="", help="What players connect to.  [default: where the node links from]")
@click.option("--ports", default="25565-25664", show_default=True, help="The ports for game servers.")
@data_option
@json_option
def create(name: str, address: str, ports: str, data: Path | None, as_json: bool) -> None:
    """Make the node NAME and print the command that joins a machine to it."""
    from stellar.auth.permissions import SYSTEM

    from . import service
    from .local import port_range
    from .schemas import CreateNode

    first, last = port_range(ports, "--ports")
    wanted = body(CreateNode, {"name": name, "address": address, "port_start": first, "port_end": last})
    with opened(data) as panel:
        made = service.create_node(SYSTEM, wanted)
        join = _join(panel, made)
    _print_join(f"Made the node {made.name}.", made, join, as_json)


@node.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """List the nodes."""
    from . import presence, service
    from .shown import state_of

    with opened(data):
        nodes = service.list_nodes()
        online = presence.online_now([found.id for found in nodes])
        rows = service.views(nodes, {found.id: online is not None and found.id in online for found in nodes})
    if as_json:
        print_json(rows)
        return
    lines = []
    for row in rows:
        state = state_of(row, known=online is not None)
        lines.append((row.name, state, row.address, f"{row.port_start}-{row.port_end}", row.servers, row.id))
    print_table(("NAME", "STATE", "ADDRESS", "PORTS", "SERVERS", "ID"), lines, "There are no nodes yet.")
    if online is None:
        click.echo("Redis does not answer, so nobody knows which nodes are online; `stellar run` starts it.", err=True)


@node.command("join-command")
@click.argument("node", shell_complete=complete_node)
@data_option
@json_option
def join_command(node: str, data: Path | None, as_json: bool) -> None:
    """Print a new command that joins a machine as NODE; the earlier ones stop working."""
    from .lookup import find_node

    with opened(data) as panel:
        found = find_node(node)
        join = _join(panel, found)
    _print_join("", found, join, as_json)


@node.command()
@click.argument("node", shell_complete=complete_node)
@data_option
def drain(node: str, data: Path | None) -> None:
    """Place no new servers on NODE; those that it has go on."""
    _drain(node, data, draining=True)


@node.command()
@click.argument("node", shell_complete=complete_node)
@data_option
def undrain(node: str, data: Path | None) -> None:
    """Let NODE have new servers again."""
    _drain(node, data, draining=False)


@node.command()
@click.argument("node", shell_complete=complete_node)
@click.option("--force", is_flag=True, help="Forget the servers of a node that is being drained.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def remove(node: str, force: bool, yes: bool, data: Path | None) -> None:
    """Remove NODE, which has no servers any more."""
    from stellar.auth.permissions import SYSTEM

    from . import link, service
    from .lookup import find_node

    with opened(data):
        found = find_node(node)
        confirm(f"Remove the node {found.name}?", yes)
        service.remove_node(SYSTEM, found.id, with_servers=force)
        link.cut_now(found.id)
    click.echo(f"Removed the node {found.name}.")


def _drain(ref: str, data: Path | None, *, draining: bool) -> None:
    from stellar.auth.permissions import SYSTEM

    from . import changes
    from .lookup import find_node

    with opened(data):
        found = changes.set_draining(SYSTEM, find_node(ref).id, draining)
    click.echo(f"{found.name} gets no new servers." if draining else f"{found.name} gets new servers again.")


def _join(panel: Panel, found: Node) -> JoinCommand:
    from stellar.auth.permissions import SYSTEM

    from . import service
    from .address import panel_url
    from .settings import NodesSettings

    panel.config.recall_address()
    minutes = panel.config.section(NodesSettings).join_token_minutes
    return service.make_join_token(SYSTEM, found.id, panel_url(panel.config), minutes)


def _print_join(made: str, found: Node, join: JoinCommand, as_json: bool) -> None:
    from .address import ONLY_HERE, is_loopback

    if as_json:
        print_json({"id": found.id, "name": found.name, "join": join})
        return
    until = f"until {join.expires_at:%Y-%m-%d %H:%M} UTC"
    click.echo(f"{made} Run this on its machine, {until}:\n\n  {join.command}\n".lstrip())
    url = join.command.split()[3]
    if is_loopback(url):
        click.echo(ONLY_HERE.format(url=url), err=True)
