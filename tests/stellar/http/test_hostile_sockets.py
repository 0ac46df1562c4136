"""WebSocket frames that no browser sends: the socket ends, its memory stays bounded, and the panel goes on."""

from __future__ import annotations

import base64
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from full_panel import full_panel
from rights_parts import new_user
from web_parts import WebServer

from stellar.auth import sessions
from stellar.testing.valkey import ValkeyServer

CONTINUATION, TEXT, BINARY, CLOSE, PING = 0x0, 0x1, 0x2, 0x8, 0x9
PATHS = {
    "events": "/api/v1/events",
    "console": "/api/v1/servers/x/console/socket",
}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[WebServer]:
    """A panel with every built-in plugin."""
    data: Path = tmp_path_factory.mktemp("sockets")
    with full_panel(data, valkey.url, f"sqlite:///{data / 'test.db'}") as server:
        yield server


@pytest.fixture(scope="module")
def token(web: WebServer) -> str:
    """A session's."""
    return sessions.create(new_user(), "127.0.0.1", "tests").token


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """One frame, valid or not."""
    length = len(payload)
    size = bytes([length]) if length < 126 else b"\x7f" + struct.pack("!Q", length)
    first = (0x80 if final else 0) | reserved | opcode
    return bytes([first, size[0] | (0x80 if masked else 0)]) + size[1:] + (b"\0\0\0\0" if masked else b"") + payload


@contextmanager
def opened(web: WebServer, token: str, path: str) -> Iterator[socket.socket]:
    """A socket after its handshake."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=15) as raw:
        key = base64.b64encode(os.urandom(16)).decode()
        raw.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nCookie: stellar_session={token}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += raw.recv(1)
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield raw


def ended(raw: socket.socket) -> bytes:
    """What still comes until the panel closes the socket or the connection; it fails when that takes too long."""
    found = b""
    try:
        while not closes(found) and (chunk := raw.recv(65536)):
            found += chunk
    except ConnectionError:
        pass
    return found


def closes(data: bytes) -> bool:
    """Whether there is a close frame among these frames, which the panel has sent."""
    while len(data) >= 4:
        if data[0] & 0xF == CLOSE:
            return True
        length, begin = (data[1], 2) if data[1] < 126 else (int.from_bytes(data[2:4]), 4)
        data = data[begin + length :]
    return False


def alive(web: WebServer) -> bool:
    """Whether the next caller is served."""
    with web.client() as client:
        return client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(TEXT, b"{}", masked=False), id="not masked"),
        pytest.param(frame(TEXT, b"{}", reserved=0x40), id="a reserved bit"),
        pytest.param(frame(0x3, b"{}"), id="an unknown kind"),
        pytest.param(frame(CONTINUATION, b"{}"), id="a fragment of nothing"),
        pytest.param(frame(TEXT, b"{", final=False) + frame(TEXT, b"}"), id="a frame within a frame"),
        pytest.param(frame(PING, b"x" * 200), id="a long ping"),
        pytest.param(frame(PING, b"x", final=False), id="half a ping"),
        pytest.param(frame(CLOSE, b"x"), id="half a reason to close"),
        pytest.param(frame(CLOSE, struct.pack("!H", 1005)), id="a reason that may not be given"),
        pytest.param(frame(TEXT, b"\xff\xfe"), id="text that is none"),
        pytest.param(frame(TEXT, b"\xed\xa0\x80"), id="half a surrogate pair"),
        pytest.param(frame(TEXT, b'{"type": "'), id="half a value"),
        pytest.param(frame(TEXT, b"[" * 50_000), id="deeply nested"),
        pytest.param(frame(TEXT, b""), id="nothing"),
        pytest.param(frame(TEXT, b"null"), id="null"),
        pytest.param(frame(TEXT, b'{"type": "nonsense"}'), id="an unknown type"),
        pytest.param(frame(TEXT, b'{"type": 1e400}'), id="1e400"),
        pytest.param(b"\xff" * 64, id="bytes"),
        pytest.param(b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", id="a frame of 2^64 bytes"),
        pytest.param(b"\x81\xff" + struct.pack("!Q", 2**40) + b"\0\0\0\0", id="a frame of 1 TB"),
        pytest.param(frame(TEXT, b"x" * 2_000_000), id="a frame of 2 MB"),
        pytest.param(
            frame(TEXT, b"x" * 500_000, final=False) + frame(CONTINUATION, b"x" * 500_000, final=False) * 3,
            id="fragments of 2 MB",
        ),
    ],
)
@pytest.mark.parametrize("kind", PATHS)
def test_a_hostile_frame_ends_the_socket(web: WebServer, token: str, kind: str, data: bytes) -> None:
    with opened(web, token, PATHS[kind]) as raw:
        # It may be closed before all of it has been sent.
        with suppress(ConnectionError):
            raw.sendall(data)
        ended(raw)
    assert alive(web)


def test_binary_where_text_is_wanted_is_refused(web: WebServer, token: str) -> None:
    with opened(web, token, PATHS["events"]) as raw:
        raw.sendall(frame(BINARY, b'{"type": "subscribe"}'))
        assert b"Frames have to be text" in ended(raw)
    assert alive(web)


def test_a_flood_of_pings_and_of_tiny_fragments_holds_nobody_up(web: WebServer, token: str) -> None:
    with opened(web, token, PATHS["events"]) as raw:
        raw.sendall(frame(PING, b"") * 20_000)
        assert alive(web)
        raw.sendall(frame(TEXT, b"x", final=False) + frame(CONTINUATION, b"x", final=False) * 20_000)
        assert alive(web)


def test_a_socket_is_not_kept_by_the_time_for_heads(
    web: WebServer, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stellar.http.protocol.HEAD_SECONDS", 0.05)
    with opened(web, token, PATHS["events"]) as raw:
        for _ in range(10):
            with web.client() as client:
                client.get("/healthz")
        raw.sendall(frame(PING, b"still here"))
        answer = b""
        while b"still here" not in answer:
            chunk = raw.recv(4096)
            assert chunk, "the socket has been closed"
            answer += chunk
