"""What ``stellar agent --check`` says of a machine's runtimes, protections and ports."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import msgspec

from stellar.extend.agent import AgentCheck
from stellar.plugins.nodes.protections import LABELS

from ..spec import Port, ServerSpec
from .launched import is_alive
from .layout import Layout
from .probe import examine
from .quota import Quotas
from .runtime import Runtime

NO_RUNTIME = "None works, so no server can run here."
REMEDY = "end what uses it, or give the server “{server}” another allocation."
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


async def runtime_checks(runtimes: dict[str, Runtime], quotas: Quotas) -> list[AgentCheck]:
    """Each runtime, and each of its protections; one runtime has to work."""
    available, protection = await examine(runtimes, quotas)
    checks = [AgentCheck("runtime", name, one["available"], one["reason"]) for name, one in available.items()]
    if not any(one.ok for one in checks):
        checks.append(AgentCheck("runtime", "any", False, NO_RUNTIME, required=True))
    for runtime, found in protection.items():
        for name, active in found["active"].items():
            label = f"{runtime}: {LABELS.get(name, name)}"
            checks.append(AgentCheck("protection", label, active, found["reasons"].get(name, "")))
    return checks


def port_checks(servers: Path) -> list[AgentCheck]:
    """The ports of the servers that don't run now: whether they could."""
    checks = []
    for spec in _resting(servers):
        for port in spec.ports:
            problem = _why_not(port)
            detail = f"{problem}: {REMEDY.format(server=spec.name)}" if problem else ""
            checks.append(AgentCheck("ports", f"{port.ip}:{port.port}", not problem, detail))
    return checks


def _resting(servers: Path) -> list[ServerSpec]:
    found = []
    for path in sorted(servers.glob("*/spec.json")):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            if not is_alive(Layout(path.parent).run):
                found.append(msgspec.json.decode(path.read_bytes(), type=ServerSpec))
    return found


def _why_not(port: Port) -> str:
    """Why nothing could listen on a port; empty where something could."""
    family = socket.AF_INET6 if ":" in port.ip else socket.AF_INET
    for name, kind in KINDS.items():
        if port.protocol not in (name, "both"):
            continue
        with socket.socket(family, kind) as probe:
            try:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
                probe.bind((port.ip, port.port))
            except OSError as error:
                return f"{name.upper()}: {error.strerror or error}"
    return ""
