"""Importing blueprints and eggs, and updating them from where they came from."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from stellar.auth.permissions import Actor
from stellar.errors import Conflict, Invalid, NotFound

from . import library
from .eggs.convert import Egg, convert
from .eggs.reading import read_egg
from .eggs.report import Note
from .format import FILE_NAME, Loaded, parse
from .incoming import EGG
from .models import Blueprint
from .schemas import BlueprintUpdate, Change
from .service import document_of, get_blueprint
from .structs import Blueprint as Document

IMPORT = "blueprint.import"
_KEYS = {"variables": "env", "config": "file", "ports": "name", "choices": "name", "images": "name"}
"""What the entries of a list are told apart by; the others by their number."""


def import_files(actor: Actor, files: dict[str, bytes], *, replace: bool) -> tuple[Blueprint, list[Note]]:
    """Make a blueprint of an egg, or of a ``blueprint.toml`` and the files beside it, and say what is otherwise.

    ``replace`` takes the place of the one of the same name, or of the same egg.
    """
    if EGG in files:
        return _import_egg(actor, read_egg(files[EGG]), replace=replace)
    if FILE_NAME not in files:
        raise Invalid(f"There is no {FILE_NAME} and no egg among the files.", code="blueprint_invalid")
    loaded = parse(files[FILE_NAME], files.get)
    row = Blueprint.get_or_none(Blueprint.name == loaded.blueprint.name) if replace else None
    if row is None:
        return library.insert(actor, loaded, IMPORT), []
    return library.replace(actor, row, loaded, IMPORT), []


def _import_egg(actor: Actor, table: dict[str, Any], *, replace: bool) -> tuple[Blueprint, list[Note]]:
    egg = convert(table)
    name, uuid = egg.loaded.blueprint.name, egg.loaded.egg_uuid
    same = Blueprint.get_or_none(Blueprint.egg_uuid == uuid) if uuid else None
    named = Blueprint.get_or_none(Blueprint.name == name)
    if replace and (row := same or named) is not None:
        egg = convert(table, name=row.name)
        return library.replace(actor, row, egg.loaded, IMPORT), egg.report.notes
    if same is None and named is not None and named.egg == egg.loaded.egg:
        same = named
    if same is not None:
        message = f"This egg is there already, as {same.title} ({same.name}): replace or update that one."
        raise Conflict(message, code="name_taken")
    if named is not None:
        egg = convert(table, name=_free(name))
        egg.report.add("name", _taken(named, egg))
    return library.insert(actor, egg.loaded, IMPORT), egg.report.notes


def _taken(named: Blueprint, egg: Egg) -> str:
    """What to know of an egg whose name is taken: one by the same author is most likely an older version of it."""
    called, author = egg.loaded.blueprint.name, egg.loaded.blueprint.author
    if not author or document_of(named).author != author:
        return f"is taken by another blueprint: this one is called {called}"
    return (
        f"is taken by a blueprint of the same author, {named.title} ({named.name}): this one is called {called}. "
        f"If it is a newer version of that, delete {called} and import it again with replace"
    )


def _free(name: str) -> str:
    """``name`` with a number that no blueprint has."""
    stem = name[:42].rstrip("-")
    taken = {row.name for row in Blueprint.select(Blueprint.name).where(Blueprint.name.startswith(stem))}
    return next(tried for number in range(2, len(taken) + 3) if (tried := f"{stem}-{number}") not in taken)


def update_url_of(ref: str) -> str:
    """Where a newer version of a blueprint is; ``NotFound`` for one that says nothing of it."""
    row = get_blueprint(ref)
    url = document_of(row).update_url
    if url is None:
        raise NotFound(f"{row.title} has no update_url: import its new version with replace.", code="no_update_url")
    return url


def update(actor: Actor, ref: str, url: str, files: dict[str, bytes], digest: str | None) -> BlueprintUpdate:
    """What a newer version (``files``, from ``url``) of a blueprint changes; with its ``digest`` it is changed.

    ``Conflict`` when what is there now is something else than that ``digest`` was of.
    """
    row = get_blueprint(ref)
    loaded, notes = _newer(row, files)
    found = hashlib.sha256(b"\0".join(name.encode() + data for name, data in sorted(files.items()))).hexdigest()
    if digest is not None and digest != found:
        raise Conflict("What is there now is not what was shown: look at the difference again.", code="changed")
    changes = differences(document_of(row), loaded.blueprint)
    if digest is not None:
        library.replace(actor, row, loaded, "blueprint.update")
    return BlueprintUpdate(url, found, digest is not None, changes, notes)


def _newer(row: Blueprint, files: dict[str, bytes]) -> tuple[Loaded, list[Note]]:
    if EGG in files:
        egg: Egg = convert(read_egg(files[EGG]), name=row.name)
        return egg.loaded, egg.report.notes
    if FILE_NAME not in files:
        raise Invalid(f"There is no {FILE_NAME} and no egg at its update_url.", code="blueprint_invalid")
    return parse(files[FILE_NAME], files.get), []


def differences(before: Document, after: Document) -> list[Change]:
    """What is otherwise in ``after``, by the full names of the keys."""
    old, new = _leaves("", msgspec.to_builtins(before)), _leaves("", msgspec.to_builtins(after))
    paths = [*old, *(path for path in new if path not in old)]
    return [Change(path, old.get(path), new.get(path)) for path in paths if old.get(path) != new.get(path)]


def _leaves(path: str, value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        key = _KEYS.get(path.rpartition(".")[2], "")
        items = {str(item.get(key, at)): item for at, item in enumerate(value)}.items()
    else:
        return {path: "\n".join(map(str, value)) if isinstance(value, list) else str(value)}
    found: dict[str, str] = {}
    for name, item in items:
        found |= _leaves(f"{path}.{name}" if path else str(name), item)
    return found
