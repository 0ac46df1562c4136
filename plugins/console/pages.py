"""The console's page."""

from __future__ import annotations

from collections.abc import Sequence

from stellar.auth.permissions import Actor
from stellar.db import call
from stellar.extend.registry import PageRegistrar
from stellar.http.answers import Answer, Html
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.plugins.servers.pages import server_row
from stellar.plugins.servers.service import get_server
from stellar.web.menu import MenuItem
from stellar.web.site import page


def add_pages(pages: PageRegistrar) -> None:
    """Register it."""
    pages.add("/servers/{server_id}/console", ConsolePage())


def menu(actor: Actor, location: str) -> Sequence[MenuItem]:
    """The entries of this plugin."""
    if location != "server":
        return []
    return [MenuItem("Console", "/servers/{server_id}/console", "terminal", 20, ("console.read",))]


class ConsolePage:
    """``/servers/{server_id}/console``"""

    @endpoint(permission="console.read", returns=Html)
    async def on_get(self, req: Request, server_id: str) -> Answer:
        """A server's terminal."""
        await call(get_server, req.actor, server_id, "console.read")
        _, shown = await server_row(req.actor, server_id)
        return await page(req, "console/console.html", inline_styles=True, server=shown)
