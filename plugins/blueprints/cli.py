"""``stellar blueprint``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stellar.commands.completion import completes
from stellar.commands.groups import Group
from stellar.commands.opened import opened
from stellar.commands.options import data_option, json_option
from stellar.commands.tables import print_json, print_table

complete_blueprint = completes("blueprints_blueprint", "name", "title")


@click.group(cls=Group)
def blueprint() -> None:
    """List, show, check, import and export blueprints."""


@blueprint.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """List the blueprints."""
    from stellar.auth.permissions import SYSTEM

    from . import service

    with opened(data):
        rows = service.views(SYSTEM)
    if as_json:
        print_json(rows)
        return
    lines = [
        (row.name, row.category, "built-in" if row.builtin else "changed" if row.modified else "own", row.title)
        for row in rows
    ]
    print_table(("NAME", "CATEGORY", "KIND", "TITLE"), lines, "There are no blueprints.")


@blueprint.command("show")
@click.argument("name", shell_complete=complete_blueprint)
@data_option
@json_option
def show(name: str, data: Path | None, as_json: bool) -> None:
    """Print the blueprint NAME (a name or id) as its author wrote it."""
    from stellar.auth.permissions import SYSTEM

    from . import service

    with opened(data):
        found = service.detail(SYSTEM, name)
    if as_json:
        print_json(found)
        return
    click.echo((found.source or "").rstrip())


@blueprint.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Take the place of the blueprint of the same name, if there is one.")
@data_option
@json_option
def import_(file: Path, replace: bool, data: Path | None, as_json: bool) -> None:
    """Import the blueprint in FILE: a blueprint.toml, the directory that holds one, or a ZIP file."""
    from stellar.auth.permissions import SYSTEM

    from . import library, service

    files = _files(file)
    with opened(data):
        made = service.detail(SYSTEM, library.import_files(SYSTEM, files, replace=replace).id)
    if as_json:
        print_json(made)
        return
    click.echo(f"Imported {made.title} ({made.name}).")


@blueprint.command("export")
@click.argument("name", shell_complete=complete_blueprint)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The file to write.  [default: standard output]")
@click.option("--format", "kind", type=click.Choice(["toml", "zip"]), help="[default: what holds everything]")
@data_option
def export(name: str, output: Path | None, kind: str | None, data: Path | None) -> None:
    """Export the blueprint NAME (a name or id), as a ZIP file where files belong to it."""
    from stellar.errors import Invalid

    from . import library

    with opened(data):
        media_type, file_name, content = library.export(name, kind)
    if output is None:
        if media_type == "application/zip" and sys.stdout.isatty():
            raise Invalid(f"This is a ZIP file: name the file to write with --output {file_name}.")
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise Invalid(f"{output} can't be written: {error.strerror}.") from None
    click.echo(f"Wrote {output}.", err=True)


@blueprint.command("validate")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def validate(file: Path, as_json: bool) -> None:
    """Check the blueprint in FILE: a blueprint.toml, the directory that holds one, or a ZIP file."""
    from stellar.errors import Invalid

    from .format import FILE_NAME, parse

    try:
        files = _files(file)
        found = parse(files[FILE_NAME], files.get).blueprint
    except Invalid as error:
        if as_json:
            print_json({"valid": False, "message": error.message, "fields": error.fields})
        else:
            lines = [f"  {key} {problem}" for key, problem in error.fields.items()]
            click.echo("\n".join([f"{file} is not a valid blueprint:", *(lines or [f"  {error.message}"])]), err=True)
        raise SystemExit(1) from None
    if as_json:
        print_json({"valid": True, "name": found.name, "title": found.title})
    else:
        click.echo(f"{file} is a valid blueprint: {found.title} ({found.name}).")


def _files(path: Path) -> dict[str, bytes]:
    """The ``blueprint.toml`` that somebody means, and the files that it names; ``Invalid`` for its mistakes."""
    from .archive import MAX_ARCHIVE, unpack
    from .beside import directory
    from .format import FILE_NAME, MAX_SOURCE, parse

    if path.is_dir():
        path /= FILE_NAME
    if path.suffix.lower() == ".zip":
        return unpack(_read(path, MAX_ARCHIVE))
    files = {FILE_NAME: _read(path, MAX_SOURCE)}
    read = directory(path.parent)

    def beside(name: str) -> bytes | None:
        content = read(name)
        if content is not None:
            files[name] = content
        return content

    parse(files[FILE_NAME], beside)
    return files


def _read(path: Path, limit: int) -> bytes:
    from stellar.errors import Invalid

    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise Invalid(f"{path} can't be read: {error.strerror}.") from None
    if len(content) > limit:
        raise Invalid(f"{path} has more than {limit // 1024} KiB.")
    return content
