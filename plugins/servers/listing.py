"""The list of servers: who sees which, searched, filtered, sorted, a page at a time."""

from __future__ import annotations

import operator
import unicodedata
from typing import Any

from stellar import panel
from stellar.auth.permissions import Actor
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.models import Node

from .cursors import Position, refused, seal, unseal
from .models import Server
from .permissions import visible
from .schemas import ListQuery
from .service import joined

SORTS: dict[str, Any] = {"name": Server.name, "created_at": Server.created_at, "state": Server.state}


def list_servers(actor: Actor, query: ListQuery) -> tuple[list[Server], str | None]:
    """A page of the servers that ``actor`` may see, with everything a view needs joined, and the next page's cursor.

    A page begins after the last row of the one before, whatever has come or gone meanwhile. ``Invalid`` for a cursor
    that isn't of this list.
    """
    descending, field = query.sort.startswith("-"), SORTS[query.sort.removeprefix("-")]
    conditions = _filters(actor, query)
    if query.after is not None:
        conditions.append(_after(actor, query, field, descending=descending))
    order = (field.desc(), Server.id.desc()) if descending else (field.asc(), Server.id.asc())
    found = joined().order_by(*order).limit(query.limit + 1)
    rows = list(found.where(*conditions) if conditions else found)
    page = rows[: query.limit]
    return page, _cursor(actor, query, field, page[-1]) if len(rows) > query.limit else None


def _filters(actor: Actor, query: ListQuery) -> list[Any]:
    """What narrows the list; none of it shows more than ``visible`` does."""
    seen = visible(actor)
    found: list[Any] = [] if seen is None else [seen]
    if query.state == "suspended":
        found.append(Server.suspended)
    elif query.state is not None:
        found.append(Server.state == query.state)
    if query.node is not None:
        found.append((Node.id == query.node) | (Node.name == query.node))
    if query.blueprint is not None:
        found.append((Blueprint.id == query.blueprint) | (Blueprint.name == query.blueprint))
    if query.owner is not None:
        found.append(Server.owner == (actor.user_id if query.owner == "me" else query.owner))
    if words := unicodedata.normalize("NFC", query.search).split():
        found += [_matches(word) for word in words]
    return found


def _matches(word: str) -> Any:
    return Server.name.contains(word) | Server.description.contains(word) | Server.short_id.startswith(word.lower())


def _after(actor: Actor, query: ListQuery, field: Any, *, descending: bool) -> Any:
    position = unseal(panel.current().config.secret(), actor.user_id, query.after or "")
    if position.sort != query.sort:
        raise refused()
    beyond, up_to = (operator.lt, operator.le) if descending else (operator.gt, operator.ge)
    # The first condition says nothing new, but lets the database begin at the place in its index.
    return up_to(field, position.value) & (beyond(field, position.value) | beyond(Server.id, position.id))


def _cursor(actor: Actor, query: ListQuery, field: Any, last: Server) -> str:
    value = field.db_value(getattr(last, field.name))
    return seal(panel.current().config.secret(), actor.user_id, Position(query.sort, value, last.id))
