"""What goes in and out of the API of nodes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from stellar.cursors import MAX_LENGTH as MAX_CURSOR

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

    __example__: ClassVar[dict[str, Any]] = {"location": "Berlin"}


class PortRange(msgspec.Struct, forbid_unknown_fields=True):
    """The ports from ``first`` to ``last``."""

    first: PortNumber
    last: PortNumber

    __example__: ClassVar[dict[str, Any]] = {"last": 25664}


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

    __example__: ClassVar[dict[str, Any]] = {"name": "attic"}


class LocationRef(msgspec.Struct):
    """A location, named in a node's JSON."""

    id: str
    name: str

    __example__: ClassVar[dict[str, Any]] = {"name": "Berlin"}


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

    __example__: ClassVar[dict[str, Any]] = {
        "name": "attic",
        "address": "play.example.org",
        "online": True,
        "enrolled": True,
        "port_start": 25565,
        "port_end": 25664,
        "note": "Rack 3, on the left",
        "hostname": "attic.example.org",
        "platform": "Linux x86_64",
        "servers": 4,
    }


Filter = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class ListQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``after`` is the last page's ``next``, of use with the same ``sort``, which ``-`` turns round.

    ``search``: every word of it is in the name, the address or the host's name. ``location``: an id or a name.
    """

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    after: Annotated[str, msgspec.Meta(max_length=MAX_CURSOR)] | None = None
    search: Annotated[str, msgspec.Meta(max_length=100)] = ""
    online: bool | None = None
    draining: bool | None = None
    location: Filter | None = None
    sort: Literal["name", "-name", "created_at", "-created_at"] = "name"


class DeleteQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``force``: remove a node that is being drained with its servers, which stay on the machine."""

    force: bool = False


class NodePage(msgspec.Struct):
    """Nodes in the order asked for; ``next`` is None on the last page."""

    items: list[NodeView]
    next: str | None


class JoinCommand(msgspec.Struct):
    """The command to paste on the machine; the token works once, until ``expires_at``."""

    command: str
    token: str
    expires_at: datetime

    __example__: ClassVar[dict[str, Any]] = {
        "command": "stellar agent --panel https://panel.example.com --token join_Zk3vT8qLw2Xn5Rb7"
    }


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

    __example__: ClassVar[dict[str, Any]] = {
        "online": True,
        "metrics": {"cpu_percent": 12.5, "memory_used_mb": 3100},
        "servers": 4,
        "allocations": 4,
        "ports": 100,
    }


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

    __example__: ClassVar[dict[str, Any]] = {
        "ip": "192.0.2.10",
        "port": 25565,
        "server_id": "3f0c7f5e-6a0b-4d0e-9a6e-0b8f2c1d7e54",
        "name": "game",
        "protocol": "udp",
        "note": "",
    }


class AllocationPage(msgspec.Struct):
    """A node's ranges with how many ports they have and how many are free, and the ports in use by number."""

    ranges: list[PortRange]
    ports: int
    free: int
    allocations: list[AllocationView]
    next: int | None

    __example__: ClassVar[dict[str, Any]] = {"ports": 100, "free": 96}


class ReservePort(msgspec.Struct, forbid_unknown_fields=True):
    """A port of the node's ranges that no server shall get."""

    port: PortNumber
    note: Annotated[str, msgspec.Meta(max_length=255)] = ""

    __example__: ClassVar[dict[str, Any]] = {"note": "The proxy listens here"}


class CreateLocation(msgspec.Struct, forbid_unknown_fields=True):
    """A place where nodes are."""

    name: NodeName
    description: Note = ""

    __example__: ClassVar[dict[str, Any]] = {"name": "Berlin"}


class PatchLocation(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays."""

    name: NodeName | msgspec.UnsetType = msgspec.UNSET
    description: Note | msgspec.UnsetType = msgspec.UNSET

    __example__: ClassVar[dict[str, Any]] = {"name": "Berlin"}


class LocationView(msgspec.Struct):
    """A location and how many nodes belong to it."""

    id: str
    name: str
    description: str
    nodes: int
    created_at: datetime

    __example__: ClassVar[dict[str, Any]] = {"name": "Berlin", "description": "The data centre in Spandau", "nodes": 2}


class Enrol(msgspec.Struct, forbid_unknown_fields=True):
    """A machine's join token."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Enrolled(msgspec.Struct):
    """The node's key, told once."""

    node_id: str
    name: str
    key: str

    __example__: ClassVar[dict[str, Any]] = {
        "node_id": "1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f",
        "name": "attic",
        "key": "Zk3vT8qLw2Xn5Rb7",
    }
