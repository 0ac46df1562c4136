from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from runs import Bench, alive, as_nobody, bench, needs_bwrap, reachable, usable_python

from stellar.errors import Conflict, Invalid
from stellar.plugins.nodes.protections import LABELS
from stellar.plugins.servers.agent.runtime import Exit
from stellar.plugins.servers.spec import Limits
from stellar.testing.waiting import wait_for, wait_until

BOTH = pytest.mark.parametrize("sandboxed", [pytest.param(True, marks=needs_bwrap), False])


@BOTH
async def test_output_exit_code_and_callbacks(tmp_path: Path, sandboxed: bool) -> None:
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        run = await b.start('printf "%s|" "$GREETING" "$HOME"; pwd; exit 7', GREETING='it\'s "here"\nnow $HOME')
        assert (await b.ends_with()).code == 7
        printed, home, where = b.output().replace("\r\n", "\n").split("|")
        assert printed == 'it\'s "here"\nnow $HOME'
        assert home == where.strip() == ("/home/container" if sandboxed else str(tmp_path / "s1/data"))
        assert b.ends[-1] == b.log.end and b.exits[0].signal is None and not b.exits[0].oom
        with pytest.raises(Conflict):
            await run.send(b"late\n")
        assert await b.attach() is None, "an end is taken up once"
        assert len(b.exits) == 1


@BOTH
async def test_input_reaches_the_program_and_echoes(tmp_path: Path, sandboxed: bool) -> None:
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        run = await b.start('read line; echo "got <$line>"')
        await run.send("grüße\n".encode())
        assert (await b.ends_with()).code == 0
        assert b.output() == "grüße\r\ngot <grüße>\r\n"


@BOTH
async def test_sigint_reaches_the_game_which_ends_in_its_own_way(tmp_path: Path, sandboxed: bool) -> None:
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        run = await b.start("trap 'echo saving; exit 0' INT; echo ready; while :; do sleep 0.05; done")
        await b.prints("ready")
        await run.signal("SIGINT")
        assert (await b.ends_with()).code == 0
        assert "saving" in b.output()
        with pytest.raises(Invalid):
            await run.signal("SIGNONSENSE")


@BOTH
async def test_a_shell_around_the_game_does_not_die_before_it_has_saved(tmp_path: Path, sandboxed: bool) -> None:
    game = 'import signal,sys,time; signal.signal(signal.SIGTERM, lambda *a: (time.sleep(0.3), print("saved"), '
    game += 'sys.exit(5))); print("ready", flush=True); time.sleep(60)'
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        run = await b.start(f"/usr/bin/python3 -c '{game}'; code=$?; echo wrapper; exit $code")
        await b.prints("ready")
        await run.signal("SIGTERM")
        assert (await b.ends_with()).code == 5
        assert "saved\r\nwrapper" in b.output()


@BOTH
async def test_ctrl_c_typed_into_the_terminal(tmp_path: Path, sandboxed: bool) -> None:
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        run = await b.start("echo ready; exec sleep 60")
        await b.prints("ready")
        await run.send(b"\x03")
        assert await b.ends_with() == Exit(code=None, signal="SIGINT", oom=False, at=b.exits[0].at)


@BOTH
async def test_kill_leaves_nothing_alive(tmp_path: Path, sandboxed: bool) -> None:
    mark = f"{uuid.uuid4().int % 10**9 + 10**9}"
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        run = await b.start(
            f"(setsid setsid sleep {mark} &) ; setsid sh -c 'trap : TERM HUP INT; sleep {mark}; :' & "
            f"nohup sleep {mark} >/dev/null & echo ready; exec sleep {mark}"
        )
        await b.prints("ready")
        await wait_for(lambda: len(alive(f"sleep {mark}")) >= 4, what="all four sleepers")
        await run.kill()
        assert b.exits[0].signal == "SIGKILL"
        assert alive(mark) == []
        await run.kill()
        assert len(b.exits) == 1


@BOTH
async def test_background_processes_end_with_the_game(tmp_path: Path, sandboxed: bool) -> None:
    mark = f"{uuid.uuid4().int % 10**9 + 10**9}"
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        await b.start(f"(setsid sleep {mark} &); exit 3")
        assert (await b.ends_with()).code == 3
        assert alive(mark) == []


