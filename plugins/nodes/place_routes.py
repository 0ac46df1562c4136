"""The API of nodes' ports and of locations."""

from __future__ import annotations

from stellar.db import call
from stellar.extend.registry import RouteRegistrar
from stellar.http.endpoint import endpoint
from stellar.http.request import Request

from . import locations, ports
from .schemas import (
    AllocationPage,
    AllocationQuery,
    AllocationView,
    CreateLocation,
    LocationView,
    PatchLocation,
    ReservePort,
)


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/nodes/{node_id}/allocations", Allocations())
    routes.add("/nodes/{node_id}/allocations/{port}", OneAllocation())
    routes.add("/locations", Locations())
    routes.add("/locations/{location_id}", OneLocation())


class Allocations:
    """``/nodes/{node_id}/allocations``"""

    @endpoint(permission="nodes.read", query=AllocationQuery, returns=AllocationPage)
    async def on_get(self, req: Request, node_id: str, query: AllocationQuery) -> AllocationPage:
        """Show a node's port ranges, and the ports that servers have or that are reserved."""
        return await call(ports.page, node_id, query)

    @endpoint(permission="nodes.manage", body=ReservePort, returns=AllocationView, status=201)
    async def on_post(self, req: Request, node_id: str, body: ReservePort) -> AllocationView:
        """Reserve a port, so that no server gets it."""
        return await call(ports.reserve, req.actor, node_id, body)


class OneAllocation:
    """``/nodes/{node_id}/allocations/{port}``"""

    @endpoint(permission="nodes.manage")
    async def on_delete(self, req: Request, node_id: str, port: str) -> None:
        """Release a reserved port."""
        await call(ports.release_port, req.actor, node_id, port)


class Locations:
    """``/locations``"""

    @endpoint(permission="nodes.read", returns=list[LocationView])
    async def on_get(self, req: Request) -> list[LocationView]:
        """List the locations."""
        return await call(locations.list_locations)

    @endpoint(permission="nodes.manage", body=CreateLocation, returns=LocationView, status=201)
    async def on_post(self, req: Request, body: CreateLocation) -> LocationView:
        """Make a location."""
        return await call(locations.create_location, req.actor, body)


class OneLocation:
    """``/locations/{location_id}``"""

    @endpoint(permission="nodes.read", returns=LocationView)
    async def on_get(self, req: Request, location_id: str) -> LocationView:
        """Show a location, by its id or name."""
        return await call(locations.show_location, location_id)

    @endpoint(permission="nodes.manage", body=PatchLocation, returns=LocationView)
    async def on_patch(self, req: Request, location_id: str, body: PatchLocation) -> LocationView:
        """Change a location's name or description."""
        return await call(locations.change_location, req.actor, location_id, body)

    @endpoint(permission="nodes.manage")
    async def on_delete(self, req: Request, location_id: str) -> None:
        """Remove a location to which no node belongs."""
        await call(locations.remove_location, req.actor, location_id)
