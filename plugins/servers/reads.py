"""The rows behind what is asked for most, a server and pages of them: each is one query, compiled once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import peewee

from stellar.auth.models import User
from stellar.db import Compiled, Param, filled
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.models import Allocation, Node
from stellar.plugins.nodes.schemas import NodeRef

from .models import Install, Member, Server
from .schemas import AllocationView, BlueprintRef, InstallView, ServerView, UserRef
from .spec import Limits

VIEW = (
    *(Server.id, Server.short_id, Server.name, Server.description, Server.state, Server.suspended),
    *(Node.id, Node.name, Node.address, Blueprint.id, Blueprint.name, Blueprint.title, User.id, User.name),
    *(Server.memory_mb, Server.cpu_percent, Server.disk_mb, Server.swap_mb, Server.cpu_set, Server.io_weight),
    *(Server.pids, Server.oom_kill, Server.created_at),
    *(Allocation.ip, Allocation.port, Allocation.protocol, Allocation.name),
)
"""The columns of ``view``."""

_SERVER = tuple(Server._meta.sorted_fields)


_SHOWN = (*_SERVER, Member.actions, Blueprint.document)
_INSTALL = (Install.ok, Install.exit_code, Install.log, Install.started_at, Install.finished_at)


class Found(msgspec.Struct):
    """A server as a row, to ask who may see it, and as it is shown; ``install`` is the latest if it has ended."""

    server: Server
    document: str
    install: InstallView | None
    view: ServerView


def find(ref: str, user_id: str | None) -> Server | None:
    """The server with this id or short id; it knows what the user holds on it as a member."""
    found = _by_ref.first(ref=ref, user=user_id)
    return None if found is None else _known_to(user_id, *found)


def find_shown(ref: str, user_id: str | None) -> Found | None:
    """``find`` with everything that is shown of the server."""
    rows = _shown_by_ref.all(ref=ref, user=user_id)
    if not rows:
        return None
    columns, (actions, document), install, _ = rows[0]
    (seen,) = merged(view(*row[-1]) for row in rows)
    return Found(_known_to(user_id, columns, actions), document, _install(*install), seen)


def shown(query: Any) -> Any:
    """A query of servers with everything joined that ``VIEW`` is made of; a server has a row per port."""
    return (
        query.join_from(Server, Node)
        .join_from(Server, Blueprint)
        .join_from(Server, User)
        .join_from(Server, Allocation, peewee.JOIN.LEFT_OUTER, on=(Allocation.server_id == Server.id))
    )


def view(*columns: Any) -> ServerView:
    """A server with one of its ports, from the columns ``VIEW``."""
    id_, short_id, name, description, state, suspended = columns[:6]
    node_id, node_name, address, blueprint_id, blueprint_name, title, owner_id, owner_name = columns[6:14]
    limits, (created_at, ip, port, protocol, port_name) = Limits(*columns[14:22]), columns[22:]
    main = None if port is None else AllocationView(address, ip, port, protocol, port_name)
    return ServerView(
        id_,
        short_id,
        name,
        description,
        state,
        suspended,
        NodeRef(node_id, node_name),
        BlueprintRef(blueprint_id, blueprint_name, title),
        UserRef(owner_id, owner_name),
        limits,
        main,
        [] if main is None else [main],
        created_at,
    )


def merged(views: Iterable[ServerView]) -> list[ServerView]:
    """Each server once, with all of its ports; its rows follow each other, the main port first."""
    found: list[ServerView] = []
    for one in views:
        if found and found[-1].id == one.id:
            found[-1].allocations += one.allocations
        else:
            found.append(one)
    return found


def _install(ok: bool | None, exit_code: int | None, log: str, started: float, finished: float) -> InstallView | None:
    if ok is None:
        return None
    return InstallView(ok, exit_code, log, datetime.fromtimestamp(started, UTC), datetime.fromtimestamp(finished, UTC))


def _known_to(user_id: str | None, columns: Sequence[Any], actions: list[str] | None) -> Server:
    server = filled(Server, columns)
    if user_id is not None:
        server.remember(user_id, frozenset(actions or ()))
    return server


def _asked_for(*columns: Any) -> Any:
    mine = (Member.server == Server.id) & (Member.user == Param("user"))
    query = Server.select(*columns).where((Server.id == Param("ref")) | (Server.short_id == Param("ref")))
    return query.join_from(Server, Member, peewee.JOIN.LEFT_OUTER, on=mine)


def _build_shown() -> Any:
    latest = (Install.server == Server.id) & (Install.install_id == Server.install_id)
    query = shown(_asked_for(*_SHOWN, *_INSTALL, *VIEW)).join_from(Server, Install, peewee.JOIN.LEFT_OUTER, on=latest)
    return query.order_by(Server.id, Allocation.position)


def _parts(*row: Any) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any], Sequence[Any]]:
    """The server's columns, those of who and what it is made from, the install's, and those of ``view``."""
    first, second, third = len(_SERVER), len(_SHOWN), len(_SHOWN) + len(_INSTALL)
    return row[:first], row[first:second], row[second:third], row[third:]


_by_ref = Compiled(lambda: _asked_for(*_SERVER, Member.actions), lambda *row: (row[:-1], row[-1]))
_shown_by_ref = Compiled(_build_shown, _parts)
