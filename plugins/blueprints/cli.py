"""``stellar blueprint``."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from stellar.commands.groups import Group
from stellar.commands.opened import opened
from stellar.commands.options import confirm, data_option, json_option
from stellar.commands.tables import print_json, print_table

from .completion import complete_blueprint

if TYPE_CHECKING:
    from .eggs.report import Note
    from .schemas import BlueprintUpdate


@click.group(cls=Group)
def blueprint() -> None:
    """List, show, import, export and delete blueprints."""


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
@click.argument("source", metavar="FILE|URL|-")
@click.option("--replace", is_flag=True, help="Take the place of the blueprint of the same name or egg, if any.")
@data_option
@json_option
def import_(source: str, replace: bool, data: Path | None, as_json: bool) -> None:
    """Import a blueprint or an egg: from a file, a directory with a blueprint.toml, an address, or standard input.

    An egg is JSON or YAML of Pterodactyl or Pelican; what a blueprint can't say of it is listed.
    """
    from stellar.auth.permissions import SYSTEM

    from . import imports, service

    files = None if _is_url(source) else _files(source)
    with opened(data):
        if files is None:
            files = _fetched(source)
        row, notes = imports.import_files(SYSTEM, files, replace=replace)
        made = msgspec.structs.replace(service.detail_of(SYSTEM, row), report=notes)
    if as_json:
        print_json(made)
        return
    click.echo(f"Imported {made.title} ({made.name}).")
    _print_notes(notes)


@blueprint.command("update")
@click.argument("name", shell_complete=complete_blueprint)
@click.option("--yes", is_flag=True, help="Apply it without asking.")
@click.option("--show", is_flag=True, help="Only show the difference.")
@data_option
@json_option
def update(name: str, yes: bool, show: bool, data: Path | None, as_json: bool) -> None:
    """Fetch the newer version of the blueprint NAME from its update_url, show the difference, and apply it."""
    from stellar.auth.permissions import SYSTEM

    from . import imports

    with opened(data):
        url = imports.update_url_of(name)
        files = _fetched(url)
        found = imports.update(SYSTEM, name, url, files, None)
        if not as_json:
            _print_changes(found)
        wanted = found.changes and not show
        if wanted and (yes or (not as_json and click.confirm("Apply it?"))):
            found = imports.update(SYSTEM, name, url, files, found.digest)
    if as_json:
        print_json(found)
    elif found.applied:
        click.echo(f"Updated {name}.")


@blueprint.command("export")
@click.argument("name", shell_complete=complete_blueprint)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The file to write.  [default: standard output]")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["toml", "zip", "ptdl_v2", "plcn_v3"]),
    help="ptdl_v2 and plcn_v3 are eggs.  [default: what holds everything]",
)
@data_option
def export(name: str, output: Path | None, kind: str | None, data: Path | None) -> None:
    """Export the blueprint NAME (a name or id): TOML, a ZIP file where files belong to it, or an egg."""
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


@blueprint.command("restore")
@click.argument("name", shell_complete=complete_blueprint)
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def restore(name: str, yes: bool, data: Path | None) -> None:
    """Make the changed built-in blueprint NAME (a name or id) what it was."""
    from stellar.auth.permissions import SYSTEM

    from . import library, service

    with opened(data):
        found = service.get_blueprint(name)
        confirm(f"Give up what was changed of {found.title}?", yes)
        library.restore(SYSTEM, found.id)
    click.echo(f"{found.title} is what it was.")


@blueprint.command("delete")
@click.argument("name", shell_complete=complete_blueprint)
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def delete(name: str, yes: bool, data: Path | None) -> None:
    """Delete the blueprint NAME (a name or id), from which no server is made."""
    from stellar.auth.permissions import SYSTEM

    from . import library, service

    with opened(data):
        found = service.get_blueprint(name)
        confirm(f"Delete the blueprint {found.title}?", yes)
        library.delete(SYSTEM, found.id)
    click.echo(f"Deleted {found.title}.")


@blueprint.command("validate")
@click.argument("file")
@json_option
def validate(file: str, as_json: bool) -> None:
    """Check the blueprint in FILE: a blueprint.toml, the directory that holds one, a ZIP file, or an egg."""
    from stellar.errors import Invalid

    from .eggs.convert import load_egg
    from .format import FILE_NAME, parse
    from .incoming import EGG

    notes: list[Note] = []
    try:
        files = _files(file)
        if EGG in files:
            egg = load_egg(files[EGG])
            found, notes = egg.loaded.blueprint, egg.report.notes
        else:
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
        _print_notes(notes)


def _is_url(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def _fetched(url: str) -> dict[str, bytes]:
    import asyncio

    from .incoming import fetched

    return asyncio.run(fetched(url))


def _print_notes(notes: Sequence[Note]) -> None:
    if notes:
        click.echo("Otherwise than in the egg:", err=True)
    for note in notes:
        click.echo(f"  {note.path} {note.problem}", err=True)


def _print_changes(found: BlueprintUpdate) -> None:
    if not found.changes:
        click.echo("There is nothing new.")
    for change in found.changes:
        click.echo(f"{change.path}:")
        before, after = (change.before or "").splitlines(), (change.after or "").splitlines()
        lines = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
        click.echo("\n".join(f"  {line}" for line in lines if not line.startswith("@@")))
    _print_notes(found.report)


def _files(source: str) -> dict[str, bytes]:
    """The ``blueprint.toml`` that somebody means, and the files that it names; ``Invalid`` for its mistakes."""
    from .archive import MAX_ARCHIVE
    from .beside import directory
    from .format import FILE_NAME, MAX_SOURCE, parse
    from .incoming import told_apart

    if source == "-":
        return told_apart(sys.stdin.buffer.read(MAX_ARCHIVE + 1))
    path = Path(source)
    if path.is_dir():
        path /= FILE_NAME
    content = _read(path, MAX_SOURCE if path.name.lower().endswith(".toml") else MAX_ARCHIVE)
    files = told_apart(content, path.name)
    if files.get(FILE_NAME) is not content:
        return files
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
