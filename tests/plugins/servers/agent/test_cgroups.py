from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from stellar.plugins.servers.agent import cgroups
from stellar.plugins.servers.spec import Limits
from stellar.testing.waiting import wait_until


@pytest.fixture
def found() -> cgroups.Found:
    return cgroups.find()


@pytest.fixture
def group(found: cgroups.Found) -> Iterator[list[Path]]:
    if not found.places:
        pytest.skip("optional: no control group can be made here: " + "; ".join(found.reasons.values()))
    made = cgroups.create(found, f"test-{uuid.uuid4().hex}", Limits(memory_mb=64, cpu_percent=150))
    yield made
    for directory in made:
        for pid in cgroups.members(directory):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda directory=directory: not cgroups.members(directory))
        cgroups.remove(directory)
        assert not directory.exists()


def test_every_controller_works_or_has_a_reason(found: cgroups.Found) -> None:
    for name in cgroups.CONTROLLERS:
        assert (name in found.active) != bool(found.reasons.get(name))


def test_limits_are_written_and_members_listed(found: cgroups.Found, group: list[Path]) -> None:
    written = {
        path.name: path.read_text().strip() for directory in group for path in directory.iterdir() if wanted(path)
    }
    if "memory" in found.active:
        assert str(64 * 1024 * 1024) in (written.get("memory.max"), written.get("memory.limit_in_bytes"))
        assert cgroups.memory_used(group) is not None
    if "cpu" in found.active:
        assert "150000" in (written.get("cpu.max", "").split(" ")[0], written.get("cpu.cfs_quota_us"))
    if "pids" in found.active:
        assert written["pids.max"] == str(cgroups.PROCESSES)
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        for directory in group:
            (directory / "cgroup.procs").write_text(str(sleeper.pid))
            assert cgroups.members(directory) == [sleeper.pid]
        sleeper.kill()


def wanted(path: Path) -> bool:
    return path.name in ("memory.max", "memory.limit_in_bytes", "cpu.max", "cpu.cfs_quota_us", "pids.max")


def test_unlimited_writes_no_limit() -> None:
    for version in (1, 2):
        assert cgroups.settings(version, "memory", Limits()) == []
        assert cgroups.settings(version, "cpu", Limits()) == []


def test_what_is_gone_is_no_error(tmp_path: Path) -> None:
    gone = tmp_path / "parent" / "none"
    assert cgroups.members(gone) == []
    assert cgroups.memory_used([gone]) is None
    cgroups.remove(gone)


def test_limits_of_a_group_in_use_are_changed_and_lifted(found: cgroups.Found, group: list[Path]) -> None:
    def now(*names: str) -> set[str]:
        return {(path / name).read_text().split()[0] for path in group for name in names if (path / name).exists()}

    for memory in (256, 32):
        cgroups.change(group, Limits(memory_mb=memory, cpu_percent=memory))
        if "memory" in found.active:
            assert now("memory.max", "memory.limit_in_bytes") == {str(memory * cgroups.MEGABYTE)}
        if "cpu" in found.active:
            assert now("cpu.max", "cpu.cfs_quota_us") == {f"{memory}000"}
    cgroups.change(group, Limits())
    if "cpu" in found.active:
        assert now("cpu.max", "cpu.cfs_quota_us") <= {"max", "-1"}
    if "memory" in found.active:
        assert now("memory.max", "memory.limit_in_bytes").isdisjoint({str(32 * cgroups.MEGABYTE)})


def test_memory_in_use_is_not_taken_away(tmp_path: Path) -> None:
    for name, text in {"memory.max": "64", "memory.current": str(2 * cgroups.MEGABYTE), "cpu.max": "max"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "memory.stat").write_text("inactive_file 0\n")
    cgroups.change([tmp_path], Limits(memory_mb=1, cpu_percent=50))
    assert (tmp_path / "memory.max").read_text() == "64"
    assert (tmp_path / "cpu.max").read_text() == "50000 100000"
