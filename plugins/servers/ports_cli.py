"""``stellar server ports``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stellar.commands.groups import Group
from stellar.commands.opened import opened, require_redis
from stellar.commands.options import data_option, json_option
from stellar.commands.tables import print_json, print_table

from .completion import complete_server

if TYPE_CHECKING:
    from .detail_schemas import AllocationList


@click.group(cls=Group)
def ports() -> None:
    """List and change a server's ports.

    PORT is a number that `list` shows.
    """


@ports.command("list")
@click.argument("server", shell_complete=complete_server)
@data_option
@json_option
def list_(server: str, data: Path | None, as_json: bool) -> None:
    """List the ports of SERVER, the main one first."""
    from stellar.auth.permissions import SYSTEM

    from . import ports as service
    from .lookup import find_server

    with opened(data):
        found = service.list_ports(SYSTEM, find_server(server))
    _print(found, as_json)


@ports.command()
@click.argument("server", shell_complete=complete_server)
@click.option("--protocol", type=click.Choice(("tcp", "udp", "both")), default="both", show_default=True)
@click.option("--note", default="", help="What it is for.")
@data_option
@json_option
def add(server: str, data: Path | None, as_json: bool, **wanted: Any) -> None:
    """Give SERVER one more port, which its node chooses."""
    from stellar.auth.permissions import SYSTEM

    from . import ports as service
    from .detail_schemas import AddAllocation
    from .lookup import find_server

    asked = AddAllocation(**wanted)
    with opened(data):
        require_redis()
        found = service.add_port(SYSTEM, find_server(server), asked)
    _print(found, as_json)


@ports.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("number", metavar="PORT", type=int)
@click.option("--main", is_flag=True, help="Make it the main port.")
@click.option("--note", help="What it is for.")
@data_option
@json_option
def change(server: str, number: int, data: Path | None, as_json: bool, **given: Any) -> None:
    """Make PORT the main port of SERVER, or change its note."""
    from msgspec import UNSET

    from stellar.auth.permissions import SYSTEM
    from stellar.errors import Invalid

    from . import ports as service
    from .detail_schemas import PatchAllocation
    from .lookup import find_server

    changes = PatchAllocation(
        primary=True if given["main"] else UNSET, note=UNSET if given["note"] is None else given["note"]
    )
    if changes == PatchAllocation():
        raise Invalid("Say what to change; see --help.")
    with opened(data):
        require_redis()
        ref = find_server(server)
        found = service.change_port(SYSTEM, ref, _id(ref, number), changes)
    _print(found, as_json)


@ports.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("number", metavar="PORT", type=int)
@data_option
def remove(server: str, number: int, data: Path | None) -> None:
    """Take PORT from SERVER."""
    from stellar.auth.permissions import SYSTEM

    from . import ports as service
    from .lookup import find_server

    with opened(data):
        require_redis()
        ref = find_server(server)
        service.remove_port(SYSTEM, ref, _id(ref, number))
    click.echo(f"Port {number} is free again.")


def _id(ref: str, number: int) -> str:
    from stellar.auth.permissions import SYSTEM
    from stellar.errors import NotFound

    from . import ports as service

    for found in service.list_ports(SYSTEM, ref).items:
        if found.port == number:
            return found.id
    raise NotFound(f"The server has no port {number}.")


def _print(found: AllocationList, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    lines = [(one.port, one.protocol, one.name, one.primary, one.note) for one in found.items]
    print_table(("PORT", "PROTOCOL", "NAME", "MAIN", "NOTE"), lines, "The server has no ports.")
