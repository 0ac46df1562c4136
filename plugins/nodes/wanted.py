"""What the other plugins want on a node, asked and told through their hooks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from stellar.auth.permissions import Actor
from stellar.extend.manager import PluginManager
from stellar.panel import Panel

_plugins: PluginManager | None = None


def collect(app: Panel) -> None:
    """Remember whom to ask and tell."""
    global _plugins
    _plugins = app.plugins


def specs(node_id: str) -> list[dict[str, Any]]:
    """Everything wanted on a node. Raises what a plugin raises: a list that lacks some would mislead the node."""
    return [spec for found in _ask("node_specs", node_id=node_id) for spec in found]


def server_ids(node_id: str) -> set[str]:
    """The servers for which a node may speak."""
    return {found for ids in _ask("node_server_ids", node_id=node_id) for found in ids}


def server_names(actor: Actor, server_ids: Collection[str]) -> dict[str, str]:
    """What those of these servers are called that ``actor`` may see, by their ids."""
    found: dict[str, str] = {}
    for names in _ask("node_server_names", actor=actor, server_ids=server_ids):
        found |= names
    return found


def changed(node_id: str) -> None:
    """Tell the other plugins that a node is elsewhere, or what that place is called."""
    _ask("node_changed", node_id=node_id)


def forget(actor: Actor, node_id: str) -> None:
    """Have the other plugins forget what they keep on a node."""
    _ask("node_removed", node_id=node_id, actor=actor)


def _ask(hook: str, **arguments: Any) -> list[Any]:
    return _plugins.strict(hook, **arguments) if _plugins is not None else []
