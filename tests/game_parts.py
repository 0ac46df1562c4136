"""Small servers that speak the real protocols by which games say who plays, truthfully or not."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

SOURCE_CHALLENGE = b"\x01\x02\x03\x04"


@asynccontextmanager
async def minecraft(answer: Callable[[asyncio.StreamWriter], Any]) -> AsyncIterator[int]:
    """A Java Edition server's port: reads the handshake and the request, then calls ``answer``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            handshake = await _packet(reader)
            assert handshake[:1] == b"\0"
            assert handshake[-1:] == b"\x01", "it has to ask for the status"
            assert await _packet(reader) == b"\0"
            answer(writer)
            await writer.drain()
            await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def status(**players: Any) -> bytes:
    """A whole status response."""
    text = {"version": {"name": "1.20", "protocol": 763}, "players": players, "description": {"text": "Hello"}}
    return status_text(json.dumps(text))


def status_text(text: str) -> bytes:
    """A status response of any text."""
    encoded = text.encode()
    body = b"\0" + varint(len(encoded)) + encoded
    return varint(len(body)) + body


def varint(value: int) -> bytes:
    """As the protocol writes lengths."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


async def _packet(reader: asyncio.StreamReader) -> bytes:
    length = shift = 0
    while True:
        (byte,) = await reader.readexactly(1)
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return await reader.readexactly(length)


class _Responder(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        self._answer = answer
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for packet in self._answer(data):
            self._transport.sendto(packet, addr)


@asynccontextmanager
async def datagram_server(answer: Callable[[bytes], list[bytes]]) -> AsyncIterator[int]:
    """The port of a server that sends these packets in answer to one."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Responder(answer), local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def source(players: int, most: int, *, challenge: bool = True) -> Callable[[bytes], list[bytes]]:
    """A Source server, as Valve's description of A2S_INFO has it: with a challenge first, or without."""

    def answer(packet: bytes) -> list[bytes]:
        question = b"\xff\xff\xff\xffTSource Engine Query\0"
        if packet == question and challenge:
            return [b"\xff\xff\xff\xffA" + SOURCE_CHALLENGE]
        if packet not in (question, question + SOURCE_CHALLENGE):
            return []
        strings = b"".join(text.encode() + b"\0" for text in ("A \x1b[31mserver", "de_dust", "cstrike", "Counter"))
        numbers = struct.pack("<HBBB", 240, players, most, 0)
        return [b"\xff\xff\xff\xffI\x11" + strings + numbers + b"dl\0\x01" + b"1.0\0" + b"\0"]

    return answer


def bedrock(players: str, most: str) -> Callable[[bytes], list[bytes]]:
    """A Bedrock server: RakNet's unconnected pong."""

    def answer(packet: bytes) -> list[bytes]:
        if packet[:1] != b"\x01":
            return []
        text = f"MCPE;A server;622;1.20.40;{players};{most};123;World;Survival;1;19132;19133;".encode()
        return [b"\x1c" + bytes(8) + bytes(8) + bytes(16) + struct.pack(">H", len(text)) + text]

    return answer
