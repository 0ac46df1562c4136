"""How a server's processes are run: the interface that every runtime (process, docker, …) implements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from ..spec import Limits, Mount, Port


@dataclass(frozen=True)
class Launch:
    """One thing to run for a server: its game, or its install script."""

    server_id: str
    kind: str
    """``game`` or ``install``."""
    command: str
    """A shell line, run by /bin/sh in the server's data directory."""
    env: dict[str, str]
    root: Path
    """The server's directory on the node (see ``Layout`` in layout.py); its ``data/`` is the game's home."""
    limits: Limits
    stop_signal: str = "SIGTERM"
    notes: str = ""
    """Of a game: the shell lines at the beginning of ``command`` that only tell something."""
    startup: str = ""
    """Of a game: its blueprint's own line, for an image that runs such a line by itself."""
    image: str | None = None
    """What a container is made of; other runtimes need none."""
    shell: str = "/bin/sh"
    """What runs an install script in its container."""
    ports: list[Port] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)


class Exit(msgspec.Struct, frozen=True):
    """How a run ended. ``code`` is None when a signal ended it. ``at`` is seconds since the epoch."""

    code: int | None
    signal: str | None
    oom: bool
    at: float


class Stats(msgspec.Struct, frozen=True):
    """A running server's use. ``cpu_percent``: 100 is one core; ``uptime`` in seconds.

    What it has sent, received, read and written are bytes since its start; None: that can't be known, and ``unknown``
    says why, under ``network`` or ``io``.
    """

    cpu_percent: float
    memory_bytes: int
    processes: int
    uptime: float
    network_rx_bytes: int | None = None
    network_tx_bytes: int | None = None
    io_read_bytes: int | None = None
    io_write_bytes: int | None = None
    unknown: dict[str, str] = {}


@dataclass(frozen=True)
class Protection:
    """What really protects the host from a server, by name: whether it is active, and why not where it isn't."""

    active: dict[str, bool]
    reasons: dict[str, str] = field(default_factory=dict)


OnOutput = Callable[[int], None]
"""Called with the console log's new end offset (bytes) whenever output has been written."""
OnExit = Callable[[Exit], None]


class Run(Protocol):
    """One attached run. It goes on when the agent ends."""

    server_id: str
    kind: str
    started_at: float
    log_start: int
    """The console log's offset at which this run began."""

    async def send(self, data: bytes) -> None:
        """Type into the terminal; ``Conflict`` when it has ended."""

    async def signal(self, name: str) -> None:
        """Signal the game itself (``SIGINT``, …)."""

    async def kill(self) -> None:
        """End every process of it, now; nothing stays alive."""

    async def resize(self, cols: int, rows: int) -> None:
        """Set the terminal's size; setting the same size again still makes a full-screen program redraw."""

    async def limit(self, limits: Limits) -> None:
        """Hold it to other limits, as far as that is possible while it runs."""

    async def stats(self) -> Stats:
        """What it uses now."""

    async def pids(self) -> list[int]:
        """Its processes as this host numbers them; empty where the host can't see them."""


class Runtime(Protocol):
    """A way to run servers."""

    name: str

    bridged: bool
    """Whether a server has a network of its own, in which it listens on every address."""

    async def protection(self) -> Protection:
        """What is enforced on this host, found out by trying; ``Unavailable`` where it can't run anything."""

    async def prepare(self, launch: Launch, on_output: OnOutput) -> None:
        """Make ready what the launch needs; may be slow, and say in the console log how it goes."""

    async def start(self, launch: Launch, on_output: OnOutput, on_exit: OnExit) -> Run:
        """Start it and attach before its first byte, so that none is lost."""

    async def attach(self, root: Path, on_output: OnOutput, on_exit: OnExit) -> Run | None:
        """Take up a run that an earlier agent started, ``on_exit`` firing at once if it ended meanwhile.

        None when there is none, or when its end was already taken up.
        """

    async def node_address(self, server_id: str) -> str:
        """Where a server reaches what else listens on its node."""

    async def close(self) -> None:
        """The agent ends: let go of what it holds, runs go on."""
