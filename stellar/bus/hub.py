"""One subscription connection per process, fanned out in memory to bounded queues.

Redis drops a subscriber that is too slow and says nothing, so nobody who reads here may make the hub wait: a reader
that falls behind loses its queue and gets a ``Lagged`` in its place, as does every reader when the connection broke.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import msgspec
import redis
from redis.asyncio.connection import AbstractConnection

from . import connections
from .names import EVENTS_GLOBAL

T = TypeVar("T")

log = logging.getLogger(__name__)

QUEUE_MESSAGES = 256
QUEUE_BYTES = 4 * 1024 * 1024
PING_SECONDS = 15.0
CONFIRM_SECONDS = 5.0
FIRST_DELAY = 0.05
MAX_DELAY = 5.0


class Message:
    """One published message; shared by all who read it."""

    __slots__ = ("_decoded", "channel", "data")

    def __init__(self, channel: str, data: bytes) -> None:
        self.channel = channel
        self.data = data
        self._decoded: tuple[object, object] | None = None

    def decode(self, type_: type[T]) -> T:
        """The JSON as ``type_``, decoded once for all readers; ``msgspec.DecodeError`` for anything else."""
        if self._decoded is None or self._decoded[0] is not type_:
            self._decoded = (type_, msgspec.json.decode(self.data, type=type_))
        return cast(T, self._decoded[1])


class Lagged:
    """Messages were lost here: ``missed`` of them, or 0 where nobody can count them (a broken connection)."""

    __slots__ = ("missed",)

    def __init__(self, missed: int) -> None:
        self.missed = missed


Listener = Callable[[Message], None]


class Stream:
    """What one reader gets of its channels: iterate over it."""

    def __init__(self, messages: int, size: int) -> None:
        self._limits = (messages, size)
        self._queue: deque[Message] = deque()
        self._bytes = 0
        self._missed: int | None = None
        self._closed = False
        self._wake = asyncio.Event()

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Message | Lagged:
        while True:
            if self._missed is not None:
                missed, self._missed = self._missed, None
                return Lagged(missed)
            if self._queue:
                message = self._queue.popleft()
                self._bytes -= len(message.data)
                return message
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()

    def put(self, message: Message) -> None:
        """Queue a message; without room, everything that waits is lost (one gap instead of many)."""
        self._queue.append(message)
        self._bytes += len(message.data)
        if len(self._queue) > self._limits[0] or self._bytes > self._limits[1]:
            self.lose(len(self._queue))
        self._wake.set()

    def lose(self, missed: int) -> None:
        """Drop what waits and mark the gap."""
        self._missed = (self._missed or 0) + missed
        self._queue.clear()
        self._bytes = 0
        self._wake.set()

    def close(self) -> None:
        """End the iteration after what is queued."""
        self._closed = True
        self._wake.set()


class Hub:
    """The subscriptions of one process."""

    def __init__(self, url: str) -> None:
        connections.check_url(url)
        self._url = url
        self._listeners: dict[str, list[Listener]] = {}
        self._streams: dict[Stream, None] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._delay = FIRST_DELAY

    async def start(self) -> None:
        """Begin to connect, in the background and for as long as it takes."""
        self._task = asyncio.create_task(self._run(), name="bus hub")

    async def close(self) -> None:
        """End every stream and the connection."""
        for stream in self._streams:
            stream.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @asynccontextmanager
    async def stream(
        self, *channels: str, messages: int = QUEUE_MESSAGES, size: int = QUEUE_BYTES
    ) -> AsyncIterator[Stream]:
        """Subscribe to channels; ``Unavailable`` when Redis doesn't confirm within 5 s.

        At most ``messages`` of together ``size`` bytes wait for the reader.
        """
        stream = Stream(messages, size)
        self._streams[stream] = None
        try:
            async with contextlib.AsyncExitStack() as stack:
                for channel in channels:
                    await stack.enter_async_context(self.listen(channel, stream.put))
                yield stream
        finally:
            self._streams.pop(stream)
            stream.close()

    @asynccontextmanager
    async def listen(self, channel: str, listener: Listener) -> AsyncIterator[None]:
        """Call ``listener`` with each message of a channel; it must be quick and not raise."""
        listeners = self._listeners.setdefault(channel, [])
        listeners.append(listener)
        try:
            await self._confirm(channel)
            yield
        finally:
            listeners.remove(listener)
            if not listeners and self._listeners.get(channel) is listeners:
                del self._listeners[channel]
                self._confirmed.pop(channel, None)
                if channel != EVENTS_GLOBAL:
                    await self._send("UNSUBSCRIBE", channel)

    async def _confirm(self, channel: str) -> None:
        event = self._confirmed.get(channel)
        if event is None:
            event = self._confirmed[channel] = asyncio.Event()
            await self._send("SUBSCRIBE", channel)
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await event.wait()
        except TimeoutError:
            raise connections.away() from None

    async def _send(self, *command: str) -> None:
        """Best effort: a connection that is down must not come back by itself, the next one subscribes to all."""
        connection = self._connection
        if connection is None or not connection.is_connected:
            return
        with contextlib.suppress(*connections.Gone):
            await connection.send_command(*command, check_health=False)

    async def _run(self) -> None:
        while True:
            connection = connections.subscriber(self._url)
            try:
                await self._connect(connection)
                await self._read(connection)
            except (*connections.Gone, redis.RedisError) as error:
                log.warning("the connection to Redis for events is down (%s); trying again", error)
            finally:
                broken, self._connection = self._connection is not None, None
                await connection.disconnect(nowait=True)
            if broken:
                self._mark_broken()
            await asyncio.sleep(self._delay)
            self._delay = min(self._delay * 2, MAX_DELAY)

    async def _connect(self, connection: AbstractConnection) -> None:
        await connection.connect()  # type: ignore[no-untyped-call]
        wanted = {EVENTS_GLOBAL, *self._listeners}
        for channel in wanted:
            self._confirmed.setdefault(channel, asyncio.Event())
        self._connection = connection
        await connection.send_command("SUBSCRIBE", *wanted, check_health=False)

    def _mark_broken(self) -> None:
        for event in self._confirmed.values():
            event.clear()
        for stream in self._streams:
            stream.lose(0)

    async def _read(self, connection: AbstractConnection) -> None:
        pinged = False
        while True:
            response = await connection.read_response(disable_decoding=True, timeout=PING_SECONDS)
            if response is not None:
                pinged = False
                self._delay = FIRST_DELAY
                self._dispatch(response)
            elif pinged:
                raise redis.ConnectionError("no answer to a ping")
            else:
                pinged = True
                await self._send("PING")

    def _dispatch(self, response: list[Any]) -> None:
        kind, channel = response[0], bytes(response[1]).decode()
        if kind == b"message":
            message = Message(channel, response[2])
            for listener in tuple(self._listeners.get(channel, ())):
                listener(message)
        elif kind == b"subscribe" and channel in self._confirmed:
            self._confirmed[channel].set()
