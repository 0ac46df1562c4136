"""Asking a game who plays, by the protocol that its blueprint names: only how many, and how many may.

The game may be hostile. It is asked on its own port of this machine, gets ``WITHIN`` seconds and ``MOST`` bytes, and
its answer is two numbers of a sensible size or none.
"""

from __future__ import annotations

import asyncio
import io
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from ..spec import Port
from .server import Server

log = logging.getLogger(__name__)

EVERY = 10.0
"""Seconds from one question to the next, as often as the history keeps an answer."""
SELDOM = 60.0
"""The same for a game that doesn't answer."""
WITHIN = 2.0
MOST = 256 * 1024
"""Bytes of an answer: a picture and a list of mods may be in it."""
GOOD_FOR = 30.0
"""Seconds after which the last answer means nothing any more."""
AT_ONCE = 8
HIGHEST = 1_000_000
SOURCE_HEADER = b"\xff\xff\xff\xff"
SOURCE_CHALLENGE = 0x41


class Players(msgspec.Struct, frozen=True):
    """How many play, and how many may."""

    now: int
    most: int


Ask = Callable[[str, int], Awaitable[Players]]


@dataclass
class _Asked:
    due: float = 0.0
    at: float = float("-inf")
    answer: Players | None = None
    task: asyncio.Task[None] | None = None


class PlayerCounts:
    """The latest answers of all games; asks in the background."""

    def __init__(self) -> None:
        self._asked: dict[str, _Asked] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    def of(self, server: Server) -> Players | None:
        """Who plays, as far as is known; a running game is asked again when it is time."""
        if server.spec.players is None or server.run is None or server.state != "running":
            self.forget(server)
            return None
        asked, now = self._asked.setdefault(server.id, _Asked()), time.monotonic()
        if asked.task is None and now >= asked.due:
            asked.task = asyncio.create_task(self._ask(server, asked))
        return asked.answer if now < asked.at + GOOD_FOR else None

    def forget(self, server: Server) -> None:
        """It doesn't run any more."""
        asked = self._asked.pop(server.id, None)
        if asked is not None and asked.task is not None:
            asked.task.cancel()

    async def _ask(self, server: Server, asked: _Asked) -> None:
        every = SELDOM
        try:
            async with self._gate:
                answer = await ask(server)
            asked.answer, asked.at, every = answer, time.monotonic(), EVERY
        except Exception as error:  # what libraries raise over a strange answer is as strange
            log.debug("server %s doesn't say who plays: %s", server.id, error)
            if asked.answer is not None:
                every = EVERY
        finally:
            asked.due, asked.task = time.monotonic() + every, None


async def ask(server: Server) -> Players:
    """Ask a game; any exception when it doesn't answer as it should."""
    wanted = server.spec.players
    if wanted is None:
        raise LookupError("nobody knows how to ask this game")
    port = _port(server.spec.ports, wanted.port)
    async with asyncio.timeout(WITHIN):
        found = await _PROTOCOLS[wanted.protocol](_host(port.ip), port.port)
    if not all(isinstance(count, int) and 0 <= count <= HIGHEST for count in (found.now, found.most)):
        raise ValueError("these are no numbers of players")
    return found


def _port(ports: list[Port], name: str) -> Port:
    return next((port for port in ports if port.name == name), ports[0]) if name else ports[0]


def _host(ip: str) -> str:
    """Where a server that listens on ``ip`` can be reached from this machine."""
    address = ipaddress.ip_address(ip)
    if not address.is_unspecified:
        return ip
    return "127.0.0.1" if address.version == 4 else "::1"


async def _ask_minecraft(host: str, port: int) -> Players:
    from mcstatus._net.address import Address
    from mcstatus._protocol.java_client import AsyncJavaClient

    from .bounded import bounded_connection

    async with bounded_connection(host, port, MOST) as connection:
        client = AsyncJavaClient(connection, Address(host, port), version=47)
        await client.handshake()
        players = (await client.read_status()).players
    return Players(players.online, players.max)


async def _ask_bedrock(host: str, port: int) -> Players:
    from mcstatus import BedrockServer

    players = (await BedrockServer(host, port, timeout=WITHIN).async_status(tries=1)).players
    return Players(players.online, players.max)


async def _ask_source(host: str, port: int) -> Players:
    """The library's own socket takes compressed answers of any size, so only what it makes of a packet is used."""
    from a2s.byteio import ByteReader
    from a2s.info import InfoProtocol

    from .bounded import datagrams

    challenge = 0
    async with datagrams(host, port) as exchange:
        for _ in range(3):
            packet = await exchange(SOURCE_HEADER + InfoProtocol.serialize_request(challenge))
            if not packet.startswith(SOURCE_HEADER):
                raise ValueError("the answer isn't a single packet")
            reader: Any = ByteReader(io.BytesIO(packet[len(SOURCE_HEADER) :]), endian="<", encoding="utf-8")
            kind = reader.read_uint8()
            if kind != SOURCE_CHALLENGE:
                break
            challenge = reader.read_uint32()
    if not InfoProtocol.validate_response_type(kind):
        raise ValueError("the answer isn't what was asked for")
    info = InfoProtocol.deserialize_response(reader, kind, 0.0)
    return Players(info.player_count, info.max_players)


_PROTOCOLS: dict[str, Ask] = {"minecraft": _ask_minecraft, "bedrock": _ask_bedrock, "source": _ask_source}
