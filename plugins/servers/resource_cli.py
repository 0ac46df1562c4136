"""``stellar server resources`` and ``stellar server runtime``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stellar.commands.bodies import body, given
from stellar.commands.opened import on_bus, opened, require_redis
from stellar.commands.options import data_option

from .completion import complete_server
from .spec import Limits, Mount

if TYPE_CHECKING:
    from stellar.panel import Panel


@click.command()
@click.argument("server", shell_complete=complete_server)
@click.option("--memory", "memory_mb", type=int, metavar="MIB", help="Its memory; 0 is no limit.")
@click.option("--cpu", "cpu_percent", type=int, metavar="PERCENT", help="Its CPU; 100 is one core, 0 no limit.")
@click.option("--disk", "disk_mb", type=int, metavar="MIB", help="Its disk space; 0 is no limit.")
@click.option("--swap", "swap_mb", type=int, metavar="MIB", help="Swap besides its memory; -1 is no limit.")
@click.option("--cpu-set", help="The processors it may use, such as 0-1,3; empty: any.")
@click.option("--io-weight", type=int, metavar="WEIGHT", help="Its share of block I/O, 10 to 1000.")
@click.option("--pids", type=int, metavar="COUNT", help="Its processes and threads; 0 is the node's default.")
@click.option("--oom-kill/--no-oom-kill", default=None, help="Whether it is ended when its memory is full.")
@click.option(
    "--mount",
    "mounts",
    multiple=True,
    metavar="SOURCE:TARGET[:rw]",
    help="All directories of the node that it sees besides its own; once with an empty text: none.",
)
@data_option
def resources(server: str, data: Path | None, mounts: tuple[str, ...], **values: Any) -> None:
    """Change how much SERVER may use; it counts from the next start on."""
    import msgspec

    from stellar.auth.permissions import SYSTEM

    from . import changes
    from .lookup import find_server
    from .schemas import PatchServer

    listed = [msgspec.to_builtins(_mount(text)) for text in mounts if text] if mounts else None
    wanted = body(PatchServer, given({**values, "mounts": listed}))
    with opened(data):
        require_redis()
        changes.patch_server(SYSTEM, find_server(server), wanted)
    click.echo("Changed; it counts from the next start on.")


@click.command()
@click.argument("server", shell_complete=complete_server)
@click.option("--runtime", help="docker, process or a plugin's; for a server that is off.")
@click.option("--image", help="One of its blueprint's images; empty: the first.")
@data_option
def runtime(server: str, runtime: str | None, image: str | None, data: Path | None) -> None:
    """Choose what SERVER runs in; without an option, say what it is."""
    from stellar.auth.permissions import SYSTEM

    from . import changes, views
    from .lookup import find_server

    with opened(data) as panel:
        ref = find_server(server)
        shown = views.startup(SYSTEM, ref, "startup.read")
        if runtime is None and image is None:
            click.echo(f"{shown.runtime} ({shown.image})" if shown.image else shown.runtime)
            return
        require_redis()
        if runtime is not None and runtime != shown.runtime:
            _check(panel, ref, runtime)
        changes.change_startup(SYSTEM, ref, {}, runtime=runtime, image=image)
    click.echo("Changed; it counts from the next start on.")


def fine_limits(limits: Limits) -> list[tuple[str, str]]:
    """What differs from the usual, for people."""
    found = []
    if limits.swap_mb:
        found.append(("swap", "no limit" if limits.swap_mb < 0 else f"{limits.swap_mb} MiB"))
    if limits.cpu_set:
        found.append(("processors", limits.cpu_set))
    if limits.pids:
        found.append(("processes", str(limits.pids)))
    if limits.io_weight != Limits().io_weight:
        found.append(("I/O weight", str(limits.io_weight)))
    if not limits.oom_kill:
        found.append(("full memory", "waits"))
    return found


def _check(panel: Panel, ref: str, runtime: str) -> None:
    from stellar.auth.permissions import SYSTEM
    from stellar.plugins.blueprints import service as blueprints
    from stellar.plugins.nodes import service as nodes

    from . import placement
    from .service import get_server

    server = get_server(SYSTEM, ref, "startup.image")
    document = blueprints.document_of(blueprints.get_blueprint(server.blueprint_id))
    node = nodes.get_node(server.node_id)

    on_bus(panel, lambda: placement.check(node, document, runtime))


def _mount(text: str) -> Mount:
    from stellar.errors import Invalid

    source, colon, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not colon or not source or not target or mode not in ("", "rw", "ro"):
        raise Invalid(f"A mount is given as SOURCE:TARGET or SOURCE:TARGET:rw, not {text!r}.")
    return Mount(source, target, mode != "rw")
