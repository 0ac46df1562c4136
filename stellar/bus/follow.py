"""Following the log of events: one reader per process, however many browsers follow.

What came lately is kept once for all of them; each follower only has a position in it, so a slow one costs nothing
and holds up nobody. One that has fallen further behind reads the log itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import redis
import redis.asyncio

from . import connections, feed, names
from .feed import START, Event, Position, format_position

log = logging.getLogger(__name__)

RECENT = 2_000
BATCH = 500
BLOCK_MS = 2_000
"""Less than a command's time limit."""
PACE_SECONDS = 0.02
"""Followers are woken at most this often."""
RETRY_SECONDS = 0.5


class Entry:
    """An event with its position and its JSON, made once for all followers."""

    __slots__ = ("event", "frame", "position")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.position = event.position
        self.frame = msgspec.Raw(msgspec.json.encode(event))


Listener = Callable[[Entry | None], None]


class Feed:
    """The log as this process follows it; reads only while somebody follows."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._recent: deque[Entry] = deque()
        self._base: Position | None = None
        self._last: Position = START
        self._started = asyncio.Event()
        self._listeners: dict[Listener, None] = {}
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def following(self, listener: Listener) -> AsyncIterator[None]:
        """Keep reading while the context is open; ``listener`` hears every entry at once and must be quick.

        It hears None when the process is about to stop. ``Unavailable`` when Redis doesn't answer.
        """
        self._listeners[listener] = None
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="event feed")
        try:
            try:
                async with asyncio.timeout(connections.COMMAND_SECONDS):
                    await self._started.wait()
            except TimeoutError:
                raise connections.away() from None
            yield
        finally:
            del self._listeners[listener]
            if not self._listeners:
                await self.close()

    def end(self) -> None:
        """Tell everybody that the process is about to stop."""
        for listener in tuple(self._listeners):
            listener(None)

    async def close(self) -> None:
        """Stop reading and forget what was read."""
        task, self._task = self._task, None
        self._started.clear()
        self._recent.clear()
        self._base = None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def last(self) -> Position:
        """The position of the newest entry."""
        return self._last

    async def after(self, position: Position) -> list[Entry] | None:
        """The next entries, at most ``BATCH``; None when the log doesn't go back so far any more."""
        if self._base is not None and self._base <= position <= self._last:
            found: list[Entry] = []
            for entry in reversed(self._recent):
                if entry.position <= position:
                    break
                found.append(entry)
            found.reverse()
            return found[:BATCH]
        try:
            return await self._read_back(position)
        except connections.Gone:
            raise connections.away() from None

    async def _read_back(self, position: Position) -> list[Entry] | None:
        since = format_position(position)
        rows: Any = await self._client.xrange(names.FEED, min=since, max="+", count=BATCH + 1)
        if position != START:
            if not rows or rows[0][0].decode() != since:
                return None
            rows = rows[1:]
        elif await self._trimmed():
            return None
        return [Entry(feed.read_entry(*row)) for row in rows]

    async def _trimmed(self) -> bool:
        try:
            info: Any = await self._client.xinfo_stream(names.FEED)
        except redis.ResponseError:
            return False  # nothing has ever happened
        return int(info["entries-added"]) > int(info["length"])

    async def _run(self) -> None:
        while True:
            try:
                if self._base is None:
                    newest: Any = await self._client.xrevrange(names.FEED, count=1)
                    self._last = self._base = feed.read_entry(*newest[0]).position if newest else START
                    self._started.set()
                await self._read()
            except (*connections.Gone, redis.RedisError) as error:
                log.warning("the log of events can't be read (%s); trying again", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _read(self) -> None:
        streams: Any = {names.FEED: format_position(self._last)}
        answer: Any = await self._client.xread(streams, count=BATCH, block=BLOCK_MS)
        for _, rows in answer or ():
            for row in rows:
                self._take(Entry(feed.read_entry(*row)))
            await asyncio.sleep(PACE_SECONDS)

    def _take(self, entry: Entry) -> None:
        self._recent.append(entry)
        self._last = entry.position
        if len(self._recent) > RECENT:
            self._base = self._recent.popleft().position
        for listener in tuple(self._listeners):
            listener(entry)
