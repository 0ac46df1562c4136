"""Servers as real processes: installs, power, crashes, an agent killed meanwhile, and a flood beside a quiet server."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from server_parts import Recorder, make_spec

from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.launched import end_keeper, is_alive
from stellar.plugins.servers.agent.managed import Managed
from stellar.plugins.servers.agent.manager import ServerManager
from stellar.plugins.servers.agent.process import ProcessRuntime
from stellar.plugins.servers.known_prompts import prompts_of
from stellar.plugins.servers.spec import Port, Ready, ServerSpec, Stop
from stellar.testing.waiting import wait_for

QUICK = Policy(delays=(0.01, 0.02), settle=0.1)

CHILD_AGENT = """
import asyncio, sys
from pathlib import Path
import msgspec
from server_parts import Recorder
from stellar.plugins.servers.agent.manager import ServerManager
from stellar.plugins.servers.agent.process import ProcessRuntime
from stellar.plugins.servers.spec import ServerSpec

async def main():
    manager = ServerManager(Recorder(Path(sys.argv[1])), {"process": ProcessRuntime()})
    await manager.load()
    spec = msgspec.json.decode(sys.argv[2], type=ServerSpec)
    await manager.apply(spec)
    server = manager.get(spec.id)
    while sys.argv[3] != "installing" and server.server.state != "offline":
        await asyncio.sleep(0.01)
    if sys.argv[3] != "installing":
        await server.power("start")
    if sys.argv[3] == "stopping":
        while server.server.state != "running":
            await asyncio.sleep(0.01)
        await server.power("restart")
    while server.server.state != sys.argv[3] or server.server.run is None:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def context(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "agent")


@asynccontextmanager
async def agent(context: Recorder) -> AsyncIterator[ServerManager]:
    """An agent that, unlike a real one, takes its servers with it."""
    manager = ServerManager(context, {"process": ProcessRuntime()}, QUICK)
    await manager.load()
    try:
        yield manager
    finally:
        for server, _ in manager.watches():
            await manager.remove(server.id)


@pytest.fixture
async def manager(context: Recorder) -> AsyncIterator[ServerManager]:
    async with agent(context) as manager:
        yield manager


async def create(manager: ServerManager, **changes: object) -> Managed:
    spec = make_spec(**changes)
    await manager.apply(spec)
    managed = manager.get(spec.id)
    await reaches(managed, "offline", "install_failed")
    return managed


async def reaches(managed: Managed, *states: str) -> None:
    await wait_for(lambda: managed.server.state in states, timeout=20, what=f"{states} from {managed.server.state}")


def text(managed: Managed) -> str:
    console = managed.server.console
    return console.read(console.start, 1 << 20)[1].decode(errors="replace")


async def test_an_install_fails_and_its_retry_succeeds(manager: ServerManager, context: Recorder) -> None:
    script = 'echo "in $(pwd)"; if [ -e tried ]; then echo better; else touch tried; echo bad; exit 9; fi'
    managed = await create(manager, install_script=script)
    assert managed.server.state == "install_failed"
    await manager.apply(msgspec.structs.replace(managed.server.spec, install_id="2"))
    await reaches(managed, "offline")
    failed, done = context.reported("server.installed", managed.server.id)
    assert (failed["ok"], failed["exit_code"]) == (False, 9)
    assert "bad" in failed["log"]
    assert "failed with exit code 9" in failed["log"]
    assert (done["ok"], done["exit_code"]) == (True, 0)
    assert "better" in done["log"]
    assert "bad" not in done["log"]
    assert "failed with exit code 9" in text(managed), "installs are part of the one console"


@pytest.mark.parametrize("pattern", ["Server started", "regex:^Server started on port \\d+"])
async def test_a_server_runs_takes_commands_and_stops(manager: ServerManager, pattern: str) -> None:
    managed = await create(
        manager,
        startup='echo "Server started on port {{SERVER_PORT}}"\n'
        'while read -r line; do echo "got $line"; [ "$line" = end ] && exit; done',
        done=[pattern],
        stop=Stop(command="end", grace_seconds=60),
    )
    await managed.power("start")
    await reaches(managed, "running")
    assert "started on port 30000" in text(managed)
    await managed.command("hello  world $(id)")
    await wait_for(lambda: "got hello  world $(id)" in text(managed))
    await managed.power("stop")
    await reaches(managed, "offline")
    assert "got end" in text(managed)


