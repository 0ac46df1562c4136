"""A server can't outgrow its limits, nor leave anything alive that it was ended with."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from pathlib import Path

import pytest
from runs import Bench, alive, bench, needs_bwrap

from stellar.errors import Unavailable
from stellar.plugins.servers.agent import cgroups, disks
from stellar.plugins.servers.spec import Limits
from stellar.testing.waiting import wait_for, wait_until

BOTH = pytest.mark.parametrize("sandboxed", [pytest.param(True, marks=needs_bwrap), False])
PYTHON = "exec /usr/bin/python3 -c"
BOMB = "bomb() { bomb | bomb & }; trap : TERM HUP INT; echo ready; bomb; while :; do bomb; sleep 0.01; done"
HOG = "x = []\nprint('ready', flush=True)\nwhile True: x.append(bytearray(b'x' * 1_000_000))"


async def needs(b: Bench, name: str) -> None:
    protection = await b.runtime.protection()
    if not protection.active[name]:
        pytest.skip(f"optional: {protection.reasons[name]}")


def control(b: Bench, name: str) -> str:
    """A file of the running server's control groups."""
    assert b.run is not None
    return next((path / name).read_text() for path in b.run._launched.cgroups if (path / name).exists())


@BOTH
async def test_processes_are_counted_and_a_fork_bomb_ends_with_its_server(tmp_path: Path, sandboxed: bool) -> None:
    mark = f"bomb-{uuid.uuid4().hex}"
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        await needs(b, "pids")
        run = await b.start(f"sh -c '{BOMB}' {mark} & exec sleep 600", limits=Limits(pids=60))
        await b.prints("ready")
        await wait_for(lambda: "max 0" not in control(b, "pids.events"), what="a refused fork")
        assert control(b, "pids.max").strip() == "60"
        await run.kill()
        assert b.exits[0].signal == "SIGKILL"
        assert alive(mark) == []


@BOTH
async def test_what_hides_from_its_stop_is_ended(tmp_path: Path, sandboxed: bool) -> None:
    mark = f"{uuid.uuid4().int % 10**9 + 10**9}"
    hide = "import os, signal, sys, time\n"
    hide += "for number in (1, 2, 3, 15): signal.signal(number, signal.SIG_IGN)\n"
    hide += "for _ in range(3):\n if os.fork(): os._exit(0)\n os.setsid()\n"
    hide += "os.closerange(0, 20)\nos.chdir('/')\nos.execv('/bin/sleep', ['sleep', sys.argv[1]])"
    async with bench(tmp_path / "s1", sandboxed=sandboxed) as b:
        await b.start(f'env -i /usr/bin/python3 -c "{hide}" {mark}; echo ready; read go; exit 4')
        await b.prints("ready")
        await wait_for(lambda: alive(f"sleep {mark}"), what="the hidden process")
        assert b.run is not None
        await b.run.send(b"go\n")
        assert (await b.ends_with()).code == 4
        assert alive(mark) == []


