"""Bringing one run into being, or taking up one that an earlier agent started."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable

from stellar.errors import DomainError, Unavailable

from ..processors import check_processors
from .runtime import Exit, Launch, Run
from .server import Server

log = logging.getLogger(__name__)

OnEnded = Callable[[Run, Exit], None]


class Launcher:
    """Good for one run: sets ``server.run``, and at the run's end clears it and calls ``on_ended``."""

    def __init__(self, server: Server, on_ended: OnEnded, on_ready: Callable[[], None] | None = None) -> None:
        """``on_ready`` is called when all is there, just before anything runs."""
        self._server = server
        self._on_ended = on_ended
        self._on_ready = on_ready
        self._making: asyncio.Task[Launch] | None = None
        self._called_off = False
        self._run: Run | None = None
        self._end: Exit | None = None

    async def launch(self, make: Callable[[], Awaitable[Launch]]) -> Run | None:
        """Start what ``make`` answers; None when it was called off. It may have ended already when this returns."""
        if self._called_off:
            return None
        self._making = asyncio.create_task(self._make_ready(make))
        try:
            launch = await self._making
        except asyncio.CancelledError:
            if self._called_off:
                return None
            raise
        if self._on_ready is not None:
            self._on_ready()
        run = await self._server.runtime.start(launch, self._server.output, self._ended)
        self._attached(run)
        if self._called_off:
            await run.kill()
        else:
            await self._server.fit_terminal()
        return run

    async def attach(self) -> Run | None:
        """Take up an earlier run; None when there is none."""
        run = await self._server.runtime.attach(self._server.layout.root, self._server.output, self._ended)
        if run is not None:
            self._attached(run)
        return run

    def call_off(self) -> None:
        """Give up a launch that is under way; what it has started by then is killed."""
        self._called_off = True
        if self._making is not None:
            self._making.cancel()

    async def _make_ready(self, make: Callable[[], Awaitable[Launch]]) -> Launch:
        launch = await make()
        check_processors(launch.limits.cpu_set, os.sched_getaffinity(0))
        await self._server.runtime.prepare(launch, self._server.output)
        return launch

    def _attached(self, run: Run) -> None:
        self._run = self._server.run = run
        if self._end is not None:
            self._ended(self._end)

    def _ended(self, end: Exit) -> None:
        """A run may end before ``start`` or ``attach`` has returned it: then its end waits for it."""
        if self._run is None:
            self._end = end
            return
        self._server.run = None
        self._on_ended(self._run, end)


def explain(error: Exception) -> DomainError:
    """What to tell a person about a launch that failed; anything unforeseen is also logged."""
    if isinstance(error, DomainError):
        return error
    log.error("a launch failed", exc_info=error)
    return Unavailable(f"The node could not run it: {error}.", code="start_failed")
