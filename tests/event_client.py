"""A browser that follows the panel's events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import websockets
from web_parts import WebServer
from websockets.sync.client import ClientConnection, connect


class Follower:
    """A client of the socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def read(self, timeout: float = 10) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self.socket.recv(timeout))
        return frame

    def event(self) -> dict[str, Any]:
        """The next event; positions may come between."""
        while (frame := self.read())["type"] == "position":
            pass
        assert frame["type"] == "event", frame
        return frame

    def send(self, kind: str, **values: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **values}))

    def ends(self) -> tuple[str, int]:
        """The error with which it ends, and the code."""
        error = self.read()
        with pytest.raises(websockets.ConnectionClosed) as caught:
            self.socket.recv(10)
        assert caught.value.rcvd is not None
        return error["code"], caught.value.rcvd.code


@contextmanager
def following(web: WebServer, client: httpx.Client | str, query: str = "") -> Iterator[Follower]:
    """An open socket of a signed-in client, or of the owner of an API key."""
    if isinstance(client, str):
        headers = {"Authorization": f"Bearer {client}"}
    else:
        headers = {"Cookie": f"stellar_session={client.cookies['stellar_session']}"}
    url = f"{web.url.replace('http', 'ws')}/api/v1/events{query}"
    with connect(url, additional_headers=headers, proxy=None, open_timeout=10, close_timeout=1) as socket:
        follower = Follower(socket)
        assert follower.read()["type"] == "hello"
        yield follower