async def test_stop_by_signal_lets_the_game_save(manager: ServerManager) -> None:
    managed = await create(
        manager,
        startup="trap 'echo saved; exit 0' INT; echo Ready; while :; do read -r line; done",
        stop=Stop(command="^C", grace_seconds=60),
    )
    await managed.power("start")
    await reaches(managed, "running")
    await managed.power("stop")
    await reaches(managed, "offline")
    assert "saved" in text(managed)


async def test_what_ignores_its_stop_is_killed_whole(manager: ServerManager, context: Recorder) -> None:
    managed = await create(
        manager,
        startup="trap '' INT TERM HUP; sleep 600 & echo Ready; wait; wait",
        stop=Stop(signal="SIGTERM", grace_seconds=1),
    )
    await managed.power("start")
    await reaches(managed, "running")
    await managed.power("stop")
    await reaches(managed, "offline")
    assert not context.reported("server.crashed", managed.server.id)


async def test_crashes_are_restarted_and_given_up(manager: ServerManager, context: Recorder) -> None:
    managed = await create(manager, startup="echo Ready; echo oh no; exit 3")
    await managed.power("start")
    await wait_for(lambda: len(context.reported("server.crashed", managed.server.id)) == 3, timeout=20)
    crashes = context.reported("server.crashed", managed.server.id)
    assert [crash["restarting"] for crash in crashes] == [True, True, False]
    assert all((crash["code"], crash["log"].count("oh no")) == (3, 1) for crash in crashes)
    assert managed.server.state == "offline"


async def agent_killed_while(data: Path, spec: ServerSpec, state: str) -> None:
    """Run an agent of its own until the server is in ``state``, then SIGKILL it."""
    paths = [path for path in sys.path if path]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHILD_AGENT, str(data), msgspec.json.encode(spec).decode(), state),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert child.stdout is not None
    try:
        assert await asyncio.wait_for(child.stdout.readline(), 30) == b"ready\n"
    finally:
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGKILL)
        await child.wait()


async def test_a_killed_agent_takes_nothing_with_it(context: Recorder) -> None:
    spec = make_spec(
        startup='echo Ready; for n in $(seq 1 1000000); do echo "line $n"; sleep 0.01; done',
        stop=Stop(signal="SIGTERM", grace_seconds=5),
    )
    await agent_killed_while(context.data, spec, "running")
    async with agent(context) as manager:
        managed = manager.get(spec.id)
        assert managed.server.state == "running"
        assert managed.server.run is not None
        before = managed.watch.renew(60)
        await wait_for(lambda: len(context.output(spec.id)) > 500)
        assert context.sent("logs", spec.id)[0]["seq"] == before
        numbers = [int(number) for number in re.findall(r"line (\d+)\r", text(managed))]
        assert numbers == list(range(1, len(numbers) + 1)), "no line is lost or repeated"


async def test_an_install_outlives_a_killed_agent(context: Recorder) -> None:
    spec = make_spec(install_script="echo begun; while [ ! -e go ]; do sleep 0.05; done; echo done; exit 4")
    await agent_killed_while(context.data, spec, "installing")
    async with agent(context) as manager:
        (context.data / "servers" / spec.id / "data" / "go").touch()
        await reaches(manager.get(spec.id), "install_failed")
        again = ServerManager(context, {"process": ProcessRuntime()}, QUICK)
        await again.load()
        assert again.get(spec.id).server.state == "install_failed"
    (report,) = context.reported("server.installed", spec.id)
    assert (report["ok"], report["exit_code"], report["install_id"]) == (False, 4, "1")
    assert "begun" in report["log"]
    assert "done" in report["log"]


async def test_a_flood_does_not_silence_another_server(manager: ServerManager, context: Recorder) -> None:
    flood = await create(manager, startup="echo Ready; yes flooding", stop=Stop(signal="SIGKILL"))
    quiet = await create(manager, startup='echo Ready; while read -r l; do echo "got $l"; done')
    for managed in (flood, quiet):
        await managed.power("start")
        await reaches(managed, "running")
        managed.watch.renew(600)
    for number in range(5):
        await quiet.command(f"ping {number}")
        await wait_for(lambda wanted=b"got ping %d" % number: wanted in context.output(quiet.server.id))
    assert flood.server.state == "running"
    events = context.sent("logs", flood.server.id)
    assert events
    assert all(len(event["data"]) <= 64 * 1024 for event in events)
    ends = [event["seq"] + len(event["data"]) for event in events]
    assert all(event["seq"] >= end for event, end in zip(events[1:], ends, strict=False)), "nothing is sent twice"


