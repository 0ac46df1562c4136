"""A server's power, over a runtime in memory: every state, every refusal, crashes, and a new agent in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from server_parts import MemoryRun, Node, reaches, running

from stellar.errors import Conflict, Unavailable
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.game import stop_signal
from stellar.plugins.servers.agent.lifecycle import NOT_BEGUN
from stellar.plugins.servers.spec import Stop
from stellar.testing.waiting import wait_for

QUICK = Policy(delays=(0.01, 0.02), settle=0.05)


@pytest.fixture
def policy() -> Policy:
    return QUICK


async def test_start_to_running_to_offline_is_told_to_the_panel(node: Node) -> None:
    managed = await running(node)
    await managed.power("stop")
    assert node.runtime.latest.typed == [b"stop\n"]
    node.runtime.latest.exit(0)
    await reaches(managed, "offline")
    told = ["installing", "offline", "starting", "running", "stopping", "offline"]
    assert node.context.states(managed.server.id) == told
    events = node.context.sent("status", managed.server.id)
    assert [event["state"] for event in events] == told
    assert events[-1]["previous"] == "stopping"
    assert events[-1]["exit"] == {"code": 0, "signal": None, "oom": False}
    assert not node.context.reported("server.crashed", managed.server.id)


async def test_a_pattern_split_over_several_writes_and_coloured_is_seen(node: Node) -> None:
    managed = await node.create(done=["regex:listening on \\d+"])
    await managed.power("start")
    node.runtime.latest.print(b"\x1b[32mlisten")
    node.runtime.latest.print(b"ing on\x1b[0m ")
    assert managed.server.state == "starting"
    node.runtime.latest.print(b"4567\n")
    await reaches(managed, "running")


async def test_an_earlier_runs_output_does_not_count(node: Node) -> None:
    managed = await running(node)
    node.runtime.latest.exit(0)
    await reaches(managed, "offline")
    await managed.power("start")
    node.runtime.latest.print(b"Loading\n")
    await asyncio.sleep(0.2)  # long enough for a scan that began too early to find the old line
    assert managed.server.state == "starting"


async def test_without_patterns_a_server_that_stays_up_is_running(node: Node) -> None:
    managed = await node.create(done=[])
    await managed.power("start")
    assert managed.server.state == "starting"
    await reaches(managed, "running")


@pytest.mark.parametrize(
    ("stop", "signal"),
    [
        (Stop(signal="SIGINT"), "SIGINT"),
        (Stop(command="^C"), "SIGINT"),
        (Stop(), "SIGTERM"),
        (Stop(command="quit", signal="SIGQUIT"), "SIGQUIT"),
    ],
)
async def test_stop_by_signal(node: Node, stop: Stop, signal: str) -> None:
    assert stop_signal(stop) == signal
    managed = await running(node, stop=stop)
    await managed.power("stop")
    assert node.runtime.latest.signals == [signal]
    assert node.runtime.latest.typed == []


async def test_what_does_not_stop_is_killed_after_its_grace_period(node: Node) -> None:
    managed = await running(node, stop=Stop(command="stop", grace_seconds=1))
    await managed.power("stop")
    await reaches(managed, "offline")
    assert node.runtime.latest.ended.signal == "SIGKILL"
    assert not node.context.reported("server.crashed", managed.server.id)


async def test_a_second_action_is_refused(node: Node) -> None:
    managed = await node.create()
    with pytest.raises(Conflict, match="already offline"):
        await managed.power("stop")
    await managed.power("start")
    with pytest.raises(Conflict, match="already starting"):
        await managed.power("start")
    node.runtime.latest.print(b"Ready\n")
    await reaches(managed, "running")
    with pytest.raises(Conflict, match="already running"):
        await managed.power("start")
    await managed.power("stop")
    for action in ("stop", "start", "restart"):
        with pytest.raises(Conflict, match="already stopping"):
            await managed.power(action)  # type: ignore[arg-type]
    assert len(node.runtime.runs) == 1
    assert node.runtime.latest.typed == [b"stop\n"]


async def test_two_starts_at_once_start_one_game(node: Node) -> None:
    managed = await node.create()
    results = await asyncio.gather(managed.power("start"), managed.power("start"), return_exceptions=True)
    assert [type(result) for result in results].count(Conflict) == 1
    assert len(node.runtime.runs) == 1


async def test_kill_bypasses_a_stop_that_is_under_way(node: Node) -> None:
    managed = await running(node)
    await managed.power("restart")
    await managed.power("kill")
    await reaches(managed, "offline")
    assert node.runtime.latest.ended.signal == "SIGKILL"
    assert len(node.runtime.runs) == 1, "the kill also ends the restart"
    await managed.power("kill")
    assert managed.server.state == "offline"


async def test_kill_calls_a_slow_start_off(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    managed = await node.create()
    preparing = asyncio.Event()

    async def prepare(launch: object, on_output: object) -> None:
        preparing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(node.runtime, "prepare", prepare)
    start = asyncio.create_task(managed.power("start"))
    await preparing.wait()
    with pytest.raises(Conflict, match="already starting"):
        await managed.power("stop")
    await managed.power("kill")
    await start
    await reaches(managed, "offline")
    assert node.runtime.runs == []


async def test_kill_between_the_start_and_its_end_leaves_nothing_running(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    managed = await node.create()
    resizing, go_on = asyncio.Event(), asyncio.Event()

    async def resize(run: object, cols: int, rows: int) -> None:
        resizing.set()
        await go_on.wait()

    monkeypatch.setattr(MemoryRun, "resize", resize)
    await managed.resize(80, 24)
    start = asyncio.create_task(managed.power("start"))
    await resizing.wait()
    await managed.power("kill")
    go_on.set()
    await start
    assert managed.server.state == "offline"
    assert node.runtime.latest.ended is not None


async def test_restart_stops_and_starts(node: Node) -> None:
    managed = await running(node)
    first = node.runtime.latest
    await managed.power("restart")
    assert managed.server.state == "stopping"
    first.exit(0)
    await wait_for(lambda: len(node.runtime.runs) == 2)
    node.runtime.latest.print(b"Ready\n")
    await reaches(managed, "running")


async def test_restart_of_an_offline_server_starts_it(node: Node) -> None:
    managed = await node.create()
    await managed.power("restart")
    assert managed.server.state == "starting"


async def test_a_clean_exit_that_nobody_asked_for_is_no_crash(node: Node) -> None:
    managed = await running(node)
    node.runtime.latest.exit(0)
    await reaches(managed, "offline")
    assert managed.server.record.restart_at is None
    assert not node.context.reported("server.crashed", managed.server.id)


async def test_crashes_restart_the_server_and_the_third_gives_up(node: Node) -> None:
    managed = await running(node)
    for number in (1, 2, 3):
        await wait_for(lambda wanted=number: len(node.runtime.runs) == wanted and managed.server.run is not None)
        node.runtime.latest.print(f"boom {number}\n".encode())
        node.runtime.latest.exit(None, "SIGSEGV") if number == 2 else node.runtime.latest.exit(3)
    crashes = node.context.reported("server.crashed", managed.server.id)
    assert [crash["restarting"] for crash in crashes] == [True, True, False]
    assert [(crash["code"], crash["signal"]) for crash in crashes] == [(3, None), (None, "SIGSEGV"), (3, None)]
    assert [f"boom {number}" in crashes[number - 1]["log"] for number in (1, 2, 3)] == [True] * 3
    assert "boom 1" not in crashes[1]["log"], "the log of a crash is of its own run"
    assert managed.server.state == "offline"
    assert managed.server.record.restart_at is None
    await managed.power("start")
    assert managed.server.record.crashes == [], "a user's start begins anew"


@pytest.mark.parametrize("action", ["stop", "kill"])
async def test_a_users_action_cancels_the_restart(tmp_path: Path, action: str) -> None:
    node = Node(tmp_path, Policy(delays=(600.0,)))
    managed = await running(node)
    node.runtime.latest.exit(1)
    assert managed.server.record.restart_at is not None
    await managed.power(action)  # type: ignore[arg-type]
    assert managed.server.record.restart_at is None
    node.kill_agent()
    await node.start_agent()
    assert node.manager.get(managed.server.id).server.record.restart_at is None
    node.manager.close()


async def test_a_start_that_fails_says_why(node: Node) -> None:
    managed = await node.create()
    node.runtime.refuse = OSError("the disk is full")
    with pytest.raises(Unavailable, match="the disk is full"):
        await managed.power("start")
    assert managed.server.state == "offline"
    (crash,) = node.context.reported("server.crashed", managed.server.id)
    assert "the disk is full" in crash["reason"]
    assert not crash["restarting"], "who asked for it can ask again"
    node.runtime.refuse = None
    await managed.power("start")
    assert managed.server.state == "starting"


async def test_a_suspended_server_stops_and_does_not_start(node: Node) -> None:
    managed = await running(node)
    spec = managed.server.spec
    suspended = type(spec)(**{name: getattr(spec, name) for name in spec.__struct_fields__} | {"suspended": True})
    await node.manager.apply(suspended)
    assert managed.server.state == "stopping"
    node.runtime.latest.exit(1)
    await reaches(managed, "offline")
    with pytest.raises(Conflict, match="suspended"):
        await managed.power("start")
    await node.manager.apply(spec)
    await managed.power("start")


async def test_input_reaches_only_a_server_that_runs(node: Node) -> None:
    managed = await node.create()
    with pytest.raises(Conflict):
        await managed.command("say hi")
    with pytest.raises(Conflict):
        await managed.type(b"x")
    await managed.resize(120, 40)
    await managed.power("start")
    assert node.runtime.latest.sizes == [(120, 40)], "the size asked for before the start"
    await managed.command("say hi")
    await managed.type(b"\x1b[A")
    assert node.runtime.latest.typed == [b"say hi\n", b"\x1b[A"]


async def test_a_new_agent_finds_a_running_server_running(node: Node) -> None:
    managed = await running(node)
    started = managed.server.record.started_at
    node.kill_agent()
    await node.start_agent()
    again = node.manager.get(managed.server.id)
    assert again is not managed
    assert (again.server.state, again.server.record.started_at) == ("running", started)
    await again.command("say hi")
    assert node.runtime.latest.typed == [b"say hi\n"]


async def test_a_new_agent_finds_what_a_starting_server_printed_meanwhile(node: Node) -> None:
    managed = await node.create()
    await managed.power("start")
    node.kill_agent()
    node.runtime.latest.print(b"Ready\n")
    await node.start_agent()
    await reaches(node.manager.get(managed.server.id), "running")


async def test_a_new_agent_goes_on_with_the_grace_period(node: Node) -> None:
    managed = await running(node, stop=Stop(command="stop", grace_seconds=1))
    await managed.power("stop")
    node.kill_agent()
    await node.start_agent()
    again = node.manager.get(managed.server.id)
    assert again.server.state == "stopping"
    await reaches(again, "offline")
    assert node.runtime.latest.ended.signal == "SIGKILL"
    assert node.runtime.latest.typed == [b"stop\n"], "the command is not typed twice"


async def test_a_new_agent_goes_on_with_a_restart(node: Node) -> None:
    managed = await running(node)
    await managed.power("restart")
    node.kill_agent()
    node.runtime.latest.exit(0)
    await node.start_agent()
    await wait_for(lambda: len(node.runtime.runs) == 2)


async def test_a_crash_while_the_agent_was_away_is_reported_and_restarted(node: Node) -> None:
    managed = await running(node)
    run = node.runtime.latest
    node.kill_agent()
    run.print(b"boom\n")
    run.exit(9)
    await node.start_agent()
    (crash,) = node.context.reported("server.crashed", managed.server.id)
    assert crash["code"] == 9
    assert "boom" in crash["log"]
    await wait_for(lambda: len(node.runtime.runs) == 2)


async def test_a_start_that_the_agent_s_end_came_before_is_said_to_be_that(node: Node) -> None:
    managed = await node.create()
    node.runtime.ready.clear()
    await managed.power("start")
    await wait_for(lambda: node.runtime.preparing)
    node.kill_agent()
    node.runtime.ready.set()
    await node.start_agent()
    (crash,) = node.context.reported("server.crashed", managed.server.id)
    assert (crash["reason"], crash["restarting"]) == (NOT_BEGUN, True)
    await wait_for(lambda: len(node.runtime.runs) == 1)


async def test_a_crash_report_has_the_last_lines_of_its_run(node: Node) -> None:
    managed = await running(node)
    node.runtime.latest.print(b"".join(b"line %d %s\r\n" % (number, b"x" * 200) for number in range(1000)))
    node.runtime.latest.print(b"Exception!")
    node.runtime.latest.exit(1)
    (crash,) = node.context.reported("server.crashed", managed.server.id)
    lines = crash["log"].splitlines()
    assert len(lines) == 200
    assert lines[0].startswith("line 801 ") and lines[-1] == "Exception!"


async def test_a_crash_report_is_bounded_whatever_a_line_is(node: Node) -> None:
    managed = await running(node)
    node.runtime.latest.print(b"y" * 1024 * 1024)
    node.runtime.latest.exit(1)
    (crash,) = node.context.reported("server.crashed", managed.server.id)
    assert len(crash["log"]) == 256 * 1024
