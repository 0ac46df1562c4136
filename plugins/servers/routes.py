"""The API of servers."""

from __future__ import annotations

import msgspec

from stellar import panel
from stellar.bus.bus import current
from stellar.db import call
from stellar.errors import DomainError, NodeUnreachable
from stellar.extend.registry import RouteRegistrar
from stellar.http.endpoint import endpoint
from stellar.http.ratelimits import CREATES
from stellar.http.request import Request
from stellar.plugins.blueprints import service as blueprints
from stellar.plugins.nodes import service as nodes

from . import changes, placement, power, service, sighted, views
from .calls import History, HistoryQuery, Metrics, PowerAction, Remove, Result, StatsQuery
from .creation import create_server
from .naming import named
from .permissions import POWER, READ
from .schemas import (
    CreateServer,
    DeleteQuery,
    ListQuery,
    NodeFit,
    PastQuery,
    PatchServer,
    ServerDetail,
    ServerPage,
)
from .settings import ServersSettings

ANSWER_SECONDS = 10.0
REMOVE_SECONDS = 120.0


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/servers", Servers())
    routes.add("/servers/availability", Availability())
    routes.add("/servers/{server_id}", OneServer())
    routes.add("/servers/{server_id}/stats", Stats())
    routes.add("/servers/{server_id}/history", PastStats())
    routes.add("/servers/{server_id}/reinstall", Reinstall())
    for action in POWER:
        routes.add(f"/servers/{{server_id}}/{action}", power_resource(action))


class Servers:
    """``/servers``"""

    @endpoint(permission="signed_in", query=ListQuery, returns=ServerPage, keys=True)
    async def on_get(self, req: Request, query: ListQuery) -> ServerPage:
        """List the servers that the caller may see."""
        return await sighted.page(req.actor, query)

    @endpoint(permission="servers.create", body=CreateServer, returns=ServerDetail, status=202, limit=CREATES)
    async def on_post(self, req: Request, body: CreateServer) -> ServerDetail:
        """Create a server and install it."""
        blueprint = await named("blueprint", blueprints.get_blueprint, body.blueprint)
        candidates = [await named("node", nodes.get_node, body.node)] if body.node else await call(nodes.list_nodes)
        promised = await call(views.promised_memory)
        place = await placement.choose(candidates, blueprints.document_of(blueprint), promised, body.runtime)
        settings = panel.current().config.section(ServersSettings)
        server = await call(create_server, req.actor, body, blueprint, place, settings)
        return await sighted.detail(req.actor, server.id)


class Availability:
    """``/servers/availability``"""

    @endpoint(permission="servers.create", returns=list[NodeFit])
    async def on_get(self, req: Request) -> list[NodeFit]:
        """Say which node can run which blueprint, and what to install where one can't."""
        documents = await call(blueprints.all_documents)
        return await placement.fits(await call(nodes.list_nodes), documents, await call(views.promised_memory))


class OneServer:
    """``/servers/{server_id}``"""

    @endpoint(permission="servers.read", returns=ServerDetail)
    async def on_get(self, req: Request, server_id: str) -> ServerDetail:
        """Show a server."""
        return await sighted.detail(req.actor, server_id)

    @endpoint(permission="servers.read", body=PatchServer, returns=ServerDetail)
    async def on_patch(self, req: Request, server_id: str, body: PatchServer) -> ServerDetail:
        """Change a server's name, description or resources, each with its own permission."""
        await call(changes.patch_server, req.actor, server_id, body)
        return await sighted.detail(req.actor, server_id)

    @endpoint(permission="servers.delete", query=DeleteQuery)
    async def on_delete(self, req: Request, server_id: str, query: DeleteQuery) -> None:
        """Stop a server, and delete it with its files and ports."""
        server = await call(service.begin_delete, req.actor, server_id)
        try:
            await current().call(
                server.node_id, "servers.remove", Remove(server.id), returns=Result, timeout=REMOVE_SECONDS
            )
        except DomainError as error:
            if not (isinstance(error, NodeUnreachable) and query.force and req.actor.is_admin):
                await call(service.cancel_delete, server)
                raise
        await call(service.finish_delete, req.actor, server)


class Stats:
    """``/servers/{server_id}/stats``"""

    @endpoint(permission="servers.read", returns=Metrics, problems=(409,))
    async def on_get(self, req: Request, server_id: str) -> Metrics:
        """Show what a server uses now, asked of its node; all 0 when it doesn't run, but for the disk."""
        server = await call(service.get_server, req.actor, server_id, READ)
        return await current().call(
            server.node_id, "servers.stats", StatsQuery(server.id), returns=Metrics, timeout=ANSWER_SECONDS
        )


class PastStats:
    """``/servers/{server_id}/history``"""

    @endpoint(permission="servers.read", query=PastQuery, returns=History)
    async def on_get(self, req: Request, server_id: str, query: PastQuery) -> History:
        """Show what a server has used, asked of its node; a day is known every 10 s, a month every 5 min."""
        server = await call(service.get_server, req.actor, server_id, READ)
        asked = HistoryQuery(server.id, query.span, query.points)
        return await current().call(server.node_id, "servers.history", asked, returns=History, timeout=ANSWER_SECONDS)


class Reinstall:
    """``/servers/{server_id}/reinstall``"""

    @endpoint(permission="settings.reinstall", returns=ServerDetail, status=202)
    async def on_post(self, req: Request, server_id: str) -> ServerDetail:
        """Install a server again, keeping its files; also the way to retry an install that has failed."""
        await call(service.reinstall, req.actor, server_id)
        return await sighted.detail(req.actor, server_id)


class PowerActionResource:
    """``/servers/{server_id}/<action>``"""

    action: PowerAction

    async def _act(self, req: Request, server_id: str) -> ServerDetail:
        server = await call(service.before_action, req.actor, server_id, self.action)
        state = await power.begin(server, self.action)
        await call(service.after_action, req.actor, server, self.action)
        shown = await sighted.detail(req.actor, server_id)
        return msgspec.structs.replace(shown, state=state)


def power_resource(action: str) -> PowerActionResource:
    """The resource of one power action."""

    class Resource(PowerActionResource):
        @endpoint(permission=f"control.{action}", returns=ServerDetail, status=202, summary=f"{action} a server")
        async def on_post(self, req: Request, server_id: str) -> ServerDetail:
            return await self._act(req, server_id)

    resource = Resource()
    resource.action = msgspec.convert(action, PowerAction)
    return resource
