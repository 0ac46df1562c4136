"""The pages of a server's start-up variables and of what was done with it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from stellar.auth.permissions import Actor
from stellar.db import call
from stellar.extend.registry import PageRegistrar
from stellar.http.answers import Answer, Html
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.plugins.blueprints import service as blueprints
from stellar.plugins.blueprints.service import document_of
from stellar.plugins.blueprints.structs import Blueprint as Document
from stellar.plugins.nodes import service as nodes
from stellar.web.site import page

from . import activity, forms, placement, ports, views
from .detail_schemas import ActivityQuery, StartupView
from .pages import Row, server_row
from .service import get_server

PER_PAGE = 50


def add_pages(pages: PageRegistrar) -> None:
    """Register them."""
    pages.add("/servers/{server_id}/startup", StartupPage())
    pages.add("/servers/{server_id}/activity", ActivityPage())
    pages.add("/servers/{server_id}/allocations", PortsPage())
    pages.add("/servers/{server_id}/settings", SettingsPage())


class StartupPage:
    """``/servers/{server_id}/startup``"""

    @endpoint(permission="startup.read", returns=Html)
    async def on_get(self, req: Request, server_id: str) -> Answer:
        """A server's start-up variables, in a form where the caller may change them."""
        startup, fields = await call(_startup, req.actor, server_id)
        _, shown = await server_row(req.actor, server_id)
        return await page(
            req, "servers/startup.html", server=shown, startup=startup, fields=fields, runtime_names=forms.RUNTIMES
        )


class PageQuery(msgspec.Struct):
    """``before`` is the last line of the page before."""

    before: Annotated[int, msgspec.Meta(ge=1)] | None = None


class ActivityPage:
    """``/servers/{server_id}/activity``"""

    @endpoint(permission="activity.read", query=PageQuery, returns=Html)
    async def on_get(self, req: Request, server_id: str, query: PageQuery) -> Answer:
        """What was done with a server."""
        found = await call(activity.activity, req.actor, server_id, ActivityQuery(PER_PAGE, query.before))
        _, shown = await server_row(req.actor, server_id)
        return await page(
            req, "servers/activity.html", server=shown, entries=found.items, older=found.next, before=query.before
        )


class PortsPage:
    """``/servers/{server_id}/allocations``"""

    @endpoint(permission="allocations.read", returns=Html)
    async def on_get(self, req: Request, server_id: str) -> Answer:
        """A server's ports."""
        found = await call(ports.list_ports, req.actor, server_id)
        _, shown = await server_row(req.actor, server_id)
        return await page(req, "servers/allocations.html", server=shown, ports=found)


class SettingsPage:
    """``/servers/{server_id}/settings``"""

    @endpoint(permission="settings.read", returns=Html)
    async def on_get(self, req: Request, server_id: str) -> Answer:
        """What a server is called and made of, and its end; forms and buttons for those who may use them."""
        await call(get_server, req.actor, server_id, "settings.read")
        detail, shown = await server_row(req.actor, server_id)
        offered = await _runnable(shown) if "startup.image" in shown.may else []
        return await page(
            req,
            "servers/settings.html",
            server=shown,
            blueprints=offered,
            limits=detail.limits,
            mounts=detail.mounts,
        )


async def _runnable(server: Row) -> list[Document]:
    """The blueprints that the server's node can run, and its own."""
    documents = await call(blueprints.all_documents)
    fits = await placement.fits([await call(nodes.get_node, server.node_id)], documents, {})
    return [one for one in documents if one.name == server.blueprint or fits[0].blueprints[one.name].available]


def _startup(actor: Actor, ref: str) -> tuple[StartupView, list[tuple[forms.Field, Any]]]:
    """The view, and each of its variables as a form field with its view."""
    shown = views.startup(actor, ref, "startup.read")
    server = get_server(actor, ref, "startup.read")
    fields = {one.env: forms.field_of(one) for one in document_of(server.blueprint).variables}
    return shown, [(fields[variable.env], variable) for variable in shown.variables]
