"""A server gets at nothing that isn't its own: each escape really tried, in each of the protections there are."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from escape_parts import attempt
from runs import as_nobody, needs_bwrap, needs_root, usable_python

BOTH = pytest.mark.parametrize("sandboxed", [pytest.param(True, marks=needs_bwrap), False])
PARTS = Path(__file__).parents[3] / "escape_parts.py"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that other users can pass through, which those of pytest aren't."""
    with tempfile.TemporaryDirectory(prefix="stellar-escapes-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def judge(active: dict[str, bool], printed: str) -> None:
    """Nothing that an active protection (or any) forbids may have worked."""
    assert printed.endswith("end\n"), printed
    escapes = [line.removeprefix("ESCAPED ") for line in printed.splitlines() if line.startswith("ESCAPED")]
    wrong = [how for how in escapes if active.get(how.partition(":")[0], True)]
    assert not wrong, "\n".join(wrong)


@needs_root
@BOTH
async def test_a_server_of_a_root_agent(place: Path, sandboxed: bool) -> None:
    active, printed, lives = await attempt(place, sandboxed=sandboxed)
    assert active["sandbox"] is sandboxed and active["own_uid"] and lives
    judge(active, printed)


@needs_root
@pytest.mark.parametrize("how", [pytest.param("sandboxed", marks=needs_bwrap), "bare"])
async def test_a_server_of_an_ordinary_users_agent(place: Path, how: str) -> None:
    active, printed, lives = await attempt_as_nobody(place, how)
    assert not active["own_uid"] and lives
    judge(active, printed)


@needs_root
async def test_the_attempts_would_work(place: Path) -> None:
    """Without any protection but a keeper's key; else the tests above would prove nothing."""
    active, printed, lives = await attempt_as_nobody(place, "open")
    assert not any(active[name] for name in ("sandbox", "files", "processes", "syscalls", "sockets")) and lives
    for how in (
        "files: reads",
        "files: lists the servers",
        "processes: reads environ of",
        "processes: lists cwd of",
        "processes: signals",
        "processes: traces",
        "processes: limits the keeper",
        "own_uid: changes the keeper's priority",
        "processes: opens another server's terminal",
        "own_uid: connects to another server's keeper",
        "sockets: connects",
        "syscalls: types into its terminal",
        "syscalls: makes a mount namespace",
        "syscalls: makes a user namespace",
        "syscalls: makes a user namespace by a 32-bit call",
        "syscalls: clones into a namespace",
        "syscalls: adds a key",
    ):
        assert f"ESCAPED {how}" in printed, (how, printed)


async def attempt_as_nobody(place: Path, how: str) -> tuple[dict[str, bool], str, bool]:
    python = await asyncio.to_thread(usable_python)
    os.chown(place, 65534, 65534)
    done = await asyncio.to_thread(as_nobody, python, str(PARTS), str(place), how)
    assert done.returncode == 0, done.stderr
    active, printed, lives = json.loads(done.stdout)
    return active, printed, lives
