"""Servers that start by themselves: after a reboot of the machine, a few at a time, and when a restart is due."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from server_parts import Node, running

from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.manager import STARTS_AT_ONCE
from stellar.plugins.servers.agent.record import save_spec
from stellar.testing.waiting import wait_for

QUICK = Policy(delays=(0.01, 0.02), settle=0.05)


@pytest.fixture
def policy() -> Policy:
    return QUICK


async def test_servers_that_ran_are_started_again_after_a_reboot(node: Node) -> None:
    ran, starting, stopped = await running(node), await node.create(), await running(node)
    await starting.power("start")
    stopping, restarting = await running(node), await running(node)
    await stopped.power("stop")
    node.runtime.latest_of(stopped).exit(0)
    await stopping.power("stop")
    await restarting.power("restart")
    before = len(node.runtime.runs)
    await node.reboot()
    started = {ran.server.id, starting.server.id, restarting.server.id}
    await wait_for(lambda: {run.server_id for run in node.runtime.runs[before:]} == started)
    assert {node.manager.get(one.server.id).server.state for one in (stopped, stopping)} == {"offline"}
    assert not [kind for kind, _, _ in node.context.reports if kind == "server.crashed"], "that was no crash"


async def test_a_runtime_that_remembers_the_run_of_the_last_boot(node: Node) -> None:
    managed = await running(node)
    node.kill_agent()
    node.boot = "another"
    node.runtime.latest.exit(143)  # at the shutdown of the machine
    await node.start_agent()
    await wait_for(lambda: len(node.runtime.runs) == 2)
    assert not node.context.reported("server.crashed", managed.server.id)


async def test_what_lives_on_although_the_boot_is_another_is_taken_up(node: Node) -> None:
    managed = await running(node)
    node.kill_agent()
    node.boot = "another container of the agent"
    await node.start_agent()
    again = node.manager.get(managed.server.id)
    assert again.server.state == "running"
    node.runtime.latest.exit(3)
    assert len(node.context.reported("server.crashed", managed.server.id)) == 1, "this one is a crash"


async def test_a_server_may_stay_off_after_a_reboot(node: Node) -> None:
    managed = await running(node, autostart=False)
    crashed = await running(node, autostart=False)
    node.policy = Policy(delays=(600.0,))
    node.runtime.latest.exit(1)
    before = len(node.runtime.runs)
    await node.reboot()
    for one in (managed, crashed):
        again = node.manager.get(one.server.id)
        assert (again.server.state, again.server.record.restart_at) == ("offline", None)
    assert len(node.runtime.runs) == before


async def test_a_suspended_server_stays_off_after_a_reboot(node: Node) -> None:
    managed = await running(node)
    managed.server.spec = msgspec.structs.replace(managed.server.spec, suspended=True)
    save_spec(managed.server.layout, managed.server.spec)
    await node.reboot()
    assert node.manager.get(managed.server.id).server.state == "offline"
    assert len(node.runtime.runs) == 1


async def test_a_few_at_a_time_are_started_after_a_reboot(node: Node) -> None:
    servers = [await running(node) for _ in range(10)]
    await node.reboot()
    seen = len(servers)
    for _ in servers:
        await wait_for(lambda before=seen: len(node.runtime.runs) > before)
        starting = [one for one, _ in node.manager.watches() if one.state == "starting"]
        assert 0 < len(starting) <= STARTS_AT_ONCE
        seen += 1
        node.runtime.runs[seen - 1].print(b"Ready\n")
    await wait_for(lambda: all(one.state == "running" for one, _ in node.manager.watches()))
    assert len(node.runtime.runs) == 20


async def test_one_that_never_runs_does_not_keep_the_others_waiting(node: Node) -> None:
    node.policy = Policy(settle=0.05, turn=0.05)
    servers = [await running(node) for _ in range(6)]
    await node.reboot()
    await wait_for(lambda: len(node.runtime.runs) == 2 * len(servers))


async def test_starts_that_wait_survive_the_agent_and_give_way_to_people(node: Node) -> None:
    servers = [await running(node) for _ in range(8)]
    await node.reboot()
    await wait_for(lambda: len(node.runtime.runs) == len(servers) + STARTS_AT_ONCE)
    node.kill_agent()
    await node.start_agent()
    waiting = [one.id for one, _ in node.manager.watches() if one.state == "offline"]
    await wait_for(lambda: len([one for one, _ in node.manager.watches() if one.state == "offline"]) <= 2)
    left = [one for one, _ in node.manager.watches() if one.state == "offline"]
    assert {one.id for one in left} <= set(waiting)
    first, second = (node.manager.get(one.id) for one in left)
    await first.power("stop")
    await second.power("start")
    assert first.server.record.restart_at is None
    assert second.server.state == "starting"


async def test_a_start_by_itself_that_fails_is_tried_again(node: Node) -> None:
    managed = await running(node)
    await node.reboot()
    node.runtime.refuse = OSError("the runtime isn't up yet")
    node.runtime.live.clear()
    node.kill_agent()
    node.boot = "a third"
    await node.start_agent()
    await wait_for(lambda: node.context.reported("server.crashed", managed.server.id))
    node.runtime.refuse = None
    runs = len(node.runtime.runs)
    await wait_for(lambda: len(node.runtime.runs) > runs)
    crash = node.context.reported("server.crashed", managed.server.id)[0]
    assert crash["restarting"] and "isn't up yet" in crash["reason"]


async def test_a_full_server_does_not_start_by_itself(node: Node) -> None:
    managed = await running(node)
    managed.server.record.disk_over_since = time.time()
    node.runtime.latest.exit(1)
    await wait_for(lambda: len(node.context.reported("server.crashed", managed.server.id)) == 3)
    crashes = node.context.reported("server.crashed", managed.server.id)
    assert [crash["restarting"] for crash in crashes] == [True, True, False]
    assert "disk limit" in crashes[-1]["reason"]
    assert len(node.runtime.runs) == 1


async def test_a_due_restart_survives_the_agent(tmp_path: Path) -> None:
    node = Node(tmp_path, Policy(delays=(600.0,)))
    managed = await running(node)
    node.runtime.latest.exit(1)
    due = managed.server.record.restart_at
    node.kill_agent()
    await node.start_agent()
    again = node.manager.get(managed.server.id)
    assert again.server.record.restart_at == due is not None
    await again.power("start")
    assert again.server.record.restart_at is None
    assert len(node.runtime.runs) == 2
    node.manager.close()
