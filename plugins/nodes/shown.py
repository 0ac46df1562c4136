"""Nodes as commands show them."""

from __future__ import annotations

from collections.abc import Iterator

from stellar.web.formats import size

from . import presence, service
from .models import Node
from .pages import Item, Row
from .schemas import NodeView


def view_of(node: Node) -> tuple[NodeView, bool]:
    """A node as the API shows it, and whether anybody knows if it is online."""
    online = presence.online_now([node.id])
    return service.views([node], {node.id: online is not None and node.id in online})[0], online is not None


def state_of(view: NodeView, *, known: bool) -> str:
    """How a node is, in a word or two; ``known``: whether Redis has said if it is online."""
    state = "unknown" if not known else "online" if view.online else "offline" if view.enrolled else "not joined"
    return f"{state}, draining" if view.draining else state


def figures_of(row: Row) -> list[tuple[str, str]]:
    """What an online node's last heartbeat says, in words."""
    if (now := row.figures) is None:
        return []
    return [
        ("cpu", f"{now.cpu_percent:.0f} % of {now.cores} cores"),
        ("memory", f"{size(now.memory_used)} of {size(now.memory_total)}"),
        ("disk", f"{size(now.disk_used)} of {size(now.disk_total)}"),
        *(("unknown server", f"{one.name} ({one.id})") for one in now.unknown_servers),
    ]


def abilities_of(row: Row) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What a node can do and what protects it, each with a heading; why not, where it can't."""
    if row.runtimes:
        yield "Runtimes", [_answer(one) for one in row.runtimes]
    for guard in row.protection:
        if guard.items:
            yield f"Protection of servers in {guard.runtime}", [_answer(one) for one in guard.items]


def _answer(item: Item) -> tuple[str, str]:
    return item.label, "yes" if item.active else f"no: {item.detail}".removesuffix(": ")
