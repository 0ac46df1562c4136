"""Changing and draining nodes."""

from __future__ import annotations

from typing import Any

import peewee

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.db import after_commit, write_tx
from stellar.errors import Conflict

from . import wanted
from .allocations import lock
from .models import Node
from .names import check_name, check_text
from .ports import check_ranges, set_ranges
from .schemas import PatchNode
from .service import get_node, named_location


def change_node(actor: Actor, ref: str, changes: PatchNode) -> Node:
    """Change what is given; all of it or nothing. ``Conflict`` for a taken name, or ranges without a port in use."""
    values: dict[str, Any] = {}
    if isinstance(changes.name, str):
        values["name"] = check_name(changes.name)
    if isinstance(changes.address, str):
        values["address"] = changes.address
    if isinstance(changes.note, str):
        values["note"] = check_text("note", changes.note)
    pairs = check_ranges(changes.port_ranges) if isinstance(changes.port_ranges, list) else None
    try:
        with write_tx():
            node = lock(get_node(ref).id)
            if changes.location is None or isinstance(changes.location, str):
                location = named_location(changes.location)
                values["location"] = location.id if location else None
            if pairs is not None:
                set_ranges(node, pairs)
            if values:
                Node.update(**values).where(Node.id == node.id).execute()
            if values.get("location", node.location_id) != node.location_id:
                after_commit(lambda: wanted.changed(node.id))
            details = {**values, **({"port_ranges": pairs} if pairs is not None else {})}
            if details:
                audit.record(actor, "node.update", target_type="node", target_id=node.id, details=details)
    except peewee.IntegrityError:
        raise Conflict(f"There is already a node called {changes.name}.", fields={"name": "is taken"}) from None
    return get_node(node.id)


def set_draining(actor: Actor, ref: str, draining: bool) -> Node:
    """Begin or end a node's draining: while it lasts, no new server is placed there. Its servers go on."""
    with write_tx():
        node = lock(get_node(ref).id)
        if node.draining != draining:
            Node.update(draining=draining).where(Node.id == node.id).execute()
            action = "node.drain" if draining else "node.undrain"
            audit.record(actor, action, target_type="node", target_id=node.id)
    return get_node(node.id)
