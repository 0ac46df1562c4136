"""``stellar agent --check``: whether this machine can be a node, and how well it would keep servers apart."""

from __future__ import annotations

import http.client
import platform
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from pathlib import Path

from stellar import __version__
from stellar.config import Config
from stellar.errors import SetupError
from stellar.extend.agent import AgentCheck
from stellar.extend.registry import AgentModule

from .host import describe
from .identity import read_identity

LEAST_DISK = 1024 * 1024 * 1024
LARGEST_SKEW = 60.0
GIGABYTE = 1_000_000_000
NOT_JOINED = "This machine has not joined a panel yet; paste the join command from the panel's nodes page."


async def find_checks(config: Config, modules: Iterable[AgentModule], panel: str | None) -> list[AgentCheck]:
    """Everything that was looked at; ``panel`` is an address to try instead of the one that was joined."""
    directory = config.data / "agent"
    found = [*_versions(), _disk(config.data), *_panel(directory, panel)]
    for module in modules:
        for find in module.checks:
            found += await find(config, directory)
    return found


def passed(checks: Iterable[AgentCheck]) -> bool:
    """Whether all that a node needs works."""
    return all(check.ok for check in checks if check.required)


def _versions() -> list[AgentCheck]:
    return [
        AgentCheck("version", "stellar", True, __version__),
        AgentCheck("version", "python", True, f"{platform.python_version()} ({sys.executable})"),
        AgentCheck("version", "system", True, f"{describe()}, Linux {platform.release()}"),
    ]


def _disk(data: Path) -> AgentCheck:
    place = next(path for path in (data, *data.parents) if path.exists())
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return AgentCheck("disk", str(place), False, f"It can't be used ({error.strerror}).", required=True)
    detail = f"{free / GIGABYTE:.1f} GB free"
    if free >= LEAST_DISK:
        return AgentCheck("disk", str(place), True, detail, required=True)
    return AgentCheck("disk", str(place), False, f"Only {detail}: make room, or choose another --data.", required=True)


def _panel(directory: Path, panel: str | None) -> list[AgentCheck]:
    try:
        identity = None if panel else read_identity(directory)
    except SetupError as error:
        return [AgentCheck("panel", "joined", False, error.message, required=True)]
    if panel is None and identity is None:
        return [AgentCheck("panel", "joined", False, NOT_JOINED)]
    address = (panel or (identity.panel if identity else "")).rstrip("/")
    try:
        date = _ask(address)
    except (OSError, ValueError, http.client.HTTPException) as error:
        detail = f"It can't be reached ({error}); look at the address, the firewall and the name service."
        return [AgentCheck("panel", address, False, detail, required=True)]
    return [AgentCheck("panel", address, True, "It answers.", required=True), *_clock(date)]


def _ask(address: str) -> str | None:
    """The panel's time of day; an answer that it isn't well is one, too."""
    if not address.startswith(("http://", "https://")):
        raise ValueError("it has to begin with http:// or https://")
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=10) as response:  # noqa: S310
            return str(response.headers["Date"] or "") or None
    except urllib.error.HTTPError as error:
        if error.code != http.client.SERVICE_UNAVAILABLE:
            raise
        return error.headers["Date"]


def _clock(date: str | None) -> list[AgentCheck]:
    try:
        skew = time.time() - parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return []
    if abs(skew) <= LARGEST_SKEW:
        return [AgentCheck("clock", "difference to the panel", True, f"{abs(skew):.0f} s")]
    detail = f"{skew:+.0f} s: set the clock, for example with: timedatectl set-ntp true"
    return [AgentCheck("clock", "difference to the panel", False, detail, required=True)]
