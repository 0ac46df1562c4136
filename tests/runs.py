"""Running real things in the process runtime, and looking at what they print."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stellar.plugins.servers.agent.console_log import ConsoleLog
from stellar.plugins.servers.agent.process import KeptRun, ProcessRuntime
from stellar.plugins.servers.agent.runtime import Exit, Launch
from stellar.plugins.servers.spec import Limits
from stellar.testing.waiting import wait_for

needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Bench:
    """One server's directory, and what became of its runs."""

    def __init__(self, root: Path, runtime: ProcessRuntime) -> None:
        self.root, self.runtime = root, runtime
        self.ends: list[int] = []
        self.exits: list[Exit] = []
        self.run: KeptRun | None = None
        self.log = ConsoleLog(root / "console")

    async def start(self, command: str, *, limits: Limits | None = None, kind: str = "game", **env: str) -> KeptRun:
        launch = Launch(self.root.name, kind, command, env, self.root, limits or Limits())
        self.run = await self.runtime.start(launch, self.ends.append, self.exits.append)
        return self.run

    async def attach(self) -> KeptRun | None:
        self.run = await self.runtime.attach(self.root, self.ends.append, self.exits.append)
        return self.run

    def output(self) -> str:
        return self.log.read(0, 1 << 30)[1].decode(errors="replace")

    async def prints(self, text: str, timeout: float = 20.0) -> str:
        await wait_for(lambda: text in self.output(), timeout, f"{text!r} in {self.output()[-2000:]!r}")
        return self.output()

    async def ends_with(self, timeout: float = 20.0) -> Exit:
        await wait_for(lambda: self.exits, timeout, "the end of the run")
        return self.exits[-1]


@contextlib.asynccontextmanager
async def bench(root: Path, *, sandboxed: bool = True) -> AsyncIterator[Bench]:
    """A bench whose run is killed at the end."""
    made = Bench(root, ProcessRuntime(root.parent, sandboxed=sandboxed))
    try:
        yield made
    finally:
        if made.run is not None and not made.exits:
            await asyncio.wait_for(made.run.kill(), 30)


def reachable(path: Path) -> None:
    """Let other users pass through a test's directory."""
    while path != path.parent and path.stat().st_uid == os.geteuid():
        path.chmod(path.stat().st_mode | 0o711)
        path = path.parent


def alive(marker: str) -> list[str]:
    """The command lines that contain a marker, of all processes that live."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if marker in line:
                    found.append(f"{folder.name} {line}")
    return found


def as_nobody(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python as another user, with this one's modules."""
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", python, *arguments]
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(argv, capture_output=True, text=True, cwd="/", timeout=120, env=env, check=False)


def usable_python() -> str:
    """A Python that another user can run with these modules; skips without one."""
    check = "import subprocess, sys; import pytest, stellar.plugins.servers.agent.process; "
    check += "subprocess.run([sys.executable, '-I', '-S', '-c', ''], check=True)"
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            if as_nobody(python, "-c", check).returncode == 0:
                return python
    pytest.skip("optional: no Python with msgspec that another user can run")
