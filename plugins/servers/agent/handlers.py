"""The calls of the servers plugin on a node, and when its parts begin and end."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from stellar.config import Config
from stellar.extend.agent import AgentCheck, AgentContext, AgentRegistrar

from ..calls import (
    Answer,
    Apply,
    Command,
    ConsoleChunk,
    ConsoleInput,
    ConsoleRead,
    ConsoleResize,
    ConsoleWatch,
    History,
    HistoryQuery,
    Metrics,
    Power,
    PowerResult,
    Probe,
    ProbeResult,
    Remove,
    Result,
    StateQuery,
    StateResult,
    StatsQuery,
    WatchResult,
)
from . import runtimes
from .checks import port_checks, runtime_checks
from .manager import ServerManager
from .probe import Survey, find_commands
from .quota import Quotas

EXAMINED_WITHIN = 1.0
"""Seconds that the agent's start waits to know what the host can do; what takes longer is told when it is known."""


async def find_checks(config: Config, data: Path) -> list[AgentCheck]:
    """For ``stellar agent --check``."""
    servers = data / "servers"
    place = servers if servers.exists() else Path(tempfile.gettempdir())
    quotas = await asyncio.to_thread(Quotas, place)
    found = runtimes.built_in(config, data, place)
    try:
        checks = await runtime_checks(found, quotas)
    finally:
        for runtime in found.values():
            await runtime.close()
    return [*checks, *await asyncio.to_thread(port_checks, servers)]


async def start(context: AgentContext) -> None:
    """Take up all servers, and say what this node can do."""
    quotas = await asyncio.to_thread(Quotas, context.data / "servers")
    manager = ServerManager(context, runtimes.make(context), quotas=quotas)
    survey = Survey(manager.runtimes, quotas, partial(_tell, context))
    context.provide(manager)
    context.provide(survey)
    await asyncio.gather(manager.load(), manager.within(EXAMINED_WITHIN, [survey.look()]))


async def stop(context: AgentContext) -> None:
    """Let go; no game server is stopped."""
    context.get(Survey).close()
    manager = context.get(ServerManager)
    manager.close()
    for runtime in manager.runtimes.values():
        await runtime.close()


def _tell(context: AgentContext, survey: Survey) -> None:
    context.set_capability("runtimes", survey.available)
    context.set_capability("protection", survey.protection)


async def measure(context: AgentContext) -> None:
    """Send metrics as long as the agent runs."""
    manager = context.get(ServerManager)
    await manager.meter.run(manager.watches)


async def reconcile(context: AgentContext, specs: list[dict[str, Any]]) -> None:
    """The panel has said what it wants here."""
    await context.get(ServerManager).reconcile(specs)


async def apply(context: AgentContext, params: Apply) -> Result:
    """``servers.apply``."""
    await context.get(ServerManager).apply(params.spec)
    return Result()


async def remove(context: AgentContext, params: Remove) -> Result:
    """``servers.remove``."""
    await context.get(ServerManager).remove(params.server_id)
    return Result()


async def power(context: AgentContext, params: Power) -> PowerResult:
    """``servers.power``."""
    manager = context.get(ServerManager)
    managed = manager.get(params.server_id)
    if params.action in ("start", "restart"):
        await manager.meter.check_writable(managed.server)
    await managed.power(params.action)
    return PowerResult(state=managed.server.state)


async def command(context: AgentContext, params: Command) -> Result:
    """``servers.command``."""
    await context.get(ServerManager).get(params.server_id).command(params.command)
    return Result()


async def answer(context: AgentContext, params: Answer) -> PowerResult:
    """``servers.answer``."""
    managed = context.get(ServerManager).get(params.server_id)
    await managed.answer(params.prompt)
    return PowerResult(state=managed.server.state)


async def state(context: AgentContext, params: StateQuery) -> StateResult:
    """``servers.state``."""
    return context.get(ServerManager).get(params.server_id).state()


async def stats(context: AgentContext, params: StatsQuery) -> Metrics:
    """``servers.stats``."""
    manager = context.get(ServerManager)
    return await manager.meter.measure(manager.get(params.server_id).server)


async def history(context: AgentContext, params: HistoryQuery) -> History:
    """``servers.history``."""
    manager = context.get(ServerManager)
    return await manager.meter.history(manager.get(params.server_id).server, params.span, params.points)


async def probe(context: AgentContext, params: Probe) -> ProbeResult:
    """``servers.probe``."""
    survey = context.get(Survey)
    await survey.look()
    return ProbeResult(find_commands(params.commands), survey.available, survey.protection)


async def console_read(context: AgentContext, params: ConsoleRead) -> ConsoleChunk:
    """``console.read``."""
    return await context.get(ServerManager).get(params.server_id).read(params.after, params.limit)


async def console_watch(context: AgentContext, params: ConsoleWatch) -> WatchResult:
    """``console.watch``."""
    return WatchResult(end=context.get(ServerManager).get(params.server_id).watch.renew(params.seconds))


async def console_input(context: AgentContext, params: ConsoleInput) -> Result:
    """``console.input``."""
    await context.get(ServerManager).get(params.server_id).type(params.data)
    return Result()


async def console_resize(context: AgentContext, params: ConsoleResize) -> Result:
    """``console.resize``."""
    await context.get(ServerManager).get(params.server_id).resize(params.cols, params.rows)
    return Result()


HANDLERS: dict[str, Callable[..., Awaitable[Result]]] = {
    "servers.apply": apply,
    "servers.remove": remove,
    "servers.power": power,
    "servers.command": command,
    "servers.answer": answer,
    "servers.state": state,
    "servers.stats": stats,
    "servers.history": history,
    "servers.probe": probe,
    "console.read": console_read,
    "console.watch": console_watch,
    "console.input": console_input,
    "console.resize": console_resize,
}


def wire(agent: AgentRegistrar) -> None:
    """Register everything of the servers plugin that runs on a node."""
    agent.start(start)
    agent.stop(stop)
    agent.task(measure)
    agent.on_specs(reconcile)
    agent.check(find_checks)
    for method, handler in HANDLERS.items():
        agent.handler(method, handler)
