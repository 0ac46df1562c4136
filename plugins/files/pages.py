"""The page of a server's files."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

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
    pages.add("/servers/{server_id}/files", FilesPage())


def menu(actor: Actor, location: str) -> Sequence[MenuItem]:
    """The entries of this plugin."""
    if location != "server":
        return []
    return [MenuItem("Files", "/servers/{server_id}/files", "folder", 30, ("files.read",))]


class FilesQuery(msgspec.Struct):
    """``path`` is the folder to begin with, ``edit`` a file to open."""

    path: str = ""
    edit: str = ""


class FilesPage:
    """``/servers/{server_id}/files``"""

    @endpoint(permission="files.read", query=FilesQuery, returns=Html)
    async def on_get(self, req: Request, server_id: str, query: FilesQuery) -> Answer:
        """A server's files; the browser asks the API for them."""
        await call(get_server, req.actor, server_id, "files.read")
        _, shown = await server_row(req.actor, server_id)
        return await page(
            req, "files/files.html", server=shown, folder=query.path.strip("/"), edit=query.edit.strip("/")
        )
