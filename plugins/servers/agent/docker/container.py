"""How a server's container is made: what it runs, what it may use, and what it may not do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...settings import DockerSettings
from ...spec import Limits, Port
from .. import cgroups
from ..layout import Layout
from ..runtime import Launch
from .images import EGG_HOME, Image
from .mounts import bind
from .network import LABEL

INSTALL_HOME = "/mnt/server"
SCRIPT = "/mnt/install/install.sh"
INSTALL_MEMORY_MB = 1024
"""What an install may use at least: it often unpacks or builds what is larger than the game itself."""
INSTALL_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETGID", "SETUID", "KILL")
"""What package managers need as the container's root; none of them reaches beyond the container."""
SERVER_LABEL, KIND_LABEL = "io.stellar.server", "io.stellar.kind"
MEGABYTE = 1024 * 1024
UNLIMITED = 1 << 50


@dataclass(frozen=True)
class Host:
    """What a container's making depends on besides its launch; ``user`` is ``uid:gid``."""

    settings: DockerSettings
    agent: str
    network: str
    user: str
    has_init: bool = True
    remaps_users: bool = False
    extra_mounts: list[dict[str, Any]] = field(default_factory=list)


def config(launch: Launch, image: Image, host: Host) -> dict[str, Any]:
    """The body of Docker's request to create a container."""
    install = launch.kind == "install"
    home = INSTALL_HOME if install else EGG_HOME
    published = port_bindings(launch.ports) if not install else {}
    return {
        "Image": image.id,
        **(_install_command(launch) if install else _game_command(launch, image)),
        "Env": [f"{name}={value}" for name, value in _environment(launch, install=install).items()],
        "User": "0:0" if install else host.user,
        "WorkingDir": home,
        "Hostname": launch.server_id[:8],
        "Tty": True,
        "OpenStdin": True,
        "StdinOnce": False,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "ExposedPorts": {port: {} for port in published},
        "Labels": {LABEL: host.agent, SERVER_LABEL: launch.server_id, KIND_LABEL: launch.kind},
        "HostConfig": {
            **resources(_install_limits(launch.limits) if install else launch.limits),
            "CapDrop": ["ALL"],
            "CapAdd": list(INSTALL_CAPABILITIES) if install else [],
            "SecurityOpt": ["no-new-privileges"],
            "Privileged": False,
            "ReadonlyRootfs": not install,
            "Tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={host.settings.tmp_mb}m"},  # noqa: S108 its own
            "Mounts": _mounts(launch, home, host, install=install),
            "NetworkMode": host.network,
            "PortBindings": published,
            "Dns": host.settings.dns,
            "IpcMode": "private",
            "Init": host.has_init,
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": f"{host.settings.log_mb}m", "max-file": "4"}},
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            "ConsoleSize": [30, 100],
            **({"UsernsMode": "host"} if host.remaps_users else {}),
        },
    }


def resources(limits: Limits) -> dict[str, Any]:
    """What a container may use; the same when it is made and when it is changed.

    Memory is a little more than the limit that the game is told, because a JVM takes more than its heap.
    """
    memory = with_overhead(limits.memory_mb) * MEGABYTE
    swap = memory + limits.swap_mb * MEGABYTE if memory and limits.swap_mb >= 0 else -1
    return {
        "Memory": memory,
        "MemoryReservation": limits.memory_mb * MEGABYTE,
        "MemorySwap": swap if memory else 0,
        "OomKillDisable": not limits.oom_kill and memory > 0,
        "CpuPeriod": cgroups.CPU_PERIOD,
        "CpuQuota": limits.cpu_percent * cgroups.CPU_PERIOD // 100 or -1,
        "CpusetCpus": limits.cpu_set,
        "BlkioWeight": limits.io_weight,
        "PidsLimit": limits.pids or cgroups.PROCESSES,
    }


def changed_resources(limits: Limits) -> dict[str, Any]:
    """What a running container is changed to; Docker takes no 0 or -1 for a limit of memory that is lifted."""
    wanted = resources(limits)
    del wanted["OomKillDisable"]
    if not wanted["Memory"]:
        wanted.update(Memory=UNLIMITED, MemoryReservation=UNLIMITED, MemorySwap=UNLIMITED)
    return wanted


def with_overhead(memory_mb: int) -> int:
    """What a container may use (MiB) when its game is told ``memory_mb``; 0 stays unlimited."""
    percent = 115 if memory_mb < 2048 else 110 if memory_mb < 4096 else 105
    return memory_mb * percent // 100


def port_bindings(ports: list[Port]) -> dict[str, list[dict[str, str]]]:
    """The ports of an allocation, each at its own address only."""
    found: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        for protocol in ("tcp", "udp") if port.protocol == "both" else (port.protocol,):
            found.setdefault(f"{port.port}/{protocol}", []).append({"HostIp": port.ip, "HostPort": str(port.port)})
    return found


def _game_command(launch: Launch, image: Image) -> dict[str, Any]:
    """Our own shell runs the line, whatever the image would run; an image for eggs gets it as ``STARTUP`` instead.

    What such an image does before (a display for Wine, updates by SteamCMD) is why its eggs name it.
    """
    if not image.starts_eggs:
        return {"Entrypoint": ["/bin/sh", "-c"], "Cmd": [launch.command]}
    own = [*image.entrypoint, *image.command]
    if not launch.notes:
        return {"Entrypoint": own[:1], "Cmd": own[1:]}
    return {"Entrypoint": ["/bin/sh", "-c"], "Cmd": [f'{launch.notes}\nexec "$@"', "sh", *own]}


def _install_command(launch: Launch) -> dict[str, Any]:
    return {"Entrypoint": [launch.shell, SCRIPT], "Cmd": []}


def _environment(launch: Launch, *, install: bool) -> dict[str, str]:
    if install:
        return {"TERM": "xterm-256color", **launch.env}
    own = {"HOME": EGG_HOME, "USER": "container", "TERM": "xterm-256color"}
    return {**own, **launch.env, "STARTUP": launch.startup or launch.command}


def _install_limits(limits: Limits) -> Limits:
    memory = max(limits.memory_mb, INSTALL_MEMORY_MB) if limits.memory_mb else 0
    return Limits(memory, limits.cpu_percent, limits.disk_mb, limits.swap_mb, limits.cpu_set, limits.io_weight)


def _mounts(launch: Launch, home: str, host: Host, *, install: bool) -> list[dict[str, Any]]:
    layout = Layout(launch.root)
    data = bind(layout.data, home, read_only=False)
    if install:
        return [data, bind(script_file(layout), SCRIPT, read_only=True)]
    names = [bind(layout.run / name, f"/etc/{name}", read_only=True) for name in ("passwd", "group")]
    return [data, *names, *host.extra_mounts]


def script_file(layout: Layout) -> Path:
    """Where the install script is written."""
    return layout.run / "install.sh"
