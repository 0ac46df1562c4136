"""The bus for sync code: services, jobs and commands."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec
import redis
from redis.client import PubSub

from . import connections, feed, messages, names
from .calls import TIMEOUT, no_answer, not_connected, result_of

if TYPE_CHECKING:
    from ..config import Config

T = TypeVar("T")

_lock = threading.Lock()
_url: str | None = None
_client: redis.Redis | None = None
_subscriber: redis.Redis | None = None


def init(config: Config) -> None:
    """Say where Redis is; connects when it is first used."""
    global _url
    connections.check_url(config.redis_url)
    close()
    _url = config.redis_url


def close() -> None:
    """Close the connections."""
    global _client, _subscriber
    with _lock:
        open_clients, _client, _subscriber = (_client, _subscriber), None, None
    for open_client in open_clients:
        if open_client is not None:
            open_client.close()


def client() -> redis.Redis:
    """The process's client; for cache, sessions and the like."""
    global _client
    with _lock:
        if _client is None:
            _client = connections.sync_client(_address())
        return _client


def _subscriptions() -> redis.Redis:
    """The client for connections that wait for a node: they must not use up those of the others."""
    global _subscriber
    with _lock:
        if _subscriber is None:
            _subscriber = connections.sync_subscriber(_address())
        return _subscriber


def _address() -> str:
    if _url is None:
        raise RuntimeError("stellar.bus.sync.init(config) has to be called first")
    return _url


def publish(channel: str, message: Any) -> int:
    """Publish a struct or dict as JSON; the same as ``Bus.publish``."""
    data = messages.encode(message)
    logged = feed.entry(channel, data)
    heard: int
    try:
        if logged is None:
            heard = client().publish(channel, data)
        else:
            pipeline = client().pipeline(transaction=False)
            pipeline.publish(channel, data)
            pipeline.execute_command(*logged)  # type: ignore[no-untyped-call]
            heard, _ = pipeline.execute()
    except connections.Gone:
        raise connections.away() from None
    return heard


@overload
def call(node_id: str, method: str, params: Any = None, *, returns: type[T], timeout: float = TIMEOUT) -> T: ...


@overload
def call(node_id: str, method: str, params: Any = None, *, returns: Any = Any, timeout: float = TIMEOUT) -> Any: ...


def call(node_id: str, method: str, params: Any = None, *, returns: Any = Any, timeout: float = TIMEOUT) -> Any:
    """Ask a node for ``method``; the same as ``Bus.call``, for threads without an event loop.

    Never inside a database transaction: it waits for the node.
    """
    message = messages.CallMessage(uuid.uuid4().hex, method, {} if params is None else params, timeout)
    deadline = time.monotonic() + timeout
    pubsub: PubSub = _subscriptions().pubsub()  # type: ignore[no-untyped-call]
    try:
        pubsub.subscribe(names.node_events(node_id))
        _read(pubsub, "subscribe", deadline)
        if not client().publish(names.node_commands(node_id), messages.encode(message)):
            raise not_connected()
        reply = _reply(pubsub, message.id, deadline)
    except connections.Gone:
        raise connections.away() from None
    finally:
        pubsub.close()
    if reply is None:
        raise no_answer(timeout)
    return result_of(reply, returns)


def _reply(pubsub: PubSub, call_id: str, deadline: float) -> messages.RawReply | None:
    while (data := _read(pubsub, "message", deadline)) is not None:
        try:
            header = messages.decode_header(data)
            if header.type == "reply" and header.id == call_id:
                return messages.decode_reply(data)
        except msgspec.MsgspecError:
            continue
    return None


def _read(pubsub: PubSub, kind: str, deadline: float) -> bytes | None:
    """The data of the next message of a kind; None when the deadline passes first."""
    while (left := deadline - time.monotonic()) > 0:
        message = pubsub.get_message(timeout=left)
        if message is not None and message["type"] == kind:
            data = message["data"]
            return data if isinstance(data, bytes) else b""
    return None
