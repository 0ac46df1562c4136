"""Measuring servers: what is sent and kept, and what happens to one that takes too much disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from game_parts import minecraft, status
from server_parts import MemoryRun, Node

from stellar.errors import Conflict
from stellar.plugins.servers.agent import disk, disk_limit, history, meter
from stellar.plugins.servers.agent.managed import Managed
from stellar.plugins.servers.agent.rates import Rates
from stellar.plugins.servers.agent.runtime import Stats
from stellar.plugins.servers.spec import Limits, Players, Port
from stellar.testing.waiting import wait_for

MEGABYTE = 1024 * 1024


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measures and counts all the time."""
    monkeypatch.setattr(meter, "RUNNING_EVERY", 0.05)
    monkeypatch.setattr(meter, "WATCHED_EVERY", 0.05)
    monkeypatch.setattr(meter, "TICK", 0.02)
    monkeypatch.setattr(disk, "FRESH_FOR", 0.0)
    monkeypatch.setattr(disk, "FRESH_FOR_LONGEST", 0.0)


@contextmanager
def metering(node: Node) -> Iterator[None]:
    task = asyncio.create_task(node.manager.meter.run(node.manager.watches))
    try:
        yield
    finally:
        task.cancel()


async def started(node: Node, **changes: Any) -> tuple[Managed, MemoryRun]:
    managed = await node.create(**changes)
    await managed.power("start")
    node.runtime.latest.print(b"Ready\n")
    await wait_for(lambda: managed.server.state == "running")
    return managed, node.runtime.latest


def levels(node: Node, managed: Managed) -> list[str]:
    return [data["level"] for data in node.context.reported("server.disk", managed.server.id)]


def fill(managed: Managed, size: int, name: str = "world") -> Path:
    path = managed.server.layout.data / name
    path.write_bytes(b"x" * size)
    return path


def counters(value: int | None) -> Stats:
    return Stats(0.0, 0, 0, 0.0, network_rx_bytes=value)


def test_rates_are_between_two_readings() -> None:
    rates = Rates()
    for now, count, expected in [
        (10.0, 1000, None),
        (15.0, 6000, 1000.0),
        (15.1, 9000, 1000.0),
        (20.0, 6000, 0.0),
        (25.0, 100, None),
        (30.0, None, None),
        (35.0, 600, None),
        (40.0, 1100, 100.0),
    ]:
        rates.note(counters(count), now)
        assert rates.of("network_rx_bytes") == expected
        assert rates.of("io_read_bytes") is None


async def test_what_is_not_known_is_not_sent_and_said_when_asked(node: Node, quick: None) -> None:
    managed, _ = await started(node)
    with metering(node):
        await wait_for(lambda: node.context.sent("metrics", managed.server.id))
    sent = node.context.sent("metrics", managed.server.id)[0]
    assert set(sent) == {"state", "cpu_percent", "memory_bytes", "disk_bytes", "uptime", "processes"}
    asked = await node.manager.meter.measure(managed.server)
    assert (asked.network_rx_bytes, asked.io_write_rate, asked.players) == (None, None, None)
    assert "players" in asked.unknown


async def test_players_are_sent_and_kept(node: Node, quick: None) -> None:
    async with minecraft(lambda writer: writer.write(status(online=3, max=20))) as port:
        managed, _ = await started(node, players=Players("minecraft"), ports=[Port(ip="127.0.0.1", port=port)])
        with metering(node):
            await wait_for(
                lambda: any(data.get("players") == 3 for data in node.context.sent("metrics", managed.server.id))
            )
        assert node.context.sent("metrics", managed.server.id)[-1]["players_max"] == 20
        assert "players" not in (await node.manager.meter.measure(managed.server)).unknown
        managed.close()
        node.manager.meter.forget(managed.server)


