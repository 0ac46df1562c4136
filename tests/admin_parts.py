"""What tests of administration share."""

from __future__ import annotations

import stellar.plugins.admin
import stellar.plugins.blueprints
import stellar.plugins.nodes
import stellar.plugins.servers
from stellar.auth import users
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.models import Node
from stellar.plugins.servers.models import Server

PLUGINS = (stellar.plugins.nodes, stellar.plugins.blueprints, stellar.plugins.servers, stellar.plugins.admin)


def add_server(owner: str) -> str:
    """A server of that account; its id."""
    made = Server.create(
        short_id="abcd1234",
        name="A server",
        owner=users.by_email(owner),
        node=Node.create(name="node", address="127.0.0.1", port_start=30000, port_end=30100),
        blueprint=Blueprint.create(name="empty"),
        runtime="process",
        memory_mb=64,
        cpu_percent=0,
        disk_mb=8,
        install_id="1",
    )
    return str(made.id)
