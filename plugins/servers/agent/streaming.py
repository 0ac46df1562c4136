"""Live console output, sent only as long as somebody's lease lasts."""

from __future__ import annotations

import asyncio
import time

from .server import Server

BATCH = 64 * 1024
"""Bytes at most in one event."""
INTERVAL = 0.03
"""Seconds between a server's events, while it keeps printing."""
MAX_BEHIND = 1024 * 1024
"""Bytes; a server that prints so much faster than it is sent is skipped ahead, and viewers read the log."""
INCOMPLETE_FOR = 0.1
"""Seconds to wait for the rest of a character."""


class Watch:
    """Sends one server's output while it is watched, as the topic ``logs`` with ``{seq, data}``."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._until = 0.0
        self._position = 0
        self._sent_at = 0.0
        self._incomplete = (0, 0)
        """Where a character was found incomplete, and how many bytes of it there were."""
        self._timer: asyncio.TimerHandle | None = None
        server.on_output.append(lambda _end: self.wake())

    @property
    def active(self) -> bool:
        """Whether somebody's lease lasts."""
        return time.monotonic() < self._until

    def renew(self, seconds: float) -> int:
        """Watch for ``seconds`` from now on; the offset from which on everything will be sent."""
        if not self.active:
            self._position = self._whole_end()
        self._until = max(self._until, time.monotonic() + seconds)
        return self._position

    def wake(self) -> None:
        """Something was printed, or the link is back: the first event after silence leaves at once."""
        if self.active and self._server.context.connected:
            self._send_in(max(0.0, self._sent_at + INTERVAL - time.monotonic()))

    def close(self) -> None:
        """Send nothing any more."""
        self._until = 0.0
        if self._timer is not None:
            self._timer.cancel()

    def _send_in(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + delay:
                return
            self._timer.cancel()
        self._timer = loop.call_later(delay, self._send)

    def _send(self) -> None:
        self._timer = None
        if not self.active or not self._server.context.connected:
            return
        start, data = self._next()
        cut = whole_characters(data)
        if data and not cut:
            if self._incomplete != (start, len(data)):
                self._incomplete = (start, len(data))
                self._send_in(INCOMPLETE_FOR)
                return
            cut = len(data)
        if not cut:
            return
        self._position, self._sent_at = start + cut, time.monotonic()
        self._server.context.emit("logs", self._server.id, {"seq": start, "data": data[:cut]})
        if self._position < self._server.console.end:
            self._send_in(INTERVAL)

    def _next(self) -> tuple[int, bytes]:
        """The next output and its offset; a jump ahead lands on a character's first byte."""
        end = self._server.console.end
        wanted = self._position if end - self._position <= MAX_BEHIND else end - BATCH
        start, data = self._server.console.read(wanted, BATCH)
        skipped = 0 if start == self._position else rest_of_character(data)
        return start + skipped, data[skipped:]

    def _whole_end(self) -> int:
        console = self._server.console
        start, data = console.read(max(console.start, console.end - 4), 4)
        return start + whole_characters(data)


def whole_characters(data: bytes) -> int:
    """How many leading bytes of UTF-8 text end where a character ends; bytes that aren't UTF-8 count as whole."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 4 if 0xF0 <= byte < 0xF8 else 3 if 0xE0 <= byte < 0xF0 else 2 if 0xC0 <= byte < 0xE0 else 1
        return len(data) - back if needed > back else len(data)
    return len(data)


def rest_of_character(data: bytes) -> int:
    """How many leading bytes belong to a character that began before; at most 3."""
    for index, byte in enumerate(data[:3]):
        if byte & 0xC0 != 0x80:
            return index
    return min(3, len(data))
