"""What goes in and out of the API of nodes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

NodeName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
PortNumber = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class CreateNode(msgspec.Struct, forbid_unknown_fields=True):
    """``address`` is what players connect to; empty: the address from which the node links."""

    name: NodeName
    address: Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[A-Za-z0-9.:_-]*$")] = ""
    port_start: PortNumber = 25565
    port_end: PortNumber = 25664


class NodeRef(msgspec.Struct):
    """A node, named in another thing's JSON."""

    id: str
    name: str


class NodeView(msgspec.Struct):
    """A node. ``protection`` says per item whether it is active; ``reasons`` why not where it isn't."""

    id: str
    name: str
    address: str
    online: bool
    local: bool
    enrolled: bool
    port_start: int
    port_end: int
    hostname: str
    platform: str
    version: str
    capabilities: dict[str, Any]
    servers: int
    last_seen_at: datetime | None
    created_at: datetime


class JoinCommand(msgspec.Struct):
    """The command to paste on the machine; the token works once, until ``expires_at``."""

    command: str
    token: str
    expires_at: datetime


class CreatedNode(msgspec.Struct):
    """A new node and how to join it."""

    node: NodeView
    join: JoinCommand


class NodeStats(msgspec.Struct):
    """A node's last figures (empty when it is offline) and what its servers have been promised."""

    online: bool
    metrics: dict[str, Any]
    servers: int
    allocations: int
    ports: int


class Enrol(msgspec.Struct, forbid_unknown_fields=True):
    """A machine's join token."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Enrolled(msgspec.Struct):
    """The node's key, told once."""

    node_id: str
    name: str
    key: str
