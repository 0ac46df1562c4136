"""``stellar node unknown``."""

from __future__ import annotations

from pathlib import Path

import click

from stellar.commands.groups import Group
from stellar.commands.opened import opened, require_redis
from stellar.commands.options import confirm, data_option
from stellar.plugins.nodes.completion import complete_node


@click.group(cls=Group)
def unknown() -> None:
    """Kill or delete servers that a node has and the panel doesn't know.

    ID is what `stellar node show` names.
    """


@unknown.command()
@click.argument("node", shell_complete=complete_node)
@click.argument("server_id", metavar="ID")
@data_option
def kill(node: str, server_id: str, data: Path | None) -> None:
    """Kill the server ID on NODE; its files stay there."""
    from stellar.auth.permissions import SYSTEM
    from stellar.bus import sync
    from stellar.plugins.nodes.lookup import find_node

    from . import unknown as servers
    from .calls import Power, PowerResult

    with opened(data):
        require_redis()
        found = servers.node_of_unknown(find_node(node).id, server_id)
        sync.call(found.id, "servers.power", Power(server_id, "kill"), returns=PowerResult)
        servers.note(SYSTEM, "node.unknown_server_kill", found, server_id)
    click.echo("Killed.")


@unknown.command()
@click.argument("node", shell_complete=complete_node)
@click.argument("server_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def delete(node: str, server_id: str, yes: bool, data: Path | None) -> None:
    """Kill the server ID on NODE, and delete its files there."""
    from stellar.auth.permissions import SYSTEM
    from stellar.bus import sync
    from stellar.plugins.nodes.lookup import find_node

    from . import unknown as servers
    from .calls import Remove, Result

    with opened(data):
        require_redis()
        found = servers.node_of_unknown(find_node(node).id, server_id)
        confirm(f"Delete {server_id} with all its files on {found.name}?", yes)
        sync.call(found.id, "servers.remove", Remove(server_id), returns=Result, timeout=servers.REMOVE_SECONDS)
        servers.note(SYSTEM, "node.unknown_server_delete", found, server_id)
    click.echo("Deleted.")
