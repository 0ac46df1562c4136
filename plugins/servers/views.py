"""Servers as the API shows them; no query per row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import peewee

from stellar.auth.permissions import Actor
from stellar.plugins.blueprints.service import document_of
from stellar.plugins.nodes import allocations
from stellar.plugins.nodes.models import Allocation
from stellar.plugins.nodes.schemas import NodeRef

from .detail_schemas import StartupView
from .listing import list_servers
from .models import Install, Server
from .schemas import (
    AllocationView,
    BlueprintRef,
    InstallView,
    ListQuery,
    ServerDetail,
    ServerPage,
    ServerView,
    UserRef,
    VariableView,
)
from .service import get_server, joined
from .spec import Limits


def page(actor: Actor, query: ListQuery) -> ServerPage:
    """A page of the servers that ``actor`` may see."""
    servers, next_ = list_servers(actor, query)
    ports = allocations.by_server([server.id for server in servers])
    return ServerPage([ServerView(**_fields(server, ports.get(server.id, []))) for server in servers], next_)


def detail(actor: Actor, ref: str) -> ServerDetail:
    """One server that ``actor`` may see."""
    server = joined().where(Server.id == get_server(actor, ref, "servers.read").id).get()
    install = Install.get_or_none(Install.server == server.id, Install.install_id == server.install_id)
    fields = _fields(server, allocations.by_server([server.id]).get(server.id, []))
    return ServerDetail(**fields, install=_install(install), variables=variables_of(actor, server))


def startup(actor: Actor, ref: str, action: str) -> StartupView:
    """How a server is started, for those who may do ``action``."""
    server = get_server(actor, ref, action)
    blueprint = server.blueprint
    return StartupView(
        command=document_of(blueprint).startup.command,
        blueprint=BlueprintRef(blueprint.id, blueprint.name, blueprint.title),
        variables=variables_of(actor, server),
    )


def promised_memory() -> dict[str, int]:
    """The memory (MiB) that each node's servers have been given together."""
    rows: Any = Server.select(Server.node, peewee.fn.SUM(Server.memory_mb)).group_by(Server.node).tuples()
    return {str(row[0]): int(row[1]) for row in rows}


def _fields(server: Server, ports: list[Allocation]) -> dict[str, Any]:
    views = [AllocationView(server.node.address, row.ip, row.port, row.protocol, row.name) for row in ports]
    return {
        "id": server.id,
        "short_id": server.short_id,
        "name": server.name,
        "description": server.description,
        "state": server.state,
        "suspended": server.suspended,
        "node": NodeRef(server.node.id, server.node.name),
        "blueprint": BlueprintRef(server.blueprint.id, server.blueprint.name, server.blueprint.title),
        "owner": UserRef(server.owner.id, server.owner.name),
        "limits": Limits(server.memory_mb, server.cpu_percent, server.disk_mb),
        "allocation": views[0] if views else None,
        "allocations": views,
        "created_at": server.created_at,
    }


def _install(row: Install | None) -> InstallView | None:
    if row is None:
        return None
    values = {name: getattr(row, name) for name in ("ok", "exit_code", "log")}
    times = {name: datetime.fromtimestamp(getattr(row, name), UTC) for name in ("started_at", "finished_at")}
    return msgspec.convert({**values, **times}, InstallView)


def variables_of(actor: Actor, server: Server) -> list[VariableView]:
    """The start-up variables that ``actor`` may see, with their values; none without ``startup.read``."""
    if not actor.allowed("startup.read", server):
        return []
    return [
        VariableView(
            variable.env,
            variable.label,
            variable.description,
            server.variables.get(variable.env, variable.default),
            variable.rules,
            variable.user_editable,
        )
        for variable in document_of(server.blueprint).variables
        if variable.user_viewable or actor.is_admin
    ]
