"""When a server that has been started runs: a done-pattern, a port that answers, or just having stayed up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from stellar.errors import DomainError
from stellar.plugins.blueprints.patterns import DoneMatcher, compile_done

from ..spec import ServerSpec
from .listening import listens
from .runtime import Run
from .server import Server

log = logging.getLogger(__name__)

SCAN_BYTES = 128 * 1024
SCAN_PAUSE = 0.05
"""A flood before the done-pattern is scanned at ``SCAN_BYTES / SCAN_PAUSE``, so that it costs bounded CPU."""
PORT_PAUSE = 0.5
AT_LEAST = 5.0
"""Seconds to find out what happened while the agent was away, even if the time-out has passed meanwhile."""


class Readiness:
    """Waits for one server; ``settle``: seconds to stay up, for one that says nothing of when it runs."""

    def __init__(self, server: Server, settle: float) -> None:
        self._server = server
        self._settle = settle
        self._printed = asyncio.Event()
        server.on_output.append(lambda _end: self._printed.set())

    async def reached(self, run: Run) -> None:
        """Return when the run counts as running; ``TimeoutError`` when it doesn't within its spec's start time-out."""
        limit = self._server.spec.start_timeout
        left = max(run.started_at + limit - time.time(), min(AT_LEAST, limit)) if limit else None
        async with asyncio.timeout(left):
            await _first(self._ways(run))

    def _ways(self, run: Run) -> list[Coroutine[Any, Any, None]]:
        spec = self._server.spec
        ways: list[Coroutine[Any, Any, None]] = []
        if (matcher := _matcher(spec)) is not None:
            ways.append(self._printed_done(run.log_start, matcher))
        if ports := _ports(spec):
            ways.append(self._listens(run, ports))
        return ways or [asyncio.sleep(run.started_at + self._settle - time.time())]

    async def _printed_done(self, position: int, matcher: DoneMatcher) -> None:
        while True:
            self._printed.clear()
            start, data = self._server.console.read(position, SCAN_BYTES)
            position = start + len(data)
            if matcher.feed(data):
                return
            if not data:
                await self._printed.wait()
            await asyncio.sleep(SCAN_PAUSE)

    async def _listens(self, run: Run, ports: list[tuple[int, str]]) -> None:
        while True:
            for port, protocol in ports:
                if await asyncio.to_thread(listens, await self._pids(run), port, protocol):
                    return
            await asyncio.sleep(PORT_PAUSE)

    async def _pids(self, run: Run) -> list[int]:
        try:
            return await run.pids()
        except Exception as error:
            log.debug("server %s: its processes are not known: %s", self._server.id, error)
            return []


async def _first(ways: list[Coroutine[Any, Any, None]]) -> None:
    """Wait for whichever ends first, and call the others off."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
    finally:
        for task in tasks:
            task.cancel()


def _ports(spec: ServerSpec) -> list[tuple[int, str]]:
    """The numbers and protocols of the ports that mean it; one that the server wasn't given is left out."""
    numbers = {port.name: port.port for port in spec.ports}
    return [(numbers[wanted.port], wanted.protocol) for wanted in spec.ready if wanted.port in numbers]


def _matcher(spec: ServerSpec) -> DoneMatcher | None:
    if not spec.done:
        return None
    try:
        return compile_done(spec.done)
    except DomainError as error:
        log.warning("server %s: its done-patterns are broken: %s", spec.id, error)
        return None
