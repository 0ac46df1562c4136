"""Asking and telling other plugins about servers, through this plugin's hooks."""

from __future__ import annotations

from typing import Any

from stellar.auth.permissions import Actor
from stellar.bus import names, sync
from stellar.bus.events import GlobalEvent
from stellar.extend.manager import PluginManager
from stellar.panel import Panel

from .models import Server

NOTIFIED = ("installed", "crashed", "prompt", "disk")

_plugins: PluginManager | None = None


def collect(app: Panel) -> None:
    """Remember whom to ask and tell."""
    global _plugins
    _plugins = app.plugins


def ask(actor: Actor, server: Server, action: str) -> None:
    """Let plugins veto an action: what they raise is raised here."""
    if _plugins is not None:
        _plugins.strict("server_before_action", actor=actor, server=server, action=action)


def tell(server: Server, event: str, data: dict[str, Any]) -> None:
    """Tell plugins what has happened, and browsers what is worth a notification."""
    if _plugins is not None:
        for _ in _plugins.each("server_event", server=server, event=event, data=data):
            pass
    if event in NOTIFIED:
        sync.publish(names.EVENTS_GLOBAL, GlobalEvent(f"server.{event}", server.id, {**data, "name": server.name}))
