"""A panel with one server, whose node answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from file_parts import PLUGINS, LiveNode, Site
from web_parts import WebServer, make_panel, running

from stellar.auth import users
from stellar.auth.models import User
from stellar.db import disconnect
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.models import Node
from stellar.plugins.servers.models import Server
from stellar.plugins.servers.spec import Limits


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    """A running panel."""
    with running(make_panel(tmp_path / "data", redis_url, *PLUGINS, files={"max_upload_mb": 2})) as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, redis_url: str, web: WebServer) -> Iterator[Site]:
    """A node that is linked, with ada's server on it."""
    with web.signed_in("ada@example.com") as ada:
        server = make_server(users.by_email("ada@example.com"))
        live = LiveNode(tmp_path / "agent", redis_url, server.node_id)
        try:
            yield Site(web, live, server.id, live.data(server.id, Limits(disk_mb=8)), ada)
        finally:
            live.stop()


def make_server(owner: User | None) -> Server:
    """A server with 8 MB of disk, on a node of its own."""
    server = Server.create(
        short_id="abcd1234",
        name="A server",
        owner=owner,
        node=Node.create(name="node", address="127.0.0.1", port_start=30000, port_end=30100),
        blueprint=Blueprint.create(**BLUEPRINT),
        runtime="process",
        memory_mb=64,
        cpu_percent=0,
        disk_mb=8,
        install_id="1",
    )
    disconnect()
    return server


BLUEPRINT = {"name": "generic"}
