"""Nodes as commands show them."""

from __future__ import annotations

from . import presence, service
from .models import Node
from .schemas import NodeView


def view_of(node: Node) -> tuple[NodeView, bool]:
    """A node as the API shows it, and whether anybody knows if it is online."""
    online = presence.online_now([node.id])
    return service.views([node], {node.id: online is not None and node.id in online})[0], online is not None


def state_of(view: NodeView, *, known: bool) -> str:
    """How a node is, in a word or two; ``known``: whether Redis has said if it is online."""
    state = "unknown" if not known else "online" if view.online else "offline" if view.enrolled else "not joined"
    return f"{state}, draining" if view.draining else state
