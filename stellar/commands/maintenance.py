"""``stellar migrate``, ``stellar config`` and ``stellar plugin``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from .options import data_option, json_option

SECRET = re.compile(r"password|secret|token|key\Z", re.IGNORECASE)
HIDDEN = "********"


@click.command()
@data_option
@json_option
def migrate(data: Path | None, as_json: bool) -> None:
    """Bring the database up to date."""
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
        click.echo(msgspec.json.encode(applied))
        return
    for plugin, names in applied.items():
        for name in names:
            click.echo(f"applied {plugin}: {name}")
    if not any(applied.values()):
        click.echo("The database is up to date.")


@click.command()
@data_option
@json_option
def config(data: Path | None, as_json: bool) -> None:
    """Show the configuration that is in force, secrets hidden."""
    from ..config import load_config
    from ..panel import load_plugins

    settings = load_config(data)
    load_plugins(settings)
    shown = {name: _hide(msgspec.structs.asdict(section)) for name, section in settings.sections().items()}
    if as_json:
        click.echo(msgspec.json.encode({"data": str(settings.data), "file": settings.source, **shown}))
        return
    click.echo(f"# data directory: {settings.data}\n# file: {settings.source}")
    for name, values in shown.items():
        click.echo(f"\n[{name}]")
        for key, value in values.items():
            click.echo(f"{key} = {msgspec.json.encode(value).decode()}")


@click.group()
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
        click.echo(msgspec.json.encode([_plugin_row(found) for found in plugins]))
        return
    for found in plugins:
        version = found.manifest.version if found.manifest else "?"
        click.echo(f"{found.name:<16} {version:<10} {'active' if found.active else 'disabled':<10} {found.source}")
        if found.error:
            click.echo("  " + found.error.rstrip().replace("\n", "\n  "))


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


def _hide(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _hidden(key, value) for key, value in values.items()}


def _hidden(key: str, value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    if SECRET.search(key):
        return HIDDEN
    if password := urlsplit(value).password:
        return value.replace(f":{password}@", f":{HIDDEN}@")
    return value
