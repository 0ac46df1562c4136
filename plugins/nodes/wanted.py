"""What the other plugins want on a node, asked through their hooks."""

from __future__ import annotations

from typing import Any

from stellar.extend.manager import PluginManager
from stellar.panel import Panel

_plugins: PluginManager | None = None


def collect(app: Panel) -> None:
    """Remember whom to ask."""
    global _plugins
    _plugins = app.plugins


def specs(node_id: str) -> list[dict[str, Any]]:
    """Everything wanted on a node. Raises what a plugin raises: a list that lacks some would mislead the node."""
    return [spec for found in _ask("node_specs", node_id) for spec in found]


def server_ids(node_id: str) -> set[str]:
    """The servers for which a node may speak."""
    return {found for ids in _ask("node_server_ids", node_id) for found in ids}


def _ask(hook: str, node_id: str) -> list[Any]:
    return _plugins.strict(hook, node_id=node_id) if _plugins is not None else []
