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
from stellar.plugins.blueprints.service import document_of
from stellar.web.site import page

from . import activity, forms, views
from .detail_schemas import ActivityQuery, StartupView
from .pages import server_row
from .service import get_server

PER_PAGE = 50


def add_pages(pages: PageRegistrar) -> None:
    """Register them."""
    pages.add("/servers/{server_id}/startup", StartupPage())
    pages.add("/servers/{server_id}/activity", ActivityPage())


class StartupPage:
    """``/servers/{server_id}/startup``"""

    @endpoint(permission="startup.read", returns=Html)
    async def on_get(self, req: Request, server_id: str) -> Answer:
        """A server's start-up variables, in a form where the caller may change them."""
        startup, fields, may_update = await call(_startup, req.actor, server_id)
        _, shown = await server_row(req.actor, server_id)
        return await page(
            req, "servers/startup.html", server=shown, startup=startup, fields=fields, may_update=may_update
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


def _startup(actor: Actor, ref: str) -> tuple[StartupView, list[tuple[forms.Field, Any]], bool]:
    """The view, each of its variables as a form field with its view, and whether anything can be changed."""
    shown = views.startup(actor, ref, "startup.read")
    server = get_server(actor, ref, "startup.read")
    fields = {one.env: forms.field_of(one) for one in document_of(server.blueprint).variables}
    may_update = actor.allowed("startup.update", server)
    return shown, [(fields[variable.env], variable) for variable in shown.variables], may_update
