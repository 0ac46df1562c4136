"""Whose events of servers somebody may follow, and whose names they may read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from stellar.auth.permissions import Actor
from stellar.errors import Forbidden

from .models import Server
from .permissions import visible


def visible_servers(actor: Actor) -> Mapping[str, Collection[str] | None]:
    """The ids of the servers that the actor may see; None for all of them."""
    try:
        condition = visible(actor)
    except Forbidden:
        return {}
    if condition is None:
        return {"server": None}
    rows: Any = Server.select(Server.id).where(condition).tuples()
    return {"server": [str(id_) for (id_,) in rows]}


def names_of(actor: Actor, server_ids: Collection[str]) -> dict[str, str]:
    """What those of these servers are called that the actor may see, by their ids."""
    try:
        condition = visible(actor)
    except Forbidden:
        return {}
    rows: Any = Server.select(Server.id, Server.name).where(Server.id << list(server_ids))
    return dict((rows if condition is None else rows.where(condition)).tuples())
