from __future__ import annotations

import asyncio

import msgspec
import pytest

from stellar.bus import Bus, Lagged, Message, names
from stellar.bus.events import ServerLogs
from stellar.bus.hub import Stream
from stellar.errors import SetupError, Unavailable
from stellar.testing.valkey import ValkeyServer
from stellar.testing.waiting import wait_for


async def next_of(stream: Stream) -> Message | Lagged:
    async with asyncio.timeout(10):
        return await anext(stream)


async def test_bytes_survive_and_every_reader_gets_every_message(bus: Bus) -> None:
    channel = names.server_logs("s1")
    data = bytes(range(256))
    async with bus.subscribe(channel) as first, bus.subscribe(channel) as second:
        assert await bus.publish(channel, ServerLogs(7, data)) == 1
        for stream in (first, second):
            message = await next_of(stream)
            assert isinstance(message, Message)
            assert message.channel == channel
            assert message.decode(ServerLogs) == ServerLogs(7, data)


async def test_a_message_of_another_type_is_an_error_and_not_a_wrong_value(bus: Bus) -> None:
    async with bus.subscribe(names.EVENTS_GLOBAL) as stream:
        await bus.publish(names.EVENTS_GLOBAL, {"seq": "none"})
        message = await next_of(stream)
        assert isinstance(message, Message)
        with pytest.raises(msgspec.ValidationError):
            message.decode(ServerLogs)


async def test_a_slow_reader_learns_what_it_missed_and_does_not_disturb_another(bus: Bus) -> None:
    channel = names.server_logs("s2")
    async with bus.subscribe(channel, messages=4) as slow, bus.subscribe(channel) as quick:
        for seq in range(10):
            await bus.publish(channel, ServerLogs(seq, b"x"))
        seen = [await next_of(quick) for _ in range(10)]
        assert [message.decode(ServerLogs).seq for message in seen if isinstance(message, Message)] == list(range(10))
        marker = await next_of(slow)
        assert isinstance(marker, Lagged)
        rest = [await next_of(slow) for _ in range(10 - marker.missed)]
        left = [message.decode(ServerLogs).seq for message in rest if isinstance(message, Message)]
        assert left == list(range(marker.missed, 10))


async def test_the_bytes_that_wait_are_bounded_too(bus: Bus) -> None:
    channel = names.server_logs("s3")
    async with bus.subscribe(channel, size=1000) as stream, bus.subscribe(channel) as witness:
        await bus.publish(channel, ServerLogs(0, b"x" * 2000))
        await next_of(witness)
        assert isinstance(await next_of(stream), Lagged)


async def test_a_stream_stops_listening_when_it_is_left(bus: Bus) -> None:
    channel = names.server_status("s4")
    async with bus.subscribe(channel):
        assert await bus.publish(channel, {}) == 1

    async def unheard() -> bool:
        return await bus.publish(channel, {}) == 0

    await wait_for(unheard)


async def test_leaving_one_of_two_readers_keeps_the_other(bus: Bus) -> None:
    channel = names.server_status("s5")
    async with bus.subscribe(channel) as stays:
        async with bus.subscribe(channel):
            pass
        await bus.publish(channel, {"n": 1})
        message = await next_of(stays)
        assert isinstance(message, Message) and message.decode(dict) == {"n": 1}


async def test_closing_the_bus_ends_the_streams(redis_url: str) -> None:
    bus = Bus(redis_url)
    await bus.start()
    async with bus.subscribe(names.EVENTS_GLOBAL) as stream:
        await bus.close()
        assert [message async for message in stream] == []


async def test_after_a_restart_of_valkey_readers_get_a_marker_and_then_messages(own_valkey: ValkeyServer) -> None:
    bus = Bus(own_valkey.url)
    await bus.start()
    channel = names.server_status("s6")
    async with bus.subscribe(channel) as stream:
        await asyncio.to_thread(own_valkey.stop)
        assert isinstance(await next_of(stream), Lagged)
        await asyncio.to_thread(own_valkey.start)

        async def heard() -> bool:
            return await bus.publish(channel, {"back": True}) == 1

        await wait_for(heard)
        message = await next_of(stream)
        assert isinstance(message, Message) and message.decode(dict) == {"back": True}
    await bus.close()


async def test_without_redis_subscribing_and_publishing_are_unavailable(
    own_valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stellar.bus.hub.CONFIRM_SECONDS", 0.2)
    own_valkey.stop()
    bus = Bus(own_valkey.url)
    await bus.start()
    with pytest.raises(Unavailable, match="Redis does not answer"):
        async with bus.subscribe(names.EVENTS_GLOBAL):
            pass
    with pytest.raises(Unavailable, match="Redis does not answer"):
        await bus.publish(names.EVENTS_GLOBAL, {})
    await bus.close()


@pytest.mark.parametrize("url", ["redis+sentinel://host/main", "redis+cluster://host", "http://host", ""])
def test_other_addresses_are_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(SetupError, match=r"redis\.url"):
        Bus(url)
