"""What happens to a server that takes more disk than it may: a warning, no more writes through us, then a stop.

A game can't be kept from writing by itself where the file system has no quotas; this is what bounds it there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from stellar.errors import Conflict, DomainError

from .server import Server

log = logging.getLogger(__name__)

STOP_AFTER = 600.0
"""Seconds over the limit before the server is stopped: time to read the warning, save, and delete something."""
FAR_OVER = 1.25
"""So many times its limit stops it at once: whatever writes so fast would soon fill the node's disk for everybody."""
MEGABYTE = 1024 * 1024
GIBIBYTE = 1024**3

Stop = Callable[[Server], Awaitable[None]]


def limit_of(server: Server) -> int:
    """Bytes that its files may take; 0: any."""
    return server.spec.limits.disk_mb * MEGABYTE


def is_over(server: Server, used: int) -> bool:
    """Whether its files take more than they may."""
    return 0 < limit_of(server) < used


def full(server: Server, used: int | None = None) -> Conflict:
    """Why nothing may be written to it, or it may not start."""
    sizes = "" if used is None else f" ({_size(used)} of {_size(limit_of(server))})"
    message = f"The server is over its disk limit{sizes}: delete some of its files, or ask for a higher limit."
    return Conflict(message, code="disk_limit")


def _size(size: int) -> str:
    return f"{size / GIBIBYTE:.2f} GiB" if size >= GIBIBYTE else f"{size / MEGABYTE:.1f} MiB"


class DiskLimit:
    """Watches what the servers take, and acts on those that take too much; ``stop`` ends one gracefully."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    async def judge(self, server: Server, used: int) -> None:
        """``used`` is what a server takes now."""
        record, now = server.record, time.time()
        if not is_over(server, used):
            if record.disk_over_since is not None:
                record.disk_over_since = None
                self._tell(server, "ok", used)
            return
        if record.disk_over_since is None:
            record.disk_over_since = now
            self._tell(server, "over", used)
        late = now >= record.disk_over_since + STOP_AFTER
        if server.run is not None and (late or used > FAR_OVER * limit_of(server)):
            await self._end(server, used)

    async def _end(self, server: Server, used: int) -> None:
        if server.state not in {"starting", "running", "installing"}:
            return
        log.warning("server %s is over its disk limit and is stopped", server.id)
        try:
            await self._stop(server)
        except DomainError as error:
            log.warning("server %s is over its disk limit and can't be stopped: %s", server.id, error)
        else:
            self._tell(server, "stopped", used)

    def _tell(self, server: Server, level: str, used: int) -> None:
        server.save()
        data = {"level": level, "used_bytes": used, "limit_bytes": limit_of(server), "at": time.time()}
        server.context.report("server.disk", server.id, data)
