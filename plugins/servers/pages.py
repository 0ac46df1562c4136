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
from stellar.cursors import MAX_LENGTH as MAX_CURSOR
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

from . import crashes, forms, listing, placement, standing, views
from .members import is_member
from .schemas import AllocationView, ListQuery, PromptView, ServerDetail, ServerPage, ServerView
from .settings import ServersSettings
from .sighted import state_of

PER_PAGE = 25
ON_DASHBOARD = 12


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
            MenuItem("Startup", "/servers/{server_id}/startup", "rocket", 40, ("startup.read",)),
            MenuItem("Ports", "/servers/{server_id}/allocations", "link", 50, ("allocations.read",)),
            MenuItem("Members", "/servers/{server_id}/members", "users", 60, ("users.read",)),
            MenuItem("Activity", "/servers/{server_id}/activity", "activity", 80, ("activity.read",)),
            MenuItem("Settings", "/servers/{server_id}/settings", "sliders", 90, ("settings.read",)),
        ]
    return []


def slot(name: str, view: Mapping[str, Any]) -> str | None:
    """What this plugin adds to the dashboard."""
    actor: Actor = view["actor"]
    if name == "dashboard.main":
        shown = rows(actor, listing.page(actor, ListQuery(limit=ON_DASHBOARD)).items)
        return fragment("servers/dashboard.html", view, servers=shown, may_create=may_create(actor))
    if name == "dashboard.actions" and may_create(actor):
        return fragment("servers/create_button.html", view)
    return None


class Row(msgspec.Struct):
    """A server as pages show it. ``state`` is ``unknown`` while its node is away; ``stats`` None unless it runs.

    ``may``: the actions that the caller may do on it; in lists only those of ``standing.ON_LISTS``.
    ``autostart`` and ``prompts`` are a single server's, as in ``ServerDetail``.
    """

    id: str
    short_id: str
    name: str
    description: str
    state: str
    shown_state: str
    suspended: bool
    node: str
    node_id: str
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
    may: frozenset[str]
    autostart: bool = True
    prompts: list[PromptView] = []


def rows(actor: Actor, servers: Sequence[ServerView]) -> list[Row]:
    """Servers with their live state and figures: two look-ups in Redis for all of them together."""
    may = standing.may_each(actor, [server.id for server in servers])
    client = sync.client()
    keys = [names.cache_server_status(server.id) for server in servers]
    live = cache.get_many_sync(client, keys, ServerMetrics)
    node_ids = list({server.node.id for server in servers})
    beats = cache.get_many_sync(client, [names.cache_node_metrics(node) for node in node_ids], dict[str, Any])
    online = {node for node, beat in zip(node_ids, beats, strict=True) if beat is not None}
    icons = {blueprint.id: blueprints.icon_url(blueprint) for blueprint in blueprints.list_blueprints()}
    return [
        _row(
            server,
            figures,
            server.node.id in online,
            icons.get(server.blueprint.id, ""),
            may.get(server.id, frozenset()),
        )
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
            preset=query.blueprint,
            chosen=chosen or next((one for one in offered if one.available), None),
            nodes=fits,
            runtime_names=forms.RUNTIMES,
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
            crashes=await call(crashes.of_server, server.id) if crashes.READ in shown.may else [],
            disk_warning=server.disk_warning,
            is_member=await call(is_member, req.actor, server.id),
        )


async def server_row(actor: Actor, server_id: str) -> tuple[ServerDetail, Row]:
    """A server for the head of its pages; ``NotFound`` when the caller may not see it."""
    return await call(_detail_and_row, actor, server_id)


def _page_of_rows(actor: Actor, query: PageQuery) -> tuple[ServerPage, list[Row]]:
    found = listing.page(actor, ListQuery(limit=PER_PAGE, after=query.after or None, search=query.search))
    return found, rows(actor, found.items)


def _offers() -> list[tuple[Document, str]]:
    return [(blueprints.document_of(one), blueprints.icon_url(one)) for one in blueprints.list_blueprints()]


def _detail_and_row(actor: Actor, server_id: str) -> tuple[ServerDetail, Row]:
    server = views.detail(actor, server_id)
    (row,) = rows(actor, [server])
    may = standing.may(actor, server_id)
    return server, msgspec.structs.replace(row, may=may, autostart=server.autostart, prompts=server.prompts)


def _row(server: ServerView, figures: ServerMetrics | None, online: bool, icon_url: str, may: frozenset[str]) -> Row:
    state = state_of(server, online)
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
        node_id=server.node.id,
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
        may=may,
    )


def _address(port: AllocationView | None) -> str:
    if port is None:
        return "no port"
    host = port.address or port.ip
    return f"[{host}]:{port.port}" if ":" in host else f"{host}:{port.port}"


def _port(port: AllocationView) -> str:
    return f"{port.port} {'tcp and udp' if port.protocol == 'both' else port.protocol} ({port.name})"
