"""Watching a server: one task per server and web process, however many viewers there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec

from stellar.bus import Bus, Message, names
from stellar.bus.bus import current
from stellar.bus.events import ServerLogs, ServerMetrics, ServerStatus
from stellar.errors import DomainError, NodeUnreachable, Unavailable
from stellar.plugins.servers.calls import ConsoleWatch, StateQuery, StateResult, WatchResult

from .frames import Stats, Status
from .inbox import Chunk, Inbox

log = logging.getLogger(__name__)

LEASE_SECONDS = 15.0
RENEW_SECONDS = 3.0
RETRY_SECONDS = 1.0
CALL_SECONDS = 5.0
AWAY = (NodeUnreachable, Unavailable)


class Watcher:
    """Keeps the node sending while somebody watches, and hands what it sends to each viewer's inbox."""

    def __init__(self, server_id: str, node_id: str, state: str) -> None:
        self._server_id = server_id
        self._node_id = node_id
        self._state = state
        self._online: bool | None = None
        self._promised: int | None = None
        self._trouble: DomainError | None = None
        self._renew = asyncio.Event()
        self._bus: Bus = current()
        self.inboxes: set[Inbox] = set()
        self.task = asyncio.create_task(self._run(), name=f"console of {server_id}")

    @property
    def status(self) -> Status:
        """What is known of the server now; a node counts as online until it fails to answer."""
        return Status(self._state, self._online is not False)

    def join(self, inbox: Inbox) -> None:
        """Begin to fill an inbox."""
        self.inboxes.add(inbox)
        if self._promised is not None:
            inbox.watched(self._promised)
        elif self._trouble is not None:
            inbox.unwatched(self._trouble)

    async def _run(self) -> None:
        channels = (
            names.server_logs(self._server_id),
            names.server_status(self._server_id),
            names.server_metrics(self._server_id),
            names.node_heartbeat(self._node_id),
        )
        while True:
            try:
                async with self._bus.subscribe(*channels) as stream, asyncio.TaskGroup() as group:
                    lease = group.create_task(self._keep_lease())
                    async for item in stream:
                        self._take(item) if isinstance(item, Message) else self._lost()
                    lease.cancel()
                return
            except Unavailable as error:
                self._failed(error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _keep_lease(self) -> None:
        while True:
            self._renew.clear()
            wait = RENEW_SECONDS
            try:
                await self._lease()
            except DomainError as error:
                self._failed(error)
                wait = RETRY_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._renew.wait()

    async def _lease(self) -> None:
        wanted = ConsoleWatch(self._server_id, LEASE_SECONDS)
        result = await self._bus.call(self._node_id, "console.watch", wanted, returns=WatchResult, timeout=CALL_SECONDS)
        if self._promised is None:
            await self._came_back()
        self._promised, self._trouble = result.end, None
        for inbox in self.inboxes:
            inbox.watched(result.end)

    async def _came_back(self) -> None:
        """State changes may have been missed, and a node that crashed may have lost the end of its log."""
        query = StateQuery(self._server_id)
        now = await self._bus.call(self._node_id, "servers.state", query, returns=StateResult, timeout=CALL_SECONDS)
        was, self._online = self._online, True
        if now.state != self._state or was is False:
            self._tell(Status(now.state, True))
        self._lost()

    def _failed(self, error: DomainError) -> None:
        self._promised, self._trouble = None, error
        if self._online is not False and isinstance(error, AWAY):
            self._online = False
            self._tell(Status(self._state, False))
        for inbox in self.inboxes:
            inbox.unwatched(error)

    def _lost(self) -> None:
        for inbox in self.inboxes:
            inbox.lose()

    def _tell(self, status: Status) -> None:
        self._state = status.state
        for inbox in self.inboxes:
            inbox.put_status(status)

    def _take(self, message: Message) -> None:
        try:
            self._dispatch(message)
        except msgspec.MsgspecError as error:
            log.warning("a message on %s is not what it should be: %s", message.channel, error)

    def _dispatch(self, message: Message) -> None:
        kind = message.channel.rpartition(":")[2]
        if kind == "logs":
            logs = message.decode(ServerLogs)
            chunk = Chunk(logs.seq, logs.data)
            for inbox in self.inboxes:
                inbox.put(chunk)
        elif kind == "metrics":
            stats = msgspec.convert(message.decode(ServerMetrics), Stats, from_attributes=True)
            for inbox in self.inboxes:
                inbox.put_stats(stats)
        else:
            if kind == "status":
                self._tell(_status(message.decode(ServerStatus)))
            # A heartbeat may be the first of an agent that has restarted, a status the first of a new server.
            self._renew.set()


_watchers: dict[tuple[str, str], Watcher] = {}


@asynccontextmanager
async def watching(server_id: str, node_id: str, state: str) -> AsyncIterator[tuple[Inbox, Watcher]]:
    """An inbox that is filled as long as the context is open; ``state`` is the last that is known."""
    key = (server_id, node_id)
    watcher = _watchers.get(key)
    if watcher is None or watcher.task.done():
        watcher = _watchers[key] = Watcher(server_id, node_id, state)
    inbox = Inbox()
    watcher.join(inbox)
    try:
        yield inbox, watcher
    finally:
        watcher.inboxes.discard(inbox)
        if not watcher.inboxes:
            if _watchers.get(key) is watcher:
                del _watchers[key]
            watcher.task.cancel()
            await asyncio.gather(watcher.task, return_exceptions=True)


def _status(event: ServerStatus) -> Status:
    end = event.exit
    if end is None:
        return Status(event.state, True)
    return Status(event.state, True, end.code, end.signal, end.oom)
