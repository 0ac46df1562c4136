"""The pages of servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from stellar import panel
from stellar.auth.permissions import Actor
from stellar.bus import cache, names, sync
from stellar.bus.events import ServerMetrics
from stellar.db import call
from stellar.extend.registry import PageRegistrar
from stellar.http.answers import Answer, Html
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.plugins.blueprints import service as blueprints
from stellar.plugins.blueprints.structs import Blueprint as Document
from stellar.plugins.nodes import service as nodes
from stellar.web.menu import MenuItem
from stellar.web.site import fragment, page

from . import forms, placement, views
from .cursors import MAX_LENGTH as MAX_CURSOR
from .schemas import AllocationView, ListQuery, ServerDetail, ServerPage, ServerView
from .service import get_server
from .settings import ServersSettings

PER_PAGE = 25
ON_DASHBOARD = 12
UNKNOWN = "unknown"


def add_pages(pages: PageRegistrar) -> None:
    """Register them."""
    pages.add("/servers", ServerList())
    pages.add("/servers/new", NewServer())
    pages.add("/servers/{server_id}", OneServer())


def menu(actor: Actor, location: str) -> Sequence[MenuItem]:
    """The entries of this plugin."""
    if location == "main":
        return [MenuItem("Servers", "/servers", "server", 20)]
    if location == "server":
        return [
            MenuItem("Overview", "/servers/{server_id}", "home", 10),
            MenuItem("Startup", "/servers/{server_id}/startup", "sliders", 40),
            MenuItem("Activity", "/servers/{server_id}/activity", "activity", 90),
        ]
    return []


def slot(name: str, view: Mapping[str, Any]) -> str | None:
    """What this plugin adds to the dashboard."""
    actor: Actor = view["actor"]
    if name == "dashboard.main":
        shown = rows(views.page(actor, ListQuery(limit=ON_DASHBOARD)).items)
        return fragment("servers/dashboard.html", view, servers=shown, may_create=may_create(actor))
    if name == "dashboard.actions" and may_create(actor):
        return fragment("servers/create_button.html", view)
    return None


class Row(msgspec.Struct):
    """A server as pages show it. ``state`` is ``unknown`` while its node is away; ``stats`` None unless it runs."""

    id: str
    short_id: str
    name: str
    description: str
    state: str
    shown_state: str
    suspended: bool
    node: str
    blueprint: str
    blueprint_title: str
    icon_url: str
    owner: str
    address: str
    ports: list[str]
    memory_mb: int
    cpu_percent: int
    disk_mb: int
    stats: ServerMetrics | None
    created_at: datetime


def rows(servers: Sequence[ServerView]) -> list[Row]:
    """Servers with their live state and figures: two look-ups in Redis for all of them together."""
    client = sync.client()
    keys = [names.cache_server_status(server.id) for server in servers]
    live = cache.get_many_sync(client, keys, ServerMetrics)
    node_ids = list({server.node.id for server in servers})
    beats = cache.get_many_sync(client, [names.cache_node_metrics(node) for node in node_ids], dict[str, Any])
    online = {node for node, beat in zip(node_ids, beats, strict=True) if beat is not None}
    icons = {blueprint.id: blueprints.icon_url(blueprint) for blueprint in blueprints.list_blueprints()}
    return [
        _row(server, figures, server.node.id in online, icons.get(server.blueprint.id, ""))
        for server, figures in zip(servers, live, strict=True)
    ]


def may_create(actor: Actor) -> bool:
    """Whether a form for a new server makes sense for this account."""
    if actor.is_admin:
        return True
    return actor.allowed("servers.create") and panel.current().config.section(ServersSettings).user_limit > 0


class PageQuery(msgspec.Struct):
    """``after`` is the cursor that the page before has given; ``search`` as in the API."""

    search: Annotated[str, msgspec.Meta(max_length=100)] = ""
    after: Annotated[str, msgspec.Meta(max_length=MAX_CURSOR)] | None = None


class ServerList:
    """``/servers``"""

    @endpoint(permission="signed_in", query=PageQuery, returns=Html)
    async def on_get(self, req: Request, query: PageQuery) -> Answer:
        """The servers that the caller may see."""
        found, shown = await call(_page_of_rows, req.actor, query)
        return await page(
            req,
            "servers/list.html",
            servers=shown,
            after=query.after or "",
            search=query.search,
            following=found.next or "",
            may_create=may_create(req.actor),
        )


class NewQuery(msgspec.Struct):
    """``blueprint`` is chosen already."""

    blueprint: str = ""


class NewServer:
    """``/servers/new``"""

    @endpoint(permission="servers.create", query=NewQuery, returns=Html)
    async def on_get(self, req: Request, query: NewQuery) -> Answer:
        """The form for a new server."""
        offers = await call(_offers)
        known = await call(nodes.list_nodes)
        fits = await placement.fits(known, [document for document, _ in offers], await call(views.promised_memory))
        offered = forms.choices(offers, fits, is_admin=req.actor.is_admin)
        chosen = next((one for one in offered if one.available and one.name == query.blueprint), None)
        return await page(
            req,
            "servers/new.html",
            blueprints=offered,
            chosen=chosen or next((one for one in offered if one.available), None),
            nodes=fits,
        )


class OneServer:
    """``/servers/{server_id}``"""

    @endpoint(permission="servers.read", returns=Html)
    async def on_get(self, req: Request, server_id: str) -> Answer:
        """One server at a glance."""
        server, shown = await server_row(req.actor, server_id)
        return await page(
            req,
            "servers/show.html",
            server=shown,
            install=server.install,
            variables=server.variables,
            may_delete=await call(_may_delete, req.actor, server.id),
            may_suspend=await call(req.actor.allowed, "servers.suspend"),
        )


async def server_row(actor: Actor, server_id: str) -> tuple[ServerDetail, Row]:
    """A server for the head of its pages; ``NotFound`` when the caller may not see it."""
    return await call(_detail_and_row, actor, server_id)


def _page_of_rows(actor: Actor, query: PageQuery) -> tuple[ServerPage, list[Row]]:
    found = views.page(actor, ListQuery(limit=PER_PAGE, after=query.after, search=query.search))
    return found, rows(found.items)


def _offers() -> list[tuple[Document, str]]:
    return [(blueprints.document_of(one), blueprints.icon_url(one)) for one in blueprints.list_blueprints()]


def _may_delete(actor: Actor, server_id: str) -> bool:
    return actor.allowed("servers.delete", get_server(actor, server_id, "servers.read"))


def _detail_and_row(actor: Actor, server_id: str) -> tuple[ServerDetail, Row]:
    server = views.detail(actor, server_id)
    return server, rows([server])[0]


def _row(server: ServerView, figures: ServerMetrics | None, online: bool, icon_url: str) -> Row:
    waiting = server.state in ("installing", "install_failed")
    state = server.state if online or waiting else UNKNOWN
    running = state in ("starting", "running", "stopping")
    return Row(
        id=server.id,
        short_id=server.short_id,
        name=server.name,
        description=server.description,
        state=state,
        shown_state="suspended" if server.suspended else state,
        suspended=server.suspended,
        node=server.node.name,
        blueprint=server.blueprint.name,
        blueprint_title=server.blueprint.title,
        icon_url=icon_url,
        owner=server.owner.name,
        address=_address(server.allocation),
        ports=[_port(port) for port in server.allocations],
        memory_mb=server.limits.memory_mb,
        cpu_percent=server.limits.cpu_percent,
        disk_mb=server.limits.disk_mb,
        stats=figures if running and figures is not None and figures.memory_bytes else None,
        created_at=server.created_at,
    )


def _address(port: AllocationView | None) -> str:
    if port is None:
        return "no port"
    host = port.address or port.ip
    return f"[{host}]:{port.port}" if ":" in host else f"{host}:{port.port}"


def _port(port: AllocationView) -> str:
    return f"{port.port} {'tcp and udp' if port.protocol == 'both' else port.protocol} ({port.name})"
