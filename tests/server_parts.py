"""What tests of the servers' agent share: a context that remembers, a runtime in memory, and specs."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stellar.config import load_config
from stellar.errors import Conflict
from stellar.plugins.nodes.settings import AgentSettings
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.managed import Managed
from stellar.plugins.servers.agent.manager import ServerManager
from stellar.plugins.servers.agent.runtime import Exit, Launch, OnExit, OnOutput, Protection, Stats
from stellar.plugins.servers.settings import DockerSettings
from stellar.plugins.servers.spec import Limits, Port, ServerSpec, Stop
from stellar.testing.waiting import wait_for


class Recorder:
    """An ``AgentContext`` that keeps what it was told."""

    def __init__(self, data: Path, environment: dict[str, str] | None = None) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.config = load_config(data, environment or {})
        self.config.register("agent", AgentSettings)
        self.config.register("docker", DockerSettings)
        self.connected = True
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.reports: list[tuple[str, str | None, dict[str, Any]]] = []
        self.capabilities: dict[str, Any] = {}
        self.services: dict[type, object] = {}

    def emit(self, topic: str, server_id: str, data: dict[str, Any]) -> None:
        if self.connected:
            self.events.append((topic, server_id, data))

    def report(self, kind: str, server_id: str | None, data: dict[str, Any]) -> None:
        self.reports.append((kind, server_id, data))

    def provide(self, service: object) -> None:
        self.services[type(service)] = service

    def get(self, service: type[Any]) -> Any:
        return self.services[service]

    def set_capability(self, name: str, value: Any) -> None:
        self.capabilities[name] = value

    def sent(self, topic: str, server_id: str) -> list[dict[str, Any]]:
        """The data of every event of a topic."""
        return [data for name, of, data in self.events if (name, of) == (topic, server_id)]

    def reported(self, kind: str, server_id: str) -> list[dict[str, Any]]:
        """The data of every report of a kind."""
        return [data for name, of, data in self.reports if (name, of) == (kind, server_id)]

    def states(self, server_id: str) -> list[str]:
        """Every state that was reported, in order."""
        return [data["state"] for data in self.reported("server.state", server_id)]

    def output(self, server_id: str) -> bytes:
        """All the console output that was sent."""
        return b"".join(data["data"] for data in self.sent("logs", server_id))


@dataclass
class MemoryRun:
    """A run that does only what a test tells it to."""

    server_id: str
    kind: str
    command: str
    console: Path
    on_output: OnOutput
    on_exit: OnExit
    log_start: int
    started_at: float = field(default_factory=time.time)
    typed: list[bytes] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    limits: list[Limits] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    ended: Exit | None = None

    async def send(self, data: bytes) -> None:
        if self.ended is not None:
            raise Conflict("It has ended.")
        self.typed.append(data)

    async def signal(self, name: str) -> None:
        self.signals.append(name)

    async def kill(self) -> None:
        self.exit(None, "SIGKILL")

    async def resize(self, cols: int, rows: int) -> None:
        self.sizes.append((cols, rows))

    async def limit(self, limits: Limits) -> None:
        self.limits.append(limits)

    async def stats(self) -> Stats:
        return Stats(cpu_percent=12.34, memory_bytes=4096, processes=2, uptime=time.time() - self.started_at)

    async def pids(self) -> list[int]:
        return self.processes

    def print(self, data: bytes) -> None:
        """Write console output."""
        with self.console.open("ab") as file:
            file.write(data)
        self.on_output(self.console.stat().st_size)

    def exit(self, code: int | None, signal: str | None = None) -> None:
        """End, once."""
        if self.ended is None:
            self.ended = Exit(code=code, signal=signal, oom=False, at=time.time())
            self.on_exit(self.ended)


class MemoryRuntime:
    """A ``Runtime`` that outlives agents, and whose runs a test controls."""

    name = "process"
    bridged = False

    def __init__(self) -> None:
        self.runs: list[MemoryRun] = []
        self.live: dict[Path, MemoryRun] = {}
        self.launches: list[Launch] = []
        self.refuse: Exception | None = None
        self.ready = asyncio.Event()
        self.ready.set()
        self.preparing = 0

    @property
    def latest(self) -> MemoryRun:
        """The run that was started last."""
        return self.runs[-1]

    def latest_of(self, managed: Managed) -> MemoryRun:
        """The latest run of a server."""
        return [run for run in self.runs if run.server_id == managed.server.id][-1]

    async def protection(self) -> Protection:
        return Protection(active={"sandbox": False}, reasons={"sandbox": "this is a test"})

    async def node_address(self, server_id: str) -> str:
        return "127.0.0.1"

    async def prepare(self, launch: Launch, on_output: OnOutput) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.preparing += 1
        await self.ready.wait()

    async def start(self, launch: Launch, on_output: OnOutput, on_exit: OnExit) -> MemoryRun:
        console = launch.root / "console" / f"{0:020d}.log"
        console.parent.mkdir(exist_ok=True)
        console.touch()
        size = console.stat().st_size
        run = MemoryRun(launch.server_id, launch.kind, launch.command, console, on_output, on_exit, size)
        self.runs.append(run)
        self.launches.append(launch)
        self.live[launch.root] = run
        return run

    async def close(self) -> None:
        return

    def detach(self) -> None:
        """Tell nobody anything, as if the agent were gone."""
        for run in self.runs:
            run.on_output = run.on_exit = lambda _: None

    async def attach(self, root: Path, on_output: OnOutput, on_exit: OnExit) -> MemoryRun | None:
        run = self.live.get(root)
        if run is None:
            return None
        run.on_output, run.on_exit = on_output, on_exit
        if run.ended is not None:
            del self.live[root]
            on_exit(run.ended)
        return run


def make_spec(**changes: Any) -> ServerSpec:
    """A spec with nothing to install."""
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "name": "test",
        "runtime": "process",
        "startup": "cat",
        "stop": Stop(command="stop", grace_seconds=30),
        "done": ["Ready"],
        "install_id": "1",
        "install_script": None,
        "variables": {},
        "limits": Limits(),
        "ports": [Port(ip="127.0.0.1", port=30000)],
    }
    return ServerSpec(**{**values, **changes})


class Node:
    """A node's servers over a runtime in memory, which outlives the agent."""

    def __init__(self, data: Path, policy: Policy) -> None:
        self.context = Recorder(data)
        self.runtime = MemoryRuntime()
        self.policy = policy
        self.boot = "first"
        self.manager = ServerManager(self.context, {"process": self.runtime}, policy, self.boot)

    async def create(self, **changes: Any) -> Managed:
        """Apply a new spec and answer its server."""
        spec = make_spec(**changes)
        await self.manager.apply(spec)
        return self.manager.get(spec.id)

    def kill_agent(self) -> None:
        """Forget everything but the disk and what runs."""
        self.manager.close()
        self.runtime.detach()

    async def start_agent(self) -> None:
        """Come up again."""
        self.manager = ServerManager(self.context, {"process": self.runtime}, self.policy, self.boot)
        await self.manager.load()

    async def reboot(self) -> None:
        """End everything that runs, as a machine does, and come up again on its next boot."""
        self.kill_agent()
        self.boot += " again"
        self.runtime.live.clear()
        await self.start_agent()


async def reaches(managed: Managed, state: str) -> None:
    """Wait until the server is in this state."""
    await wait_for(lambda: managed.server.state == state, what=f"state {state}, now {managed.server.state}")


async def running(node: Node, **changes: object) -> Managed:
    """A server of the node that runs."""
    managed = await node.create(**changes)
    await managed.power("start")
    node.runtime.latest.print(b"Ready\n")
    await reaches(managed, "running")
    return managed
