"""What the tests of paths under a server's root share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stellar.plugins.servers.agent.beneath import Root

SECRET = b"outside"
NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def verbs(root: Root, path: str) -> dict[str, Callable[[], object]]:
    """Every verb, aimed at a path."""
    return {
        "open": lambda: os.close(root.open(path)),
        "open for writing": lambda: os.close(root.open(path, os.O_RDWR)),
        "read": lambda: root.read(path, 1000),
        "stat": lambda: root.stat(path),
        "list": lambda: root.list(path),
        "mkdir": lambda: root.mkdir(path),
        "rename from": lambda: root.rename(path, "renamed"),
        "rename to": lambda: root.rename("server.properties", path),
        "remove": lambda: root.remove(path),
        "write": lambda: root.write_atomic(path, b"x"),
    }


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def snapshot(place: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Everything beside the data directory: mode, owner, link count and content."""
    found = {}
    for path in sorted(place.rglob("*")):
        if not path.is_relative_to(place / "data"):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (status.st_mode, status.st_uid, status.st_nlink, content)
    return found
