"""Containers outlive the agent, and what they print gets into the console log once: also over losses of Docker."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from docker_parts import GAME, Daemon, daemon_with, running_daemon
from docker_runs import Bench, Benches
from server_parts import Recorder, make_spec

from stellar.errors import Unavailable
from stellar.plugins.servers.agent.docker.output import Saved
from stellar.plugins.servers.agent.docker.runtime import DockerRuntime
from stellar.plugins.servers.agent.layout import Layout
from stellar.plugins.servers.agent.lifecycle import Policy
from stellar.plugins.servers.agent.manager import ServerManager
from stellar.plugins.servers.settings import DockerSettings
from stellar.testing.waiting import wait_for

COUNTING = "i=0; while :; do i=$((i+1)); echo line $i; [ $((i % {burst})) = 0 ] && sleep 0.01; done"
TICKING = "i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo tick; sleep 0.001; done; exit 4"
FLOODING = "seq 100000 | sed 's/^/line /'; echo flooded; while read line; do echo $line; done"
CHILD = """
import asyncio, sys
from pathlib import Path
from docker_runs import Bench
from stellar.plugins.servers.agent.docker.runtime import DockerRuntime
from stellar.plugins.servers.settings import DockerSettings

async def main():
    bench = Bench(Path(sys.argv[1]), DockerRuntime(Path(sys.argv[1]), DockerSettings(host=sys.argv[2])))
    bench.id, bench.root = sys.argv[3], bench.root.parent / sys.argv[3]
    if sys.argv[4]:
        await bench.start(sys.argv[4])
    else:
        await bench.runtime.attach(bench.root, bench.ends.append, bench.exits.append)
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    yield from running_daemon()


@asynccontextmanager
async def other_agent(b: Bench, daemon: Daemon, command: str) -> AsyncIterator[None]:
    """Another process that starts (or takes up) the server, and is killed without a warning."""
    arguments = [str(b.root.parent.parent), daemon.host, b.id, command]
    path = {"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "/usr/bin:/bin"}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, *arguments, stdout=asyncio.subprocess.PIPE, env=path
    )
    assert child.stdout is not None
    try:
        assert await asyncio.wait_for(child.stdout.readline(), 60) == b"ready\n"
        yield
    finally:
        child.kill()
        await child.wait()


def numbers(b: Bench) -> list[int]:
    return [int(found) for found in re.findall(r"(?m)^line (\d+)$", b.printed())]


async def attach(b: Bench) -> None:
    b.run = await b.runtime.attach(b.root, b.ends.append, b.exits.append)


@pytest.mark.parametrize("burst", [1, 200], ids=["a line at a time", "20,000 lines a second"])
async def test_no_line_is_lost_or_doubled_when_agents_are_killed(benches: Benches, daemon: Daemon, burst: int) -> None:
    b = benches()
    async with other_agent(b, daemon, COUNTING.format(burst=burst)):
        await b.prints("line 50\n")
    for _ in range(2):
        seen = len(numbers(b))
        async with other_agent(b, daemon, ""):
            await wait_for(lambda: len(numbers(b)) > seen + 20, 30, "more lines")  # noqa: B023
    await attach(b)
    assert b.run is not None
    await wait_for(lambda: b.run is not None and b.run._stream is not None, 30, "the live connection, fitted")
    seen = len(numbers(b))
    await wait_for(lambda: len(numbers(b)) > seen + 20, 30, "more lines")
    await b.run.kill()
    found = numbers(b)
    assert found == list(range(1, len(found) + 1))
    assert b.exits[0].signal == "SIGKILL"


async def test_what_was_printed_while_nobody_was_there_is_read_later(benches: Benches, daemon: Daemon) -> None:
    b = benches()
    async with other_agent(b, daemon, "echo begin; sleep 1; seq 1 5000; printf 'unfinished'; exit 9"):
        await b.prints("begin")
    await wait_for(lambda: daemon.containers()[0]["State"] == "exited", what="the end of the game")
    await attach(b)
    assert (await b.ends_with()).code == 9
    assert b.printed() == "begin\n" + "".join(f"{n}\n" for n in range(1, 5001)) + "unfinished"
    assert Saved.load(Layout(b.root)) is None


