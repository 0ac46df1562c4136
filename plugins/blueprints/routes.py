"""The API of blueprints."""

from __future__ import annotations

import msgspec

from stellar.db import call
from stellar.extend.registry import RouteRegistrar
from stellar.http import Raw, Request, endpoint
from stellar.http.ratelimits import WRITES

from . import imports, library, service
from .beside import PICTURES
from .incoming import fetched
from .schemas import (
    BlueprintDetail,
    BlueprintUpdate,
    BlueprintView,
    ExportQuery,
    ImportQuery,
    ListQuery,
    UpdateBlueprint,
    WriteBlueprint,
)
from .uploads import MAX_UPLOAD, UPLOADS, uploaded

ICON_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""An SVG is a document of its own when it is opened alone."""
ICON_TYPES = ("image/svg+xml", *(media_type for media_type, _, _ in PICTURES.values()))


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/blueprints", Blueprints())
    routes.add("/blueprints/{blueprint_id}", OneBlueprint())
    routes.add("/blueprints/import", Import())
    routes.add("/blueprints/{blueprint_id}/icon", Icon())
    routes.add("/blueprints/{blueprint_id}/export", Export())
    routes.add("/blueprints/{blueprint_id}/restore", Restore())
    routes.add("/blueprints/{blueprint_id}/update", Update())


class Blueprints:
    """``/blueprints``"""

    @endpoint(permission="blueprints.read", query=ListQuery, returns=list[BlueprintView])
    async def on_get(self, req: Request, query: ListQuery) -> list[BlueprintView]:
        """List the blueprints."""
        return await call(service.views, req.actor, query)

    @endpoint(
        permission="blueprints.manage", body=WriteBlueprint, returns=BlueprintDetail, status=201, max_body=MAX_UPLOAD
    )
    async def on_post(self, req: Request, body: WriteBlueprint) -> BlueprintDetail:
        """Make a blueprint of TOML or JSON."""
        return await call(service.detail_of, req.actor, await call(library.create, req.actor, body))


class OneBlueprint:
    """``/blueprints/{blueprint_id}``"""

    @endpoint(permission="blueprints.read", returns=BlueprintDetail)
    async def on_get(self, req: Request, blueprint_id: str) -> BlueprintDetail:
        """Show a blueprint, by its id or name."""
        return await call(service.detail, req.actor, blueprint_id)

    @endpoint(permission="blueprints.manage", body=WriteBlueprint, returns=BlueprintDetail, max_body=MAX_UPLOAD)
    async def on_put(self, req: Request, blueprint_id: str, body: WriteBlueprint) -> BlueprintDetail:
        """Replace a blueprint; a built-in one becomes an own copy, which can be restored."""
        return await call(service.detail_of, req.actor, await call(library.update, req.actor, blueprint_id, body))

    @endpoint(permission="blueprints.manage")
    async def on_delete(self, req: Request, blueprint_id: str) -> None:
        """Delete a blueprint that no server uses."""
        await call(library.delete, req.actor, blueprint_id)


class Restore:
    """``/blueprints/{blueprint_id}/restore``"""

    @endpoint(permission="blueprints.manage", returns=BlueprintDetail)
    async def on_post(self, req: Request, blueprint_id: str) -> BlueprintDetail:
        """Make a changed built-in blueprint what it was."""
        return await call(service.detail_of, req.actor, await call(library.restore, req.actor, blueprint_id))


class Update:
    """``/blueprints/{blueprint_id}/update``"""

    @endpoint(permission="blueprints.manage", body=UpdateBlueprint, returns=BlueprintUpdate)
    async def on_post(self, req: Request, blueprint_id: str, body: UpdateBlueprint) -> BlueprintUpdate:
        """Fetch a blueprint's newer version from its update_url, and show or apply what that changes."""
        url = await call(imports.update_url_of, blueprint_id)
        files = await fetched(url)
        return await call(imports.update, req.actor, blueprint_id, url, files, body.digest)


class Import:
    """``/blueprints/import``"""

    @endpoint(
        permission="blueprints.manage",
        query=ImportQuery,
        uploads=UPLOADS,
        returns=BlueprintDetail,
        status=201,
        limit=WRITES,
    )
    async def on_post(self, req: Request, query: ImportQuery) -> BlueprintDetail:
        """Import a blueprint (a blueprint.toml or ZIP file) or an egg, itself or by its url or text in JSON."""
        files = await uploaded(req)
        made, notes = await call(imports.import_files, req.actor, files, replace=query.replace)
        return msgspec.structs.replace(await call(service.detail_of, req.actor, made), report=notes)


class Export:
    """``/blueprints/{blueprint_id}/export``"""

    @endpoint(
        permission="blueprints.manage",
        query=ExportQuery,
        returns=Raw,
        downloads=("application/toml", "application/zip", "application/json", "application/yaml"),
        problems=(409,),
    )
    async def on_get(self, req: Request, blueprint_id: str, query: ExportQuery) -> Raw:
        """Export a blueprint as TOML, as a ZIP file with its icon and install script, or as an egg."""
        media_type, name, data = await call(library.export, blueprint_id, query.format)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Raw(data, media_type, headers=headers)


class IconQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``v`` is the icon's version, in the icon's own URL; with it the answer never changes."""

    v: str = ""


class Icon:
    """``/blueprints/{blueprint_id}/icon``"""

    @endpoint(permission="blueprints.read", query=IconQuery, returns=Raw, downloads=ICON_TYPES)
    async def on_get(self, req: Request, blueprint_id: str, query: IconQuery) -> Raw:
        """Show a blueprint's icon (SVG, PNG, JPEG, WebP or GIF)."""
        media_type, data, version = await call(service.icon_of, blueprint_id)
        caching = "private, max-age=31536000, immutable" if query.v == version else "private, no-cache"
        return Raw(data, media_type, headers={"Content-Security-Policy": ICON_POLICY, "Cache-Control": caching})
