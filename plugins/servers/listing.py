"""The list of servers: who sees which, searched, filtered, sorted, a page at a time."""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import Any

import msgspec
import peewee

from stellar import panel
from stellar.auth.permissions import Actor
from stellar.cursors import Position, refused, seal, unseal
from stellar.db import Compiled, Param
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.models import Allocation, Node

from .models import Member, Server, folded
from .permissions import sees_all
from .reads import VIEW, merged, shown, view
from .schemas import ListQuery, ServerPage, ServerView

SORTS: dict[str, Any] = {"name": Server.name_key, "created_at": Server.created_at, "state": Server.state}
SUSPENDED = "suspended"


class Shape(msgspec.Struct, frozen=True):
    """All that the SQL of a page depends on; ``words`` are searched for, the other values are its parameters.

    ``everything``: for somebody who sees every server. ``follows``: begins where another page ended.
    """

    sort: str
    limit: int
    everything: bool
    follows: bool
    state: bool
    suspended: bool
    node: bool
    blueprint: bool
    owner: bool
    words: tuple[str, ...]


def page(actor: Actor, query: ListQuery) -> ServerPage:
    """A page of the servers that ``actor`` may see.

    It begins after the last row of the one before, whatever has come or gone meanwhile. ``Invalid`` for a cursor that
    isn't of this list.
    """
    shape = _shape(actor, query)
    position = _position(actor, query)
    found = _compiled(shape).all(
        user=actor.user_id,
        state=query.state,
        suspended=True,
        node=query.node,
        blueprint=query.blueprint,
        owner=actor.user_id if query.owner == "me" else query.owner,
        value=position and position.value,
        id=position and position.id,
    )
    servers = merged(found)
    items = servers[: query.limit]
    return ServerPage(items, _cursor(actor, query, items[-1]) if len(servers) > query.limit else None)


def _shape(actor: Actor, query: ListQuery) -> Shape:
    return Shape(
        sort=query.sort,
        limit=query.limit + 1,
        everything=sees_all(actor),
        follows=query.after is not None,
        state=query.state not in (None, SUSPENDED),
        suspended=query.state == SUSPENDED,
        node=query.node is not None,
        blueprint=query.blueprint is not None,
        owner=query.owner is not None,
        words=tuple(folded(query.search).split()),
    )


@lru_cache(maxsize=256)
def _compiled(shape: Shape) -> Compiled[ServerView]:
    return Compiled(lambda: _build(shape), view)


def _build(shape: Shape) -> Any:
    """The rows of a page, found by their ids first: the joins are made for those alone."""
    query = shown(Server.select(*VIEW)).where(Server.id.in_(_ids(shape)))
    return query.order_by(*_order(shape), Allocation.position)


def _ids(shape: Shape) -> Any:
    """The ids of at least a page, if there are so many, in a time that doesn't depend on how many servers there are.

    An OR of what belongs to somebody and what is shared with them would go through every server: it is two searches.
    """
    query = Server.select(Server.id).order_by(*_order(shape)).limit(peewee.SQL(str(shape.limit)))
    conditions = _filters(shape)
    if conditions:
        query = query.where(*conditions)
    if shape.everything:
        return query
    own = query.where(Server.owner == Param("user"))
    shared = query.join(Member, on=(Member.server == Server.id)).where(Member.user == Param("user"))
    return _as_source(own) + _as_source(shared)


def _as_source(query: Any) -> Any:
    """SQLite takes a LIMIT within a UNION only like this."""
    return peewee.Select([query], [peewee.SQL("id")])


def _order(shape: Shape) -> tuple[Any, Any]:
    field = SORTS[shape.sort.removeprefix("-")]
    return (field.desc(), Server.id.desc()) if shape.sort.startswith("-") else (field.asc(), Server.id.asc())


def _filters(shape: Shape) -> list[Any]:
    """What narrows the list."""
    found: list[Any] = []
    if shape.state:
        found.append(Server.state == Param("state"))
    if shape.suspended:
        found.append(Server.suspended == Param("suspended"))
    if shape.node:
        found.append(Server.node == _named(Node, "node"))
    if shape.blueprint:
        found.append(Server.blueprint == _named(Blueprint, "blueprint"))
    if shape.owner:
        found.append(Server.owner == Param("owner"))
    if shape.follows:
        found.append(_follows(shape))
    return found + [_matches(word) for word in shape.words]


def _named(model: Any, param: str) -> Any:
    """The id of what has this id or name."""
    return model.select(model.id).where((model.id == Param(param)) | (model.name == Param(param))).limit(1)


def _matches(word: str) -> Any:
    return Server.search_text.contains(word) | Server.short_id.startswith(word)


def _follows(shape: Shape) -> Any:
    field, descending = SORTS[shape.sort.removeprefix("-")], shape.sort.startswith("-")
    beyond, up_to = (operator.lt, operator.le) if descending else (operator.gt, operator.ge)
    value: Any = Param("value")
    id_: Any = Param("id")
    # The first condition says nothing new, but lets the database begin at the place in its index.
    return up_to(field, value) & (beyond(field, value) | beyond(Server.id, id_))


def _position(actor: Actor, query: ListQuery) -> Position | None:
    if query.after is None:
        return None
    position = unseal(panel.current().config.secret(), actor.user_id, query.after)
    if position.sort != query.sort:
        raise refused()
    return position


def _cursor(actor: Actor, query: ListQuery, last: ServerView) -> str:
    created_at = str(Server.created_at.db_value(last.created_at))
    value = {"name": folded(last.name), "created_at": created_at, "state": last.state}[query.sort.removeprefix("-")]
    return seal(panel.current().config.secret(), actor.user_id, Position(query.sort, value, last.id))
