"""This machine's figures, for heartbeats."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import psutil


def describe() -> str:
    """The operating system, for people."""
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    return f"{name} ({platform.machine()})"


def metrics(data: Path) -> dict[str, Any]:
    """CPU in percent of all cores since the last call; memory and disk in bytes."""
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage(str(data))
    return {
        "cpu_percent": psutil.cpu_percent(),
        "cores": os.cpu_count() or 1,
        "memory_total": memory.total,
        "memory_used": memory.total - memory.available,
        "disk_total": disk.total,
        "disk_used": disk.used,
        "load": list(os.getloadavg()),
        "uptime": int(_uptime()),
    }


def _uptime() -> float:
    with Path("/proc/uptime").open() as file:
        return float(file.read().split()[0])
