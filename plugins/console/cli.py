"""``stellar server command`` and ``stellar server console``."""

from __future__ import annotations

from pathlib import Path

import click

from stellar.commands.opened import opened, require_redis
from stellar.commands.options import data_option
from stellar.plugins.servers.completion import complete_server


@click.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("words", nargs=-1, required=True, metavar="COMMAND...")
@data_option
def command(server: str, words: tuple[str, ...], data: Path | None) -> None:
    """Type COMMAND into the console of SERVER, as one line."""
    from stellar import audit
    from stellar.auth.permissions import SYSTEM
    from stellar.bus import sync
    from stellar.plugins.servers.calls import Command, Result, check_command
    from stellar.plugins.servers.lookup import find_server
    from stellar.plugins.servers.service import get_server

    line = " ".join(words)
    check_command(line)
    with opened(data):
        found = get_server(SYSTEM, find_server(server), "console.write")
        sync.call(found.node_id, "servers.command", Command(found.id, line), returns=Result)
        audit.record(SYSTEM, "server.command", target_type="server", target_id=found.id)
    click.echo(f"Sent to {found.name}.")


@click.command()
@click.argument("server", shell_complete=complete_server)
@click.option("--no-input", is_flag=True, help="Only show the output.")
@click.option("--no-follow", is_flag=True, help="Show the last output that is kept, and leave.")
@data_option
def console(server: str, no_input: bool, no_follow: bool, data: Path | None) -> None:
    """Show the live console of SERVER and type into it; Ctrl-] leaves.

    In a terminal every key goes to the game as it is, Ctrl-C too. Where the input is a file or a pipe, it is typed
    into the console, and the output is shown until you press Ctrl-C.
    """
    import asyncio

    from stellar import audit
    from stellar.auth.permissions import SYSTEM
    from stellar.plugins.servers.lookup import find_server
    from stellar.plugins.servers.service import get_server

    from .terminal import attach, show_last

    with opened(data) as panel:
        found = get_server(SYSTEM, find_server(server), "console.read")
        if no_follow:
            show_last(found)
            return
        require_redis()
        if not no_input:
            found = get_server(SYSTEM, found.id, "console.write")
            audit.record(SYSTEM, "server.console", target_type="server", target_id=found.id)
        asyncio.run(attach(panel, found, typing=not no_input))
