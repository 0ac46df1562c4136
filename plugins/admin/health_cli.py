"""``stellar health``."""

from __future__ import annotations

from pathlib import Path

import click

from stellar.commands.opened import on_bus, opened
from stellar.commands.options import data_option, json_option
from stellar.commands.tables import print_json, print_table


@click.command()
@data_option
@json_option
def health(data: Path | None, as_json: bool) -> None:
    """Check everything that the panel needs; the exit code is 1 when something is wrong."""
    from . import overview

    with opened(data) as panel:
        found = on_bus(panel, lambda: overview.health(panel))
    if as_json:
        print_json(found)
    else:
        rows = [(one.name, one.plugin, "ok" if one.ok else "wrong", one.message) for one in found.checks]
        print_table(("CHECK", "PLUGIN", "STATE", "FOUND"), rows)
    if not found.ok:
        raise SystemExit(1)
