"""How fast one client may type: generous for people and pastes, and nothing is dropped."""

from __future__ import annotations

import asyncio
import time

BYTES_PER_SECOND = 256 * 1024
FRAMES_PER_SECOND = 200
BURST_SECONDS = 2.0


class Pace:
    """A bucket that is refilled as time goes by; a client that is ahead of it waits."""

    def __init__(self) -> None:
        self._due = time.monotonic()

    async def wait(self, size: int) -> None:
        """Account for one input of ``size`` bytes, and wait while there were too many."""
        now = time.monotonic()
        cost = max(size / BYTES_PER_SECOND, 1 / FRAMES_PER_SECOND)
        self._due = max(self._due, now - BURST_SECONDS) + cost
        if self._due > now:
            await asyncio.sleep(self._due - now)
