"""One viewer's stream: history, then live output, each byte once and in order, or inside an explicit gap."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from stellar.errors import DomainError
from stellar.plugins.servers.calls import ConsoleChunk

from .frames import Error, Gap, Output, Stats, Status
from .inbox import Chunk, Inbox
from .text import decode, line_start, question_marks
from .watcher import AWAY

ENDED = "offline"
HISTORY = 64 * 1024
READ = 128 * 1024
"""Bytes that are read from the log at a time."""
READ_PAUSE = 0.005
"""Seconds between reads, so that one viewer of a flood leaves time for everybody else."""
RESUME_WITHIN = 0.15
INCOMPLETE_FOR = 1.0
"""Seconds to wait for the rest of a character, before its bytes are shown as question marks."""

Send = Callable[[Any], Awaitable[None]]
Read = Callable[[int | None, int], Awaitable[ConsoleChunk]]
"""``read(after, limit)`` is the call ``console.read``."""


class Viewer:
    """Sends what is in its inbox, and reads the log wherever live output is not what comes next.

    ``_next`` is the offset of the first byte that hasn't been sent, ``_tail`` the bytes from there on that are the
    beginning of a character, ``_fulfilled`` the promise after which the log was read to its end. ``_held`` are the
    states from an end on, which what was printed before it has to precede.
    """

    def __init__(self, inbox: Inbox, read: Read, send: Send, status: Status) -> None:
        self._inbox = inbox
        self._read = read
        self._send = send
        self._first = status
        self._status: Status | None = None
        self._held: list[Status] = []
        self._next: int | None = None
        self._tail = b""
        self._behind = True
        self._fulfilled = 0
        self._wanted: int | None = None
        self._resumed = asyncio.Event()
        self._told_trouble = False

    def resume(self, after: int) -> None:
        """Go on at another offset."""
        self._wanted = after
        self._resumed.set()
        self._inbox.wake()

    async def run(self) -> None:
        """Send until cancelled."""
        await self._show(self._first)
        try:
            async with asyncio.timeout(RESUME_WITHIN):
                await self._resumed.wait()
        except TimeoutError:
            pass
        while True:
            await self._step()
            if not await self._inbox.wait(INCOMPLETE_FOR if self._tail else None):
                await self._give_up_tail()

    async def _step(self) -> None:
        await self._tell_trouble()
        if self._wanted is not None:
            self._next, self._tail, self._wanted, self._behind = self._wanted, b"", None, True
        while self._wanted is None:
            await self._send_frames()
            if self._must_read():
                await self._catch_up()
            await self._send_held()
            if self._behind or (chunk := self._inbox.take()) is None:
                return
            await self._send_live(chunk)

    def _must_read(self) -> bool:
        inbox = self._inbox
        if inbox.promised is None:
            return False
        return self._behind or inbox.lost or max(self._position(), self._fulfilled) < inbox.promised

    def _position(self) -> int:
        return (self._next or 0) + len(self._tail)

    async def _catch_up(self) -> None:
        """Read the log up to its end, or until there is something more urgent."""
        self._behind, self._inbox.lost = True, False
        while self._wanted is None:
            promised = self._inbox.promised or 0
            try:
                end_reached = await self._read_some()
            except DomainError as error:
                self._inbox.unwatched(error)
                return
            if end_reached:
                self._behind = self._told_trouble = False
                self._fulfilled = promised
                return
            await self._send_frames()
            await asyncio.sleep(READ_PAUSE)

    async def _read_some(self) -> bool:
        if self._next is None:
            chunk = await self._read(None, HISTORY)
            cut = line_start(chunk.data) if chunk.start > chunk.log_start else 0
            self._next = chunk.start + cut
            await self._send_data(chunk.data[cut:])
            return chunk.end >= chunk.log_end
        chunk = await self._read(self._position(), READ)
        if chunk.start != self._position():
            await self._skip_to(chunk.start)
        await self._send_data(chunk.data)
        return chunk.end >= chunk.log_end or not chunk.data

    async def _skip_to(self, start: int) -> None:
        await self._give_up_tail()
        assert self._next is not None
        await self._send(Gap(self._next, start))
        self._next = start

    async def _send_live(self, chunk: Chunk) -> None:
        position = self._position()
        if chunk.end <= position:
            return
        if chunk.seq > position:
            self._behind = True
        elif chunk.seq == position and not self._tail and chunk.frame is not None:
            await self._send(chunk.frame)
            self._next = chunk.end
        else:
            await self._send_data(chunk.data[position - chunk.seq :])

    async def _send_data(self, data: bytes) -> None:
        assert self._next is not None
        data = self._tail + data
        text, used = decode(data)
        if text:
            await self._send(Output(self._next, text))
        self._next += used
        self._tail = data[used:]

    async def _give_up_tail(self) -> None:
        if self._tail and self._next is not None:
            await self._send(Output(self._next, question_marks(self._tail)))
            self._next += len(self._tail)
            self._tail = b""

    async def _send_frames(self) -> None:
        for frame in self._inbox.take_frames():
            await self._show(frame)

    async def _show(self, frame: Status | Stats) -> None:
        if isinstance(frame, Status):
            if frame == self._status:
                return
            self._status = frame
            if self._held or frame.state == ENDED:
                self._held.append(frame)
                self._behind = True
                return
        await self._send(frame)

    async def _send_held(self) -> None:
        """Once the log was read to its end, or can't be; the node writes it whole before it tells of an end."""
        if self._wanted is not None or (self._behind and self._inbox.trouble is None):
            return
        while self._held:
            await self._send(self._held.pop(0))

    async def _tell_trouble(self) -> None:
        """Say once that the node is away; a node that doesn't know the server yet is about to."""
        trouble = self._inbox.trouble
        if isinstance(trouble, AWAY) and not self._told_trouble:
            self._told_trouble = True
            await self._send(Error(trouble.code, trouble.message))
