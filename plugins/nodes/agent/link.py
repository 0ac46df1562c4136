"""The agent's end of the link: dial out, say hello, answer calls, send events and reports, dial again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from stellar import __version__

from .. import protocol
from ..protocol import Ack, Call, Capabilities, Frame, Heartbeat, Hello, Refused, Specs, Welcome
from . import host
from .calls import Dispatcher
from .context import Agent
from .identity import Identity, write_identity

log = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY, REFUSED_DELAY = 0.25, 10.0, 60.0
"""Seconds between attempts."""
UNACKNOWLEDGED_SECONDS = 10
"""After which a link on which nothing arrives at the other end is given up. TCP itself tries on for minutes, and would
then deliver calls whose callers have long been told that nobody answered."""
REPORT_RETRY = 10.0
"""Seconds after which an unacknowledged report is sent again on the same link."""

OnWelcome = Callable[[list[dict[str, Any]]], Awaitable[None]]


class LinkRefused(Exception):
    """The panel doesn't want this agent as it is."""


class Link:
    """Keeps one WebSocket to the panel open."""

    def __init__(self, agent: Agent, identity: Identity, dispatcher: Dispatcher, on_welcome: OnWelcome) -> None:
        self._agent = agent
        self._identity = identity
        self._dispatcher = dispatcher
        self._on_welcome = on_welcome
        self._outgoing: asyncio.Queue[Frame] = asyncio.Queue()
        self._sent = 0
        self._changing = asyncio.Lock()

    async def use_key(self, key: str) -> None:
        """Keep another key of this node, on disk first, and use it from the next link on."""
        async with self._changing:
            identity = msgspec.structs.replace(self._identity, key=key)
            await asyncio.to_thread(write_identity, self._agent.data, identity)
            self._identity = identity

    async def run(self) -> None:
        """Stay linked until cancelled."""
        delay = FIRST_DELAY
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._once()
            except LinkRefused as refused:
                log.error("The panel refuses this node: %s", refused)
                delay = REFUSED_DELAY
            except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError, msgspec.MsgspecError) as error:
                if _renewed(error):
                    log.info("Linking to %s with the new key.", self._identity.panel)
                    continue
                log.warning("The link to %s is down (%s); trying again.", self._identity.panel, _reason(error))
            if asyncio.get_running_loop().time() - started > LONGEST_DELAY:
                delay = FIRST_DELAY
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311
            delay = min(delay * 2, LONGEST_DELAY)

    async def _once(self) -> None:
        address = "ws" + self._identity.panel.removeprefix("http") + "/api/v1/nodes/link"
        headers = {"Authorization": f"Bearer {self._identity.node_id}.{self._identity.key}"}
        try:
            async with connect(
                address,
                additional_headers=headers,
                compression=None,
                max_size=protocol.MAX_FRAME,
                open_timeout=10,
                ping_interval=15,
                ping_timeout=20,
                proxy=None,
            ) as socket_:
                _give_up_early(socket_)
                await self._serve(socket_)
        except InvalidStatus as error:
            status = error.response.status_code
            if status in (401, 403, 404):
                raise LinkRefused(
                    f"it answered {status}; the node's key is not valid any more, join again with a new join command"
                ) from None
            raise

    async def _serve(self, socket_: ClientConnection) -> None:
        await self._greet(socket_)
        self._outgoing = asyncio.Queue()
        self._sent = 0
        self._agent.connected = True
        log.info("Linked to %s.", self._identity.panel)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send_outgoing(socket_))
                group.create_task(self._send_events(socket_))
                group.create_task(self._send_capabilities())
                group.create_task(self._send_reports())
                group.create_task(self._resend_reports())
                group.create_task(self._beat())
                await self._receive(socket_, group)
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        finally:
            self._agent.connected = False
            while not self._agent.events.empty():
                self._agent.events.get_nowait()

    async def _greet(self, socket_: ClientConnection) -> None:
        self._agent.able.clear()
        hello = Hello(
            protocol.PROTOCOL_VERSION, __version__, socket.gethostname(), host.describe(), self._agent.capabilities
        )
        await socket_.send(protocol.encode(hello))
        answer = protocol.decode_from_panel(await _binary(socket_))
        if isinstance(answer, Refused):
            raise LinkRefused(answer.message)
        if not isinstance(answer, Welcome):
            raise LinkRefused("it did not answer the hello with a welcome")
        specs, more = answer.specs, answer.more
        while more:
            further = protocol.decode_from_panel(await _binary(socket_))
            if not isinstance(further, Specs):
                raise LinkRefused("it did not say everything that is wanted here")
            specs, more = [*specs, *further.specs], further.more
        await self._on_welcome(specs)

    async def _receive(self, socket_: ClientConnection, group: asyncio.TaskGroup) -> None:
        while True:
            frame = protocol.decode_from_panel(await _binary(socket_))
            if isinstance(frame, Call):
                group.create_task(self._answer(frame))
            elif isinstance(frame, Ack):
                self._agent.outbox.acknowledged(frame.id)
            elif isinstance(frame, Refused):
                raise LinkRefused(frame.message)

    async def _answer(self, call: Call) -> None:
        await self._outgoing.put(await self._dispatcher.answer(call))

    async def _send_outgoing(self, socket_: ClientConnection) -> None:
        while True:
            await socket_.send(protocol.encode(await self._outgoing.get()))

    async def _send_events(self, socket_: ClientConnection) -> None:
        while True:
            await socket_.send(protocol.encode(await self._agent.events.get()))

    async def _send_capabilities(self) -> None:
        while True:
            await self._agent.able.wait()
            self._agent.able.clear()
            await self._outgoing.put(Capabilities(dict(self._agent.capabilities)))

    async def _send_reports(self) -> None:
        while True:
            self._agent.reported.clear()
            for position, report in self._agent.outbox.waiting(self._sent):
                await self._outgoing.put(report)
                self._sent = position
            await self._agent.reported.wait()

    async def _resend_reports(self) -> None:
        while True:
            await asyncio.sleep(REPORT_RETRY)
            waiting = self._agent.outbox.waiting(0, 1)
            if waiting:
                self._sent = waiting[0][0] - 1
                self._agent.reported.set()

    async def _beat(self) -> None:
        while True:
            # Found out only after the hello, and there may be one less at any time.
            unknown = self._agent.capabilities.get("unknown_servers", [])
            await self._outgoing.put(Heartbeat({**host.metrics(self._agent.data), "unknown_servers": unknown}))
            await asyncio.sleep(protocol.HEARTBEAT_SECONDS)


def _give_up_early(socket_: ClientConnection) -> None:
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection = socket_.transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_SECONDS * 1000)


async def _binary(socket_: ClientConnection) -> bytes:
    frame = await socket_.recv()
    if isinstance(frame, str):
        raise ConnectionError(f"the panel says {frame[:400]}")
    return frame


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended the tasks; the others only followed from it."""
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _renewed(error: BaseException) -> bool:
    closed = isinstance(error, ConnectionClosed) and error.rcvd
    return bool(closed and closed.code == protocol.CLOSE_RENEWED)


def _reason(error: BaseException) -> str:
    with contextlib.suppress(AttributeError):
        return f"HTTP {error.response.status_code}"  # type: ignore[attr-defined]
    return str(error) or type(error).__name__
