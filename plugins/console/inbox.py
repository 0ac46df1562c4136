"""What waits for one viewer: bounded, filled without ever making the reader of the bus wait."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import cached_property

import msgspec

from stellar.errors import DomainError

from .frames import Output, Stats, Status
from .text import decode

MAX_WAITING = 256 * 1024
"""Bytes of output that wait for a viewer; one that falls further behind reads the log instead."""
MAX_STATUSES = 16


class Chunk:
    """Live output from offset ``seq`` on, shared by everybody who watches."""

    def __init__(self, seq: int, data: bytes) -> None:
        self.seq = seq
        self.data = data

    @property
    def end(self) -> int:
        """One past its last byte."""
        return self.seq + len(self.data)

    @cached_property
    def frame(self) -> msgspec.Raw | None:
        """The encoded frame for all of it; None when a character is cut at its end."""
        text, used = decode(self.data)
        if used != len(self.data):
            return None
        return msgspec.Raw(msgspec.json.encode(Output(self.seq, text)))


class Inbox:
    """One viewer's. ``lost`` says that output was dropped; ``promised``: everything from there on will be put in."""

    def __init__(self) -> None:
        self.lost = False
        self.promised: int | None = None
        self.trouble: DomainError | None = None
        """Why the node can't be asked just now."""
        self._chunks: deque[Chunk] = deque()
        self._bytes = 0
        self._statuses: deque[Status] = deque(maxlen=MAX_STATUSES)
        self._stats: Stats | None = None
        self._wake = asyncio.Event()

    def put(self, chunk: Chunk) -> None:
        """Add live output; without room, all that waits is dropped."""
        self._bytes += len(chunk.data)
        if self._bytes > MAX_WAITING:
            self.lose()
            return
        self._chunks.append(chunk)
        self._wake.set()

    def put_status(self, status: Status) -> None:
        """Add a state change."""
        self._statuses.append(status)
        self._wake.set()

    def put_stats(self, stats: Stats) -> None:
        """Add figures; only the latest count."""
        self._stats = stats
        self._wake.set()

    def lose(self) -> None:
        """Drop what waits: the viewer has to read the log."""
        self._chunks.clear()
        self._bytes = 0
        self.lost = True
        self._wake.set()

    def watched(self, promised: int) -> None:
        """The node sends everything from offset ``promised`` on, if it hasn't already."""
        self.promised, self.trouble = promised, None
        self._wake.set()

    def unwatched(self, trouble: DomainError) -> None:
        """The node can't be asked, or doesn't know the server."""
        self.promised, self.trouble = None, trouble
        self._wake.set()

    def take(self) -> Chunk | None:
        """The next live output."""
        if not self._chunks:
            return None
        chunk = self._chunks.popleft()
        self._bytes -= len(chunk.data)
        return chunk

    def take_frames(self) -> list[Status | Stats]:
        """What else there is to be sent."""
        frames: list[Status | Stats] = [*self._statuses]
        self._statuses.clear()
        if self._stats is not None:
            frames.append(self._stats)
            self._stats = None
        return frames

    def wake(self) -> None:
        """Let ``wait`` return."""
        self._wake.set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until something has happened since the last ``wait``; False after so many seconds without."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True
