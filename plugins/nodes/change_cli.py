"""``stellar node show``, ``change``, ``rotate-key`` and ``revoke``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stellar.commands.bodies import body, given
from stellar.commands.opened import on_bus, opened, require_redis
from stellar.commands.options import confirm, data_option, json_option
from stellar.commands.tables import print_done, print_json, print_pairs

from .completion import complete_location, complete_node

if TYPE_CHECKING:
    from .schemas import NodeStats, NodeView


@click.command()
@click.argument("node", shell_complete=complete_node)
@data_option
@json_option
def show(node: str, data: Path | None, as_json: bool) -> None:
    """Show NODE: what it is, what it can do, and its last figures."""
    from . import presence, service
    from .lookup import find_node
    from .pages import one_row
    from .schemas import NodeStats
    from .shown import abilities_of, figures_of, state_of, view_of

    with opened(data):
        found = find_node(node)
        figures = presence.figures_now(found.id)
        view, known = view_of(found)
        stats = NodeStats(figures is not None, figures or {}, *service.usage(found))
        row = one_row(found.id)
    if as_json:
        print_json({"node": view, "stats": stats})
        return
    print_pairs([*_pairs(view, stats, state_of(view, known=known)), *figures_of(row)])
    for heading, found_out in abilities_of(row):
        click.echo(f"\n{heading}:")
        print_pairs(found_out)


@click.command()
@click.argument("node", shell_complete=complete_node)
@click.option("--name", help="Another name.")
@click.option("--address", help="What players connect to.")
@click.option("--note", help="A note for administrators.")
@click.option("--location", shell_complete=complete_location, help="Where it is; an empty text is nowhere.")
@click.option("--ports", help="All of its ports for game servers, such as 25565-25664,27015-27030.")
@data_option
@json_option
def change(
    node: str, location: str | None, ports: str | None, data: Path | None, as_json: bool, **texts: str | None
) -> None:
    """Change what is given of NODE."""
    from stellar.auth.permissions import SYSTEM

    from . import changes
    from .local import port_range
    from .lookup import find_location, find_node
    from .schemas import PatchNode
    from .shown import view_of

    values = given({**texts, "location": location, "port_ranges": ports})
    if ports is not None:
        pairs = [port_range(part.strip(), "--ports") for part in ports.split(",")]
        values["port_ranges"] = [{"first": first, "last": last} for first, last in pairs]
    with opened(data):
        if location is not None:
            values["location"] = find_location(location).id if location else None
        changed = changes.change_node(SYSTEM, find_node(node).id, body(PatchNode, values))
        view, _ = view_of(changed)
    print_done(as_json, view, f"Changed the node {view.name}.")


@click.command("rotate-key")
@click.argument("node", shell_complete=complete_node)
@data_option
def rotate_key(node: str, data: Path | None) -> None:
    """Give NODE, which has to be online, a new key over its link; nothing has to join again."""
    from stellar.auth.permissions import SYSTEM

    from . import rotation
    from .lookup import find_node

    with opened(data) as panel:
        require_redis()
        found = find_node(node)
        on_bus(panel, lambda: rotation.rotate(SYSTEM, found.id))
    click.echo(f"{found.name} has a new key; the old one has stopped working.")


@click.command()
@click.argument("node", shell_complete=complete_node)
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def revoke(node: str, yes: bool, data: Path | None) -> None:
    """Take the key of NODE away and cut its link; its game servers go on, and a machine has to join again."""
    from stellar.auth.permissions import SYSTEM

    from . import link, service
    from .lookup import find_node

    with opened(data):
        found = find_node(node)
        require_redis()
        confirm(f"Revoke the key of {found.name}?", yes)
        service.revoke_key(SYSTEM, found.id)
        link.cut_now(found.id)
    click.echo(f"{found.name} has no key any more: `stellar node join-command` lets a machine join again.")


def _pairs(view: NodeView, stats: NodeStats, state: str) -> list[tuple[str, Any]]:
    ranges = ", ".join(f"{one.first}-{one.last}" for one in view.port_ranges)
    return [
        ("id", view.id),
        ("name", view.name),
        ("state", state),
        ("address", view.address),
        ("location", view.location.name if view.location else None),
        ("note", view.note),
        ("host", view.hostname),
        ("platform", view.platform),
        ("version", f"{view.version} (older than this panel)" if view.outdated else view.version),
        ("last seen", view.last_seen_at),
        ("ports", f"{ranges}: {stats.allocations} of servers, {stats.reserved} reserved, of {stats.ports}"),
        ("servers", stats.servers),
    ]
