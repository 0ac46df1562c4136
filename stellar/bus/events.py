"""The messages on the public channels. Readers ignore fields that they don't know, so these may grow."""

from __future__ import annotations

from typing import Any

import msgspec


class Exit(msgspec.Struct):
    """How a game server's process ended: ``code`` or ``signal`` (SIGKILL), and whether it was killed for memory."""

    code: int | None = None
    signal: str | None = None
    oom: bool = False


class ServerStatus(msgspec.Struct):
    """On ``stellar:servers:{id}:status``: a state change; ``at`` in seconds since the epoch."""

    state: str
    previous: str | None = None
    at: float = 0.0
    exit: Exit | None = None


class ServerMetrics(msgspec.Struct):
    """On ``stellar:servers:{id}:metrics``: percent of one core, bytes, seconds; rates are bytes per second.

    Sums of bytes are since the start of the game. None, or left out, is what isn't known.
    """

    state: str
    cpu_percent: float = 0.0
    memory_bytes: int = 0
    disk_bytes: int = 0
    uptime: float = 0.0
    processes: int = 0
    network_rx_bytes: int | None = None
    network_tx_bytes: int | None = None
    network_rx_rate: float | None = None
    network_tx_rate: float | None = None
    io_read_bytes: int | None = None
    io_write_bytes: int | None = None
    io_read_rate: float | None = None
    io_write_rate: float | None = None
    players: int | None = None
    players_max: int | None = None


class ServerLogs(msgspec.Struct):
    """On ``stellar:servers:{id}:logs``: terminal output; ``seq`` is the offset of ``data`` in the whole output."""

    seq: int
    data: bytes


class NodeHeartbeat(msgspec.Struct):
    """On ``stellar:nodes:{id}:heartbeat``: the node's figures; ``at`` in seconds since the epoch."""

    at: float
    metrics: dict[str, Any] = {}


class GlobalEvent(msgspec.Struct):
    """On ``stellar:events:global``: something that every process or page may want to know at once."""

    kind: str
    id: str | None = None
    data: dict[str, Any] = {}
