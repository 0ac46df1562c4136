"""WebSockets: Origin, sign-in, frames, and an end that is noticed."""

from __future__ import annotations

import json

import pytest
import websockets
from probe_plugin import calls
from web_parts import WebServer
from websockets.sync.client import ClientConnection, connect

from stellar.testing.waiting import wait_until


def open_echo(
    web: WebServer, origin: str | None = None, *, cookie: bool = True, host: str | None = None
) -> ClientConnection:
    headers = {}
    if cookie:
        with web.signed_in() as client:
            headers["Cookie"] = f"stellar_session={client.cookies['stellar_session']}"
    if host is not None:
        headers["Host"] = host
    url = web.url.replace("http", "ws") + "/api/v1/echo"
    return connect(url, origin=origin, additional_headers=headers, proxy=None, open_timeout=10)  # type: ignore[arg-type]


def refused(web: WebServer, origin: str | None = None, *, cookie: bool = True) -> tuple[int, str]:
    calls.clear()
    with pytest.raises(websockets.InvalidStatus) as caught:
        open_echo(web, origin, cookie=cookie)
    response = caught.value.response
    assert response.headers["content-type"] == "application/problem+json"
    assert calls == []
    return response.status_code, json.loads(response.body or b"")["code"]


def test_frames_go_both_ways_and_the_end_stops_the_sender(web: WebServer) -> None:
    calls.clear()
    for origin in (None, web.url):
        with open_echo(web, origin) as socket:
            socket.send('{"text": "hällo"}')
            assert json.loads(socket.recv(10)) == {"text": "hällo"}
    wait_until(lambda: calls.count("stopped") == 2, what="the sender's end")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1", "null", "http://127.0.0.1.evil.example"]
)
def test_another_sites_page_is_refused(web: WebServer, origin: str) -> None:
    assert refused(web, origin) == (403, "cross_origin")


def test_nobody_is_refused(web: WebServer) -> None:
    assert refused(web, cookie=False) == (401, "unauthenticated")


def test_there_is_nothing_elsewhere(web: WebServer) -> None:
    for path in ("/api/v1/nowhere", "/static/x", "/api/v1/things"):
        with pytest.raises(websockets.InvalidStatus) as caught:
            connect(web.url.replace("http", "ws") + path, proxy=None)
        assert 400 <= caught.value.response.status_code < 500


@pytest.mark.parametrize(
    ("frame", "code", "error"),
    [
        ("garbage", 4422, "invalid"),
        ('{"text": 3}', 4422, "invalid"),
        ('{"text": "a", "x": 1}', 4422, "invalid"),
        (b"\x00\x01", 4422, "invalid"),
        ('{"text": "' + "a" * 2000 + '"}', 4413, "too_large"),
        ("[" * 900, 4422, "invalid"),
        ('{"text": "fail"}', 1011, "internal"),
    ],
)
def test_a_bad_frame_is_answered_and_ends_the_socket(web: WebServer, frame: str | bytes, code: int, error: str) -> None:
    calls.clear()
    with open_echo(web) as socket:
        socket.send(frame)
        answer = json.loads(socket.recv(10))
        assert (answer["type"], answer["code"]) == ("error", error)
        assert "secret" not in answer["message"]
        with pytest.raises(websockets.ConnectionClosed) as caught:
            socket.recv(10)
        assert caught.value.rcvd is not None and caught.value.rcvd.code == code
    wait_until(lambda: "stopped" in calls, what="the sender's end")


def test_the_responder_may_end_it(web: WebServer) -> None:
    with open_echo(web) as socket:
        socket.send('{"text": "bye"}')
        with pytest.raises(websockets.ConnectionClosedOK):
            socket.recv(10)


def test_a_frame_beyond_everything_closes_the_socket(web: WebServer) -> None:
    with open_echo(web) as socket, pytest.raises(websockets.ConnectionClosed) as caught:
        socket.send("a" * (2 * 1024 * 1024))
        socket.recv(10)
    # The reason is lost where the connection is reset before the rest of the frame has been written.
    assert caught.value.rcvd is None or caught.value.rcvd.code == 1009


def test_an_open_socket_does_not_hold_up_the_end(web: WebServer) -> None:
    with open_echo(web) as socket:
        web.stop()
        with pytest.raises(websockets.ConnectionClosed):
            socket.recv(10)


def test_there_is_no_compression(web: WebServer) -> None:
    with open_echo(web) as socket:
        assert socket.protocol.extensions == []
