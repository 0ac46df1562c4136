"""Requests to a node, answered over its events channel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from typing import Any, TypeVar, overload

import msgspec
import redis
import redis.asyncio

from ..errors import NodeUnreachable
from . import connections, messages, names
from .hub import Hub, Message

T = TypeVar("T")

log = logging.getLogger(__name__)

TIMEOUT = 10.0


def not_connected() -> NodeUnreachable:
    """Nobody holds the node's link."""
    return NodeUnreachable(
        "The node is not connected to the panel; check that `stellar agent` runs on it and reaches the panel's address."
    )


def no_answer(timeout: float) -> NodeUnreachable:
    """The link is there, or seems to be, but the answer isn't."""
    return NodeUnreachable(f"The node did not answer within {timeout:g} s; try again in a moment.")


def result_of(reply: messages.RawReply, returns: Any) -> Any:
    """The result as ``returns``, or the agent's error raised here; ``NodeUnreachable`` for a wrong shape."""
    if reply.error is not None:
        raise messages.from_wire(reply.error)
    try:
        return msgspec.json.decode(reply.result, type=returns)
    except msgspec.MsgspecError as error:
        log.warning("a node's answer is not what was asked for: %s", error)
        raise NodeUnreachable("The node gave an answer that the panel does not understand; update it.") from error


class Calls:
    """The calls of one process that wait for their answer."""

    def __init__(self, client: redis.asyncio.Redis, hub: Hub) -> None:
        self._client = client
        self._hub = hub
        self._waiting: dict[str, asyncio.Future[messages.RawReply]] = {}

    @overload
    async def call(
        self, node_id: str, method: str, params: Any = None, *, returns: type[T], timeout: float = TIMEOUT
    ) -> T: ...

    @overload
    async def call(
        self, node_id: str, method: str, params: Any = None, *, returns: Any = Any, timeout: float = TIMEOUT
    ) -> Any: ...

    async def call(
        self, node_id: str, method: str, params: Any = None, *, returns: Any = Any, timeout: float = TIMEOUT
    ) -> Any:
        """Ask a node for ``method`` with ``params`` (a dict or struct); the result as ``returns``.

        ``NodeUnreachable`` when no node is connected or none answers in ``timeout`` seconds; the agent's own
        ``DomainError`` otherwise; ``Unavailable`` when Redis is away.
        """
        call_id = uuid.uuid4().hex
        answer: asyncio.Future[messages.RawReply] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = answer
        message = messages.CallMessage(call_id, method, {} if params is None else params, timeout)
        try:
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(self._hub.listen(names.node_events(node_id), self._heard))
                async with asyncio.timeout(timeout):
                    await self._publish(node_id, message)
                    reply = await answer
        except TimeoutError:
            raise no_answer(timeout) from None
        finally:
            del self._waiting[call_id]
        return result_of(reply, returns)

    async def _publish(self, node_id: str, message: messages.CallMessage) -> None:
        try:
            heard = await self._client.publish(names.node_commands(node_id), messages.encode(message))
        except connections.Gone:
            raise connections.away() from None
        if not heard:
            raise not_connected()

    def _heard(self, message: Message) -> None:
        try:
            header = messages.decode_header(message.data)
            answer = self._waiting.get(header.id) if header.type == "reply" else None
            if answer is not None and not answer.done():
                answer.set_result(messages.decode_reply(message.data))
        except msgspec.MsgspecError as error:
            log.warning("a message on %s is not JSON as it should be: %s", message.channel, error)
