"""``stellar server crashes`` and ``stellar server activity``."""

from __future__ import annotations

from pathlib import Path

import click

from stellar.commands.opened import opened
from stellar.commands.options import data_option, json_option
from stellar.commands.tables import print_json, print_table

from .completion import complete_server


@click.command()
@click.argument("server", shell_complete=complete_server)
@click.option("--log", "with_log", is_flag=True, help="Print the last lines before the latest crash, too.")
@data_option
@json_option
def crashes(server: str, with_log: bool, data: Path | None, as_json: bool) -> None:
    """List how SERVER has crashed lately."""
    from stellar.auth.permissions import SYSTEM

    from . import crashes as reports
    from .lookup import find_server

    with opened(data):
        found = reports.crashes(SYSTEM, find_server(server)).items
    if as_json:
        print_json(found)
        return
    lines = [(crash.at, crash.summary, "yes" if crash.restarting else "no") for crash in found]
    print_table(("AT", "HOW", "STARTED AGAIN"), lines, "It has not crashed lately.")
    if with_log and found:
        click.echo(f"\n{found[0].log}")


@click.command()
@click.argument("server", shell_complete=complete_server)
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="How many lines at most.")
@click.option("--before", type=click.IntRange(1), help="Go on after the last line's number.")
@data_option
@json_option
def activity(server: str, limit: int, before: int | None, data: Path | None, as_json: bool) -> None:
    """List what was done with SERVER, the latest first."""
    from stellar.auth.permissions import SYSTEM
    from stellar.web.formats import details

    from . import activity as record
    from .detail_schemas import ActivityQuery
    from .lookup import find_server

    with opened(data):
        found = record.activity(SYSTEM, find_server(server), ActivityQuery(limit, before))
    if as_json:
        print_json(found)
        return
    lines = [
        (one.id, one.at, one.actor.name if one.actor else "-", one.action, details(one.details)) for one in found.items
    ]
    print_table(("NUMBER", "AT", "WHO", "WHAT", "DETAILS"), lines, "Nothing was done with it yet.")
