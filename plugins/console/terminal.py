"""A server's console in a terminal: live output, raw keys, and its size."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from stellar.bus import sync
from stellar.bus.bus import current
from stellar.errors import DomainError
from stellar.plugins.servers.calls import MAX_READ, ConsoleChunk, ConsoleInput, ConsoleRead, ConsoleResize, Result

from .frames import Error, Gap, Output, Status
from .history import read_chunk
from .pace import Pace
from .viewer import Viewer
from .watcher import watching

if TYPE_CHECKING:
    from stellar.panel import Panel
    from stellar.plugins.servers.models import Server

LEAVE = b"\x1d"
"""Ctrl-]."""

KEYS = 16 * 1024
"""Bytes that are read from the keyboard or a pipe at a time."""

CALL_SECONDS = 5.0


def show_last(server: Server) -> None:
    """Print the last output that the node keeps."""
    wanted = ConsoleRead(server.id, None, MAX_READ)
    chunk = sync.call(server.node_id, "console.read", wanted, returns=ConsoleChunk)
    sys.stdout.buffer.write(chunk.data)
    sys.stdout.buffer.flush()


async def attach(panel: Panel, server: Server, *, typing: bool) -> None:
    """Show the console until somebody leaves; with ``typing``, keys and the terminal's size go to the game."""
    await panel.open_bus()
    try:
        await Attached(server, typing=typing).run()
    finally:
        await panel.close_bus()


class Attached:
    """One terminal on one console."""

    def __init__(self, server: Server, *, typing: bool) -> None:
        self._server = server
        self._typing = typing
        self._raw = typing and sys.stdin.isatty()
        self._left = asyncio.Event()
        self._resized = asyncio.Event()
        self._status: Status | None = None

    async def run(self) -> None:
        """Until Ctrl-], a signal, or the end of whoever reads the output."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._left.set)
        with _raw_terminal(self._raw):
            self._tell("press Ctrl-] to leave" if self._raw else "")
            async with watching(self._server.id, self._server.node_id, self._server.state) as (inbox, watcher):
                viewer = Viewer(inbox, self._read, self._show, watcher.status)
                await self._until_left(viewer)

    async def _until_left(self, viewer: Viewer) -> None:
        tasks = [asyncio.create_task(viewer.run()), asyncio.create_task(self._left.wait())]
        if self._typing:
            tasks.append(asyncio.create_task(self._type()))
        if self._raw and os.isatty(sys.stdout.fileno()):
            asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, self._resized.set)
            tasks.append(asyncio.create_task(self._keep_size()))
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for task in done:
            with suppress(BrokenPipeError):
                task.result()

    async def _read(self, after: int | None, limit: int) -> ConsoleChunk:
        return await read_chunk(self._server, after, limit)

    async def _show(self, frame: Any) -> None:
        if isinstance(frame, msgspec.Raw):
            frame = msgspec.json.decode(frame, type=Output)
        if isinstance(frame, Output):
            sys.stdout.buffer.write(frame.data.encode())
            sys.stdout.buffer.flush()
        elif isinstance(frame, Gap):
            self._tell("some older output is not kept any more")
        elif isinstance(frame, Error):
            self._tell(frame.message)
        elif isinstance(frame, Status) and frame != self._status:
            self._status = frame
            away = "" if frame.node_online else ", and its node does not answer"
            self._tell(f"{self._server.name} is {frame.state.replace('_', ' ')}{away}")

    def _tell(self, text: str) -> None:
        """A word of ours, beside the game's output."""
        if text:
            end = "\r\n" if self._raw else "\n"
            sys.stderr.write(f"[stellar: {text}]{end}")
            sys.stderr.flush()

    async def _type(self) -> None:
        """Send what is typed, in its order; the end of a pipe leaves the output running."""
        pace = Pace()
        typed = _typed(asyncio.get_running_loop())
        while data := await typed.get():
            keys, leave, _ = data.partition(LEAVE) if self._raw else (data, b"", b"")
            if keys:
                await pace.wait(len(keys))
                await self._send(keys)
            if leave:
                return
        if self._raw:
            return
        await self._left.wait()

    async def _send(self, keys: bytes) -> None:
        try:
            await self._call("console.input", ConsoleInput(self._server.id, keys))
        except DomainError as error:
            if not self._raw:
                raise
            self._tell(error.message)

    async def _keep_size(self) -> None:
        while True:
            self._resized.clear()
            size = os.get_terminal_size(sys.stdout.fileno())
            if size.columns >= 2 and size.lines >= 2:
                with suppress(DomainError):
                    wanted = ConsoleResize(self._server.id, min(size.columns, 500), min(size.lines, 500))
                    await self._call("console.resize", wanted)
            await self._resized.wait()

    async def _call(self, method: str, params: Any) -> None:
        await current().call(self._server.node_id, method, params, returns=Result, timeout=CALL_SECONDS)


def _typed(loop: asyncio.AbstractEventLoop) -> asyncio.Queue[bytes]:
    """What comes in on standard input, ended by an empty piece.

    Read by a thread: an event loop can't wait for a file, and a terminal must not be made non-blocking, because
    whoever has started us shares it.
    """
    queue: asyncio.Queue[bytes] = asyncio.Queue(4)

    def read() -> None:
        with suppress(RuntimeError, CancelledError):
            while True:
                try:
                    data = os.read(sys.stdin.fileno(), KEYS)
                except OSError:
                    data = b""
                asyncio.run_coroutine_threadsafe(queue.put(data), loop).result()
                if not data:
                    return

    threading.Thread(target=read, name="keys", daemon=True).start()
    return queue


@contextmanager
def _raw_terminal(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        sys.stderr.write("\n")
