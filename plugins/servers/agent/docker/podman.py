"""What is otherwise where Podman answers at Docker's socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stellar.errors import Unavailable

from .client import BROKEN, Client, reason, unless_missing
from .network import LABEL, Network, gateway

OLDEST = 4
"""Podman 3 can't keep networks from each other."""
HOST_PID = "hpid"
"""What its ``top`` calls the number that the host has for a process."""
INITS = ("/usr/libexec/podman/catatonit", "/usr/lib/podman/catatonit")


def has_init() -> bool:
    """Whether Podman can put an init into containers; it doesn't say so itself."""
    return any(Path(place).exists() for place in INITS)


def check(info: dict[str, Any]) -> None:
    """``Unavailable`` for a Podman that is too old."""
    version = str(info.get("ServerVersion") or "")
    major = version.partition(".")[0]
    if major.isdigit() and int(major) < OLDEST:
        raise Unavailable(
            f"Podman {version} is too old for game servers; version {OLDEST} is needed.", code="no_docker"
        )


async def ensure_network(client: Client, name: str, label: str) -> Network:
    """Make one server's network unless it is there; ``Unavailable`` when it can't be made as it has to be.

    Podman keeps networks apart, but not what is on one of them: so each server has its own. One that lets others in is
    made anew: Podman 4 forgets that it doesn't, as soon as somebody looks at it through Docker's API.
    """
    try:
        found = await unless_missing(client.libpod(f"networks/{name}/json"))
        if found is not None and not _isolates(found):
            await client.remove_network(name)
            found = None
        if found is None:
            body = {"name": name, "driver": "bridge", "options": {"isolate": "true"}, "labels": {LABEL: label}}
            found = await client.libpod("networks/create", "POST", data={**body, "dns_enabled": False})
    except BROKEN as error:
        raise Unavailable(f"The server's network {name} can't be made: {reason(error)}.", code="no_network") from error
    if not _isolates(found):
        raise Unavailable(f"Podman can't keep the network {name} from others; use a newer one.", code="open_network")
    return Network(name, gateway(one.get("gateway") for one in found.get("subnets") or []))


def _isolates(found: dict[str, Any]) -> bool:
    return (found.get("options") or {}).get("isolate") == "true"


async def update(client: Client, container: str, wanted: dict[str, Any]) -> None:
    """Change what a running container may use; ``wanted`` is what Docker would be asked for."""
    memory = {"limit": "Memory", "reservation": "MemoryReservation", "swap": "MemorySwap"}
    body = {
        "memory": {name: wanted[key] for name, key in memory.items() if key in wanted},
        "cpu": {"period": wanted["CpuPeriod"], "quota": wanted["CpuQuota"], "cpus": wanted["CpusetCpus"]},
        "pids": {"limit": wanted["PidsLimit"]},
    }
    await client.libpod(f"containers/{container}/update", "POST", data=body)
