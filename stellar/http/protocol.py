"""How connections are read: a request's head has a size and a time, so that nobody fills memory or waits for ever."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of a request's address and headers."""

MAX_SOCKET_FIELDS, MAX_SOCKET_LINE = 120, 8000
"""Headers of a WebSocket's handshake, and bytes of one of them; websockets refuses more, but its answer gets lost."""

HEAD_SECONDS = 20.0
"""How long a client may take from connecting, or from the first byte, until the end of a request's headers."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol, which itself reads a head of any size for as long as it takes."""

    _begun = False
    """Whether a part of a head has been read."""
    _awaiting = True
    """Whether what comes next is a head."""
    _head = 0
    """Bytes of a head that has not ended."""
    _fields = 0
    """Bytes of the address, headers and trailers of a request."""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._begun:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._refuse()
                return
        if self._awaiting and self._deadline is None:
            self._watch()

    def on_message_begin(self) -> None:
        """See httptools."""
        super().on_message_begin()
        self._begun, self._head, self._fields = True, 0, 0

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._begun = self._awaiting = False
        self._unwatch()
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            raise ValueError("not a version of HTTP that is spoken here")
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """See uvicorn."""
        longest = max(len(self.url), *(len(name) + len(value) for name, value in self.headers))
        if len(self.headers) > MAX_SOCKET_FIELDS or longest > MAX_SOCKET_LINE:
            self._refuse()
        else:
            super().handle_websocket_upgrade()

    def on_response_complete(self) -> None:
        """See uvicorn."""
        self._awaiting = True
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what isn't HTTP, or what is too large to be read."""
        if self._fields > MAX_HEAD:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _count(self, size: int) -> None:
        self._fields += size
        if self._fields > MAX_HEAD:
            raise ValueError("the head is too large")

    def _refuse(self) -> None:
        self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _watch(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
