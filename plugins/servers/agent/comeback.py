"""Starts that nobody asked for: after a crash with growing delays up to a limit, and after a reboot of the machine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from .server import Server


@dataclass(frozen=True)
class Policy:
    """``delays`` before each restart after a crash; one more crash within ``window`` seconds and it stays offline.

    ``settle``: seconds that a server without done-patterns has to stay up to count as running. ``turn``: seconds for
    which one that is started by itself keeps others waiting, unless it runs before.
    """

    delays: tuple[float, ...] = (5.0, 10.0)
    window: float = 600.0
    settle: float = 2.0
    turn: float = 60.0


class Comeback:
    """One server's next start by itself; ``gate`` lets a few of the node at a time through."""

    def __init__(self, server: Server, policy: Policy, gate: asyncio.Semaphore, begin: Callable[[], object]) -> None:
        self._server = server
        self._policy = policy
        self._gate = gate
        self._begin = begin
        self._task: asyncio.Task[None] | None = None

    @property
    def due(self) -> bool:
        """Whether there is going to be one."""
        return self._server.state == "offline" and self._server.record.restart_at is not None

    def after_crash(self) -> float | None:
        """Count a crash; when the server is to be started again, None when it has crashed too often."""
        record, now = self._server.record, time.time()
        record.crashes = [*(at for at in record.crashes if at > now - self._policy.window), now]
        if len(record.crashes) > len(self._policy.delays):
            return None
        return now + self._policy.delays[len(record.crashes) - 1]

    def wait(self) -> None:
        """Begin to wait until it is due, if it is ever, and then for a turn."""
        self.stop()
        if self.due:
            self._task = asyncio.create_task(self._start())

    def cancel(self) -> bool:
        """Stay offline; False when nothing was due."""
        if not self.due:
            return False
        self.stop()
        self._server.record.restart_at = None
        self._server.save()
        return True

    def stop(self) -> None:
        """Wait no more, and let others have the turn."""
        if self._task is not None:
            self._task.cancel()
        self._task = None

    async def _start(self) -> None:
        await asyncio.sleep((self._server.record.restart_at or 0) - time.time())
        async with self._gate:
            self._begin()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.leaves("starting"), self._policy.turn)
