"""A node's end of the bus, as the process that holds its link plays it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from stellar.bus import Bus, Lagged, names
from stellar.bus.messages import CallMessage, ReplyMessage, to_wire
from stellar.errors import DomainError

Answer = Callable[[CallMessage], Any]


@asynccontextmanager
async def node(bus: Bus, node_id: str, answer: Answer) -> AsyncIterator[list[CallMessage]]:
    """Answer calls with what ``answer`` returns or raises; ``NotImplementedError`` is silence. Yields the calls."""
    calls: list[CallMessage] = []
    ready = asyncio.Event()
    task = asyncio.create_task(_serve(bus, node_id, answer, calls, ready))
    await ready.wait()
    try:
        yield calls
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _serve(bus: Bus, node_id: str, answer: Answer, calls: list[CallMessage], ready: asyncio.Event) -> None:
    async with bus.subscribe(names.node_commands(node_id)) as stream:
        ready.set()
        async for message in stream:
            assert not isinstance(message, Lagged)
            call = message.decode(CallMessage)
            calls.append(call)
            with suppress(NotImplementedError):
                await bus.publish(names.node_events(node_id), _reply(call, answer))


def _reply(call: CallMessage, answer: Answer) -> ReplyMessage:
    try:
        return ReplyMessage(call.id, answer(call))
    except DomainError as error:
        return ReplyMessage(call.id, error=to_wire(error))
