"""A node's end of the link as a test drives it: frames as the protocol has them, or anything else."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
from websockets.sync.client import ClientConnection, connect

from stellar.plugins.nodes import protocol
from stellar.plugins.nodes.protocol import FromPanel, Hello, Welcome


def new_node(admin: httpx.Client, name: str, **values: Any) -> tuple[dict[str, Any], str]:
    """Make a node and join it; returns its JSON and ``<id>.<key>``."""
    made = admin.post("/api/v1/nodes", json={"name": name, **values})
    assert made.status_code == 201, made.text
    joined = httpx.post(
        f"{admin.base_url}/api/v1/nodes/enrol".replace("//api", "/api"),
        json={"token": made.json()["join"]["token"]},
        trust_env=False,
    )
    assert joined.status_code == 200, joined.text
    return made.json()["node"], f"{joined.json()['node_id']}.{joined.json()['key']}"


def dial(url: str, key: str) -> ClientConnection:
    """Open the link's socket; nothing is sent yet."""
    address = f"ws{url.removeprefix('http')}/api/v1/nodes/link"
    return connect(address, additional_headers={"Authorization": f"Bearer {key}"}, proxy=None, compression=None)


def send(socket: ClientConnection, frame: protocol.Frame) -> None:
    """Send one frame."""
    socket.send(protocol.encode(frame))


def receive(socket: ClientConnection, timeout: float = 5.0) -> FromPanel:
    """The next frame of the panel."""
    data = socket.recv(timeout)
    assert isinstance(data, bytes)
    return protocol.decode_from_panel(data)


def greet(socket: ClientConnection, **changes: Any) -> Welcome:
    """Say hello as an agent of this release does; the welcome."""
    hello = Hello(protocol.PROTOCOL_VERSION, "0.1.0", "test-host", "Test OS", {"runtimes": {}})
    send(socket, msgspec.structs.replace(hello, **changes))
    answer = receive(socket)
    assert isinstance(answer, Welcome), answer
    return answer
