"""Asking games who plays: over the real protocols, on the server's own port, and whatever the game answers."""

from __future__ import annotations

import asyncio
import bz2
import struct
import tracemalloc
from collections.abc import Callable

import pytest
from game_parts import bedrock, datagram_server, minecraft, source, status, status_text, varint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_parts import Node

from stellar.plugins.servers.agent import players as asking
from stellar.plugins.servers.agent.players import PlayerCounts, ask
from stellar.plugins.servers.agent.server import Server
from stellar.plugins.servers.spec import Players, Port
from stellar.testing.waiting import wait_for


async def game(node: Node, protocol: str, port: int, ip: str = "127.0.0.1") -> Server:
    """A server that runs."""
    ports = [Port(ip=ip, port=1, name="game"), Port(ip=ip, port=port, name="query")]
    managed = await node.create(players=Players(protocol, "query"), ports=ports)
    await managed.power("start")
    node.runtime.latest.print(b"Ready\n")
    await wait_for(lambda: managed.server.state == "running")
    return managed.server


@pytest.mark.parametrize("ip", ["127.0.0.1", "0.0.0.0"])
async def test_a_minecraft_server(node: Node, ip: str) -> None:
    async with minecraft(lambda writer: writer.write(status(online=3, max=20))) as port:
        assert await ask(await game(node, "minecraft", port, ip)) == asking.Players(3, 20)


@pytest.mark.parametrize("challenge", [True, False])
async def test_a_source_server(node: Node, challenge: bool) -> None:
    async with datagram_server(source(5, 32, challenge=challenge)) as port:
        assert await ask(await game(node, "source", port)) == asking.Players(5, 32)


async def test_a_bedrock_server(node: Node) -> None:
    async with datagram_server(bedrock("7", "10")) as port:
        assert await ask(await game(node, "bedrock", port)) == asking.Players(7, 10)


async def test_nobody_answers(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "WITHIN", 0.2)
    for protocol in ("minecraft", "source", "bedrock"):
        with pytest.raises((OSError, TimeoutError)):
            await ask(await game(node, protocol, 1))


BAD_STATUSES: dict[str, Callable[[], bytes]] = {
    "huge": lambda: status(online=10**9, max=20),
    "negative": lambda: status(online=-1, max=20),
    "text": lambda: status(online="\x1b[2J", max="many"),
    "fraction": lambda: status(online=1.5, max=2.5),
    "none": status,
    "nothing": lambda: varint(0),
    "no JSON": lambda: status_text("<html>"),
    "a list": lambda: status_text("[1]"),
    "too deep": lambda: status_text("[" * 100_000),
    "too long": lambda: status(online=1, max=2, sample=[{"name": "x" * 300_000, "id": "1"}]),
    "a length that never ends": lambda: b"\xff" * 20,
    "another packet": lambda: b"\x02\x01\x00",
}


@pytest.mark.parametrize("name", BAD_STATUSES)
async def test_a_minecraft_server_that_lies(node: Node, name: str) -> None:
    async with minecraft(lambda writer: writer.write(BAD_STATUSES[name]())) as port:
        server = await game(node, "minecraft", port)
        counts = PlayerCounts()
        assert counts.of(server) is None
        await wait_for(lambda: counts._asked[server.id].task is None)
        assert counts.of(server) is None
        counts.forget(server)


async def test_an_answer_that_would_be_too_long_is_not_read(node: Node) -> None:
    async with minecraft(lambda writer: writer.write(varint(2**31 - 1))) as port:
        with pytest.raises(ValueError, match="too long"):
            await ask(await game(node, "minecraft", port))


async def test_a_compressed_bomb_of_a_source_server_is_not_opened(node: Node) -> None:
    bomb = bz2.compress(b"\0" * 5_000_000)
    header = struct.pack("<iIBBHII", -2, 1 << 15, 1, 0, 1248, 5_000_000, 0)
    async with datagram_server(lambda _: [header + bomb]) as port:
        server = await game(node, "source", port)
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match="single packet"):
                await ask(server)
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 2_000_000


async def test_a_source_server_that_only_challenges(node: Node) -> None:
    async with datagram_server(lambda _: [b"\xff\xff\xff\xffA1234"] * 50) as port:
        with pytest.raises(ValueError, match="asked for"):
            await ask(await game(node, "source", port))


@pytest.mark.parametrize(
    ("players", "most"), [("9" * 5000, "1"), ("-5", "10"), ("", ""), ("\x1b[2J", "1"), ("2000000", "1")]
)
async def test_a_bedrock_server_that_lies(node: Node, players: str, most: str) -> None:
    async with datagram_server(bedrock(players, most)) as port:
        with pytest.raises(Exception):  # noqa: B017 - whatever the library makes of it
            await ask(await game(node, "bedrock", port))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(packet=st.binary(max_size=200))
def test_any_packet_is_an_answer_or_an_error(packet: bytes) -> None:
    async def check() -> None:
        async with datagram_server(lambda _: [b"\xff\xff\xff\xff" + packet]) as port:
            try:
                found = await asyncio.wait_for(asking._ask_source("127.0.0.1", port), 2)
            except Exception:
                return
            assert 0 <= found.now <= 255

    asyncio.run(check())


async def test_a_game_is_asked_now_and_then_and_only_while_it_runs(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "EVERY", 0.0)
    asked: list[int] = []

    def answer(writer: asyncio.StreamWriter) -> None:
        asked.append(1)
        writer.write(status(online=len(asked), max=20))

    counts = PlayerCounts()
    async with minecraft(answer) as port:
        server = await game(node, "minecraft", port)
        assert counts.of(server) is None
        await wait_for(lambda: counts.of(server) == asking.Players(1, 20))
        await wait_for(lambda: counts.of(server) != asking.Players(1, 20))
        node.runtime.latest.exit(0)
        await wait_for(lambda: server.state == "offline")
        before = len(asked)
        for _ in range(20):
            assert counts.of(server) is None
            await asyncio.sleep(0)
        assert len(asked) <= before + 1


async def test_silence_makes_an_answer_old(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "EVERY", 0.0)
    monkeypatch.setattr(asking, "GOOD_FOR", 0.2)
    counts = PlayerCounts()
    async with minecraft(lambda writer: writer.write(status(online=1, max=2))) as port:
        server = await game(node, "minecraft", port)
        await wait_for(lambda: counts.of(server) is not None)
    await wait_for(lambda: counts.of(server) is None)
    counts.forget(server)


async def test_a_game_that_hangs_keeps_nothing_waiting(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "WITHIN", 0.3)
    counts = PlayerCounts()
    async with minecraft(lambda _: None) as silent, minecraft(lambda w: w.write(status(online=4, max=5))) as port:
        hanging = [await game(node, "minecraft", silent) for _ in range(asking.AT_ONCE + 2)]
        good = await game(node, "minecraft", port)
        for server in hanging:
            assert counts.of(server) is None
        await wait_for(lambda: counts.of(good) == asking.Players(4, 5))
    for server in [*hanging, good]:
        counts.forget(server)
