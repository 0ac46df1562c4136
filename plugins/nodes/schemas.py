"""What goes in and out of the API of nodes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

NodeName = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$(?!\n)", examples=["attic"]),
]
NodeAddress = Annotated[
    str, msgspec.Meta(max_length=255, pattern=r"^[A-Za-z0-9.:_-]*$(?!\n)", examples=["play.example.org"])
]
Note = Annotated[str, msgspec.Meta(max_length=512, examples=["Rack 3, on the left"])]
LocationName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["Berlin"])]
PortNumber = Annotated[int, msgspec.Meta(ge=1, le=65535, examples=[25565])]


class CreateNode(msgspec.Struct, forbid_unknown_fields=True):
    """``address`` is what players connect to; empty: the address from which the node links."""

    name: NodeName
    address: NodeAddress = ""
    port_start: PortNumber = 25565
    port_end: PortNumber = 25664
    note: Note = ""
    location: LocationName | None = None


class PortRange(msgspec.Struct, forbid_unknown_fields=True):
    """The ports from ``first`` to ``last``."""

    first: PortNumber
    last: PortNumber


class PatchNode(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays. ``port_ranges`` replaces all of them; ``location`` is an id or name, null is none."""

    name: NodeName | msgspec.UnsetType = msgspec.UNSET
    address: NodeAddress | msgspec.UnsetType = msgspec.UNSET
    note: Note | msgspec.UnsetType = msgspec.UNSET
    location: LocationName | msgspec.UnsetType | None = msgspec.UNSET
    port_ranges: list[PortRange] | msgspec.UnsetType = msgspec.UNSET


class NodeRef(msgspec.Struct):
    """A node, named in another thing's JSON."""

    id: str
    name: str


class LocationRef(msgspec.Struct):
    """A location, named in a node's JSON."""

    id: str
    name: str


class NodeView(msgspec.Struct):
    """A node. ``capabilities`` is what its agent has found out by trying; ``draining``: it gets no new servers.

    ``outdated``: its agent is of an older release than this panel.
    """

    id: str
    name: str
    address: str
    online: bool
    local: bool
    enrolled: bool
    port_start: int
    port_end: int
    port_ranges: list[PortRange]
    draining: bool
    note: str
    location: LocationRef | None
    hostname: str
    platform: str
    version: str
    outdated: bool
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
    """A node's last figures (empty when it is offline), and how many of its ports servers have or are reserved."""

    online: bool
    metrics: dict[str, Any]
    servers: int
    allocations: int
    reserved: int
    ports: int


class AllocationQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``after`` is the last page's ``next``; ``server`` an id; ``reserved`` only those that are, or aren't."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    after: Annotated[int, msgspec.Meta(ge=0, le=65535)] | None = None
    server: Annotated[str, msgspec.Meta(min_length=1, max_length=36)] | None = None
    reserved: bool | None = None


class AllocationView(msgspec.Struct):
    """A port in use: a server's, or reserved."""

    id: str
    ip: str
    port: int
    reserved: bool
    server_id: str | None
    name: str
    protocol: str
    note: str


class AllocationPage(msgspec.Struct):
    """A node's ranges with how many ports they have and how many are free, and the ports in use by number."""

    ranges: list[PortRange]
    ports: int
    free: int
    allocations: list[AllocationView]
    next: int | None


class ReservePort(msgspec.Struct, forbid_unknown_fields=True):
    """A port of the node's ranges that no server shall get."""

    port: PortNumber
    note: Annotated[str, msgspec.Meta(max_length=255)] = ""


class CreateLocation(msgspec.Struct, forbid_unknown_fields=True):
    """A place where nodes are."""

    name: NodeName
    description: Note = ""


class PatchLocation(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays."""

    name: NodeName | msgspec.UnsetType = msgspec.UNSET
    description: Note | msgspec.UnsetType = msgspec.UNSET


class LocationView(msgspec.Struct):
    """A location and how many nodes belong to it."""

    id: str
    name: str
    description: str
    nodes: int
    created_at: datetime


class Enrol(msgspec.Struct, forbid_unknown_fields=True):
    """A machine's join token."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Enrolled(msgspec.Struct):
    """The node's key, told once."""

    node_id: str
    name: str
    key: str
