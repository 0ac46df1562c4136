"""Fitting a new live connection to what Docker's log says, so that nothing is lost or doubled between the two."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from aiodocker.stream import Message, Stream

from .client import hang_up
from .history import History
from .output import Budget, Console, Mark

DECIDE_SECONDS = 0.5
ANEW_SECONDS = 10.0
"""After which another connection is made where one couldn't be fitted: a flood that repeats itself may be over."""
Connect = Callable[[], Awaitable[Stream]]


class Meeting:
    """Where the live connection, made in the middle of the output, begins: found by what both sources have said.

    ``base`` is the offset from which on the log's bytes are collected, taken before the connection was made, so the
    connection begins at ``base`` or later. Nothing is guessed: a text that stands in two places decides nothing,
    unless both sources have been silent since, because then they end at the same place.
    """

    MOST = 512 * 1024

    def __init__(self, base: int) -> None:
        self.base = base
        self.logged, self.live = bytearray(), bytearray()
        self._settled = 0
        self._before = (0, 0)

    @property
    def hopeless(self) -> bool:
        """Whether so much has come without a decision that it isn't worth waiting."""
        return max(len(self.logged), len(self.live)) > self.MOST

    def decide(self) -> int | None:
        """The live bytes' first offset, None while that is open. To be asked twice a second: what was live at one
        question has reached the log by the next.
        """
        now = (len(self.logged), len(self.live))
        silent = now == self._before
        wanted = bytes(self.live[: self._settled])
        wanted = wanted[: wanted.rfind(b"\n") + 1]
        self._settled, self._before = len(self.live), now
        if not wanted:
            return None
        place = self.logged.find(wanted)
        if place < 0:
            return None
        if self.logged.find(wanted, place + 1) < 0:
            return self.base + place
        if silent and self.logged.endswith(wanted):
            return self.base + len(self.logged) - len(wanted)
        return None


class Fitting:
    """Follows Docker's log from a mark on until a live connection has been fitted to it."""

    def __init__(self, history: History, console: Console, mark: Mark, connect: Connect) -> None:
        self._history, self._console, self._mark, self._connect = history, console, mark, connect
        self._offset = mark.offset
        self._stream: Stream | None = None
        self._meeting = Meeting(0)

    async def run(self) -> tuple[Stream, int] | None:
        """The live connection and the offset of its next byte; None when the output has ended.

        The connection is made when all that Docker has kept by now has been read, so little can come in between.
        """
        await self._history.rest(self._mark)
        try:
            await self._open()
            async with self._history.follow(self._mark) as pieces:
                begin = await self._until_fitted(pieces)
        except BaseException:
            await self._close()
            raise
        if begin is None or self._stream is None:
            await self._close()
            return None
        self._console.put(begin, bytes(self._meeting.live))
        return self._stream, begin + len(self._meeting.live)

    async def _until_fitted(self, pieces: AsyncIterator[bytes]) -> int | None:
        logged = asyncio.ensure_future(anext(pieces, None))
        live = self._listen()
        budget, ask_at, anew_at = Budget(), time.monotonic() + DECIDE_SECONDS, 0.0
        try:
            while True:
                waiting = {logged} | ({live} if live is not None else set())
                done, _ = await asyncio.wait(waiting, timeout=DECIDE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if live is not None and live in done:
                    live = self._listen() if self._heard(live.result()) else None
                if logged in done:
                    piece = logged.result()
                    if piece is None:
                        return None
                    self._log(piece)
                    await budget.spend(len(piece))
                    logged = asyncio.ensure_future(anext(pieces, None))
                now = time.monotonic()
                if self._stream is None and now >= anew_at:
                    await self._open()
                    live = self._listen()
                elif live is not None and now >= ask_at and self._offset >= self._meeting.base:
                    ask_at = now + DECIDE_SECONDS
                    if (begin := self._meeting.decide()) is not None:
                        return begin
                    if self._meeting.hopeless:
                        live.cancel()
                        live, anew_at = None, now + ANEW_SECONDS
                        await self._close()
        finally:
            logged.cancel()
            if live is not None:
                live.cancel()
            await asyncio.gather(logged, *([] if live is None else [live]), return_exceptions=True)
            if live is not None and not live.cancelled() and live.exception() is None:
                self._heard(live.result())

    def _listen(self) -> asyncio.Future[Message | None] | None:
        return None if self._stream is None else asyncio.ensure_future(self._stream.read_out())

    def _heard(self, message: Message | None) -> bool:
        if message is None:
            return False
        self._meeting.live += message.data
        return True

    def _log(self, piece: bytes) -> None:
        self._console.put(self._offset, piece)
        self._meeting.logged += piece[max(self._meeting.base - self._offset, 0) :]
        self._offset += len(piece)

    async def _open(self) -> None:
        self._meeting = Meeting(max(self._console.end, self._offset))
        self._stream = await self._connect()

    async def _close(self) -> None:
        stream, self._stream = self._stream, None
        await hang_up(stream)
