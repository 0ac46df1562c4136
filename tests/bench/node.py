"""How a node's agent does with many servers; prints figures and asserts none.

``python tests/bench/node.py`` runs the real agent, with real keepers, against a panel that only holds the link: how
long a new agent takes to have all servers again, what they cost it while they are idle, and whether one that prints
as much as it can delays the commands of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import statistics
import subprocess
import tempfile
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from common import parser, report
from memory import memory
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from stellar.plugins.nodes import protocol
from stellar.plugins.nodes.agent.identity import Identity, write_identity
from stellar.plugins.nodes.protocol import Ack, Call, Event, Hello, Reply, Report, Welcome

IDLE = "exec cat >/dev/null"
ECHO = "stty -echo; exec cat"
LINES_PER_SECOND = 50_000
LOUD = f"""exec /usr/bin/python3 -c '
import sys, time
text = "a line of the flood that a game server prints\\n" * {LINES_PER_SECOND // 100}
began, count = time.monotonic(), 0
while True:
    sys.stdout.write(text); sys.stdout.flush()
    count += 1
    time.sleep(max(0, began + count / 100 - time.monotonic()))
'"""
TICKS = os.sysconf("SC_CLK_TCK")
PAUSE = 0.02


class Panel:
    """The panel's end of one agent's link."""

    def __init__(self) -> None:
        self.linked = asyncio.Event()
        self.specs: dict[str, dict[str, Any]] = {}
        self.events: deque[Event] = deque(maxlen=10_000)
        self.printed = asyncio.Event()
        self.metrics = 0
        self._socket: ServerConnection | None = None
        self._answers: dict[str, asyncio.Future[Reply]] = {}

    async def serve(self, socket: ServerConnection) -> None:
        """One link, from hello to its end."""
        assert isinstance(protocol.decode_from_agent(await _frame(socket)), Hello)
        welcome = Welcome(protocol.PROTOCOL_VERSION, "node", "bench", list(self.specs.values()))
        await socket.send(protocol.encode(welcome))
        self._socket = socket
        self.linked.set()
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._take(socket, protocol.decode_from_agent(await _frame(socket)))

    async def _take(self, socket: ServerConnection, frame: protocol.FromAgent) -> None:
        if isinstance(frame, Reply):
            self._answers.pop(frame.id).set_result(frame)
        elif isinstance(frame, Report):
            await socket.send(protocol.encode(Ack(frame.id)))
        elif isinstance(frame, Event) and frame.topic == "metrics":
            self.metrics += 1
        elif isinstance(frame, Event) and frame.topic == "logs":
            self.events.append(frame)
            self.printed.set()

    async def call(self, method: str, **params: Any) -> Reply:
        """Ask the agent."""
        assert self._socket is not None
        call_id = uuid.uuid4().hex
        self._answers[call_id] = asyncio.get_running_loop().create_future()
        await self._socket.send(protocol.encode(Call(call_id, method, params, 60)))
        return await asyncio.wait_for(self._answers[call_id], 60)

    async def until(self, server_id: str, state: str) -> None:
        """Wait until a server is in a state."""
        while (answer := await self.call("servers.state", server_id=server_id)).result["state"] != state:
            assert answer.error is None, answer.error
            await asyncio.sleep(0.05)

    async def prints(self, server_id: str, text: bytes) -> None:
        """Wait until a watched server's output holds a text."""
        while not any(event.server_id == server_id and text in event.data["data"] for event in self.events):
            self.printed.clear()
            await asyncio.wait_for(self.printed.wait(), 60)


class AgentProcess:
    """``stellar agent`` in a data directory."""

    def __init__(self, command: list[str], data: Path) -> None:
        self._command, self._data = [*command, "agent", "--data", str(data)], data
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """In the background, its log in the data directory."""
        with (self._data / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        """As a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    def seconds(self) -> float:
        """CPU time so far."""
        return sum(map(int, Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / TICKS


async def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--servers", type=int, default=100)
    options.add_argument("--idle", type=float, default=30.0, help="seconds of idleness to measure")
    options.add_argument("--samples", type=int, default=500)
    given = options.parse_args()
    async with panel(shlex.split(given.command)) as (link, agent):
        await asyncio.sleep(1)
        empty = memory(agent.pid)[0]
        ids = [await make(link, IDLE) for _ in range(given.servers)]
        await restart(link, agent, ids)
        await idle(link, agent, given, empty)
        await flood(link, given.samples)


@contextlib.asynccontextmanager
async def panel(command: list[str]) -> AsyncIterator[tuple[Panel, AgentProcess]]:
    """A panel with an agent linked to it; in the end nothing is left of either."""
    link = Panel()
    with tempfile.TemporaryDirectory(prefix="stellar-bench-") as name:
        Path(name).chmod(0o711)
        data = Path(name) / "data"
        data.mkdir(mode=0o711)
        async with serve(link.serve, "127.0.0.1", 0, max_size=protocol.MAX_FRAME, compression=None) as server:
            port = server.sockets[0].getsockname()[1]
            write_identity(data / "agent", Identity(f"http://127.0.0.1:{port}", "node", "key"))
            agent = AgentProcess(command, data)
            agent.start()
            try:
                await asyncio.wait_for(link.linked.wait(), 30)
                yield link, agent
            finally:
                await asyncio.gather(*(link.call("servers.remove", server_id=one) for one in link.specs))
                agent.process and agent.process.send_signal(signal.SIGTERM)
                agent.process and agent.process.wait(20)


async def make(link: Panel, startup: str) -> str:
    """A server that runs."""
    server_id = str(uuid.uuid4())
    spec = {
        "id": server_id,
        "name": "bench",
        "runtime": "process",
        "startup": startup,
        "stop": {"grace_seconds": 5},
        "done": [],
        "install_id": "1",
        "install_script": None,
        "variables": {},
        "limits": {"memory_mb": 256},
        "ports": [],
    }
    link.specs[server_id] = spec
    applied = await link.call("servers.apply", spec=spec)
    assert applied.error is None, applied.error
    await link.until(server_id, "offline")
    started = await link.call("servers.power", server_id=server_id, action="start")
    assert started.error is None, started.error
    return server_id


async def restart(link: Panel, agent: AgentProcess, ids: list[str]) -> None:
    """Kill the agent; from the start of the next until every server takes a command again."""
    for server_id in ids:
        await link.until(server_id, "running")
    agent.kill()
    link.linked.clear()
    began = time.perf_counter()
    agent.start()
    await asyncio.wait_for(link.linked.wait(), 60)
    linked = time.perf_counter() - began
    replies = await asyncio.gather(*(link.call("servers.command", server_id=one, command="here") for one in ids))
    taken = time.perf_counter() - began
    assert all(reply.error is None for reply in replies), [reply.error for reply in replies if reply.error]
    figures = {"linked": linked, "all": taken, "cpu": agent.seconds()}
    rounded = {name: round(value, 2) for name, value in figures.items()}
    report(f"start of the agent to {len(ids)} servers again, s", **rounded, aim=3)


async def idle(link: Panel, agent: AgentProcess, given: Any, empty: float) -> None:
    """What idle servers cost the agent."""
    await asyncio.sleep(min(given.idle, 5))
    before, began, metrics = agent.seconds(), time.perf_counter(), link.metrics
    await asyncio.sleep(given.idle)
    seconds = time.perf_counter() - began
    percent = 100 * (agent.seconds() - before) / seconds
    rate = round((link.metrics - metrics) / seconds, 1)
    report(
        "idle CPU per 20 servers, % of a core", agent=round(percent * 20 / given.servers, 2), metrics_per_s=rate, aim=1
    )
    each = max(memory(agent.pid)[0] - empty, 0.0) / given.servers
    report("memory of the agent per idle server, MB", pss=round(each, 3), without_servers=empty, aim=1)


async def flood(link: Panel, samples: int) -> None:
    """Commands to one server, alone and while another, which somebody watches too, prints without end."""
    quiet = await make(link, ECHO)
    await link.until(quiet, "running")
    for what, command in (("idle", None), (f"beside {LINES_PER_SECOND} lines/s", LOUD)):
        if command is not None:
            loud = await make(link, command)
            await link.call("console.watch", server_id=loud, seconds=300)
            await link.prints(loud, b"flood")
        await link.call("console.watch", server_id=quiet, seconds=300)
        answers, echoes = [], []
        for number in range(samples):
            began = time.perf_counter()
            word = f"{what} {number}."
            reply = await link.call("servers.command", server_id=quiet, command=word)
            assert reply.error is None, reply.error
            answers.append((time.perf_counter() - began) * 1000)
            await link.prints(quiet, word.encode())
            echoes.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PAUSE)
        report(f"a command's answer, {what}, ms", **slowest(answers), aim=50)
        report(f"a command's echo, {what}, ms", **slowest(echoes))


def slowest(milliseconds: list[float]) -> dict[str, float]:
    """The middle, the slowest percent and the slowest."""
    ordered = sorted(milliseconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {"p50": round(statistics.median(ordered), 2), "p99": round(p99, 2), "max": round(ordered[-1], 2)}


async def _frame(socket: ServerConnection) -> bytes:
    data = await socket.recv()
    assert isinstance(data, bytes)
    return data


if __name__ == "__main__":
    asyncio.run(main())
