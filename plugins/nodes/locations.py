"""Locations: the places where nodes are."""

from __future__ import annotations

from typing import Any

import peewee

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.db import after_commit, write_tx
from stellar.errors import Conflict, NotFound

from . import wanted
from .models import Location, Node
from .names import check_name, check_text
from .schemas import CreateLocation, LocationView, PatchLocation


def get_location(ref: str) -> Location:
    """A location by id or name; ``NotFound`` without one."""
    found = Location.get_or_none((Location.id == ref) | (Location.name == ref))
    if found is None:
        raise NotFound("There is no such location.")
    assert isinstance(found, Location)
    return found


def list_locations() -> list[LocationView]:
    """Every location by name."""
    return _views(list(Location.select().order_by(Location.name)))


def show_location(ref: str) -> LocationView:
    """One location."""
    return _views([get_location(ref)])[0]


def create_location(actor: Actor, wanted: CreateLocation) -> LocationView:
    """Make a location; ``Conflict`` when its name is taken."""
    values = {"name": check_name(wanted.name), "description": check_text("description", wanted.description)}
    try:
        with write_tx():
            made = Location.create(**values)
            audit.record(actor, "location.create", target_type="location", target_id=made.id, details=values)
    except peewee.IntegrityError:
        raise _taken(wanted.name) from None
    return _views([made])[0]


def change_location(actor: Actor, ref: str, changes: PatchLocation) -> LocationView:
    """Change a location's name or description."""
    values: dict[str, Any] = {}
    if isinstance(changes.name, str):
        values["name"] = check_name(changes.name)
    if isinstance(changes.description, str):
        values["description"] = check_text("description", changes.description)
    try:
        with write_tx():
            found = get_location(ref)
            if values:
                Location.update(**values).where(Location.id == found.id).execute()
                audit.record(actor, "location.update", target_type="location", target_id=found.id, details=values)
            if values.get("name", found.name) != found.name:
                after_commit(lambda: _renamed(found))
    except peewee.IntegrityError:
        raise _taken(str(values["name"])) from None
    return show_location(found.id)


def remove_location(actor: Actor, ref: str) -> None:
    """Remove a location; ``Conflict`` while nodes belong to it."""
    found = get_location(ref)
    try:
        with write_tx():
            if count := Node.select().where(Node.location == found).count():
                raise _used(found, count)
            found.delete_instance()
            audit.record(
                actor, "location.delete", target_type="location", target_id=found.id, details={"name": found.name}
            )
    except peewee.IntegrityError:
        raise _used(found, 1) from None


def _renamed(found: Location) -> None:
    for node in Node.select(Node.id).where(Node.location == found):
        wanted.changed(node.id)


def _views(locations: list[Location]) -> list[LocationView]:
    rows: Any = (
        Node.select(Node.location, peewee.fn.COUNT(Node.id))
        .where(Node.location.in_([found.id for found in locations]))
        .group_by(Node.location)
        .tuples()
    )
    counts: dict[str, int] = dict(list(rows))
    return [
        LocationView(found.id, found.name, found.description, counts.get(found.id, 0), found.created_at)
        for found in locations
    ]


def _taken(name: str) -> Conflict:
    return Conflict(f"There is already a location called {name}.", fields={"name": "is taken"})


def _used(found: Location, count: int) -> Conflict:
    return Conflict(
        f"{found.name} is the location of {count} node(s): give them another one first.", code="location_used"
    )
