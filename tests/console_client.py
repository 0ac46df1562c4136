"""A client of the console's socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from stellar.testing.waiting import wait_for


class ConsoleClient:
    """A console's client that checks each offset. ``frames`` has all but the output; ``text`` is that."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.text = ""
        self.next: int | None = None
        self.closed: tuple[int, str] | None = None
        self.paused = asyncio.Event()
        self.paused.set()

    async def send(self, type_: str, **fields: Any) -> None:
        """Send a frame."""
        await self.socket.send(json.dumps({"type": type_, **fields}))

    async def until_text(self, text: str) -> None:
        """Wait until the output ends in a text."""
        await wait_for(lambda: self.text.endswith(text), what=f"output that ends in {text!r}, not {self.text[-80:]!r}")

    async def until(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Wait for a frame with these fields."""
        return await wait_for(lambda: self.last(type_, **fields), what=f"{type_} {fields} in {self.frames}")

    async def until_closed(self) -> tuple[int, str]:
        """Wait for the end; its code and reason."""
        return await wait_for(lambda: self.closed, what="the socket's end")

    def last(self, type_: str, **fields: Any) -> dict[str, Any] | None:
        """The last frame with these fields."""
        wanted = {"type": type_, **fields}
        return next((frame for frame in reversed(self.frames) if wanted.items() <= frame.items()), None)

    def all(self, type_: str) -> list[dict[str, Any]]:
        """Every frame of a type."""
        return [frame for frame in self.frames if frame["type"] == type_]

    async def listen(self) -> None:
        """Take frames until the socket ends."""
        try:
            while True:
                await self.paused.wait()
                self._take(json.loads(await self.socket.recv()))
        except ConnectionClosed:
            self.closed = (self.socket.close_code or 0, self.socket.close_reason or "")

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "output":
            assert self.next in (None, frame["seq"]), f"{frame['seq']} came where {self.next} was due"
            self.text += frame["data"]
            self.next = frame["seq"] + len(frame["data"].encode())
            return
        self.frames.append(frame)
        if frame["type"] == "gap":
            assert self.next in (None, frame["from"])
            self.next = frame["to"]


@asynccontextmanager
async def console(url: str, **options: Any) -> AsyncIterator[ConsoleClient]:
    """A connected client."""
    async with connect(url, compression=None, proxy=None, **options) as socket:
        client = ConsoleClient(socket)
        listening = asyncio.create_task(client.listen())
        try:
            yield client
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
