"""What a container prints, into the console log: each byte once, from whichever source has it first.

A run's output is one stream; its offsets are those of the console log. The live connection has every byte at once,
but only from the moment on when it was made. Docker's own log has whole lines from the beginning, a moment later.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import msgspec

from ..keeper import FLOOD_BURST, FLOOD_RATE, SEGMENT_BYTES, SEGMENTS
from ..keeper_parts import Log
from ..layout import Layout
from ..runtime import Exit, OnOutput


class Mark(msgspec.Struct, frozen=True):
    """Where the line of Docker's log with this time stamp begins in the console log; empty: the run's first line."""

    stamp: str
    offset: int


class Saved(msgspec.Struct):
    """A run as the next agent has to know it: ``run/container.json``."""

    container: str
    server_id: str
    kind: str
    started_at: float
    log_start: int
    mark: Mark
    owner: int | None = None
    """Whom the data is given to when an install has ended."""
    ended: Exit | None = None
    network: str = ""
    """The network that is its own and ends with it, if it has such a one."""

    @staticmethod
    def file(layout: Layout) -> Path:
        """Where it is kept."""
        return layout.run / "container.json"

    def save(self, layout: Layout) -> None:
        """Replace what is kept."""
        file = self.file(layout)
        temporary = file.with_suffix(".new")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
            out.write(msgspec.json.encode(self))
        temporary.replace(file)

    @classmethod
    def load(cls, layout: Layout) -> Saved | None:
        """What is kept; None without any."""
        try:
            return msgspec.json.decode(cls.file(layout).read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            return None

    def forget(self, layout: Layout) -> None:
        """Its end has been taken up."""
        self.file(layout).unlink(missing_ok=True)


class Console:
    """The writing end of a server's console log, as long as a run lasts."""

    def __init__(self, layout: Layout, on_output: OnOutput) -> None:
        layout.console.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log = Log(str(layout.console), SEGMENT_BYTES, SEGMENTS)
        self._on_output = on_output
        self.end = self._log.end
        """One past the last byte that was put, whether or not the disk had room for it."""

    def put(self, offset: int, data: bytes) -> None:
        """Take the part of ``data``, which begins at ``offset`` of the stream, that isn't there yet."""
        fresh = data[max(self.end - offset, 0) :]
        if fresh:
            self._log.write(fresh)
            self.end += len(fresh)
            self._on_output(self._log.end)

    def say(self, sentence: str) -> None:
        """A line of our own."""
        self.put(self.end, f"[stellar] {sentence}\r\n".encode())

    def close(self) -> None:
        """Nothing will be put any more."""
        if self._log.fd >= 0:
            os.close(self._log.fd)
            self._log.fd = -1


class Budget:
    """Bounds how fast one server's output is read, as its keeper does for a process: a flood waits in the game."""

    def __init__(self) -> None:
        self._left, self._at = float(FLOOD_BURST), time.monotonic()

    async def spend(self, size: int) -> None:
        """Account for so many bytes, and wait where that was too much."""
        now = time.monotonic()
        self._left = min(self._left + (now - self._at) * FLOOD_RATE, FLOOD_BURST) - size
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / FLOOD_RATE)
