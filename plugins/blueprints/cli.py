"""``stellar blueprint``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from stellar.commands.options import data_option, json_option


@click.group()
def blueprint() -> None:
    """List, show and check blueprints."""


@blueprint.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """List the blueprints."""
    from stellar.auth.permissions import SYSTEM

    from . import service

    with _database(data):
        rows = service.views(SYSTEM)
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for row in rows:
        click.echo(f"{row.name:<20} {row.category:<10} {'built-in' if row.builtin else 'own':<9} {row.title}")


@blueprint.command("show")
@click.argument("name")
@data_option
@json_option
def show(name: str, data: Path | None, as_json: bool) -> None:
    """Print the blueprint NAME (a name or id) as its author wrote it."""
    from stellar.auth.permissions import SYSTEM

    from . import service

    with _database(data):
        found = service.detail(SYSTEM, name)
    click.echo(msgspec.json.encode(found) if as_json else (found.source or "").rstrip())


@blueprint.command("validate")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def validate(file: Path, as_json: bool) -> None:
    """Check the blueprint in FILE, a blueprint.toml or the directory that holds one."""
    from stellar.errors import Invalid

    from .format import load

    try:
        found = load(file).blueprint
    except Invalid as error:
        if as_json:
            click.echo(msgspec.json.encode({"valid": False, "message": error.message, "fields": error.fields}))
        else:
            lines = [f"  {key} {problem}" for key, problem in error.fields.items()]
            click.echo("\n".join([f"{file} is not a valid blueprint:", *(lines or [f"  {error.message}"])]), err=True)
        raise SystemExit(1) from None
    if as_json:
        click.echo(msgspec.json.encode({"valid": True, "name": found.name, "title": found.title}))
    else:
        click.echo(f"{file} is a valid blueprint: {found.title} ({found.name}).")


@contextmanager
def _database(data: Path | None) -> Iterator[None]:
    from stellar.panel import open_prepared

    panel = open_prepared(data)
    try:
        yield
    finally:
        panel.stop()
