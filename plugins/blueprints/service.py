"""The rules of blueprints: which there are, and keeping the built-in ones up to date."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from stellar.auth.permissions import Actor
from stellar.db import database, is_postgres, now, write_tx
from stellar.errors import Conflict, NotFound

from .eggs.convert import convert
from .eggs.report import Note
from .format import Loaded, load
from .models import Blueprint
from .schemas import BlueprintDetail, BlueprintView, ListQuery
from .structs import Blueprint as Document

BUILTIN = Path(__file__).with_name("builtin")
_LIGHT = tuple(field for field in Blueprint._meta.sorted_fields if field.name not in ("icon", "source", "egg"))


def list_blueprints() -> list[Blueprint]:
    """Every blueprint by title, without ``icon``, ``source`` and ``egg``."""
    return list(Blueprint.select(*_LIGHT).order_by(Blueprint.title, Blueprint.name))


def get_blueprint(ref: str) -> Blueprint:
    """A blueprint by id or name; ``NotFound`` without one."""
    found = Blueprint.get_or_none((Blueprint.id == ref) | (Blueprint.name == ref))
    if found is None:
        raise NotFound("There is no such blueprint; the list of blueprints has the names.")
    assert isinstance(found, Blueprint)
    return found


def hold(blueprint: Blueprint) -> None:
    """Keep a blueprint as it was read until the transaction ends; ``Conflict`` when it has changed or gone since."""
    if is_postgres():
        database.execute_sql("select id from blueprints_blueprint where id = %s for share", (blueprint.id,))
    if not Blueprint.select().where(Blueprint.id == blueprint.id, Blueprint.digest == blueprint.digest).exists():
        message = f"The blueprint {blueprint.title} has just been changed or deleted: choose it again."
        raise Conflict(message, code="blueprint_changed", fields={"blueprint": "has just been changed or deleted"})


def document_of(blueprint: Blueprint) -> Document:
    """What a row's blueprint says."""
    return read_document(blueprint.document)


def all_documents() -> list[Document]:
    """What every blueprint says, by title."""
    return [document_of(blueprint) for blueprint in list_blueprints()]


def views(actor: Actor, query: ListQuery | None = None) -> list[BlueprintView]:
    """The blueprints that a query asks for, or all, as ``actor`` may see them."""
    rows = list_blueprints()
    if query is not None:
        rows = [row for row in rows if _is_wanted(row, query)]
    return [BlueprintView(**_fields(row, actor)) for row in rows]


def _is_wanted(row: Blueprint, query: ListQuery) -> bool:
    if query.category is not None and row.category != query.category:
        return False
    document = document_of(row)
    text = f"{document.name}\n{document.title}\n{document.description}".casefold()
    return all(word in text for word in query.search.casefold().split())


def detail(actor: Actor, ref: str) -> BlueprintDetail:
    """One blueprint by id or name, as ``actor`` may see it."""
    return detail_of(actor, get_blueprint(ref))


def detail_of(actor: Actor, blueprint: Blueprint) -> BlueprintDetail:
    """One blueprint, as ``actor`` may see it."""
    document = document_of(blueprint)
    inside = actor.allowed("blueprints.manage")
    return BlueprintDetail(
        **_fields(blueprint, actor),
        startup=document.startup,
        stop=document.stop,
        config=document.config,
        author=document.author,
        features=document.features,
        denylist=document.denylist,
        update_url=document.update_url if inside else None,
        install_script=document.install.script if inside else None,
        install_image=document.install.image if inside else None,
        source=blueprint.source if inside else None,
        report=notes_of(blueprint) if inside else [],
    )


def egg_of(blueprint: Blueprint) -> dict[str, Any] | None:
    """The egg that a blueprint was imported from; None for every other."""
    if not blueprint.egg:
        return None
    table: dict[str, Any] = json.loads(blueprint.egg)
    return table


def notes_of(blueprint: Blueprint) -> list[Note]:
    """What of its egg a blueprint can't say; none for one that wasn't one."""
    return list(_notes(blueprint.egg)) if blueprint.egg else []


@lru_cache(maxsize=16)
def _notes(egg: str) -> tuple[Note, ...]:
    """Every view of a blueprint lists them, and a large egg takes a second to read."""
    return tuple(convert(json.loads(egg)).report.notes)


def icon_of(ref: str) -> tuple[str, bytes, str]:
    """A blueprint's icon: media type, picture, and a tag that changes with it."""
    blueprint = get_blueprint(ref)
    return blueprint.icon_type, bytes(blueprint.icon), blueprint.digest[:16]


def icon_url(blueprint: Blueprint) -> str:
    """The path at which the panel serves a blueprint's icon; it changes when the icon does."""
    return f"/api/v1/blueprints/{blueprint.id}/icon?v={blueprint.digest[:16]}"


def sync_builtin(directory: Path = BUILTIN) -> None:
    """Bring the built-in blueprints into the database; a row of the same name that isn't built in stays as it is."""
    for path in sorted(directory.iterdir()):
        _sync(load(path))


def _sync(loaded: Loaded) -> None:
    values = columns_of(loaded)
    with write_tx():
        row = Blueprint.get_or_none(Blueprint.name == loaded.blueprint.name)
        if row is None:
            Blueprint.insert(**values, builtin=True).on_conflict_ignore().execute()
        elif row.builtin and row.digest != values["digest"]:
            Blueprint.update(**values, updated_at=now()).where(Blueprint.id == row.id).execute()


def columns_of(loaded: Loaded) -> dict[str, Any]:
    """What is stored of a blueprint."""
    document = loaded.blueprint
    encoded = msgspec.json.encode(document)
    digest = hashlib.sha256()
    parts = [loaded.source.encode(), encoded, loaded.icon.media_type.encode(), loaded.icon.data]
    for part in (*parts, loaded.egg.encode()) if loaded.egg else parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return {
        "name": document.name,
        "title": document.title,
        "category": document.category,
        "source": loaded.source,
        "document": encoded.decode(),
        "egg": loaded.egg,
        "egg_uuid": loaded.egg_uuid,
        "icon_type": loaded.icon.media_type,
        "icon": loaded.icon.data,
        "digest": digest.hexdigest(),
    }


def _fields(blueprint: Blueprint, actor: Actor) -> dict[str, Any]:
    document = document_of(blueprint)
    inside = actor.allowed("blueprints.manage")
    return {
        "id": blueprint.id,
        "name": document.name,
        "title": document.title,
        "description": document.description,
        "category": document.category,
        "builtin": blueprint.builtin,
        "modified": blueprint.modified,
        "icon_url": icon_url(blueprint),
        "runtimes": document.runtimes,
        "variables": [found for found in document.variables if found.user_viewable or inside],
        "ports": document.ports,
        "resources": document.resources,
        "created_at": blueprint.created_at,
        "updated_at": blueprint.updated_at,
    }


@lru_cache(maxsize=256)
def read_document(document: str) -> Document:
    """What the column ``document`` says."""
    return msgspec.json.decode(document, type=Document)
