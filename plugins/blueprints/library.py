"""Making, changing, exporting and deleting blueprints, and what imports of them share."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from typing import Any

import peewee

from stellar import audit, panel
from stellar.auth.permissions import Actor
from stellar.db import after_commit, database, is_postgres, now, write_tx
from stellar.errors import Conflict, Invalid

from .archive import pack
from .beside import Icon
from .eggs.writing import Source, write_egg
from .format import FILE_NAME, Loaded, load, parse, parse_document
from .models import Blueprint
from .schemas import WriteBlueprint
from .service import BUILTIN, columns_of, document_of, egg_of, get_blueprint

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def create(actor: Actor, wanted: WriteBlueprint) -> Blueprint:
    """Make a blueprint; ``Invalid`` names every mistake, ``Conflict`` a name that is taken."""
    return insert(actor, _read(wanted, {}), "blueprint.create")


def update(actor: Actor, ref: str, wanted: WriteBlueprint) -> Blueprint:
    """Replace a blueprint; its files stay where none of their names are given. A built-in one becomes an own copy."""
    row = get_blueprint(ref)
    loaded = dataclasses.replace(_read(wanted, files_of(row)), egg=row.egg, egg_uuid=row.egg_uuid)
    return replace(actor, row, loaded, "blueprint.update")


def export(ref: str, kind: str | None = None) -> tuple[str, str, bytes]:
    """A blueprint as its author wrote it: media type, file name, content.

    ``kind`` is ``toml``, ``zip``, or None for the one that holds everything; ``Conflict`` for TOML without its files.
    With ``ptdl_v2`` and ``plcn_v3`` it is written as an egg.
    """
    row = get_blueprint(ref)
    if kind == "ptdl_v2":
        return "application/json", f"egg-{row.name}.json", write_egg(_egg_source(row), "PTDL_v2")
    if kind == "plcn_v3":
        return "application/yaml", f"egg-{row.name}.yaml", write_egg(_egg_source(row), "PLCN_v3")
    files = files_of(row)
    kind = kind or ("zip" if files else "toml")
    if kind == "zip":
        return "application/zip", f"{row.name}.zip", pack({FILE_NAME: row.source.encode(), **files})
    if files:
        names = " and ".join(sorted(files))
        raise Conflict(f"{row.title} comes with {names}: export it as a ZIP file.", code="has_files")
    return "application/toml", f"{row.name}.toml", row.source.encode()


def restore(actor: Actor, ref: str) -> Blueprint:
    """Make a changed built-in blueprint what it was; ``Conflict`` for any other."""
    row = get_blueprint(ref)
    if not row.modified or not (BUILTIN / row.name).is_dir():
        raise Conflict(f"{row.title} is not a changed built-in blueprint.", code="not_modified")
    loaded = load(BUILTIN / row.name)
    with write_tx():
        _lock(row)
        values = {**columns_of(loaded), "builtin": True, "modified": False, "updated_at": now()}
        Blueprint.update(**values).where(Blueprint.id == row.id).execute()
        _note(actor, "blueprint.restore", row.id, row.name)
        after_commit(lambda: _changed(row.id))
    return get_blueprint(row.id)


def delete(actor: Actor, ref: str) -> None:
    """Delete a blueprint; ``Conflict`` says how many servers use it, or that it is built in."""
    row = get_blueprint(ref)
    if row.builtin:
        raise Conflict(f"{row.title} is built in: it would come back with the next start.", code="builtin")
    if row.modified:
        message = f"{row.title} is a changed built-in blueprint: restore it instead, it would come back anyway."
        raise Conflict(message, code="builtin")
    try:
        with write_tx():
            _lock(row)
            if count := uses(row.id):
                servers = "1 server uses" if count == 1 else f"{count} servers use"
                raise Conflict(f"{servers} {row.title}: delete them or change their blueprint first.", code="in_use")
            Blueprint.delete().where(Blueprint.id == row.id).execute()
            _note(actor, "blueprint.delete", row.id, row.name)
    except peewee.IntegrityError:
        raise Conflict(f"A server has just been made of {row.title}.", code="in_use") from None


def uses(blueprint_id: str) -> int:
    """How many servers are made from a blueprint."""
    return sum(panel.current().plugins.strict("blueprint_uses", blueprint_id=blueprint_id))


def files_of(row: Blueprint) -> dict[str, bytes]:
    """The files beside a stored blueprint, by the names that it gives them."""
    written = tomllib.loads(row.source)
    files: dict[str, bytes] = {}
    if "." in (icon := written.get("icon", "")):
        files[icon] = bytes(row.icon)
    if (script := written.get("install", {}).get("file")) is not None:
        files[script] = document_of(row).install.script.encode()
    return files


def _egg_source(row: Blueprint) -> Source:
    icon = Icon(row.icon_type, bytes(row.icon))
    return Source(document_of(row), icon, egg_of(row), row.updated_at.isoformat(timespec="seconds"))


def _read(wanted: WriteBlueprint, stored: dict[str, bytes]) -> Loaded:
    if (wanted.toml is None) == (wanted.document is None):
        problem = "Give the blueprint either as toml or as document."
        raise Invalid(problem, fields={"toml": problem, "document": problem})
    named: set[str] = set()

    def beside(name: str) -> bytes | None:
        named.add(name)
        return wanted.files.get(name, stored.get(name))

    if wanted.toml is not None:
        loaded = parse(wanted.toml.encode(), beside)
    else:
        loaded = parse_document(wanted.document or {}, beside)
    if surplus := sorted(wanted.files.keys() - named):
        problem = "is not named by the blueprint"
        raise Invalid(f"The file {surplus[0][:80]!r} {problem}.", fields={f"files.{surplus[0][:80]}": problem})
    return loaded


def insert(actor: Actor, loaded: Loaded, action: str) -> Blueprint:
    """Store a new blueprint; ``Conflict`` for a name that is taken."""
    name = _checked_name(loaded)
    try:
        with write_tx():
            row = Blueprint.create(**columns_of(loaded))
            _note(actor, action, row.id, name)
    except peewee.IntegrityError:
        raise _taken(name) from None
    assert isinstance(row, Blueprint)
    return row


def replace(actor: Actor, row: Blueprint, loaded: Loaded, action: str) -> Blueprint:
    """Store a blueprint in the place of another; a built-in one becomes an own copy, and keeps its name."""
    values: dict[str, Any] = columns_of(loaded)
    try:
        with write_tx():
            _lock(row)
            row = get_blueprint(row.id)
            if row.digest == values["digest"]:
                return row
            if row.name != _checked_name(loaded) and (row.builtin or row.modified):
                problem = "has to stay: the blueprint is built in"
                raise Invalid(f"In the blueprint, name {problem}.", fields={"name": problem})
            values |= {"modified": row.modified or row.builtin, "builtin": False, "updated_at": now()}
            Blueprint.update(**values).where(Blueprint.id == row.id).execute()
            _note(actor, action, row.id, values["name"])
            after_commit(lambda: _changed(row.id))
    except peewee.IntegrityError:
        raise _taken(values["name"]) from None
    return get_blueprint(row.id)


def _checked_name(loaded: Loaded) -> str:
    """A blueprint is also found by its id, so no name may look like one."""
    name = loaded.blueprint.name
    if _ID.fullmatch(name):
        raise Invalid("In the blueprint, name can't look like an id.", fields={"name": "can't look like an id"})
    return name


def _lock(row: Blueprint) -> None:
    if is_postgres():
        database.execute_sql("select id from blueprints_blueprint where id = %s for no key update", (row.id,))


def _changed(blueprint_id: str) -> None:
    panel.current().plugins.strict("blueprint_changed", blueprint_id=blueprint_id)


def _note(actor: Actor, action: str, blueprint_id: str, name: str) -> None:
    audit.record(actor, action, target_type="blueprint", target_id=blueprint_id, details={"name": name})


def _taken(name: str) -> Conflict:
    message = f"There is already a blueprint called {name}: choose another name, or change that one."
    return Conflict(message, code="name_taken", fields={"name": "is taken"})