async def test_a_burst_of_100_000_lines_is_whole(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        await b.start("seq -f 'line %.0f of the flood, padded a little' 100000")
        await b.ends_with(60)
        assert b.output() == "".join(f"line {n} of the flood, padded a little\r\n" for n in range(1, 100001))
        assert len(b.ends) < 20000, "the agent is told of batches, not of lines"


async def test_offsets_go_on_over_runs(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        first = await b.start("echo one")
        await b.ends_with()
        b.exits.clear()
        second = await b.start("echo two")
        await b.ends_with()
        assert (first.log_start, second.log_start) == (0, 5)
        assert b.log.read(5, 100) == (5, b"two\r\n")


async def test_a_second_start_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        await b.start("exec sleep 60")
        with pytest.raises(Conflict):
            await b.start("echo twice")


@BOTH
async def test_resize_and_redraw_at_the_same_size(tmp_path: Path, sandboxed: bool) -> None:
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        run = await b.start("trap 'echo now $(stty size)' WINCH; echo ready; while :; do sleep 0.02; done")
        await b.prints("ready")
        await run.resize(91, 27)
        await b.prints("now 27 91")
        before = b.log.end
        await run.resize(91, 27)
        await wait_for(lambda: b"now 27 91" in b.log.read(before, 1000)[1], what="a redraw")
        with pytest.raises(Invalid):
            await run.resize(0, 5)


async def test_input_beyond_the_terminals_buffer_is_neither_lost_nor_a_hang(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        run = await b.start("stty -echo; echo ready; read go; echo start; wc -c; sleep 60")
        await b.prints("ready")
        lines = b"".join(b"%099d\n" % number for number in range(6000))
        sending = asyncio.create_task(run.send(b"go\n" + lines + b"\x04"))
        await b.prints("600000", 60)
        await sending


async def test_input_that_nobody_reads_is_refused_in_the_end_and_kill_still_works(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        run = await b.start("stty -echo; echo ready; exec sleep 60")
        await b.prints("ready")
        typing = asyncio.create_task(run.send(b"nobody reads this\n" * 200_000))
        await wait_for(lambda: b.run is not None and run._answer is not None, what="typing")
        await run.kill()
        with pytest.raises(Conflict):
            await typing


async def test_stats(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        run = await b.start("/usr/bin/python3 -c 'x = bytearray(50_000_000); print(\"ready\")\nwhile True: pass'")
        await b.prints("ready")
        stats = await wait_for(lambda: busy(b), what="figures")
        assert stats.processes >= 1 and stats.memory_bytes > 50_000_000 and stats.uptime > 0
        await run.kill()
        assert (await run.stats()).memory_bytes == 0


async def test_what_is_written_is_counted_also_when_it_was_a_child(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        run = await b.start(
            "dd if=/dev/zero of=one bs=1M count=20 conv=fsync status=none; echo first; read line;"
            "dd if=/dev/zero of=two bs=1M count=20 conv=fsync status=none; echo second; exec cat"
        )
        await b.prints("first")
        before = await wait_for(lambda: written(b, 20), what="what the first has written")
        await run.send(b"\n")
        await b.prints("second")
        after = await wait_for(lambda: written(b, 40), what="what the second has written")
        assert before.io_read_bytes <= after.io_read_bytes
        assert (after.network_rx_bytes, after.network_tx_bytes) == (None, None)
        assert "share the machine's network" in after.unknown["network"]


async def written(b: Bench, megabytes: int):  # type: ignore[no-untyped-def]
    assert b.run is not None
    stats = await b.run.stats()
    assert stats.io_write_bytes is not None, stats.unknown
    return stats if stats.io_write_bytes >= megabytes * 1024 * 1024 else None


async def busy(b: Bench):  # type: ignore[no-untyped-def]
    assert b.run is not None
    stats = await b.run.stats()
    return stats if stats.cpu_percent > 5 and stats.memory_bytes > 50_000_000 else None


async def test_a_very_long_directory(tmp_path: Path) -> None:
    root = tmp_path / ("long-" * 40) / ("name-" * 40) / "s1"
    async with bench(root) as b:
        await b.start("echo ready; read x; echo got $x; exec sleep 60")
        await b.prints("ready")
        again = Bench(root, b.runtime)
        run = await again.attach()
        assert run is not None
        await run.send(b"hello\n")
        await b.prints("got hello")


AGENT = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = {path!r}
from runs import Bench
from stellar.plugins.servers.agent.process import ProcessRuntime

async def main():
    bench = Bench(Path({root!r}), ProcessRuntime(sandboxed={sandboxed}))
    await bench.start({command!r})
    print("started", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def start_and_kill_an_agent(root: Path, command: str, *, sandboxed: bool = True) -> None:
    """An agent in a process group of its own, killed with everything in the group once the server runs."""
    source = AGENT.format(path=[str(Path(__file__).parents[3])], root=str(root), command=command, sandboxed=sandboxed)
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, start_new_session=True) as agent:
        assert agent.stdout is not None
        try:
            assert agent.stdout.readline() == b"started\n"
        finally:
            os.killpg(agent.pid, signal.SIGKILL)


@BOTH
async def test_survives_the_agents_sigkill_and_loses_nothing(tmp_path: Path, sandboxed: bool) -> None:
    command = "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i; sleep 0.005; done; read x; echo got $x; exit 4"
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        await asyncio.to_thread(start_and_kill_an_agent, tmp_path / "s1", command, sandboxed=sandboxed)
        run = await b.attach()
        assert run is not None and run.kind == "game" and run.log_start == 0
        await b.prints("line 400\r\n")
        await run.send(b"hello\n")
        assert (await b.ends_with()).code == 4
        lines = "".join(f"line {n}\r\n" for n in range(1, 401))
        assert b.output() == lines + "hello\r\ngot hello\r\n"


async def test_an_end_while_no_agent_was_there_is_told_once(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        await asyncio.to_thread(start_and_kill_an_agent, tmp_path / "s1", "sleep 0.2; echo bye; exit 9")
        await wait_for((tmp_path / "s1/run/exit.json").exists, what="the recorded end")
        assert await b.attach() is not None
        assert (await b.ends_with()).code == 9
        assert b.ends[-1] == b.log.end == len("bye\r\n")
        assert await b.attach() is None
        assert len(b.exits) == 1


@BOTH
async def test_a_killed_keeper_takes_its_server_with_it(tmp_path: Path, sandboxed: bool) -> None:
    mark = f"{uuid.uuid4().int % 10**9 + 10**9}"
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        run = await b.start(f"(setsid sleep {mark} &); echo ready; sleep {mark}; :")
        await b.prints("ready")
        os.kill(run.keeper, signal.SIGKILL)
        assert (await b.ends_with()).signal == "SIGKILL"
        assert alive(mark) == []
        b.exits.clear()
        await b.start("echo again")
        assert (await b.ends_with()).code == 0


async def test_after_a_reboot_the_end_has_neither_code_nor_signal(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        run = await b.start("echo ready; exec sleep 60")
        await b.prints("ready")
        left = (tmp_path / "s1/run/launch").read_bytes()
        await run.kill()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (tmp_path / "s1/run/launch").write_bytes(left.replace(boot.encode(), b"0" * len(boot)))
        (tmp_path / "s1/run/exit.json").unlink()
        b.exits.clear()
        assert await b.attach() is not None
        end = await b.ends_with()
        assert (end.code, end.signal) == (None, None)


async def test_a_client_that_never_reads_slows_nobody(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        await b.start("read go; seq 200000; echo done; exec sleep 60")
        slow = Bench(tmp_path / "s1", b.runtime)
        run = await slow.attach()
        assert run is not None and run._task is not None and b.run is not None
        run._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run._task
        await b.run.send(b"go\n")
        await b.prints("done", 60)
        await wait_for(lambda: b.ends[-1] == b.log.end, what="the quick client's news")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_works_for_an_ordinary_user(tmp_path: Path) -> None:
    python = usable_python()
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    reachable(tmp_path)
    source = ORDINARY.format(path=sys.path, tests=str(Path(__file__).parents[3]), root=str(home / "s1"))
    done = as_nobody(python, "-c", source)
    assert done.returncode == 0, done.stderr
    assert "uid 65534" in done.stdout and "kept: 7" in done.stdout, done.stdout
    wait_until(lambda: not alive(str(home)))


ORDINARY = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = {path!r}
sys.path[:0] = [{tests!r}]
from runs import bench

async def main():
    async with bench(Path({root!r})) as b:
        protection = await b.runtime.protection()
        assert not protection.active["own_uid"] and protection.reasons["own_uid"]
        await b.start("echo uid $(id -u); ls /; touch here; exit 7")
        print(b.output(), "kept:", (await b.ends_with()).code, b.output(), protection)

asyncio.run(main())
"""


async def test_protection_is_reported_with_reasons(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1", sandboxed=False) as b:
        protection = await b.runtime.protection()
        assert set(protection.active) == set(LABELS) - {"disk"}
        assert not protection.active["sandbox"]
        assert all(protection.reasons.get(name) for name, active in protection.active.items() if not active)


async def test_too_much_memory_ends_the_run_and_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        hog = "x = []\nwhile True: x.append(bytearray(b'x' * 1_000_000))"
        await b.start(f'/usr/bin/python3 -c "{hog}"', limits=Limits(memory_mb=64))
        end = await b.ends_with(60)
        assert end.oom and end.signal == "SIGKILL"
