"""The agent process."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stellar.errors import SetupError
from stellar.extend.registry import AgentModule
from stellar.panel import Panel

from .calls import Dispatcher
from .context import Agent
from .identity import Identity
from .link import Link
from .outbox import Outbox


async def run_agent(app: Panel, identity: Identity) -> None:
    """Serve as a node until SIGTERM or SIGINT; game servers go on without us."""
    directory = app.config.data / "agent"
    with _only_one(directory):
        agent = Agent(directory, app.config, Outbox(directory / "outbox.db"))
        agent.provide(app.plugins)
        async with _modules(agent, app.registry.agent) as modules:
            handlers = {method: fn for module in modules for method, fn in module.handlers.items()}

            async def reconcile(specs: list[dict[str, Any]]) -> None:
                for module in modules:
                    for on_specs in module.specs:
                        await on_specs(agent, specs)

            link = Link(agent, identity, Dispatcher(agent, handlers), reconcile)
            agent.provide(link)
            tasks = [task(agent) for module in modules for task in module.tasks]
            await _until_signal(link.run(), *tasks)
        agent.outbox.close()


@contextlib.asynccontextmanager
async def _modules(agent: Agent, modules: list[AgentModule]) -> AsyncIterator[list[AgentModule]]:
    for module in modules:
        for start in module.starts:
            await start(agent)
    try:
        yield modules
    finally:
        for module in reversed(modules):
            for stop in module.stops:
                await stop(agent)


async def _until_signal(*work: Any) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    waiter = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in (waiter, *tasks):
        task.cancel()
    await asyncio.gather(waiter, *tasks, return_exceptions=True)
    for task in done - {waiter}:
        task.result()


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(directory / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SetupError(f"Another agent already runs in {directory}; stop it first.") from None
    try:
        yield
    finally:
        os.close(descriptor)
