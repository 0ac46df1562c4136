"""The servers' calls as the agent's dispatcher answers them, over the real process runtime."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from server_parts import Recorder, make_spec

from stellar.extend.agent import FindChecks, Handler, OnSpecs, Task
from stellar.plugins.nodes.agent.calls import Dispatcher
from stellar.plugins.nodes.protocol import Call, Reply
from stellar.plugins.servers.agent import register
from stellar.plugins.servers.spec import ServerSpec, Stop
from stellar.testing.waiting import wait_for

Ask = Callable[..., Awaitable[Reply]]


class Registrar:
    """An ``AgentRegistrar`` that keeps what was registered."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.starts: list[Task] = []
        self.stops: list[Task] = []
        self.tasks: list[Task] = []
        self.specs: list[OnSpecs] = []
        self.checks: list[FindChecks] = []

    def handler(self, method: str, fn: Handler) -> None:
        self.handlers[method] = fn

    def start(self, fn: Task) -> None:
        self.starts.append(fn)

    def stop(self, fn: Task) -> None:
        self.stops.append(fn)

    def task(self, fn: Task) -> None:
        self.tasks.append(fn)

    def on_specs(self, fn: OnSpecs) -> None:
        self.specs.append(fn)

    def check(self, fn: FindChecks) -> None:
        self.checks.append(fn)


@pytest.fixture
async def context(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "agent")


@pytest.fixture
async def ask(context: Recorder) -> AsyncIterator[Ask]:
    registrar = Registrar()
    register(registrar)
    for start in registrar.starts:
        await start(context)
    dispatcher = Dispatcher(context, registrar.handlers)

    async def ask(method: str, **params: Any) -> Reply:
        return await dispatcher.answer(Call(str(uuid.uuid4()), method, params, 10.0))

    applied: list[str] = []

    async def remembering(method: str, **params: Any) -> Reply:
        if method == "servers.apply":
            applied.append(params["spec"]["id"])
        return await ask(method, **params)

    yield remembering
    for server_id in applied:
        await ask("servers.remove", server_id=server_id)
    for stop in registrar.stops:
        await stop(context)


def wire(spec: ServerSpec) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(spec)
    return plain


def echo_server(**changes: Any) -> ServerSpec:
    """Answers every line; ``stop`` ends it."""
    loop = 'echo Ready; while read -r line; do [ "$line" = stop ] && exit 0; echo "got $line"; done'
    return make_spec(**{"startup": loop, "stop": Stop(command="stop", grace_seconds=20), **changes})


async def test_a_server_from_apply_to_remove(ask: Ask, context: Recorder) -> None:
    spec = echo_server(install_script="echo installed > marker; echo hello from the script")
    assert (await ask("servers.apply", spec=wire(spec))).error is None

    async def in_state(state: str) -> bool:
        return (await ask("servers.state", server_id=spec.id)).result["state"] == state

    await wait_for(lambda: in_state("offline"))
    assert (context.data / "servers" / spec.id / "data" / "marker").read_text() == "installed\n"
    (installed,) = context.reported("server.installed", spec.id)
    assert "hello from the script" in installed["log"]

    watched = (await ask("console.watch", server_id=spec.id, seconds=60)).result["end"]
    assert (await ask("servers.power", server_id=spec.id, action="start")).result == {"state": "starting"}
    await wait_for(lambda: in_state("running"))
    second = await ask("servers.power", server_id=spec.id, action="start")
    assert second.error is not None
    assert second.error.kind == "conflict"
    assert (await ask("servers.command", server_id=spec.id, command="say hi")).error is None
    await wait_for(lambda: b"got say hi" in context.output(spec.id))
    assert (await ask("console.input", server_id=spec.id, data=b"raw\n")).error is None
    await wait_for(lambda: b"got raw" in context.output(spec.id))
    assert (await ask("console.resize", server_id=spec.id, cols=100, rows=40)).error is None

    chunk = (await ask("console.read", server_id=spec.id, after=watched)).result
    assert chunk["data"] == context.output(spec.id)
    assert (chunk["start"], chunk["end"], chunk["log_start"]) == (watched, chunk["log_end"], 0)
    last = (await ask("console.read", server_id=spec.id, limit=5)).result
    assert (last["end"] - last["start"], last["data"]) == (5, chunk["data"][-5:])

    stats = (await ask("servers.stats", server_id=spec.id)).result
    assert stats["state"] == "running"
    assert stats["processes"] >= 1
    assert stats["memory_bytes"] > 0
    assert (await ask("servers.power", server_id=spec.id, action="stop")).result["state"] in {"stopping", "offline"}
    await wait_for(lambda: in_state("offline"))
    assert (await ask("servers.remove", server_id=spec.id)).error is None
    gone = await ask("servers.state", server_id=spec.id)
    assert gone.error is not None
    assert gone.error.kind == "conflict"


