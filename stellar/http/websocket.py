"""WebSocket responders: declared like endpoints, with typed JSON frames of bounded size."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

import falcon
import falcon.asgi
import msgspec
from falcon.asgi import WebSocket

from ..bus.ratelimit import Limit
from ..errors import Invalid, TooLarge
from .answers import encode
from .body import check_path, invalid, parse_query
from .csrf import check_origin
from .declaration import ATTRIBUTE, Declaration, describe
from .endpoint import authorise
from .ratelimits import enforce_limit
from .request import Request

T = TypeVar("T")
SocketResponder = Callable[..., Awaitable[None]]

MAX_FRAME = 64 * 1024
"""Bytes of an incoming frame, unless a responder declares otherwise."""


class Socket:
    """One WebSocket. Nothing may be sent or received before ``accept``."""

    def __init__(self, ws: WebSocket, max_frame: int) -> None:
        self._ws = ws
        self._max_frame = max_frame

    @property
    def open(self) -> bool:
        """Whether frames can still be sent."""
        return self._ws.ready

    async def accept(self) -> None:
        """Finish the handshake. A ``DomainError`` raised before this refuses it with that error's HTTP status."""
        await self._ws.accept()

    async def receive(self, type_: type[T]) -> T:
        """The next frame as ``type_``; ``Invalid`` for anything else, ``TooLarge`` beyond the size limit."""
        try:
            text = await self._ws.receive_text()
        except falcon.PayloadTypeError:
            raise Invalid("Frames have to be text (JSON).") from None
        if len(text) > self._max_frame or len(data := text.encode()) > self._max_frame:
            raise TooLarge(f"A frame may have at most {self._max_frame} bytes.")
        try:
            return msgspec.json.decode(data, type=type_)
        except msgspec.ValidationError as error:
            raise invalid(error) from None
        except (msgspec.DecodeError, RecursionError):
            raise Invalid("The frame is not valid JSON.") from None

    async def send(self, value: Any) -> None:
        """Send a value as a JSON text frame; waits while the client doesn't read."""
        await self._ws.send_text(encode(value).decode())

    async def receive_bytes(self) -> bytes:
        """The next binary frame; ``Invalid`` for a text frame, ``TooLarge`` beyond the size limit."""
        try:
            data = await self._ws.receive_data()
        except falcon.PayloadTypeError:
            raise Invalid("Frames have to be binary.") from None
        if len(data) > self._max_frame:
            raise TooLarge(f"A frame may have at most {self._max_frame} bytes.")
        return data

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        await self._ws.send_data(data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a code (1000, or 4000 to 4999) and a reason of at most 120 bytes."""
        await self._ws.close(code, reason or None)

    async def run(self, *parts: Coroutine[Any, Any, None]) -> None:
        """Run the parts (a receiver and a sender) together until the first ends or the client leaves.

        What a part raises is raised here. Always receive: a responder that only sends never notices that the
        client has left.
        """
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            if isinstance(task.exception(), falcon.WebSocketDisconnected):
                continue
            task.result()


def websocket(
    *,
    permission: str | None,
    query: type[msgspec.Struct] | None = None,
    limit: Limit | None = None,
    max_frame: int = MAX_FRAME,
    summary: str = "",
    keys: bool = False,
) -> Callable[[SocketResponder], SocketResponder]:
    """Declare ``async def on_websocket(self, req, socket, *, query, **path_parameters)``.

    Before it runs, the Origin (of browsers) and the permission are checked; see ``endpoint``. A ``DomainError`` that
    it raises is sent as ``{"type": "error", "code", "message"}``, then the socket is closed with 4000 + its status.
    """

    def decorate(function: SocketResponder) -> SocketResponder:
        name, doc = describe(function)
        declared = Declaration(
            permission,
            query=query,
            limit=limit,
            name=name,
            summary=summary or doc,
            status=101,
            is_websocket=True,
            keys=keys,
        )

        @wraps(function)
        async def responder(self: Any, req: Request, ws: WebSocket, **parameters: Any) -> None:
            check_path(req)
            check_origin(req)
            await authorise(req, permission, keys=keys)
            if limit is not None:
                await enforce_limit(req, None, name, limit)
            if query is not None:
                parameters["query"] = parse_query(req, query)
            try:
                await function(self, req, Socket(ws, max_frame), **parameters)
            except falcon.WebSocketDisconnected:
                return

        setattr(responder, ATTRIBUTE, declared)
        return responder

    return decorate
