"""What tests of the files plugin share: a panel, and the file calls of a real node behind its bus."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from server_parts import Node as NodeParts
from web_parts import WebServer

import stellar.plugins.blueprints
import stellar.plugins.files
import stellar.plugins.nodes
import stellar.plugins.servers
from stellar.bus import Lagged, messages, names
from stellar.bus.bus import Bus
from stellar.plugins.files.agent import handlers
from stellar.plugins.nodes.agent.calls import Dispatcher
from stellar.plugins.nodes.protocol import Call
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.spec import Limits

T = TypeVar("T")

PLUGINS = (
    stellar.plugins.nodes,
    stellar.plugins.blueprints,
    stellar.plugins.servers,
    stellar.plugins.files,
)


class LiveNode:
    """Answers the file calls of one node, in a thread of its own, until it is stopped."""

    def __init__(self, directory: Path, redis_url: str, node_id: str) -> None:
        self.parts = NodeParts(directory, Policy())
        self.calls: list[str] = []
        self._url = redis_url
        self._node_id = node_id
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._tasks: set[asyncio.Task[None]] = set()
        self._do(self._start())

    def data(self, server_id: str, limits: Limits) -> Path:
        """Give the node a server, and answer where its files are."""
        return self._do(self._create(server_id, limits))

    def leave(self) -> None:
        """Answer nothing any more."""
        self._do(self._end_reader())

    def stop(self) -> None:
        """End it all."""
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _start(self) -> None:
        await self.parts.manager.load()
        self.parts.context.provide(self.parts.manager)
        await handlers.start(self.parts.context)
        self._dispatcher = Dispatcher(self.parts.context, handlers.HANDLERS)
        self._bus = Bus(self._url)
        await self._bus.start()
        ready = asyncio.Event()
        self._reader = asyncio.create_task(self._serve(ready))
        await ready.wait()

    async def _create(self, server_id: str, limits: Limits) -> Path:
        managed = await self.parts.create(id=server_id, limits=limits)
        return managed.server.layout.data

    async def _serve(self, ready: asyncio.Event) -> None:
        async with self._bus.subscribe(names.node_commands(self._node_id)) as stream:
            ready.set()
            async for message in stream:
                assert not isinstance(message, Lagged)
                task = asyncio.create_task(self._answer(message.decode(messages.CallMessage)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, call: messages.CallMessage) -> None:
        self.calls.append(call.method)
        reply = await self._dispatcher.answer(Call(call.id, call.method, call.params, call.timeout))
        error = reply.error and messages.CallError(
            reply.error.kind, reply.error.message, reply.error.code, reply.error.fields
        )
        await self._bus.publish(names.node_events(self._node_id), messages.ReplyMessage(reply.id, reply.result, error))

    async def _end_reader(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, *self._tasks, return_exceptions=True)

    async def _stop(self) -> None:
        await self._end_reader()
        await handlers.stop(self.parts.context)
        self.parts.manager.close()
        await self._bus.close()


@dataclass
class Site:
    """A panel with one server of ada's on one node."""

    web: WebServer
    node: LiveNode
    server_id: str
    data: Path
    ada: httpx.Client

    @property
    def url(self) -> str:
        """Where the API has the server's files."""
        return f"/api/v1/servers/{self.server_id}/files"
