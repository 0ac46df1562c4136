"""Channels and keys are a public contract: they are read off the live server here, not off the module."""

from __future__ import annotations

import asyncio

from stellar.bus import Bus, cache, names, ratelimit
from stellar.bus.events import ServerStatus
from stellar.errors import Unavailable
from stellar.testing.valkey import ValkeyServer
from stellar.testing.waiting import wait_for

CHANNELS = {
    names.node_commands("n"): b"stellar:nodes:n:commands",
    names.node_events("n"): b"stellar:nodes:n:events",
    names.node_heartbeat("n"): b"stellar:nodes:n:heartbeat",
    names.server_status("s"): b"stellar:servers:s:status",
    names.server_metrics("s"): b"stellar:servers:s:metrics",
    names.server_logs("s"): b"stellar:servers:s:logs",
    names.EVENTS_GLOBAL: b"stellar:events:global",
}


async def test_channels(bus: Bus, valkey: ValkeyServer) -> None:
    with valkey.client() as client:
        async with bus.subscribe(*CHANNELS):
            assert set(client.pubsub_channels()) == set(CHANNELS.values())
        await wait_for(lambda: client.pubsub_channels() == [b"stellar:events:global"])


async def test_cache_keys_and_their_times(bus: Bus, valkey: ValkeyServer) -> None:
    status = ServerStatus("running", "starting", 1.5)
    await cache.put(bus.redis, names.cache_server_status("s"), status, names.SERVER_STATUS_TTL)
    await cache.put(bus.redis, names.cache_node_metrics("n"), {"cpu_percent": 2.0}, names.NODE_METRICS_TTL)
    with valkey.client() as client:
        assert set(client.keys()) == {b"cache:server:s:status", b"cache:node:n:metrics"}
        assert 28 <= client.ttl("cache:server:s:status") <= 30
        assert 8 <= client.ttl("cache:node:n:metrics") <= 10
    keys = [names.cache_server_status("s"), names.cache_server_status("gone")]
    assert await cache.get_many(bus.redis, keys, ServerStatus) == [status, None]
    with valkey.client() as client:
        assert cache.get_many_sync(client, keys, ServerStatus) == [status, None]
        client.set(keys[0], b"not JSON")
    assert await cache.get(bus.redis, keys[0], ServerStatus) is None


async def test_a_cache_without_redis_is_empty(own_valkey: ValkeyServer) -> None:
    bus = Bus(own_valkey.url)
    await asyncio.to_thread(own_valkey.stop)
    await cache.put(bus.redis, names.cache_server_status("s"), ServerStatus("running"), 30)
    assert await cache.get(bus.redis, names.cache_server_status("s"), ServerStatus) is None
    await bus.close()


async def test_rate_limit(bus: Bus, valkey: ValkeyServer) -> None:
    verdicts = [await ratelimit.check(bus.redis, "2001:db8::1", "signin", 2, 60) for _ in range(3)]
    assert [verdict.allowed for verdict in verdicts] == [True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [1, 0, 0]
    assert verdicts[0].retry_after == 0 and verdicts[2].retry_after == verdicts[2].reset_seconds > 50
    with valkey.client() as client:
        assert client.keys() == [b"ratelimit:2001:db8::1:signin"]
        assert 0 < client.ttl("ratelimit:2001:db8::1:signin") <= 60
    assert (await ratelimit.check(bus.redis, "192.0.2.1", "signin", 2, 60)).allowed
    await ratelimit.forget(bus.redis, "2001:db8::1", "signin")
    assert (await ratelimit.check(bus.redis, "2001:db8::1", "signin", 2, 60)).allowed


async def test_a_rate_limit_ends_with_its_window(bus: Bus) -> None:
    assert (await ratelimit.check(bus.redis, "a", "e", 1, 0.3)).allowed

    async def allowed_again() -> bool:
        return (await ratelimit.check(bus.redis, "a", "e", 1, 0.3)).allowed

    assert not await allowed_again()
    await wait_for(allowed_again)


async def test_concurrent_uses_are_each_counted(bus: Bus) -> None:
    verdicts = await asyncio.gather(*(ratelimit.check(bus.redis, "b", "e", 10, 60) for _ in range(50)))
    assert sum(verdict.allowed for verdict in verdicts) == 10


async def test_without_redis_nothing_is_let_through(own_valkey: ValkeyServer) -> None:
    bus = Bus(own_valkey.url)
    await asyncio.to_thread(own_valkey.stop)
    try:
        await ratelimit.check(bus.redis, "a", "e", 1, 60)
    except Unavailable as error:
        assert error.code == "redis_unavailable"
    else:
        raise AssertionError("a use was allowed without counting it")
    await bus.close()
