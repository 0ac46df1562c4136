"""Connections to a game that take only so much from it, however much it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from mcstatus._protocol.io.base_io import BaseAsyncReader, BaseAsyncWriter

if TYPE_CHECKING:
    from mcstatus._protocol.io.connection import TCPAsyncSocketConnection

Exchange = Callable[[bytes], Awaitable[bytes]]
"""Sends a packet and answers the next that comes."""


class _Bounded(BaseAsyncReader, BaseAsyncWriter):
    """A connection as mcstatus wants it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int) -> None:
        self._reader, self._writer, self._left = reader, writer, most

    async def read(self, length: int, /) -> bytes:
        """Exactly so many bytes."""
        self._left -= length
        if self._left < 0:
            raise ValueError("the answer is too long")
        return await self._reader.readexactly(length)

    async def write(self, data: bytes | bytearray, /) -> None:
        """Send."""
        self._writer.write(data)
        await self._writer.drain()


@asynccontextmanager
async def bounded_connection(host: str, port: int, most: int) -> AsyncIterator[TCPAsyncSocketConnection]:
    """A TCP connection over which at most ``most`` bytes are read; ``ValueError`` for more."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield cast("TCPAsyncSocketConnection", _Bounded(reader, writer, most))
    finally:
        writer.transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    """Keeps the first packet that comes after each one sent, and drops the rest."""

    def __init__(self) -> None:
        self.awaited: asyncio.Future[bytes] | None = None

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """A packet."""
        if self.awaited is not None and not self.awaited.done():
            self.awaited.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there."""
        if self.awaited is not None and not self.awaited.done():
            self.awaited.set_exception(exc)


@asynccontextmanager
async def datagrams(host: str, port: int) -> AsyncIterator[Exchange]:
    """A UDP socket that hears ``host`` alone."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Datagrams, remote_addr=(host, port))

    async def exchange(packet: bytes) -> bytes:
        protocol.awaited = loop.create_future()
        transport.sendto(packet)
        return await protocol.awaited

    try:
        yield exchange
    finally:
        transport.abort()
