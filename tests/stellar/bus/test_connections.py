"""Redis clients when the other side is there but says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import redis

from stellar.bus import connections
from stellar.errors import SetupError


class Silent:
    """A unix socket that takes connections and answers none of what it reads."""

    def __init__(self) -> None:
        self.commands = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            self.commands += 1
        writer.close()


async def read_async(url: str) -> None:
    async with connections.async_client(url) as client:
        await client.get("x")


async def read_sync(url: str) -> None:
    with connections.sync_client(url) as client:
        await asyncio.to_thread(client.get, "x")


@pytest.mark.parametrize("read", [read_async, read_sync])
async def test_a_redis_that_never_answers_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Awaitable[None]]
) -> None:
    monkeypatch.setattr(connections, "COMMAND_SECONDS", 0.3)
    silent = Silent()
    async with await asyncio.start_unix_server(silent, tmp_path / "redis.sock"):
        with pytest.raises(redis.TimeoutError):
            await read(f"unix://{tmp_path / 'redis.sock'}")
    assert silent.commands == 1


def test_an_address_where_nothing_answers_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"redis\.url"):
        connections.check_reachable(f"unix://{tmp_path / 'none.sock'}")


def test_a_redis_that_answers_is_reachable(redis_url: str) -> None:
    connections.check_reachable(redis_url)
