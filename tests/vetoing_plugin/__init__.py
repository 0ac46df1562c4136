"""A plugin that forbids some actions on servers whose name begins with ``Guarded``, and remembers what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stellar.db import database
from stellar.errors import Conflict
from stellar.extend import Manifest, hookimpl

if TYPE_CHECKING:
    from stellar.auth.permissions import Actor
    from stellar.plugins.servers.models import Server

manifest = Manifest(name="vetoing", version="1.0.0", requires=("servers",))

HEARD: list[tuple[str, str, dict[str, Any]]] = []
"""The server's id, the event and its data."""


@hookimpl
def server_before_action(actor: Actor, server: Server, action: str) -> None:
    """``Guarded stop delete``: the words behind the first are what is forbidden."""
    guarded, *forbidden = server.name.split()
    if guarded == "Guarded" and action in forbidden:
        raise Conflict(f"The guard does not let {actor.email} {action} this server.", code="guarded")


@hookimpl
def server_event(server: Server, event: str, data: dict[str, Any]) -> None:
    """Only what has been committed may be told."""
    assert not database.in_transaction()
    HEARD.append((server.id, event, data))
