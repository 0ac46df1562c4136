"""What wraps the whole application: request ids and security headers, added where they cost least.

Falcon's own middleware adds a coroutine and a dictionary per request and layer; this is one closure around ``send``.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..web.security import PAGE_HEADERS
from .request import PANEL, REQUEST_ID

if TYPE_CHECKING:
    from ..panel import Panel

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

DENY = "stellar.deny"

# A file that a game server's owner has uploaded may be opened from the API's address: it gets no rights there.
_API_HEADERS: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_PAGE_HEADERS: list[Header] = [(name.lower().encode(), value.encode()) for name, value in PAGE_HEADERS.items()]


class Envelope:
    """The ASGI application around Falcon's."""

    def __init__(self, app: Asgi, panel: Panel) -> None:
        self._app = app
        self._panel = panel
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the request an id and its answer the headers that every answer has."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith("//"):
            # Falcon routes it so; whoever asks where a path begins must see the same.
            scope["path"] = f"/{scope['path'].lstrip('/')}"
        request_id = f"{self._prefix}-{next(self._numbers):x}"
        scope[REQUEST_ID] = request_id
        scope[PANEL] = self._panel
        if kind == "websocket":
            scope[DENY] = _denial(scope, send, request_id)
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        is_api = path.startswith("/api/")
        id_header = (b"x-request-id", request_id.encode())

        async def send_with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers: list[Header] = message["headers"]
                headers.append(id_header)
                if is_api:
                    headers.extend(_API_HEADERS)
                else:
                    present = {name for name, _ in headers}
                    headers.extend(header for header in _PAGE_HEADERS if header[0] not in present)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _denial(scope: Scope, send: Send, request_id: str) -> Callable[[int, str, bytes], Awaitable[None]]:
    """Refuses a WebSocket's handshake with an HTTP answer, where the server can (uvicorn can)."""

    async def deny(status: int, content_type: str, body: bytes) -> None:
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = [(b"content-type", content_type.encode()), (b"x-request-id", request_id.encode())]
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body})

    return deny
