"""``stellar migrate`` and ``stellar plugin``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .groups import Group
from .options import data_option, json_option
from .tables import print_json, print_table


@click.command()
@click.option("--check", is_flag=True, help="Only say what is pending; the exit code is 1 when something is.")
@data_option
@json_option
def migrate(check: bool, data: Path | None, as_json: bool) -> None:
    """Bring the database up to date."""
    if check:
        _check(data, as_json)
        return
    from ..config import load_config, prepare_data
    from ..panel import boot

    config = load_config(data)
    prepare_data(config)
    panel = boot("migrate", config=config)
    panel.open()
    applied = panel.migrate()
    panel.start()
    panel.stop()
    if as_json:
        print_json(applied)
        return
    for plugin, names in applied.items():
        for name in names:
            click.echo(f"applied {plugin}: {name}")
    if not any(applied.values()):
        click.echo("The database is up to date.")


def _check(data: Path | None, as_json: bool) -> None:
    from ..config import load_config, prepare_data
    from ..db.migrate import pending
    from ..panel import boot

    config = load_config(data)
    prepare_data(config)
    panel = boot("migrate", config=config)
    panel.open()
    waiting = pending(panel.migrations())
    panel.stop()
    if as_json:
        print_json(waiting)
    else:
        rows = [(plugin, name) for plugin, names in waiting.items() for name in names]
        print_table(("PLUGIN", "PENDING MIGRATION"), rows, "The database is up to date.")
    if waiting:
        raise SystemExit(1)


@click.group(cls=Group)
def plugin() -> None:
    """Look at plugins."""


@plugin.command("list")
@data_option
@json_option
def plugin_list(data: Path | None, as_json: bool) -> None:
    """List the plugins, and why one is disabled."""
    from ..panel import boot

    plugins = boot("web", data).plugins.plugins
    if as_json:
        print_json([_plugin_row(found) for found in plugins])
        return
    rows = [
        (one.name, one.manifest.version if one.manifest else None, "active" if one.active else "disabled", one.source)
        for one in plugins
    ]
    print_table(("NAME", "VERSION", "STATE", "FROM"), rows)
    for found in plugins:
        if found.error:
            click.echo(f"\n{found.name}:\n  " + found.error.rstrip().replace("\n", "\n  "))


def _plugin_row(found: Any) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.manifest.version if found.manifest else None,
        "description": found.manifest.description if found.manifest else "",
        "source": found.source,
        "builtin": found.builtin,
        "active": found.active,
        "error": found.error,
    }
