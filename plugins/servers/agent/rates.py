"""How fast a server's counters grow."""

from __future__ import annotations

from .runtime import Stats

COUNTERS = ("network_rx_bytes", "network_tx_bytes", "io_read_bytes", "io_write_bytes")
SHORTEST = 0.9
"""Seconds between two readings: from closer ones a rate would be noise."""


class Rates:
    """Of one server, from one reading to the next."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._counts: dict[str, int | None] = {}
        self._rates: dict[str, float | None] = {}

    def note(self, stats: Stats, now: float) -> None:
        """A reading, at ``now`` as of ``time.monotonic``."""
        passed = now - self._at
        if passed < SHORTEST:
            return
        counts: dict[str, int | None] = {name: getattr(stats, name) for name in COUNTERS}
        self._rates = {name: _rate(self._counts.get(name), count, passed) for name, count in counts.items()}
        self._at, self._counts = now, counts

    def of(self, counter: str) -> float | None:
        """Bytes per second between the last two readings; None where one of them is missing."""
        return self._rates.get(counter)


def _rate(before: int | None, count: int | None, seconds: float) -> float | None:
    """A counter that shrinks has begun anew."""
    if before is None or count is None or count < before:
        return None
    return round((count - before) / seconds, 1)
