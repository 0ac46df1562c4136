"""The API of nodes."""

from __future__ import annotations

from functools import partial

from stellar.db import call
from stellar.errors import Unauthenticated
from stellar.extend.registry import RouteRegistrar
from stellar.http import Limit
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.http.websocket import Socket, websocket

from . import changes, link, listing, place_routes, presence, protocol, rotation, service
from .address import panel_url
from .models import Node
from .schemas import (
    CreatedNode,
    CreateNode,
    DeleteQuery,
    Enrol,
    Enrolled,
    JoinCommand,
    ListQuery,
    NodePage,
    NodeStats,
    NodeView,
    PatchNode,
)
from .settings import NodesSettings


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/nodes", Nodes())
    routes.add("/nodes/enrol", Enrolment())
    routes.add("/nodes/link", NodeLink())
    routes.add("/nodes/{node_id}", OneNode())
    routes.add("/nodes/{node_id}/stats", Stats())
    routes.add("/nodes/{node_id}/join", Join())
    routes.add("/nodes/{node_id}/revoke", Revocation())
    routes.add("/nodes/{node_id}/rotate-key", KeyRotation())
    routes.add("/nodes/{node_id}/drain", Draining())
    routes.add("/nodes/{node_id}/undrain", Undraining())
    place_routes.add_routes(routes)


class Nodes:
    """``/nodes``"""

    @endpoint(permission="nodes.read", query=ListQuery, returns=NodePage)
    async def on_get(self, req: Request, query: ListQuery) -> NodePage:
        """List the nodes."""
        online = await presence.online(await call(listing.ids))
        rows, following = await call(
            listing.list_page, req.actor, query, {id_ for id_, is_on in online.items() if is_on}
        )
        return NodePage(await call(service.views, rows, online), following)

    @endpoint(permission="nodes.manage", body=CreateNode, returns=CreatedNode, status=201)
    async def on_post(self, req: Request, body: CreateNode) -> CreatedNode:
        """Register a node; the answer holds the command that joins a machine as this node."""
        node = await call(service.create_node, req.actor, body)
        join = await join_command(req, node.id)
        return CreatedNode(await _view(node), join)


class OneNode:
    """``/nodes/{node_id}``"""

    @endpoint(permission="nodes.read", returns=NodeView)
    async def on_get(self, req: Request, node_id: str) -> NodeView:
        """Show a node."""
        return await _view(await call(service.get_node, node_id))

    @endpoint(permission="nodes.manage", body=PatchNode, returns=NodeView)
    async def on_patch(self, req: Request, node_id: str, body: PatchNode) -> NodeView:
        """Change a node's name, address, port ranges, location or note."""
        return await _view(await call(changes.change_node, req.actor, node_id, body))

    @endpoint(permission="nodes.manage", query=DeleteQuery)
    async def on_delete(self, req: Request, node_id: str, query: DeleteQuery) -> None:
        """Remove a node; refused while servers are on it, unless it is drained and ``force`` gives them up."""
        node = await call(service.get_node, node_id)
        await call(partial(service.remove_node, with_servers=query.force), req.actor, node.id)
        await link.cut(node.id)
        await presence.forget(node.id)


class Draining:
    """``/nodes/{node_id}/drain``"""

    @endpoint(permission="nodes.manage", returns=NodeView)
    async def on_post(self, req: Request, node_id: str) -> NodeView:
        """Place no new servers on a node; those that it has go on."""
        return await _view(await call(changes.set_draining, req.actor, node_id, True))


class Undraining:
    """``/nodes/{node_id}/undrain``"""

    @endpoint(permission="nodes.manage", returns=NodeView)
    async def on_post(self, req: Request, node_id: str) -> NodeView:
        """Let a node have new servers again."""
        return await _view(await call(changes.set_draining, req.actor, node_id, False))


class KeyRotation:
    """``/nodes/{node_id}/rotate-key``"""

    @endpoint(permission="nodes.manage", returns=NodeView, limit=Limit(20, 60))
    async def on_post(self, req: Request, node_id: str) -> NodeView:
        """Give an online node a new key over its link; the old one stops working and nothing has to join again."""
        return await _view(await rotation.rotate(req.actor, node_id))


class Stats:
    """``/nodes/{node_id}/stats``"""

    @endpoint(permission="nodes.read", returns=NodeStats)
    async def on_get(self, req: Request, node_id: str) -> NodeStats:
        """Show a node's last figures."""
        node = await call(service.get_node, node_id)
        figures = (await presence.figures([node.id])).get(node.id)
        servers, allocations, reserved, ports = await call(service.usage, node)
        return NodeStats(figures is not None, figures or {}, servers, allocations, reserved, ports)


class Join:
    """``/nodes/{node_id}/join``"""

    @endpoint(permission="nodes.manage", returns=JoinCommand, status=201)
    async def on_post(self, req: Request, node_id: str) -> JoinCommand:
        """Make a new join command; the node's earlier unused ones stop working."""
        return await join_command(req, node_id)


class Revocation:
    """``/nodes/{node_id}/revoke``"""

    @endpoint(permission="nodes.manage", returns=NodeView)
    async def on_post(self, req: Request, node_id: str) -> NodeView:
        """Revoke a node's key and cut its link at once; its game servers go on."""
        node = await call(service.revoke_key, req.actor, node_id)
        await link.cut(node.id)
        return await _view(await call(service.get_node, node.id))


class Enrolment:
    """``/nodes/enrol``"""

    @endpoint(permission=None, body=Enrol, returns=Enrolled, limit=Limit(20, 60), csrf=False, problems=(401,))
    async def on_post(self, req: Request, body: Enrol) -> Enrolled:
        """Exchange a join token for the node's key."""
        return await call(service.enrol, body.token, req.address)


class NodeLink:
    """``/nodes/link``"""

    @websocket(permission=None, max_frame=protocol.MAX_FRAME)
    async def on_websocket(self, req: Request, socket: Socket) -> None:
        """The link of a node's agent; see plugins/nodes/protocol.py."""
        node_id, _, key = (req.bearer_token or "").partition(".")
        if not key:
            raise Unauthenticated("A node links with its key; join it with the join command.", code="node_key")
        node = await call(service.authenticate_node, node_id, key)
        await socket.accept()
        await link.LinkSession(socket, node).run()


async def join_command(req: Request, node_id: str) -> JoinCommand:
    """A new join command for a node, good for the configured time."""
    minutes = req.config.section(NodesSettings).join_token_minutes
    url = panel_url(req.config, f"{'https' if req.is_https else 'http'}://{req.netloc}")
    return await call(service.make_join_token, req.actor, node_id, url, minutes)


async def _view(node: Node) -> NodeView:
    return (await call(service.views, [node], await presence.online([node.id])))[0]
