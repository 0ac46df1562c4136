"""What tests of the console share: a panel, and a linked node whose server prints what a test says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from server_parts import MemoryRuntime
from web_parts import WebServer, make_plugin

import stellar.plugins.blueprints
import stellar.plugins.console
import stellar.plugins.nodes
import stellar.plugins.servers
from stellar.auth import users
from stellar.auth.permissions import Actor
from stellar.config import Config
from stellar.db import disconnect
from stellar.extend import hookimpl
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.agent.calls import Dispatcher
from stellar.plugins.nodes.agent.context import Agent
from stellar.plugins.nodes.agent.identity import Identity
from stellar.plugins.nodes.agent.link import Link
from stellar.plugins.nodes.agent.outbox import Outbox
from stellar.plugins.nodes.models import Node
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.handlers import HANDLERS, measure
from stellar.plugins.servers.agent.manager import ServerManager
from stellar.plugins.servers.models import Server
from stellar.testing.waiting import wait_until

T = TypeVar("T")

DENIED: set[str] = set()
"""Actions that nobody may do."""


@hookimpl
def permission_allowed(actor: Actor, action: str, resource: object | None) -> bool | None:
    """Denies what is in ``DENIED``."""
    return False if action in DENIED else None


PLUGINS = (
    stellar.plugins.nodes,
    stellar.plugins.blueprints,
    stellar.plugins.servers,
    stellar.plugins.console,
    make_plugin("veto", permission_allowed=permission_allowed),
)


class ConsoleNode:
    """A node's agent in a thread: real but for the runtime, which is in memory and outlives it."""

    def __init__(self, directory: Path, config: Config, identity: Identity) -> None:
        self.runtime = MemoryRuntime()
        self._directory = directory
        self._config = config
        self._identity = identity
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the agent and wait for its link."""
        self._do(self._start())
        wait_until(lambda: self.agent.connected, what="the link")

    def kill(self) -> None:
        """End the agent; the servers go on."""
        self._do(self._kill())

    def close(self) -> None:
        """End it all."""
        if self._tasks:
            self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run_server(self, server_id: str) -> None:
        """Bring the server that the panel wants from its install into its first run."""
        wait_until(lambda: bool(self.runtime.runs), what="the install")
        self._call(lambda: self.runtime.latest.exit(0))
        wait_until(lambda: self.state(server_id) == "offline", what="the install's end")
        self._do(self.manager.get(server_id).power("start"))
        wait_until(lambda: self.runtime.latest.kind == "game", what="the game")

    def state(self, server_id: str) -> str:
        """A server's state."""
        return self.manager.get(server_id).server.state

    def print(self, data: bytes) -> None:
        """Let the game print."""
        self._call(lambda: self.runtime.latest.print(data))

    def exit(self, code: int) -> None:
        """Let the game end."""
        self._call(lambda: self.runtime.latest.exit(code))

    def rotate(self) -> int:
        """Forget all output so far; answers where the log begins now. The game can't print after that."""
        console = self.runtime.latest.console
        size = console.stat().st_size
        console.with_name(f"{size:020d}.log").touch()
        console.unlink()
        return size

    @property
    def typed(self) -> bytes:
        """All that was typed into the game."""
        return b"".join(self.runtime.latest.typed)

    def _call(self, fn: Callable[[], T]) -> T:
        async def called() -> T:
            return fn()

        return self._do(called())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self.agent = Agent(self._directory, self._config, Outbox(self._directory / "outbox.db"))
        self.manager = ServerManager(self.agent, {"process": self.runtime}, Policy())
        self.agent.provide(self.manager)
        await self.manager.load()
        link = Link(self.agent, self._identity, Dispatcher(self.agent, HANDLERS), self.manager.reconcile)
        self._tasks = [asyncio.create_task(link.run()), asyncio.create_task(measure(self.agent))]

    async def _kill(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self.manager.close()
        self.runtime.detach()
        self.agent.outbox.close()


@dataclass
class Site:
    """``ada`` owns the server. Tokens last a minute, so that they are about to expire at once."""

    web: WebServer
    node: ConsoleNode
    server_id: str
    ada: httpx.Client

    @property
    def path(self) -> str:
        """Of the server."""
        return f"/api/v1/servers/{self.server_id}"

    def url(self) -> str:
        """A console socket's address, with a new token."""
        answer = self.ada.get(f"{self.path}/console-token")
        assert answer.status_code == 200, answer.text
        url: str = answer.json()["url"]
        return url

    def token(self) -> str:
        """A new token."""
        token: str = self.ada.get(f"{self.path}/console-token").json()["token"]
        return token

    def add_server(self, owner: str, short_id: str) -> str:
        """Another server on the node; its id."""
        server_id = add_server(owner, short_id)
        disconnect()
        return server_id


def add_server(owner: str, short_id: str) -> str:
    """A server of that account on the only node; its id."""
    server = Server.create(
        short_id=short_id,
        name="A server",
        owner=users.by_email(owner),
        node=Node.get(),
        blueprint=Blueprint.get(Blueprint.name == "generic"),
        runtime="process",
        memory_mb=64,
        cpu_percent=0,
        disk_mb=8,
        install_id="1",
        variables={"START_COMMAND": "cat", "INSTALL_COMMAND": ""},
    )
    return str(server.id)
