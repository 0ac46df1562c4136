from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from bus_parts import node

from stellar.bus import Bus, names, sync
from stellar.bus.messages import CallMessage
from stellar.errors import KINDS, Conflict, DomainError, Invalid, NodeUnreachable, Unavailable
from stellar.testing.valkey import ValkeyServer
from stellar.testing.waiting import wait_for


class Chunk(msgspec.Struct):
    start: int
    data: bytes


class Caller:
    """The same calls through the async and through the sync bus."""

    def __init__(self, bus: Bus, *, synchronous: bool) -> None:
        self.bus = bus
        self.synchronous = synchronous

    async def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self.synchronous:
            return await asyncio.to_thread(sync.call, *arguments, **options)
        return await self.bus.call(*arguments, **options)


@pytest.fixture
def sync_bus(redis_url: str) -> Iterator[None]:
    sync.init(SimpleNamespace(redis_url=redis_url))
    yield
    sync.close()


@pytest.fixture(params=["async", "sync"])
def call(request: pytest.FixtureRequest, bus: Bus, sync_bus: None) -> Caller:
    return Caller(bus, synchronous=request.param == "sync")


def silence(call: CallMessage) -> None:
    raise NotImplementedError


async def test_parameters_and_result_travel_with_bytes(bus: Bus, call: Caller) -> None:
    data = bytes(range(256))

    def answer(message: CallMessage) -> Chunk:
        return msgspec.convert(message.params, Chunk)

    async with node(bus, "n1", answer) as calls:
        assert await call("n1", "console.read", Chunk(5, data), returns=Chunk) == Chunk(5, data)
    assert [message.method for message in calls] == ["console.read"]
    assert calls[0].timeout == 10.0


async def test_no_node_is_unreachable_at_once(call: Caller) -> None:
    with pytest.raises(NodeUnreachable, match="not connected"):
        await call("nobody", "files.list", {}, timeout=30.0)


async def test_a_silent_node_is_unreachable_after_the_timeout(bus: Bus, call: Caller) -> None:
    async with node(bus, "n2", silence):
        with pytest.raises(NodeUnreachable, match=r"within 0\.2 s"):
            await call("n2", "files.list", {}, timeout=0.2)
    assert not bus._calls._waiting


@pytest.mark.parametrize("kind", [*KINDS])
async def test_the_agents_errors_arrive_as_they_were_raised(bus: Bus, call: Caller, kind: str) -> None:
    def answer(message: CallMessage) -> None:
        raise KINDS[kind]("No.", code="special", fields={"name": "too long"})

    async with node(bus, "n3", answer):
        with pytest.raises(DomainError) as caught:
            await call("n3", "x", {})
    assert type(caught.value) is KINDS[kind]
    assert (caught.value.message, caught.value.code, caught.value.fields) == ("No.", "special", {"name": "too long"})


async def test_an_answer_of_the_wrong_shape_is_an_error_of_the_node(bus: Bus, call: Caller) -> None:
    async with node(bus, "n4", lambda message: {"start": "five"}):
        with pytest.raises(NodeUnreachable, match="does not understand"):
            await call("n4", "x", {}, returns=Chunk)


async def test_garbage_on_the_channel_disturbs_nobody(bus: Bus, call: Caller) -> None:
    async def garbage() -> None:
        for data in (b"\xff\x00", b"[]", b'{"type": "reply", "id": 5}', b'{"type": "reply", "id": "other"}'):
            await bus.redis.publish(names.node_events("n5"), data)

    async with node(bus, "n5", silence) as calls:
        task = asyncio.create_task(call("n5", "x", {}, timeout=10.0))
        await wait_for(lambda: calls)
        await garbage()
        await bus.redis.publish(
            names.node_events("n5"), msgspec.json.encode({"type": "reply", "id": calls[0].id, "result": 3})
        )
        assert await task == 3


async def test_concurrent_calls_get_their_own_answers(bus: Bus, call: Caller) -> None:
    async with node(bus, "n6", lambda message: message.params["n"]) as calls:
        answers = await asyncio.gather(*(call("n6", "echo", {"n": n}, returns=int) for n in range(20)))
    assert answers == list(range(20))
    assert len({message.id for message in calls}) == 20


async def test_a_cancelled_caller_leaves_nothing_behind(bus: Bus, valkey: ValkeyServer) -> None:
    channel = names.node_events("n7").encode()
    async with node(bus, "n7", silence) as calls:
        task = asyncio.create_task(bus.call("n7", "x", {}))
        await wait_for(lambda: calls)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not bus._calls._waiting
        with valkey.client() as client:
            await wait_for(lambda: channel not in client.pubsub_channels())


async def test_without_redis_a_call_is_unavailable(own_valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stellar.bus.hub.CONFIRM_SECONDS", 0.2)
    bus = Bus(own_valkey.url)
    await bus.start()
    sync.init(SimpleNamespace(redis_url=own_valkey.url))
    await asyncio.to_thread(own_valkey.stop)
    for caller in (Caller(bus, synchronous=False), Caller(bus, synchronous=True)):
        with pytest.raises(Unavailable):
            await caller("n8", "x", {})
    sync.close()
    await bus.close()


async def test_both_sides_speak_the_contracts_channels(bus: Bus, valkey: ValkeyServer) -> None:
    with valkey.client() as client:
        monitor = client.pubsub()
        monitor.psubscribe("*")
        async with node(bus, "n9", lambda message: None):
            await bus.call("n9", "x", {})
        seen = set()
        while (message := monitor.get_message(timeout=1.0)) is not None:
            if message["type"] == "pmessage":
                seen.add(message["channel"])
        monitor.close()
    assert seen == {b"stellar:nodes:n9:commands", b"stellar:nodes:n9:events"}


def test_errors_of_an_unknown_kind_stay_errors() -> None:
    from stellar.bus.messages import CallError, from_wire, to_wire

    error = from_wire(CallError("of_the_future", "No."))
    assert type(error) is DomainError and error.message == "No."
    assert from_wire(to_wire(Conflict("Busy."))).kind == "conflict"
    assert from_wire(to_wire(Invalid("Bad.", fields={"a": "b"}))).fields == {"a": "b"}


async def test_a_cancellation_in_the_middle_of_a_command_is_never_lost(bus: Bus) -> None:
    async def work() -> None:
        await bus.publish("stellar:events:global", {})
        await asyncio.Event().wait()

    for steps in range(12):
        task = asyncio.create_task(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await task
