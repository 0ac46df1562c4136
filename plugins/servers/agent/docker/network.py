"""The servers' own bridge: what is on it can't reach its neighbours, only what is outside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from aiodocker.exceptions import DockerError

from stellar.errors import Unavailable

from .client import BROKEN, Client, reason, unless_missing

LABEL = "io.stellar.agent"
BRIDGE = "com.docker.network.bridge"


class Network(NamedTuple):
    """A bridge that is there; ``gateway`` is where its servers reach the node."""

    name: str
    gateway: str


def network_name(wanted: str, agent_data: Path) -> str:
    """The bridge's name: the configured one, else one that belongs to this agent's directory alone."""
    return wanted or f"stellar-{agent_id(agent_data)}"


def agent_id(agent_data: Path) -> str:
    """Which agent something of Docker's belongs to, where a machine has several."""
    return hashlib.sha256(str(agent_data.resolve()).encode()).hexdigest()[:8]


async def ensure(client: Client, name: str, label: str) -> Network:
    """Make the bridge unless it is there; ``Unavailable`` when it can't be made, or lets servers reach each other."""
    try:
        found = await unless_missing(client.json(f"networks/{name}"))
        if found is None:
            await _create(client, name, label)
            found = await unless_missing(client.json(f"networks/{name}"))
    except BROKEN as error:
        raise Unavailable(f"The servers' network {name} can't be made: {reason(error)}.", code="no_network") from error
    if not found or not isolates(found):
        raise Unavailable(
            f"The network {name} lets servers reach each other; remove it with `docker network rm {name}`, it is made "
            "again as it has to be.",
            code="open_network",
        )
    return Network(name, gateway(one.get("Gateway") for one in (found.get("IPAM") or {}).get("Config") or []))


def gateway(addresses: Iterable[Any]) -> str:
    """The node's address on a bridge, of all those that it has there: IPv4 if possible."""
    return min(map(str, filter(None, addresses)), key=lambda address: ":" in address, default="127.0.0.1")


def isolates(network: dict[str, Any]) -> bool:
    """Whether a network keeps what is on it from its neighbours."""
    options = network.get("Options") or {}
    return network.get("Driver") == "bridge" and options.get(f"{BRIDGE}.enable_icc") == "false"


async def _create(client: Client, name: str, label: str) -> None:
    interface = name if len(name) <= 15 else f"st-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    options = {f"{BRIDGE}.name": interface, f"{BRIDGE}.enable_icc": "false", f"{BRIDGE}.enable_ip_masquerade": "true"}
    body = {
        "Name": name,
        "Driver": "bridge",
        "CheckDuplicate": True,
        "Options": options,
        "Labels": {LABEL: label},
    }
    try:
        await client.json("networks/create", "POST", data=body)
    except DockerError as error:
        if error.status != 409:
            raise