async def test_a_restart_goes_on_after_the_agent_was_killed(context: Recorder) -> None:
    spec = make_spec(
        startup="trap 'while [ ! -e go ]; do sleep 0.05; done; echo saved; exit 0' INT; echo Ready; "
        "while :; do read -r x; done",
        stop=Stop(command="^^C", grace_seconds=60),
    )
    await agent_killed_while(context.data, spec, "stopping")
    async with agent(context) as manager:
        managed = manager.get(spec.id)
        assert managed.server.state == "stopping"
        (context.data / "servers" / spec.id / "data" / "go").touch()
        await reaches(managed, "running")
        assert text(managed).count("saved") == 1 and text(managed).count("Ready") == 2
        assert not context.reported("server.crashed", spec.id)


async def test_a_start_up_time_goes_on_after_the_agent_was_killed(context: Recorder) -> None:
    spec = make_spec(startup="echo hanging; exec sleep 600", start_timeout=2)
    await agent_killed_while(context.data, spec, "starting")
    async with agent(context) as manager:
        await wait_for(lambda: context.reported("server.crashed", spec.id), timeout=20)
        assert "not running 2 s after" in context.reported("server.crashed", spec.id)[0]["reason"]
        await manager.get(spec.id).power("kill")


LISTENS = """
import socket, time
from os import environ
print("binding", flush=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("127.0.0.1", int(environ["SERVER_PORT"])))
    time.sleep(600)
"""


def free_port() -> int:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_a_game_that_listens_on_its_port_runs(manager: ServerManager) -> None:
    port = free_port()
    managed = await create(
        manager,
        startup=f"exec python3 -c {shlex.quote(LISTENS)}",
        done=[],
        ports=[Port("127.0.0.1", port, name="game")],
        ready=[Ready("game", "udp")],
        stop=Stop(signal="SIGKILL"),
    )
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))
        await managed.power("start")
        await wait_for(lambda: "Address already in use" in text(managed), timeout=20)
        assert managed.server.state != "running", "it is another program that listens there"
    await managed.power("kill")
    await reaches(managed, "offline")
    await managed.power("start")
    await reaches(managed, "running")


async def test_what_hangs_at_its_start_is_ended_with_all_it_has_started(
    manager: ServerManager, context: Recorder
) -> None:
    managed = await create(manager, startup="trap '' TERM; sleep 600 & echo hanging; wait; wait", start_timeout=1)
    await managed.power("start")
    await wait_for(lambda: len(context.reported("server.crashed", managed.server.id)) == 3, timeout=30)
    crashes = context.reported("server.crashed", managed.server.id)
    assert all("not running 1 s after" in crash["reason"] and "hanging" in crash["log"] for crash in crashes)
    assert [crash["restarting"] for crash in crashes] == [True, True, False]
    assert managed.server.run is None


@pytest.mark.parametrize("state", ["starting", "running"])
async def test_servers_come_back_after_the_machine_does(context: Recorder, state: str) -> None:
    done = ["Ready"] if state == "running" else ["never"]
    spec = make_spec(startup="echo Ready; exec sleep 600", done=done, stop=Stop(signal="SIGKILL"))
    await agent_killed_while(context.data, spec, state)
    run = context.data / "servers" / spec.id / "run"
    end_keeper(run)  # as the end of the machine would
    await wait_for(lambda: not is_alive(run))
    manager = ServerManager(context, {"process": ProcessRuntime()}, QUICK, boot="the next one")
    await manager.load()
    managed = manager.get(spec.id)
    try:
        await wait_for(lambda: managed.server.run is not None and managed.server.state == state, timeout=20)
        states = context.states(spec.id)
        assert states == ["offline", "starting", "running"][: len(states)]
        assert not context.reported("server.crashed", spec.id)
    finally:
        await manager.remove(spec.id)


async def test_a_licence_is_asked_for_and_accepted(manager: ServerManager, context: Recorder) -> None:
    managed = await create(
        manager,
        startup='if grep -q "^eula=true" eula.txt; then echo Ready; exec cat; fi; echo eula=false > eula.txt;'
        ' echo "[main/INFO]: You need to agree to the EULA in order to run the server."',
        prompts=prompts_of(["eula"]),
        stop=Stop(signal="SIGKILL"),
    )
    await managed.power("start")
    await reaches(managed, "offline")
    await wait_for(lambda: context.reported("server.prompt", managed.server.id))
    await managed.answer("eula")
    await reaches(managed, "running")
    assert len(context.reported("server.prompt", managed.server.id)) == 1
