"""The pages of one node with its ports, and of the locations."""

from __future__ import annotations

from typing import Annotated

import msgspec

from stellar.db import call
from stellar.extend.registry import PageRegistrar
from stellar.http.answers import Answer, Html
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.web.site import page

from . import locations, ports, wanted
from .pages import one_row
from .schemas import AllocationPage, AllocationQuery

PER_PAGE = 50


def add_pages(pages: PageRegistrar) -> None:
    """Register them."""
    pages.add("/nodes/locations", LocationsPage())
    pages.add("/nodes/{node_id}", NodePage())


class PortsQuery(msgspec.Struct):
    """``after`` is the last port of the page before."""

    after: Annotated[int, msgspec.Meta(ge=0, le=65535)] | None = None


class NodePage:
    """``/nodes/{node_id}``"""

    @endpoint(permission="nodes.read", query=PortsQuery, returns=Html)
    async def on_get(self, req: Request, node_id: str, query: PortsQuery) -> Answer:
        """A node, its settings and the ports in use on it."""
        found: AllocationPage = await call(ports.page, node_id, AllocationQuery(limit=PER_PAGE, after=query.after))
        ids = {port.server_id for port in found.allocations if port.server_id and not port.reserved}
        return await page(
            req,
            "nodes/node.html",
            node=await call(one_row, node_id),
            ports=found,
            server_names=await call(wanted.server_names, req.actor, ids),
            after=query.after,
            locations=await call(locations.list_locations),
            may_manage=req.actor.allowed("nodes.manage"),
        )


class LocationsPage:
    """``/nodes/locations``"""

    @endpoint(permission="nodes.read", returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """The places where nodes are."""
        found = await call(locations.list_locations)
        return await page(req, "nodes/locations.html", locations=found, may_manage=req.actor.allowed("nodes.manage"))
