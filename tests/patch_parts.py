"""Patching one config file in a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stellar.plugins.servers.agent.patches import apply_patches
from stellar.plugins.servers.spec import ConfigPatch

VALUES = {
    "SERVER_PORT": "25565",
    "SERVER_IP": "0.0.0.0",
    "NAME": "My Server: fun & games",
    "CODE": "007",
    "ONLINE": "false",
    "LINES": "a\nb=c",
    "TAIL": "C:\\",
}

Scalars = dict[str, str | int | float | bool]
Patch = Callable[..., list[str]]


def patcher(data: Path) -> Patch:
    """Patches one file: its name, parser, content before (None: as it is) and values; gives the problems."""

    def run(file: str, parser: str, before: str | bytes | None, values: Scalars) -> list[str]:
        if before is not None:
            (data / file).write_bytes(before.encode() if isinstance(before, str) else before)
        return apply_patches(data, [ConfigPatch(file=file, parser=parser, values=values)], VALUES)

    return run


def content(data: Path, file: str) -> str:
    """What a file holds."""
    return (data / file).read_bytes().decode()
