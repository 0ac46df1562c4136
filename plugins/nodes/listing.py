"""The list of nodes: searched, filtered, sorted, a page at a time."""

from __future__ import annotations

import operator
from collections.abc import Collection
from typing import Any

import peewee

from stellar import panel
from stellar.auth.permissions import Actor
from stellar.cursors import Position, refused, seal, unseal

from .models import Location, Node
from .schemas import ListQuery

SORTS: dict[str, Any] = {"name": peewee.fn.LOWER(Node.name), "created_at": Node.created_at}


def list_page(actor: Actor, query: ListQuery, online: Collection[str]) -> tuple[list[Node], str | None]:
    """A page of nodes and the next page's cursor; ``online`` are the ids of those that are.

    A page begins after the last row of the one before, whatever has come or gone meanwhile. ``Invalid`` for a cursor
    that isn't of this list.
    """
    descending, field = query.sort.startswith("-"), SORTS[query.sort.removeprefix("-")]
    conditions = _filters(query, online)
    if query.after is not None:
        conditions.append(_after(actor, query, field, descending=descending))
    order = (field.desc(), Node.id.desc()) if descending else (field.asc(), Node.id.asc())
    found = Node.select().order_by(*order).limit(query.limit + 1)
    rows = list(found.where(*conditions) if conditions else found)
    page = rows[: query.limit]
    return page, _cursor(actor, query, page[-1]) if len(rows) > query.limit else None


def ids() -> list[str]:
    """The ids of all nodes."""
    return [row.id for row in Node.select(Node.id)]


def _filters(query: ListQuery, online: Collection[str]) -> list[Any]:
    found: list[Any] = [_matches(word) for word in query.search.split()]
    if query.online is not None:
        found.append(Node.id.in_(list(online)) if query.online else Node.id.not_in(list(online)))
    if query.draining is not None:
        found.append(Node.draining == query.draining)
    if query.location is not None:
        places = Location.select(Location.id).where((Location.id == query.location) | (Location.name == query.location))
        found.append(Node.location << places)
    return found


def _matches(word: str) -> Any:
    return Node.name.contains(word) | Node.address.contains(word) | Node.hostname.contains(word)


def _after(actor: Actor, query: ListQuery, field: Any, *, descending: bool) -> Any:
    position = unseal(panel.current().config.secret(), actor.user_id, query.after or "")
    if position.sort != _order(query):
        raise refused()
    beyond = operator.lt if descending else operator.gt
    return beyond(field, position.value) | ((field == position.value) & beyond(Node.id, position.id))


def _cursor(actor: Actor, query: ListQuery, last: Node) -> str:
    created_at = str(Node.created_at.db_value(last.created_at))
    value = created_at if query.sort.endswith("created_at") else str(last.name).lower()
    return seal(panel.current().config.secret(), actor.user_id, Position(_order(query), value, last.id))


def _order(query: ListQuery) -> str:
    """What a cursor of the list of servers doesn't have."""
    return f"nodes.{query.sort}"
