"""The bus as async code uses it, in the web process."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import redis.asyncio

from . import connections, feed, messages
from .calls import Calls
from .follow import Feed
from .hub import QUEUE_BYTES, QUEUE_MESSAGES, Hub, Stream


class Bus:
    """Events and calls of one process: ``start`` it in the event loop that uses it, ``close`` it at the end."""

    def __init__(self, url: str) -> None:
        self.redis: redis.asyncio.Redis = connections.async_client(url)
        self.hub = Hub(url)
        self.feed = Feed(self.redis)
        self._calls = Calls(self.redis, self.hub)
        self.call = self._calls.call

    async def start(self) -> None:
        """Begin to connect; doesn't wait for Redis."""
        await self.hub.start()

    async def close(self) -> None:
        """End all streams and connections."""
        await self.feed.close()
        await self.hub.close()
        await self.redis.aclose()

    async def publish(self, channel: str, message: Any) -> int:
        """Publish a struct or dict as JSON, and log it if browsers may follow it; ``Unavailable`` without Redis.

        Answers how many connections got it.
        """
        data = messages.encode(message)
        logged = feed.entry(channel, data)
        heard: int
        try:
            if logged is None:
                heard = await self.redis.publish(channel, data)
            else:
                pipeline = self.redis.pipeline(transaction=False)
                pipeline.execute_command("PUBLISH", channel, data)
                pipeline.execute_command(*logged)
                heard, _ = await pipeline.execute()
        except connections.Gone:
            raise connections.away() from None
        return heard

    def subscribe(
        self, *channels: str, messages: int = QUEUE_MESSAGES, size: int = QUEUE_BYTES
    ) -> AbstractAsyncContextManager[Stream]:
        """Read channels: ``async with bus.subscribe(channel) as stream: async for message in stream``.

        Yields ``Message`` (``.channel``, ``.data``, ``.decode(Type)``), and ``Lagged`` where messages were lost.
        """
        return self.hub.stream(*channels, messages=messages, size=size)


_current: Bus | None = None


def use(bus: Bus | None) -> None:
    """Make ``bus`` the one that ``current`` answers in this process."""
    global _current
    _current = bus


def current() -> Bus:
    """The web process's bus; only for code that runs in its event loop."""
    if _current is None:
        raise RuntimeError("the bus has not been started in this process")
    return _current