@pytest.mark.parametrize("command", ["say hi\nstop", "\x1b[A", "x" * 4097, "x" * 1_000_000])
async def test_a_bad_command_is_refused_and_not_typed(ask: Ask, context: Recorder, command: str) -> None:
    spec = echo_server()
    await ask("servers.apply", spec=wire(spec))
    await ask("servers.power", server_id=spec.id, action="start")
    await ask("console.watch", server_id=spec.id, seconds=60)
    refused = await ask("servers.command", server_id=spec.id, command=command)
    assert refused.error is not None
    assert (refused.error.kind, refused.error.code) == ("invalid", "bad_command")
    await ask("servers.command", server_id=spec.id, command="marker")
    await wait_for(lambda: b"got marker" in context.output(spec.id))
    assert context.output(spec.id).count(b"got ") == 1


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("servers.power", {"server_id": str(uuid.uuid4()), "action": "start", "unknown": 1}),
        ("servers.power", {"server_id": "../escape", "action": "start"}),
        ("servers.apply", {"spec": {**wire(make_spec()), "unknown": 1}}),
        ("console.input", {"server_id": str(uuid.uuid4()), "data": "not bytes"}),
        ("console.read", {"server_id": str(uuid.uuid4()), "limit": 10_000_000}),
    ],
)
async def test_what_is_not_understood_is_refused(
    ask: Ask, context: Recorder, method: str, params: dict[str, Any]
) -> None:
    before = list(context.reports)
    refused = await ask(method, **params)
    assert refused.error is not None
    assert refused.error.kind == "invalid"
    assert context.reports == before


async def test_a_server_that_is_not_here(ask: Ask) -> None:
    for method, more in [
        ("servers.power", {"action": "start"}),
        ("servers.command", {"command": "x"}),
        ("servers.state", {}),
        ("servers.stats", {}),
        ("console.read", {}),
        ("console.watch", {"seconds": 10}),
        ("console.input", {"data": b"x"}),
        ("console.resize", {"cols": 80, "rows": 24}),
    ]:
        reply = await ask(method, server_id=str(uuid.uuid4()), **more)
        assert reply.error is not None
        assert (reply.error.kind, reply.error.code) == ("conflict", "not_on_node")
    assert (await ask("servers.remove", server_id=str(uuid.uuid4()))).error is None


async def test_probe_tells_what_the_host_has(ask: Ask, context: Recorder) -> None:
    result = (await ask("servers.probe", commands=["sh", "no-such-command-here"])).result
    assert result["found"]["sh"] == shutil.which("sh", path="/usr/bin:/bin")
    assert result["found"]["no-such-command-here"] is None
    assert result["runtimes"]["process"] == {"available": True, "reason": ""}
    assert set(result["protection"]["process"]) == {"active", "reasons"}
    assert context.capabilities["runtimes"] == result["runtimes"]
    assert context.capabilities["protection"] == result["protection"]
