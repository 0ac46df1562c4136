"""Live output: cut at characters, resumed, skipped ahead under a flood, and only while somebody watches."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from server_parts import MemoryRun, Node

from stellar.plugins.servers.agent.managed import Managed
from stellar.plugins.servers.agent.streaming import BATCH, MAX_BEHIND, rest_of_character, whole_characters
from stellar.testing.waiting import wait_for


async def started(node: Node) -> tuple[Managed, MemoryRun]:
    managed = await node.create()
    await managed.power("start")
    return managed, node.runtime.latest


@given(st.text(min_size=1), st.data())
def test_text_is_cut_only_between_characters(text: str, data: st.DataObject) -> None:
    encoded = text.encode("utf-8", "ignore")
    at = data.draw(st.integers(0, len(encoded)))
    cut = whole_characters(encoded[:at])
    encoded[:cut].decode()
    assert 0 <= at - cut <= 3
    if at == len(encoded):
        assert cut == at


@given(st.text(), st.integers(0, 100))
def test_what_is_left_of_a_character_is_skipped(text: str, at: int) -> None:
    rest = text.encode("utf-8", "ignore")[at:]
    skipped = rest_of_character(rest)
    assert skipped <= 3
    rest[skipped:].decode()


@given(st.binary(max_size=64))
def test_bytes_that_are_no_text_are_never_held_back_for_long(data: bytes) -> None:
    cut = whole_characters(data)
    assert len(data) - 3 <= cut <= len(data)
    if data[cut:]:
        assert data[cut] >= 0xC0


async def test_nothing_is_sent_while_nobody_watches(node: Node) -> None:
    managed, run = await started(node)
    run.print(b"unseen\n")
    end = managed.watch.renew(60)
    assert end == len(b"unseen\n")
    run.print(b"seen\n")
    await wait_for(lambda: node.context.sent("logs", managed.server.id))
    assert node.context.sent("logs", managed.server.id) == [{"seq": end, "data": b"seen\n"}]


async def test_output_is_whole_and_in_order(node: Node) -> None:
    managed, run = await started(node)
    managed.watch.renew(60)
    printed = "".join(f"{number} ✓ été\n" for number in range(20_000)).encode()
    for at in range(0, len(printed), 7001):
        run.print(printed[at : at + 7001])
    await wait_for(lambda: node.context.output(managed.server.id) == printed)
    position = 0
    for event in node.context.sent("logs", managed.server.id):
        assert event["seq"] == position
        assert len(event["data"]) <= BATCH
        event["data"].decode()
        position += len(event["data"])


async def test_half_a_character_waits_for_its_rest(node: Node) -> None:
    managed, run = await started(node)
    managed.watch.renew(60)
    check = "✓".encode()
    run.print(b"ok " + check[:1])
    await wait_for(lambda: node.context.output(managed.server.id) == b"ok ")
    run.print(check[1:])
    await wait_for(lambda: node.context.output(managed.server.id) == b"ok " + check)
    assert all(event["data"].decode() for event in node.context.sent("logs", managed.server.id))


async def test_half_a_character_that_is_never_finished_is_sent_in_the_end(node: Node) -> None:
    managed, run = await started(node)
    managed.watch.renew(60)
    run.print(b"odd \xe2")
    await wait_for(lambda: node.context.output(managed.server.id) == b"odd \xe2")


async def test_a_flood_is_skipped_ahead_at_a_characters_start(node: Node) -> None:
    managed, run = await started(node)
    managed.watch.renew(60)
    run.print("✓".encode() * MAX_BEHIND)
    end = 3 * MAX_BEHIND
    await wait_for(lambda: managed.watch.renew(60) == end)
    events = node.context.sent("logs", managed.server.id)
    assert events[0]["seq"] >= end - BATCH
    assert events[0]["seq"] % 3 == 0
    assert sum(len(event["data"]) for event in events) <= BATCH


async def test_output_printed_while_the_link_was_down_is_sent_when_it_is_back(node: Node) -> None:
    managed, run = await started(node)
    end = managed.watch.renew(60)
    node.context.connected = False
    run.print(b"meanwhile\n")
    await asyncio.sleep(0.1)
    node.context.connected = True
    await node.manager.reconcile([])
    await wait_for(lambda: node.context.sent("logs", managed.server.id) == [{"seq": end, "data": b"meanwhile\n"}])


async def test_a_lease_ends(node: Node) -> None:
    managed, run = await started(node)
    managed.watch.renew(0.05)
    await wait_for(lambda: not managed.watch.active)
    run.print(b"unseen\n")
    assert managed.watch.renew(60) == len(b"unseen\n")
    assert node.context.sent("logs", managed.server.id) == []


async def test_metrics_of_watched_and_of_running_servers(node: Node) -> None:
    busy, _ = await started(node)
    watched = await node.create()
    idle = await node.create()
    watched.watch.renew(60)
    (watched.server.layout.data / "world").write_bytes(b"x" * 100_000)
    task = asyncio.create_task(node.manager.meter.run(node.manager.watches))
    try:
        await wait_for(lambda: node.context.sent("metrics", busy.server.id))
        await wait_for(lambda: node.context.sent("metrics", watched.server.id))
    finally:
        task.cancel()
    metrics = node.context.sent("metrics", busy.server.id)[0]
    assert metrics["state"] == "starting"
    assert (metrics["cpu_percent"], metrics["memory_bytes"], metrics["processes"]) == (12.3, 4096, 2)
    assert node.context.sent("metrics", watched.server.id)[0]["disk_bytes"] >= 100_000
    assert node.context.sent("metrics", watched.server.id)[0]["memory_bytes"] == 0
    assert node.context.sent("metrics", idle.server.id) == []
