"""A container's figures, from what Docker answers once."""

from __future__ import annotations

from typing import Any

from ..runtime import Stats


class Usage:
    """Remembers the CPU time of the last answer, so that the next one has a percentage."""

    def __init__(self) -> None:
        self._cpu: tuple[int, int] | None = None

    def read(self, answer: dict[str, Any], uptime: float) -> Stats:
        """One answer of ``stats``; memory without the file cache that could be given back."""
        memory = answer.get("memory_stats") or {}
        detail = memory.get("stats") or {}
        cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))
        return Stats(
            cpu_percent=self._percent(answer.get("cpu_stats") or {}),
            memory_bytes=max(int(memory.get("usage") or 0) - int(cache), 0),
            processes=int((answer.get("pids_stats") or {}).get("current") or 0),
            uptime=uptime,
            **_traffic(answer),
        )

    def _percent(self, stats: dict[str, Any]) -> float:
        used = int((stats.get("cpu_usage") or {}).get("total_usage") or 0)
        system, cores = int(stats.get("system_cpu_usage") or 0), int(stats.get("online_cpus") or 1)
        before, self._cpu = self._cpu, (used, system)
        if before is None or system <= before[1] or used < before[0]:
            return 0.0
        return (used - before[0]) / (system - before[1]) * cores * 100.0


def _traffic(answer: dict[str, Any]) -> dict[str, Any]:
    networks = answer.get("networks")
    blocks = (answer.get("blkio_stats") or {}).get("io_service_bytes_recursive")
    unknown = {}
    found: dict[str, Any] = {}
    if networks:
        found["network_rx_bytes"] = sum(int(one.get("rx_bytes") or 0) for one in networks.values())
        found["network_tx_bytes"] = sum(int(one.get("tx_bytes") or 0) for one in networks.values())
    else:
        unknown["network"] = "Docker doesn't count this container's traffic."
    if blocks is not None:
        for name, operation in (("io_read_bytes", "read"), ("io_write_bytes", "write")):
            found[name] = sum(int(one["value"]) for one in blocks if str(one.get("op")).lower() == operation)
    else:
        unknown["io"] = "Docker doesn't count what this container reads and writes."
    return {**found, "unknown": unknown}
