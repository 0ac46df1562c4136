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
        )

    def _percent(self, stats: dict[str, Any]) -> float:
        used = int((stats.get("cpu_usage") or {}).get("total_usage") or 0)
        system, cores = int(stats.get("system_cpu_usage") or 0), int(stats.get("online_cpus") or 1)
        before, self._cpu = self._cpu, (used, system)
        if before is None or system <= before[1] or used < before[0]:
            return 0.0
        return (used - before[0]) / (system - before[1]) * cores * 100.0
