"""Running things in the docker runtime, and looking at what they print."""

from __future__ import annotations

import contextlib
import re
import uuid
from pathlib import Path
from typing import Any

from docker_parts import GAME, Daemon

from stellar.errors import DomainError
from stellar.plugins.servers.agent.console_log import ConsoleLog
from stellar.plugins.servers.agent.docker.run import ContainerRun
from stellar.plugins.servers.agent.docker.runtime import DockerRuntime
from stellar.plugins.servers.agent.runtime import Exit, Launch
from stellar.plugins.servers.settings import DockerSettings
from stellar.plugins.servers.spec import Limits
from stellar.testing.waiting import wait_for


class Bench:
    """One server in Docker, and what became of its runs."""

    def __init__(self, agent: Path, runtime: DockerRuntime) -> None:
        self.id = str(uuid.uuid4())
        self.root, self.runtime = agent / "servers" / self.id, runtime
        self.ends: list[int] = []
        self.exits: list[Exit] = []
        self.run: ContainerRun | None = None
        self.log = ConsoleLog(self.root / "console")

    def launch(self, command: str, **changes: Any) -> Launch:
        values: dict[str, Any] = {"kind": "game", "env": {}, "limits": Limits(), "image": GAME, **changes}
        return Launch(server_id=self.id, command=command, root=self.root, **values)

    async def start(self, command: str, **changes: Any) -> ContainerRun:
        launch = self.launch(command, **changes)
        await self.runtime.prepare(launch, self.ends.append)
        self.run = await self.runtime.start(launch, self.ends.append, self.exits.append)
        return self.run

    def output(self) -> str:
        return self.log.read(0, 1 << 30)[1].decode(errors="replace").replace("\r\n", "\n")

    def printed(self) -> str:
        """The output without the runtime's own lines."""
        return re.sub(r"(?m)^\[stellar\] .*\n", "", self.output())

    async def prints(self, text: str, timeout: float = 20.0) -> None:
        await wait_for(lambda: text in self.output(), timeout, f"{text!r} in {self.output()[-2000:]!r}")

    async def ends_with(self, timeout: float = 30.0) -> Exit:
        await wait_for(lambda: self.exits, timeout, f"the end of the run, {self.output()[-2000:]!r}")
        return self.exits[-1]


class Benches:
    """Servers of one agent."""

    def __init__(self, agent: Path, daemon: Daemon, **settings: Any) -> None:
        self.agent, self.daemon = agent, daemon
        self.runtime = DockerRuntime(agent, DockerSettings(host=daemon.host, **settings))
        self.made: list[Bench] = []

    def __call__(self) -> Bench:
        self.made.append(Bench(self.agent, self.runtime))
        return self.made[-1]

    async def close(self) -> None:
        for bench in self.made:
            if bench.run is not None and not bench.exits:
                with contextlib.suppress(DomainError):
                    await bench.run.kill()
        await self.runtime.close()
