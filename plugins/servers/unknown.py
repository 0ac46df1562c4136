"""Servers that a node still has and the panel doesn't know, such as those deleted while it could not be reached."""

from __future__ import annotations

import re

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.bus.bus import current
from stellar.db import call
from stellar.errors import Conflict, NotFound
from stellar.extend.registry import RouteRegistrar
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.plugins.nodes import service as nodes
from stellar.plugins.nodes.models import Node

from .calls import SERVER_ID, Power, PowerResult, Remove, Result
from .models import Server

SECONDS = 10.0
REMOVE_SECONDS = 120.0
MISSING = "The node has no such server any more."


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/nodes/{node_id}/unknown-servers/{server_id}", UnknownServer())
    routes.add("/nodes/{node_id}/unknown-servers/{server_id}/kill", Kill())


class UnknownServer:
    """``/nodes/{node_id}/unknown-servers/{server_id}``"""

    @endpoint(permission="nodes.manage")
    async def on_delete(self, req: Request, node_id: str, server_id: str) -> None:
        """Kill a server that a node has and the panel doesn't know, and delete its files there."""
        node = await call(node_of_unknown, node_id, server_id)
        await current().call(node.id, "servers.remove", Remove(server_id), returns=Result, timeout=REMOVE_SECONDS)
        await call(note, req.actor, "node.unknown_server_delete", node, server_id)


class Kill:
    """``/nodes/{node_id}/unknown-servers/{server_id}/kill``"""

    @endpoint(permission="nodes.manage")
    async def on_post(self, req: Request, node_id: str, server_id: str) -> None:
        """Kill a server that a node has and the panel doesn't know; its files stay there."""
        node = await call(node_of_unknown, node_id, server_id)
        try:
            power = Power(server_id, "kill")
            await current().call(node.id, "servers.power", power, returns=PowerResult, timeout=SECONDS)
        except Conflict as error:
            if error.code == "not_on_node":
                raise NotFound(MISSING) from None
            raise
        await call(note, req.actor, "node.unknown_server_kill", node, server_id)


def node_of_unknown(node_ref: str, server_id: str) -> Node:
    """The node; ``NotFound`` for what can't be a server, ``Conflict`` for one that the panel knows there."""
    node = nodes.get_node(node_ref)
    if not re.search(SERVER_ID, server_id):
        raise NotFound(MISSING)
    if Server.select().where(Server.id == server_id, Server.node == node.id).exists():
        raise Conflict("The panel knows this server: use the server's own address.", code="known_server")
    return node


def note(actor: Actor, action: str, node: Node, server_id: str) -> None:
    """Record what was done with one."""
    audit.record(actor, action, target_type="node", target_id=node.id, details={"server": server_id})
