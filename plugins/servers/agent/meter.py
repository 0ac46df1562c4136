"""Measuring the servers: what they use, who plays, and what they have used; one task for all of them."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable
from weakref import WeakSet

import msgspec

from stellar.errors import NotFound

from ..calls import History, Metrics, Span
from . import history
from .disk import DiskUsage
from .disk_limit import DiskLimit, Stop, full, is_over, limit_of
from .players import PlayerCounts
from .quota import Quotas
from .rates import Rates
from .runtime import Stats
from .server import Server
from .streaming import Watch

log = logging.getLogger(__name__)

WATCHED_EVERY = 2.0
RUNNING_EVERY = 5.0
TICK = 0.5
STATS_WITHIN = 2.0
AT_ONCE = 8
"""Servers measured without letting anything else run: about a millisecond."""
NOTHING = Stats(cpu_percent=0.0, memory_bytes=0, processes=0, uptime=0.0)
UNASKED = {"players": "Nobody knows how to ask this game who plays."}


class Meter:
    """Measures all servers of a node; ``stop`` ends one that takes too much disk, gracefully."""

    def __init__(self, stop: Stop, quotas: Quotas | None = None) -> None:
        self._disk = DiskUsage(quotas)
        self._limit = DiskLimit(stop)
        self._players = PlayerCounts()
        self._rates: dict[str, Rates] = {}
        self._due: dict[str, int] = {}
        self._gone: WeakSet[Server] = WeakSet()
        self._recorder = history.Recorder()

    async def measure(self, server: Server) -> Metrics:
        """What a server uses now; ``NotFound`` for one that is being deleted."""
        run, stats = server.run, NOTHING
        if run is not None:
            try:
                stats = await asyncio.wait_for(run.stats(), STATS_WITHIN)
            except Exception as error:
                log.debug("server %s can't be measured: %s", server.id, error)
        if server in self._gone:
            raise NotFound("The server is being deleted.")
        rates = self._rates.setdefault(server.id, Rates())
        rates.note(stats, time.monotonic())
        players = self._players.of(server)
        return Metrics(
            state=server.state,
            cpu_percent=round(stats.cpu_percent, 1),
            memory_bytes=stats.memory_bytes,
            disk_bytes=await self.disk(server),
            uptime=round(stats.uptime, 1),
            processes=stats.processes,
            network_rx_bytes=stats.network_rx_bytes,
            network_tx_bytes=stats.network_tx_bytes,
            network_rx_rate=rates.of("network_rx_bytes"),
            network_tx_rate=rates.of("network_tx_bytes"),
            io_read_bytes=stats.io_read_bytes,
            io_write_bytes=stats.io_write_bytes,
            io_read_rate=rates.of("io_read_bytes"),
            io_write_rate=rates.of("io_write_bytes"),
            players=None if players is None else players.now,
            players_max=None if players is None else players.most,
            unknown=stats.unknown if server.spec.players else {**stats.unknown, **UNASKED},
        )

    async def history(self, server: Server, span: Span, points: int) -> History:
        """What a server has used."""
        return await asyncio.to_thread(history.read, server.layout.history, span, points, time.time())

    async def disk(self, server: Server) -> int:
        """Bytes that the server's files take, as last counted."""
        return await self._disk.of(server.layout.data, limit_of(server), server.record.since)

    async def hold(self, server: Server) -> None:
        """Give a new server its quota, where there are quotas, before anything writes to it."""
        await self._disk.hold(server.layout.data, limit_of(server))

    async def check_writable(self, server: Server) -> None:
        """``Conflict`` for a server that is over its disk limit: it may only delete, and not start."""
        if not is_over(server, await self.disk(server)):
            return
        used = await self._disk.again(server.layout.data, limit_of(server))
        await self._limit.judge(server, used)
        if is_over(server, used):
            raise full(server, used)

    async def room(self, server: Server) -> int | None:
        """By how many bytes the server's files may still grow, as of the last count; None without a limit."""
        await self.check_writable(server)
        return limit_of(server) - await self.disk(server) if limit_of(server) else None

    def grown(self, server: Server, by: int) -> None:
        """The server's files have just grown by so many bytes."""
        self._disk.grown(server.layout.data, by)

    def changed(self, server: Server) -> None:
        """Some of the server's files have just been changed or deleted."""
        self._disk.changed(server.layout.data)

    async def run(self, watches: Callable[[], Iterable[tuple[Server, Watch]]]) -> None:
        """Send the topic ``metrics``: every 2 s for a watched server, every 5 s for any other that runs."""
        try:
            while True:
                due = self._now_due(watches())
                for at in range(0, len(due), AT_ONCE):
                    await asyncio.gather(*(self._send(server) for server in due[at : at + AT_ONCE]))
                    await asyncio.sleep(0)
                self._recorder.keep(time.time())
                await asyncio.sleep(TICK)
        finally:
            self._disk.close()

    def forget(self, server: Server) -> None:
        """The server is about to be deleted; a measurement may still be under way."""
        self._gone.add(server)
        self._due.pop(server.id, None)
        self._rates.pop(server.id, None)
        self._players.forget(server)
        self._disk.forget(server.layout.data)

    def _now_due(self, watches: Iterable[tuple[Server, Watch]]) -> list[Server]:
        """All at the same moments: what they have in common is then looked at once."""
        now, due = time.monotonic(), []
        for server, watch in watches:
            if watch.active:
                every = WATCHED_EVERY
            elif server.run is not None or server.record.disk_over_since is not None:
                every = RUNNING_EVERY
            else:
                continue
            if self._due.get(server.id) != (slot := int(now / every)):
                self._due[server.id] = slot
                due.append(server)
        return due

    async def _send(self, server: Server) -> None:
        try:
            metrics = await self.measure(server)
        except NotFound:
            return
        used = self._disk.last(server.layout.data)
        if used is not None:
            await self._limit.judge(server, used)
        if metrics.processes:
            values = (getattr(metrics, name) if name != "disk_bytes" else used for name in history.FIELDS)
            sample = [math.nan if value is None else float(value) for value in values]
            self._recorder.add(server.layout.history, sample, time.time())
        if server.context.connected:
            told = {name: value for name, value in msgspec.to_builtins(metrics).items() if value is not None}
            del told["unknown"]
            server.context.emit("metrics", server.id, told)