async def test_prompts_and_input_work_after_a_new_agent_has_taken_up(benches: Benches, daemon: Daemon) -> None:
    b = benches()
    game = "while :; do printf '> '; read line || exit; echo \"got $line\"; done"
    async with other_agent(b, daemon, game):
        await b.prints("> ")
    await attach(b)
    assert b.run is not None
    await wait_for(lambda: b.run is not None and b.run._input is not None, 30, "the live connection")
    await b.run.send(b"one\n")
    await wait_for(lambda: b.run is not None and b.run._stream is not None, 30, "the live connection, fitted")
    assert b.printed() == "> one\ngot one\n> "
    await b.run.send(b"two\n")
    await b.prints("got two\n> ")
    await b.run.send(b"half")
    await b.prints("> half")
    assert b.printed() == "> one\ngot one\n> two\ngot two\n> half"


async def test_a_game_that_repeats_itself_is_followed_all_the_same(benches: Benches, daemon: Daemon) -> None:
    b = benches()
    async with other_agent(b, daemon, TICKING):
        await wait_for(lambda: b.output().count("tick") > 20, what="some ticks")
    await attach(b)
    assert (await b.ends_with(60)).code == 4
    assert b.printed() == "tick\n" * 500


async def test_marks_are_renewed_and_old_output_is_not_read_again(benches: Benches, daemon: Daemon) -> None:
    b = benches()
    async with other_agent(b, daemon, FLOODING):
        await b.prints("flooded", 60)
        await wait_for(lambda: (found := Saved.load(Layout(b.root))) and found.mark.stamp, 30, "a mark")
    saved = Saved.load(Layout(b.root))
    assert saved is not None and saved.mark.offset > 500_000
    await attach(b)
    assert b.run is not None
    await b.run.send(b"line 100001\n")
    await b.prints("\nline 100001\nline 100001\n")
    assert len(numbers(b)) == 100_002


async def test_output_that_docker_has_thrown_away_is_said_to_be_missing(tmp_path: Path, daemon: Daemon) -> None:
    benches = Benches(tmp_path, daemon, log_mb=1)
    b = benches()
    flood = "echo begin; sleep 1; seq 100000 | sed 's/^/line /'; echo flooded; exec sleep 600"
    await b.start(flood)
    await b.prints("begin")
    assert b.run is not None and b.run._task is not None
    b.run._task.cancel()
    await b.run._drop()
    last = f"/containers/{container(b)}/logs"
    await wait_for(lambda: b"flooded" in daemon.call("GET", last, stdout=1, tail=1).content, 60, "the flood's end")
    saved = Saved.load(Layout(b.root))
    assert saved is not None
    saved.mark = msgspec.structs.replace(saved.mark, stamp="2001-01-01T00:00:00.000000000Z")
    saved.save(Layout(b.root))
    await attach(b)
    await b.prints("flooded", 60)
    assert "begin\n\n[stellar] output is missing here" in b.output()
    found = numbers(b)
    assert found == list(range(found[0], 100001)) and found[0] > 1
    await benches.close()


def container(b: Bench) -> str:
    saved = Saved.load(Layout(b.root))
    assert saved is not None
    return saved.container


async def test_docker_is_restarted_and_its_containers_live_on(tmp_path: Path) -> None:
    with daemon_with("--live-restore") as daemon:
        benches = Benches(tmp_path, daemon)
        b = benches()
        await b.start(COUNTING.format(burst=1))
        await b.prints("line 50\n")
        daemon.stop()
        assert b.run is not None
        with pytest.raises(Unavailable):
            await b.run.stats()
        daemon.start()
        seen = len(numbers(b))
        await wait_for(lambda: len(numbers(b)) > seen + 100, 60, "the output going on")
        assert not b.exits
        await b.run.kill()
        found = numbers(b)
        assert found == sorted(set(found)), "nothing twice"
        await benches.close()


async def test_docker_is_restarted_and_ends_its_containers(tmp_path: Path) -> None:
    """The server is reported as crashed, and comes back by itself."""
    with daemon_with() as daemon:
        context = Recorder(tmp_path / "agent")
        runtime = DockerRuntime(context.data, DockerSettings(host=daemon.host))
        manager = ServerManager(context, {"docker": runtime}, Policy(delays=(0.1, 0.1), settle=0.1))
        await manager.load()
        spec = make_spec(runtime="docker", image=GAME, startup="echo up; exec sleep 600", done=["up"])
        await manager.apply(spec)
        managed = manager.get(spec.id)
        await managed.power("start")
        await wait_for(lambda: managed.server.state == "running", 30, "the server")
        daemon.stop()
        daemon.start()
        await wait_for(lambda: context.reported("server.crashed", spec.id), 60, "the crash")
        crash = context.reported("server.crashed", spec.id)[0]
        assert crash["restarting"] and (crash["signal"] or crash["code"])
        await wait_for(lambda: managed.server.state == "running", 60, "the server again")
        await manager.remove(spec.id)
        assert daemon.containers() == []
        manager.close()
        await runtime.close()
