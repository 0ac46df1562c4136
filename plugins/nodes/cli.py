"""``stellar node``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from stellar.commands.options import data_option, json_option

if TYPE_CHECKING:
    from .schemas import CreateNode


@click.group()
def node() -> None:
    """Create and list nodes."""


@node.command("create")
@click.argument("name")
@click.option("--address", default="", help="What players connect to.  [default: where the node links from]")
@click.option("--ports", default="25565-25664", show_default=True, help="The ports for game servers.")
@data_option
@json_option
def create(name: str, address: str, ports: str, data: Path | None, as_json: bool) -> None:
    """Make the node NAME and print the command that joins a machine to it."""
    from stellar.auth.permissions import SYSTEM
    from stellar.panel import open_prepared

    from . import service
    from .address import ONLY_HERE, is_loopback, panel_url
    from .local import port_range
    from .settings import NodesSettings

    panel = open_prepared(data)
    first, last = port_range(ports, "--ports")
    values = {"name": name, "address": address, "port_start": first, "port_end": last}
    wanted = _checked(values)
    made = service.create_node(SYSTEM, wanted)
    minutes = panel.config.section(NodesSettings).join_token_minutes
    panel.config.recall_address()
    url = panel_url(panel.config)
    join = service.make_join_token(SYSTEM, made.id, url, minutes)
    panel.stop()
    if as_json:
        click.echo(msgspec.json.encode({"id": made.id, "name": made.name, "join": join}))
        return
    click.echo(f"Made the node {made.name}. Run this on its machine within {minutes} minutes:\n\n  {join.command}\n")
    if is_loopback(url):
        click.echo(ONLY_HERE.format(url=url), err=True)


@node.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """List the nodes."""
    from stellar.bus import cache, names, sync
    from stellar.panel import open_prepared

    from . import service

    panel = open_prepared(data)
    nodes = service.list_nodes()
    keys = [names.cache_node_metrics(found.id) for found in nodes]
    figures = cache.get_many_sync(sync.client(), keys, dict[str, Any])
    rows = service.views(nodes, {found.id: known is not None for found, known in zip(nodes, figures, strict=True)})
    panel.stop()
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for row in rows:
        state = "online" if row.online else "offline"
        click.echo(f"{row.name:<20} {state:<8} {row.address:<20} {row.servers:>3} servers  {row.id}")


def _checked(values: dict[str, object]) -> CreateNode:
    from stellar.errors import Invalid

    from .schemas import CreateNode

    try:
        return msgspec.convert(values, CreateNode)
    except msgspec.ValidationError as error:
        raise Invalid(f"{error}.") from None
