"""The API of the console."""

from __future__ import annotations

from stellar import audit
from stellar.bus.bus import current
from stellar.bus.ratelimit import Limit
from stellar.db import call
from stellar.extend.registry import RouteRegistrar
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.http.websocket import Socket, websocket
from stellar.plugins.servers.calls import Command, Result, check_command
from stellar.plugins.servers.service import get_server

from . import access, session
from .frames import MAX_FRAME
from .history import read_text
from .schemas import ConsoleText, ConsoleToken, ReadQuery, SendCommand, Sent, SocketQuery


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/servers/{server_id}/console", History())
    routes.add("/servers/{server_id}/console-token", Token())
    routes.add("/servers/{server_id}/console/socket", ConsoleSocket())
    routes.add("/servers/{server_id}/command", CommandLine())


class Token:
    """``/servers/{server_id}/console-token``"""

    @endpoint(permission="console.read", returns=ConsoleToken, limit=Limit(300, 60), problems=(409,))
    async def on_get(self, req: Request, server_id: str) -> ConsoleToken:
        """Make a short-lived token for the server's console socket."""
        return await access.issue(req, server_id)


class ConsoleSocket:
    """``/servers/{server_id}/console/socket``"""

    @websocket(permission=None, query=SocketQuery, limit=Limit(1200, 60), max_frame=MAX_FRAME)
    async def on_websocket(self, req: Request, socket: Socket, server_id: str, query: SocketQuery) -> None:
        """Live output, state and figures out; keys, size and position in; see plugins/console/README.md."""
        await session.serve(req, socket, server_id, query.token)


class History:
    """``/servers/{server_id}/console``"""

    @endpoint(permission="console.read", query=ReadQuery, returns=ConsoleText, problems=(409,))
    async def on_get(self, req: Request, server_id: str, query: ReadQuery) -> ConsoleText:
        """Read the server's output from its log."""
        server = await call(get_server, req.actor, server_id, "console.read")
        return await read_text(server, query)


class CommandLine:
    """``/servers/{server_id}/command``"""

    @endpoint(permission="console.write", body=SendCommand, returns=Sent, status=202)
    async def on_post(self, req: Request, server_id: str, body: SendCommand) -> Sent:
        """Type a line into the game's console."""
        check_command(body.command)
        server = await call(get_server, req.actor, server_id, "console.write")
        await current().call(server.node_id, "servers.command", Command(server.id, body.command), returns=Result)
        await call(audit.record, req.actor, "server.command", target_type="server", target_id=server.id)
        return Sent()
