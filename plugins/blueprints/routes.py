"""The API of blueprints."""

from __future__ import annotations

import msgspec

from stellar.db import call
from stellar.extend.registry import RouteRegistrar
from stellar.http import Raw, Request, endpoint

from . import service
from .schemas import BlueprintDetail, BlueprintView

ICON_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""An SVG is a document of its own when it is opened alone."""


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/blueprints", Blueprints())
    routes.add("/blueprints/{blueprint_id}", OneBlueprint())
    routes.add("/blueprints/{blueprint_id}/icon", Icon())


class Blueprints:
    """``/blueprints``"""

    @endpoint(permission="blueprints.read", returns=list[BlueprintView])
    async def on_get(self, req: Request) -> list[BlueprintView]:
        """List the blueprints."""
        return await call(service.views, req.actor)


class OneBlueprint:
    """``/blueprints/{blueprint_id}``"""

    @endpoint(permission="blueprints.read", returns=BlueprintDetail)
    async def on_get(self, req: Request, blueprint_id: str) -> BlueprintDetail:
        """Show a blueprint, by its id or name."""
        return await call(service.detail, req.actor, blueprint_id)


class IconQuery(msgspec.Struct):
    """``v`` is the icon's version, in the icon's own URL; with it the answer never changes."""

    v: str = ""


class Icon:
    """``/blueprints/{blueprint_id}/icon``"""

    @endpoint(permission="blueprints.read", query=IconQuery, returns=Raw)
    async def on_get(self, req: Request, blueprint_id: str, query: IconQuery) -> Raw:
        """Show a blueprint's icon (SVG or PNG)."""
        media_type, data, version = await call(service.icon_of, blueprint_id)
        caching = "private, max-age=31536000, immutable" if query.v == version else "private, no-cache"
        return Raw(data, media_type, headers={"Content-Security-Policy": ICON_POLICY, "Cache-Control": caching})
