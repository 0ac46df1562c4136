"""Putting the web application together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import falcon.asgi

from ..auth import authentication, sessions
from ..auth.grant_routes import ROUTES as GRANT_ROUTES
from ..auth.routes import ROUTES
from ..config import AuthSettings
from ..errors import NotFound
from ..extend.registry import RegistrationError, Route
from ..panel import Panel
from ..web import site
from ..web.assets import StaticSink
from ..web.pages import PAGES
from . import csrf
from .errors import ErrorHandlers
from .events import ROUTES as EVENTS
from .health import HealthResource
from .middleware import Envelope
from .openapi import OpenApiResource
from .request import Request
from .router import API, App, Router

if TYPE_CHECKING:
    from falcon._typing import AsgiSinkCallable

    from .middleware import Asgi

log = logging.getLogger(__name__)


class Lifespan:
    """Starts and stops the panel with the server; not part of any request."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    async def process_startup(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """Open the bus and tell the plugins."""
        await self._panel.open_bus()
        self._panel.start()

    async def process_shutdown(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """Tell the plugins and close the bus."""
        self._panel.stop()
        await self._panel.close_bus()


def create_app(panel: Panel) -> Asgi:
    """The ASGI application of a panel whose database is open; its lifespan starts and stops the rest."""
    return Envelope(build(panel)[0], panel)


def build(panel: Panel) -> tuple[App, Router]:
    """The Falcon application, and the router that knows what it serves."""
    app: App = falcon.asgi.App(request_type=Request, middleware=Lifespan(panel))
    app.req_options.strip_url_path_trailing_slash = False
    authentication.configure(panel.plugins)
    sessions.configure(panel.config.section(AuthSettings).session_days)
    csrf.configure(panel.config.public_url)
    pages = site.configure(panel.plugins, panel.config)
    ErrorHandlers(site.error_page).install(app)
    router = Router(app)
    router.add("core", "/healthz", HealthResource())
    router.add("core", f"{API}/openapi.json", OpenApiResource(router.operations))
    for path, resource in {**ROUTES, **GRANT_ROUTES, **EVENTS}.items():
        router.add("core", f"{API}{path}", resource)
    for path, resource in PAGES.items():
        router.add("core", path, resource)
    _add_all(panel, router, API, panel.registry.routes)
    _add_all(panel, router, "", panel.registry.pages)
    app.add_sink(_http_only(StaticSink(pages.assets)), prefix="/static/")
    return app, router


def _http_only(sink: StaticSink) -> AsgiSinkCallable[Request, falcon.asgi.Response]:
    async def serve(
        req: Request, resp: falcon.asgi.Response | None, ws: falcon.asgi.WebSocket | None = None, **fields: Any
    ) -> None:
        if resp is None:
            raise NotFound("There is no WebSocket at this address.")
        await sink(req, resp)

    return serve


def _add_all(panel: Panel, router: Router, prefix: str, routes: Iterable[Route]) -> None:
    builtin = {plugin.name: plugin.builtin for plugin in panel.plugins.plugins}
    for route in routes:
        try:
            router.add(route.plugin, f"{prefix}{route.path}", route.resource)
        except RegistrationError as error:
            if builtin[route.plugin]:
                raise
            log.error("a route of the plugin %s is left out: %s", route.plugin, error)
