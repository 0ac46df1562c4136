"""``stellar node ports`` and ``stellar location``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stellar.commands.bodies import body, given
from stellar.commands.groups import Group
from stellar.commands.opened import opened
from stellar.commands.options import confirm, data_option, json_option
from stellar.commands.tables import print_done, print_json, print_table

from .completion import complete_location, complete_node

if TYPE_CHECKING:
    from .schemas import AllocationPage

PAGE = 500


@click.group(cls=Group)
def ports() -> None:
    """List, reserve and release the ports of a node.

    `stellar node change NODE --ports` sets which it has.
    """


@ports.command("list")
@click.argument("node", shell_complete=complete_node)
@click.option("--reserved", is_flag=True, help="Only those that are reserved.")
@data_option
@json_option
def list_ports(node: str, reserved: bool, data: Path | None, as_json: bool) -> None:
    """List the ports of NODE that servers have or that are reserved."""
    from .lookup import find_node

    with opened(data):
        found = _all_ports(find_node(node).id, reserved=reserved or None)
    if as_json:
        print_json(found)
        return
    rows = [
        (one.port, "reserved" if one.reserved else one.name, one.protocol, one.server_id, one.note)
        for one in found.allocations
    ]
    print_table(("PORT", "FOR", "PROTOCOL", "SERVER", "NOTE"), rows, "There are no such ports.")
    ranges = ", ".join(f"{one.first}-{one.last}" for one in found.ranges)
    click.echo(f"{found.free} of {found.ports} ports are free in {ranges}.", err=True)


@ports.command()
@click.argument("node", shell_complete=complete_node)
@click.argument("port", type=int)
@click.option("--note", default="", help="What for.")
@data_option
@json_option
def reserve(node: str, port: int, note: str, data: Path | None, as_json: bool) -> None:
    """Reserve PORT of NODE, so that no server gets it."""
    from stellar.auth.permissions import SYSTEM

    from . import ports
    from .lookup import find_node
    from .schemas import ReservePort

    wanted = body(ReservePort, {"port": port, "note": note})
    with opened(data):
        found = find_node(node)
        made = ports.reserve(SYSTEM, found.id, wanted)
    print_done(as_json, made, f"No server gets port {port} of {found.name}.")


@ports.command()
@click.argument("node", shell_complete=complete_node)
@click.argument("port", type=int)
@data_option
def release(node: str, port: int, data: Path | None) -> None:
    """Let servers have the reserved PORT of NODE again."""
    from stellar.auth.permissions import SYSTEM

    from . import ports
    from .lookup import find_node

    with opened(data):
        found = find_node(node)
        ports.release_port(SYSTEM, found.id, str(port))
    click.echo(f"Servers may have port {port} of {found.name} again.")


@click.group(cls=Group)
def location() -> None:
    """List, create, change and delete locations, the places where nodes are.

    LOCATION is a name or an id. `stellar node change NODE --location` says where a node is.
    """


@location.command("list")
@data_option
@json_option
def list_locations(data: Path | None, as_json: bool) -> None:
    """List the locations."""
    from . import locations

    with opened(data):
        found = locations.list_locations()
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.nodes, one.description, one.id) for one in found]
    print_table(("NAME", "NODES", "DESCRIPTION", "ID"), rows, "There are no locations yet.")


@location.command()
@click.argument("name")
@click.option("--description", default="", help="What people should know of it.")
@data_option
@json_option
def create(name: str, description: str, data: Path | None, as_json: bool) -> None:
    """Make the location NAME."""
    from stellar.auth.permissions import SYSTEM

    from . import locations
    from .schemas import CreateLocation

    wanted = body(CreateLocation, {"name": name, "description": description})
    with opened(data):
        made = locations.create_location(SYSTEM, wanted)
    print_done(as_json, made, f"Made the location {made.name}.")


@location.command()
@click.argument("location", shell_complete=complete_location)
@click.option("--name", help="Another name.")
@click.option("--description", help="What people should know of it.")
@data_option
@json_option
def change(location: str, name: str | None, description: str | None, data: Path | None, as_json: bool) -> None:
    """Change what is given of LOCATION."""
    from stellar.auth.permissions import SYSTEM

    from . import locations
    from .lookup import find_location
    from .schemas import PatchLocation

    wanted = body(PatchLocation, given({"name": name, "description": description}))
    with opened(data):
        changed = locations.change_location(SYSTEM, find_location(location).id, wanted)
    print_done(as_json, changed, f"Changed the location {changed.name}.")


@location.command()
@click.argument("location", shell_complete=complete_location)
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def delete(location: str, yes: bool, data: Path | None) -> None:
    """Delete LOCATION, to which no node belongs."""
    from stellar.auth.permissions import SYSTEM

    from . import locations
    from .lookup import find_location

    with opened(data):
        found = find_location(location)
        confirm(f"Delete the location {found.name}?", yes)
        locations.remove_location(SYSTEM, found.id)
    click.echo(f"Deleted the location {found.name}.")


def _all_ports(node_id: str, *, reserved: bool | None) -> AllocationPage:
    """The whole list, however many pages it takes."""
    from . import ports
    from .schemas import AllocationQuery

    found = ports.page(node_id, AllocationQuery(limit=PAGE, reserved=reserved))
    while found.next is not None:
        more = ports.page(node_id, AllocationQuery(limit=PAGE, after=found.next, reserved=reserved))
        found.allocations += more.allocations
        found.next = more.next
    return found