async def test_the_past_is_kept_while_it_runs_and_over_a_restart_of_the_agent(
    node: Node, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    managed, run = await started(node)
    idle = await node.create()
    clock = [1_767_225_600.0]
    monkeypatch.setattr(meter.time, "time", lambda: clock[0])
    with metering(node):
        for _ in range(3):
            node.context.events.clear()
            await wait_for(lambda: len(node.context.events) > 1)
            clock[0] += 10
        await wait_for(lambda: _last(managed, clock[0]) is not None)
    node.kill_agent()
    await node.start_agent()
    server = node.manager.get(managed.server.id).server
    found = await node.manager.meter.history(server, "hour", 360)
    assert found.cpu_percent[-2] == pytest.approx(12.3)
    assert found.memory_bytes[-2] == 4096
    assert found.cpu_percent[0] is None
    assert not idle.server.layout.history.exists()
    run.exit(0)


async def test_over_its_limit_a_server_is_warned_then_refused_then_stopped(
    node: Node, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    managed, run = await started(node, limits=Limits(disk_mb=1))
    server = managed.server
    with metering(node):
        await wait_for(lambda: node.context.sent("metrics", server.id))
        assert levels(node, managed) == []
        await node.manager.meter.check_writable(server)
        world = fill(managed, MEGABYTE + 100_000)
        await wait_for(lambda: levels(node, managed) == ["over"])
        report = node.context.reported("server.disk", server.id)[0]
        assert report["used_bytes"] > report["limit_bytes"] == MEGABYTE
        with pytest.raises(Conflict) as caught:
            await node.manager.meter.check_writable(server)
        assert caught.value.code == "disk_limit" and "(1.1 MiB of 1.0 MiB)" in str(caught.value)
        assert (server.state, run.typed) == ("running", [])
        monkeypatch.setattr(disk_limit, "STOP_AFTER", 0.0)
        await wait_for(lambda: levels(node, managed) == ["over", "stopped"])
        assert run.typed == [b"stop\n"]
        run.exit(0)
        await wait_for(lambda: server.state == "offline")
        world.unlink()
        await wait_for(lambda: levels(node, managed) == ["over", "stopped", "ok"])
        await node.manager.meter.check_writable(server)
        assert server.record.disk_over_since is None


async def test_below_its_limit_again_everything_is_allowed(node: Node, quick: None) -> None:
    managed, run = await started(node, limits=Limits(disk_mb=1))
    with metering(node):
        world = fill(managed, MEGABYTE + 100_000)
        await wait_for(lambda: levels(node, managed) == ["over"])
        world.unlink()
        await wait_for(lambda: levels(node, managed) == ["over", "ok"])
        fill(managed, MEGABYTE + 100_000)
        await wait_for(lambda: levels(node, managed) == ["over", "ok", "over"])
        spec = managed.server.spec
        await managed.update(type(spec)(**{**_fields(spec), "limits": Limits(disk_mb=10)}))
        await wait_for(lambda: levels(node, managed)[-1] == "ok")
    assert run.typed == []


async def test_far_over_its_limit_a_server_is_stopped_at_once(node: Node, quick: None) -> None:
    managed, run = await started(node, limits=Limits(disk_mb=1))
    with metering(node):
        fill(managed, 2 * MEGABYTE)
        await wait_for(lambda: levels(node, managed) == ["over", "stopped"])
    assert run.typed == [b"stop\n"]


async def test_an_install_that_takes_too_much_is_ended(node: Node, quick: None) -> None:
    managed = await node.create(limits=Limits(disk_mb=1), install_script="fetch everything")
    await wait_for(lambda: managed.server.run is not None)
    with metering(node):
        fill(managed, 2 * MEGABYTE)
        await wait_for(lambda: managed.server.state == "install_failed")
    assert node.runtime.latest.ended is not None


async def test_the_time_over_the_limit_goes_on_in_the_next_agent(node: Node, quick: None) -> None:
    managed, _ = await started(node, limits=Limits(disk_mb=1))
    with metering(node):
        fill(managed, MEGABYTE + 100_000)
        await wait_for(lambda: levels(node, managed) == ["over"])
    since = managed.server.record.disk_over_since
    node.kill_agent()
    await node.start_agent()
    again = node.manager.get(managed.server.id)
    assert again.server.record.disk_over_since == since
    assert since is not None
    with metering(node):
        await wait_for(lambda: len(node.context.sent("metrics", again.server.id)) > 3)
    assert levels(node, again) == ["over"]


async def test_no_limit_is_no_limit(node: Node, quick: None) -> None:
    managed, run = await started(node)
    with metering(node):
        fill(managed, 3 * MEGABYTE)
        await wait_for(
            lambda: any(data["disk_bytes"] > 2 * MEGABYTE for data in node.context.sent("metrics", managed.server.id))
        )
    assert (levels(node, managed), run.typed) == ([], [])
    assert await node.manager.meter.room(managed.server) is None


async def test_servers_are_measured_at_the_same_moment(node: Node) -> None:
    """What they have in common, such as the list of processes, is then read once for all of them."""
    for _ in range(5):
        await started(node)
    found = node.manager.meter._now_due(node.manager.watches())
    assert len(found) == 5
    assert node.manager.meter._now_due(node.manager.watches()) == []


async def test_a_removed_server_is_forgotten(node: Node, quick: None) -> None:
    managed, _ = await started(node)
    with metering(node):
        await wait_for(lambda: node.context.sent("metrics", managed.server.id))
        await node.manager.remove(managed.server.id)
        found = node.manager.meter
        assert (found._due, found._rates, found._disk._known) == ({}, {}, {})
        found._recorder.keep(time.time() + history.DAY.step)
    assert list(node.context.data.joinpath("servers").iterdir()) == []


def _last(managed: Managed, now: float) -> float | None:
    """What is kept of the 10 seconds before those of ``now``."""
    return history.read(managed.server.layout.history, "hour", 360, now).cpu_percent[-2]


def _fields(spec: Any) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.__struct_fields__}