async def test_the_quota_of_cpu_holds_a_busy_server_back(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        await needs(b, "cpu")
        await b.start("echo ready; while :; do :; done", limits=Limits(cpu_percent=10))
        await b.prints("ready")
        await wait_for(lambda: "nr_throttled 0\n" not in control(b, "cpu.stat"), what="the quota's effect")


async def test_a_pinned_server_stays_on_its_processors(tmp_path: Path) -> None:
    last = max(os.sched_getaffinity(0))
    ask = f"import os; os.sched_setaffinity(0, range({last + 1})); print('on', os.sched_getaffinity(0))"
    async with bench(tmp_path / "s1") as b:
        await needs(b, "cpuset")
        await b.start(f'{PYTHON} "{ask}"', limits=Limits(cpu_set=str(last)))
        await b.ends_with()
        assert f"on {{{last}}}" in b.output()


async def test_processors_that_are_not_here_are_said(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        await needs(b, "cpuset")
        before = groups()
        with pytest.raises(Unavailable, match=r"cpuset\.cpus can't be 4000"):
            await b.start("true", limits=Limits(cpu_set="4000"))
        assert not {name for name in groups() - before if name.startswith("s1-")}


def groups() -> set[str]:
    return {path.name for place in cgroups.find().places for path in (place.directory / "stellar").glob("s1-*")}


async def test_without_the_controller_a_server_is_started_on_its_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "find", lambda *_: cgroups.Found([], dict.fromkeys(cgroups.CONTROLLERS, "None here.")))
    last = max(os.sched_getaffinity(0))
    async with bench(tmp_path / "s1") as b:
        await b.start(f"{PYTHON} 'import os; print(os.sched_getaffinity(0))'", limits=Limits(cpu_set=f"{last}-{last}"))
        await b.ends_with()
        assert f"{{{last}}}" in b.output()
        assert "may choose others" in (await b.runtime.protection()).reasons["cpuset"]


@pytest.mark.parametrize("more", ["bytearray(b'x' * 1_000_000)", "shared()"])
async def test_without_control_groups_a_watchdog_ends_what_takes_too_much_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    monkeypatch.setattr(cgroups, "find", lambda *_: cgroups.Found([], dict.fromkeys(cgroups.CONTROLLERS, "None here.")))
    hog = "import mmap, time\ndef shared():\n m = mmap.mmap(-1, 1_000_000); m.write(b'x' * 1_000_000); return m\n"
    hog += f"x = [{more} for _ in range(200)]\ntime.sleep(60)"
    async with bench(tmp_path / "s1") as b:
        assert "watchdog" in (await b.runtime.protection()).reasons["memory"]
        await b.start(f'{PYTHON} "{hog}"', limits=Limits(memory_mb=100))
        end = await b.ends_with(30)
        assert end.oom and end.signal == "SIGKILL"


async def test_a_server_may_wait_for_memory_instead_of_being_ended(tmp_path: Path) -> None:
    async with bench(tmp_path / "s1") as b:
        await needs(b, "oom")
        limits = Limits(memory_mb=64, swap_mb=32, oom_kill=False)
        run = await b.start(f'{PYTHON} "{HOG}"', limits=limits)
        await b.prints("ready")
        await wait_for(lambda: "under_oom 1" in control(b, "memory.oom_control"), what="the full memory")
        assert not b.exits
        assert control(b, "memory.memsw.limit_in_bytes").strip() == str(96 * cgroups.MEGABYTE)
        await run.kill()
        assert b.exits[0].signal == "SIGKILL"


@pytest.mark.parametrize(
    ("version", "limits", "expected"),
    [
        (2, Limits(memory_mb=1, swap_mb=2), {"memory.max": "1048576", "memory.swap.max": "2097152"}),
        (2, Limits(memory_mb=1, swap_mb=-1), {"memory.max": "1048576", "memory.swap.max": "max"}),
        (1, Limits(memory_mb=1, swap_mb=-1), {"memory.limit_in_bytes": "1048576", "memory.memsw.limit_in_bytes": "-1"}),
        (1, Limits(memory_mb=1), {"memory.limit_in_bytes": "1048576", "memory.memsw.limit_in_bytes": "1048576"}),
    ],
)
def test_swap_comes_on_top_of_memory(version: int, limits: Limits, expected: dict[str, str]) -> None:
    assert dict(cgroups.settings(version, "memory", limits)).items() >= expected.items()


@pytest.mark.parametrize(("weight", "converted"), [(10, "1"), (500, "4950"), (1000, "10000")])
def test_weights_are_converted_to_the_range_of_version_2(weight: int, converted: str) -> None:
    written = dict(cgroups.settings(2, "io", Limits(io_weight=weight)))
    assert written["io.weight"] == converted and written["io.bfq.weight"] == str(weight)


async def test_the_weight_is_written_and_only_a_scheduler_that_heeds_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheduler, heeded in (("[mq-deadline] bfq", False), ("mq-deadline [bfq]", True)):
        monkeypatch.setattr(disks, "DEVICES", disk(tmp_path, scheduler))
        async with bench(tmp_path / "s1") as b:
            protection = await b.runtime.protection()
            if not any("io" in place.controllers for place in cgroups.find().places):
                pytest.skip(f"optional: {protection.reasons['io']}")
            assert protection.active["io"] is heeded
            assert heeded or "queue/scheduler" in protection.reasons["io"]
            await b.start("echo ready; exec sleep 60", limits=Limits(io_weight=321))
            await b.prints("ready")
            assert control(b, "blkio.bfq.weight").strip().endswith("321")


def disk(folder: Path, scheduler: str) -> Path:
    """As the kernel shows the devices: all of them have this scheduler."""
    number = folder.stat().st_dev
    whole = folder / "devices/sdx"
    (whole / "queue").mkdir(parents=True, exist_ok=True)
    (whole / "queue/scheduler").write_text(scheduler)
    (whole / "sdx1").mkdir(exist_ok=True)
    (whole / "sdx1/partition").write_text("1")
    link = folder / f"devices/{os.major(number)}:{os.minor(number)}"
    link.unlink(missing_ok=True)
    link.symlink_to(whole / "sdx1")
    return link.parent


def test_version_2_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """With whatever controller the unified hierarchy of this machine has to itself."""
    mounts = [mount for _root, mount, kind, _options in cgroups._mounts() if kind == "cgroup2"]
    offered = [name for mount in mounts for name in (mount / "cgroup.controllers").read_text().split()]
    if not offered or not os.access(mounts[0] / "cgroup.procs", os.W_OK):
        pytest.skip("optional: no writable unified hierarchy with a controller")
    monkeypatch.setattr(cgroups, "CONTROLLERS", (offered[0],))
    monkeypatch.setattr(cgroups, "settings", lambda *_: [])
    found = cgroups.find()
    place = next(place for place in found.places if place.version == 2)
    assert found.active == {offered[0]}
    (group,) = cgroups.create(cgroups.Found([place], {}), f"test-{uuid.uuid4().hex}", Limits())
    assert offered[0] in (group.parent / "cgroup.subtree_control").read_text().split()
    with subprocess.Popen(["sh", "-c", 'echo 0 > "$1/cgroup.procs"; exec sleep 60', "sh", str(group)]) as sleeper:
        wait_until(lambda: cgroups.members(group) == [sleeper.pid])
        (group / "cgroup.kill").write_text("1")
        assert sleeper.wait(10) == -signal.SIGKILL
    cgroups.remove(group)
    assert not group.exists()
