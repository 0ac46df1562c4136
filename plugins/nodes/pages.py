"""The page of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from stellar.auth.permissions import Actor
from stellar.bus import cache, names, sync
from stellar.db import call
from stellar.extend.registry import PageRegistrar
from stellar.http.answers import Answer, Html
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.web.menu import MenuItem
from stellar.web.site import fragment, page

from . import service
from .models import Node
from .protections import LABELS
from .schemas import LocationRef, PortRange

T = TypeVar("T")


def add_pages(pages: PageRegistrar) -> None:
    """Register it."""
    pages.add("/nodes", NodesPage())


def menu(actor: Actor, location: str) -> Sequence[MenuItem]:
    """The entries of this plugin."""
    if location == "main" and actor.allowed("nodes.read"):
        return [MenuItem("Nodes", "/nodes", "node", 30)]
    return []


def slot(name: str, view: Mapping[str, Any]) -> str | None:
    """What this plugin adds to the dashboard."""
    if name == "dashboard.bottom" and view["actor"].allowed("nodes.read") and (found := rows()):
        return fragment("nodes/dashboard.html", view, nodes=found)
    return None


class Item(msgspec.Struct):
    """A protection or a runtime, and why it isn't active."""

    label: str
    active: bool
    detail: str


class Guard(msgspec.Struct):
    """The protections of servers in one runtime."""

    runtime: str
    items: list[Item]


class Unknown(msgspec.Struct):
    """A server that a node has and the panel doesn't know."""

    id: str
    name: str


class Figures(msgspec.Struct):
    """What a heartbeat says; sizes in bytes, CPU in percent of all cores."""

    cpu_percent: float = 0.0
    cores: int = 1
    memory_total: int = 0
    memory_used: int = 0
    disk_total: int = 0
    disk_used: int = 0
    unknown_servers: list[Unknown] = []


class Runtime(msgspec.Struct):
    """The capability ``runtimes`` of one of them."""

    available: bool = False
    reason: str | None = None


class Protection(msgspec.Struct):
    """The capability ``protection`` of a runtime."""

    active: dict[str, bool] = {}
    reasons: dict[str, str] = {}


class Row(msgspec.Struct):
    """A node as pages show it; ``figures`` is None while it is offline."""

    id: str
    name: str
    address: str
    online: bool
    local: bool
    enrolled: bool
    port_start: int
    port_end: int
    hostname: str
    platform: str
    version: str
    outdated: bool
    draining: bool
    note: str
    location: LocationRef | None
    port_ranges: list[PortRange]
    servers: int
    last_seen_at: datetime | None
    figures: Figures | None
    protection: list[Guard]
    runtimes: list[Item]


def rows() -> list[Row]:
    """Every node with its last figures."""
    return _rows(service.list_nodes())


def one_row(ref: str) -> Row:
    """One node; ``NotFound``."""
    return _rows([service.get_node(ref)])[0]


def _rows(nodes: list[Node]) -> list[Row]:
    keys = [names.cache_node_metrics(node.id) for node in nodes]
    beats = cache.get_many_sync(sync.client(), keys, Figures)
    figures = {node.id: beat for node, beat in zip(nodes, beats, strict=True)}
    views = service.views(nodes, {node_id: beat is not None for node_id, beat in figures.items()})
    return [
        msgspec.convert(
            {
                **msgspec.to_builtins(view),
                "figures": figures[view.id],
                "protection": protection(view.capabilities),
                "runtimes": runtimes(view.capabilities),
            },
            Row,
            from_attributes=True,
        )
        for view in views
    ]


def protection(capabilities: dict[str, Any]) -> list[Guard]:
    """What each runtime that works says it enforces, as the agent has found out by trying."""
    return [
        Guard(
            runtime,
            [
                Item(LABELS.get(name, name), active, found.reasons.get(name, ""))
                for name, active in found.active.items()
            ],
        )
        for runtime, found in _said(capabilities.get("protection"), Protection).items()
    ]


def runtimes(capabilities: dict[str, Any]) -> list[Item]:
    """The ways in which a node can run servers."""
    return [
        Item(name.capitalize(), about.available, about.reason or "")
        for name, about in _said(capabilities.get("runtimes"), Runtime).items()
    ]


def _said(value: Any, kind: type[T]) -> dict[str, T]:
    """A capability by runtime; nothing where the node, which can say anything, said something else."""
    try:
        return msgspec.convert(value or {}, dict[str, kind])  # type: ignore[valid-type]
    except msgspec.ValidationError:
        return {}


class NodesPage:
    """``/nodes``"""

    @endpoint(permission="nodes.read", returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """The machines that run game servers."""
        return await page(req, "nodes/list.html", nodes=await call(rows), may_manage=req.actor.allowed("nodes.manage"))
