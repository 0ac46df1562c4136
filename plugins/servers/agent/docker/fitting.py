"""Fitting a new live connection to what Docker's log says, so that nothing is lost or doubled between the two."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from aiodocker.stream import Stream

from .client import BROKEN, Client
from .output import Budget, Console

DECIDE_SECONDS = 0.5
CATCH_UP_SECONDS = 5.0
"""The live connection is made when the log is silent, or after this time where it never is."""
ANEW_SECONDS = 10.0


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
    """Follows Docker's log from ``offset`` on until the live connection is fitted to it."""

    def __init__(self, client: Client, name: str, console: Console, offset: int) -> None:
        self._client, self._name, self._console = client, name, console
        self._offset = offset
        self._stream: Stream | None = None
        self._meeting: Meeting | None = None

    async def run(self, pieces: AsyncIterator[bytes]) -> tuple[Stream, int] | None:
        """The live connection and the offset of its next byte; None when the log has ended."""
        logged = asyncio.ensure_future(anext(pieces, None))
        live: asyncio.Future[Any] | None = None
        budget, open_at = Budget(), time.monotonic() + CATCH_UP_SECONDS
        ask_at = 0.0
        try:
            while True:
                waiting = {logged} | ({live} if live is not None else set())
                done, _ = await asyncio.wait(waiting, timeout=DECIDE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                now = time.monotonic()
                if logged in done:
                    piece = logged.result()
                    if piece is None:
                        await self._close()
                        return None
                    self._log(piece)
                    await budget.spend(len(piece))
                    logged = asyncio.ensure_future(anext(pieces, None))
                if live is not None and live in done:
                    message = live.result()
                    live = None
                    if message is not None and self._meeting is not None and self._stream is not None:
                        self._meeting.live += message.data
                        live = asyncio.ensure_future(self._stream.read_out())
                if self._stream is None and (not done or now >= open_at):
                    self._meeting = Meeting(self._offset)
                    self._stream = await self._client.attach(self._name)
                    live = asyncio.ensure_future(self._stream.read_out())
                    ask_at = now + DECIDE_SECONDS
                elif self._meeting is not None and live is not None and now >= ask_at:
                    ask_at = now + DECIDE_SECONDS
                    if (begin := self._meeting.decide()) is not None:
                        return await self._fitted(begin, live)
                    if self._meeting.hopeless:
                        live.cancel()
                        live = None
                        await self._close()
                        open_at = now + ANEW_SECONDS
        except BaseException:
            await self._close()
            raise
        finally:
            logged.cancel()
            if live is not None:
                live.cancel()

    def _log(self, piece: bytes) -> None:
        self._console.put(self._offset, piece)
        self._offset += len(piece)
        if self._meeting is not None:
            self._meeting.logged += piece

    async def _fitted(self, begin: int, live: asyncio.Future[Any]) -> tuple[Stream, int]:
        assert self._meeting is not None and self._stream is not None
        live.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            message = await live
            if message is not None:
                self._meeting.live += message.data
        self._console.put(begin, bytes(self._meeting.live))
        return self._stream, begin + len(self._meeting.live)

    async def _close(self) -> None:
        stream, self._stream, self._meeting = self._stream, None, None
        if stream is not None:
            with contextlib.suppress(*BROKEN, AssertionError):
                await stream.close()
