"""A panel with a linked node and ada's server on it, which runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from console_parts import PLUGINS, ConsoleNode, Site, add_server
from web_parts import WebServer, make_panel, running

from stellar.db import disconnect
from stellar.plugins.blueprints.service import sync_builtin
from stellar.plugins.nodes.agent.identity import Identity
from stellar.plugins.nodes.models import Node
from stellar.plugins.nodes.service import rotate_key


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    """A running panel."""
    panel = make_panel(tmp_path / "data", redis_url, *PLUGINS, console={"token_minutes": 1})
    sync_builtin()
    with running(panel) as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, web: WebServer) -> Iterator[Site]:
    """The node is linked and the server runs."""
    node = Node.create(name="node", address="127.0.0.1", port_start=30000, port_end=30100)
    key = rotate_key(node)
    with web.signed_in("ada@example.com") as ada:
        server_id = add_server("ada@example.com", "abcd1234")
        disconnect()
        live = ConsoleNode(tmp_path / "agent", web.panel.config, Identity(web.url, node.id, key))
        try:
            live.start()
            live.run_server(server_id)
            yield Site(web, live, server_id, ada)
        finally:
            live.close()
