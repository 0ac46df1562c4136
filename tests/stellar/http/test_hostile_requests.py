"""Requests that no browser sends: bombs, broken HTTP, strange paths; each is a 4xx at once, and the panel goes on."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from full_panel import full_panel
from rights_parts import new_user
from web_parts import WebServer

from stellar.auth import impersonation, roles, sessions, users
from stellar.auth.models import User
from stellar.auth.sessions import NewSession
from stellar.http import protocol
from stellar.testing.valkey import ValkeyServer

JSON = "Content-Type: application/json"
ME = "/api/v1/users/me"
SOCKET = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[WebServer]:
    """A panel with every built-in plugin."""
    data: Path = tmp_path_factory.mktemp("hostile")
    with full_panel(data, valkey.url, f"sqlite:///{data / 'test.db'}") as server:
        yield server


@pytest.fixture(scope="module")
def user(web: WebServer) -> User:
    """Somebody with an account."""
    return new_user(name="ada")


@pytest.fixture(scope="module")
def begun(user: User) -> NewSession:
    """A session of theirs."""
    return sessions.create(user, "127.0.0.1", "tests")


@pytest.fixture
def own(begun: NewSession) -> tuple[str, str]:
    """The headers of their browser."""
    return f"Cookie: stellar_session={begun.token}", f"X-CSRF-Token: {begun.session.csrf_token}"


def head(line: str | bytes, *headers: str | bytes) -> bytes:
    """The head of a request, not checked by any library."""
    lines = [one.encode("latin-1") if isinstance(one, str) else one for one in (line, "Host: x", *headers)]
    return lines[0] + b" HTTP/1.1\r\n" + b"".join(one + b"\r\n" for one in lines[1:]) + b"\r\n"


def send(web: WebServer, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and the begin of the body of the answer to raw bytes; status 0 without an answer."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as raw:
        # It may be refused before all of it has been sent.
        with suppress(OSError):
            raw.sendall(data)
        answer = http.client.HTTPResponse(raw)
        try:
            answer.begin()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read(65536)
        except (http.client.HTTPException, ConnectionError):
            return 0, {}, b""


def post(web: WebServer, path: str, body: bytes, *headers: str) -> tuple[int, dict[str, str], bytes]:
    """A POST of JSON, or what is said to be it."""
    return send(web, head(f"POST {path}", JSON, f"Content-Length: {len(body)}", *headers) + body)


def alive(web: WebServer) -> bool:
    """Whether the next caller is served."""
    return send(web, head("GET /healthz", "Connection: close"))[0] == 200


@pytest.mark.parametrize(
    ("line", "headers", "statuses"),
    [
        pytest.param("GET /healthz", ["X: " + "a" * 1_000_000], {431}, id="one header of 1 MB"),
        pytest.param("GET /healthz", [f"X-{number}: a" for number in range(50_000)], {431}, id="50,000 headers"),
        pytest.param("GET /healthz?" + "a" * 100_000, [], {431}, id="a long query"),
        pytest.param("GET /" + "a" * 1_000_000, [], {431}, id="a path of 1 MB"),
        pytest.param(f"GET {ME}?{'&'.join(f'a{number}=1' for number in range(10_000))}", [], {431}, id="10,000 names"),
        pytest.param(f"GET {ME}?{'a&' * 10_000}", [], {401}, id="10,000 times one name"),
        pytest.param(f"GET {ME}", [f"Cookie: c{number}=v" for number in range(1000)], {401}, id="1,000 cookie headers"),
        pytest.param(f"GET {ME}", ["Accept: " + "a/b," * 10_000], {401}, id="10,000 media types"),
        pytest.param(f"GET {ME}", [b"Cookie: stellar_session=\xff\xfe"], {401}, id="a cookie that is no text"),
        pytest.param(f"GET {ME}", [b"Authorization: Bearer \xff\xfe"], {401}, id="a key that is no text"),
        pytest.param(f"GET {ME}", ["X: a\x00b"], {400}, id="NUL in a header"),
        pytest.param(f"GET {ME}", ["Cookie : a=b"], {400}, id="space before a colon"),
        pytest.param(b"GET /api/v1/servers/\xff\xfe", [], {400}, id="bytes in the path"),
        pytest.param(b"GET /api/v1/servers?search=\xff\xfe", [], {400}, id="bytes in the query"),
        pytest.param("POST /api/v1/auth/signin", ["Content-Length: 2", "Content-Length: 5"], {400}, id="two lengths"),
        pytest.param("POST /api/v1/auth/signin", ["Content-Length: -2"], {400}, id="a negative length"),
        pytest.param("POST /api/v1/auth/signin", ["Content-Length: " + "9" * 30], {400}, id="a huge length"),
        pytest.param(
            "POST /api/v1/auth/signin",
            ["Content-Length: 2", "Transfer-Encoding: chunked"],
            {400},
            id="a length and chunks",
        ),
        pytest.param(f"TRACE {ME}", [], {405}, id="TRACE"),
        pytest.param("CONNECT example.com:443", [], {400}, id="CONNECT"),
        pytest.param(f"PROPFIND {ME}", [], {405}, id="PROPFIND"),
        pytest.param("OPTIONS *", [], {404}, id="OPTIONS of everything"),
        pytest.param("GET http://[::1/", [], {400}, id="an address that is none"),
        pytest.param(f"GET {ME}", [*SOCKET[:2], "Sec-WebSocket-Version: 13"], {400, 405}, id="a handshake without key"),
        pytest.param(f"GET {ME}", SOCKET, {405}, id="a handshake elsewhere"),
        pytest.param("GET /dashboard", SOCKET, {405}, id="a handshake with a page"),
        pytest.param("GET /nothing", SOCKET, {404}, id="a handshake with nothing"),
        pytest.param("GET /api/v1/events", [], {405}, id="no handshake where one is wanted"),
        pytest.param("GET /api/v1/nodes/link", [], {405}, id="no handshake with the nodes' link"),
        pytest.param(
            "GET /api/v1/events", [*SOCKET, *(f"X-{number}: a" for number in range(200))], {431}, id="socket, headers"
        ),
        pytest.param("GET /api/v1/events", [*SOCKET, "X: " + "a" * 20_000], {431}, id="socket, one header"),
        pytest.param("GET /api/v1/events?after=" + "a" * 20_000, SOCKET, {431}, id="socket, query"),
    ],
)
def test_a_hostile_head_is_refused(
    web: WebServer, line: str | bytes, headers: list[str | bytes], statuses: set[int]
) -> None:
    status, _, body = send(web, head(line, *headers))
    assert status in statuses, body
    assert alive(web)


@pytest.mark.parametrize(
    "data",
    [b"GET /", b"PRI * HTTP/2.0\r\n\r\nSM", b"GET / HTTP/9.9", bytes(range(256)) * 20, b"\x16\x03"],
    ids=["HTTP 0.9", "HTTP 2", "HTTP 9.9", "bytes", "TLS"],
)
def test_what_is_not_http_is_refused(web: WebServer, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert send(web, data + b"\r\n\r\n")[0] == 400
    assert "Traceback" not in caplog.text
    assert alive(web)


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=["0", "1", "2"])
def test_a_head_that_never_ends_ends_the_connection(
    web: WebServer, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as raw:
        raw.sendall(sent)
        assert raw.recv(1) == b""


def test_a_second_head_that_never_ends_ends_the_connection_too(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as raw:
        raw.sendall(head("GET /healthz"))
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        answer.read()
        assert answer.status == 200
        raw.sendall(b"GET /hea")
        assert raw.recv(1) == b""


def test_a_slow_answer_outlives_the_time_for_heads(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    body = b'{"email": "nobody@example.com", "password": "x"}'
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as raw:
        raw.sendall(head("POST /api/v1/auth/signin", JSON, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert raw.recv(4096).startswith(b"HTTP/1.1 100 ")
        raw.sendall(body)
        assert raw.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_a_body_that_never_ends_is_given_up(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stellar.http.body.READ_SECONDS", 0.1)
    for framing, some in ((["Content-Length: 50"], b'{"email":'), (["Transfer-Encoding: chunked"], b"5\r\n{    \r\n")):
        status, _, body = send(web, head("POST /api/v1/auth/signin", JSON, *framing) + some)
        assert (status, json.loads(body)["code"]) == (408, "request_timeout")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b"[" * 100_000 + b"]" * 100_000, [], 400, id="100,000 brackets"),
        pytest.param(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, [], 400, id="20,000 objects"),
        pytest.param(b'{"email": 1e400, "password": "x"}', [], 422, id="1e400"),
        pytest.param(b'{"email": ' + b"9" * 5000 + b', "password": "x"}', [], 422, id="5,000 digits"),
        pytest.param(b'{"email": "\\udfff", "password": "x"}', [], 400, id="half a surrogate pair"),
        pytest.param(b'{"email": "a\\u0000@b.c", "password": "x"}', [], 422, id="NUL"),
        pytest.param(b'{"email": "a@b.c", "password": "\xc3\x28"}', [], 400, id="not UTF-8"),
        pytest.param(b"{}", ["Content-Encoding: gzip"], 415, id="said to be compressed"),
        pytest.param(gzip.compress(b" " * 1_000_000), ["Content-Encoding: gzip"], 415, id="a gzip bomb"),
        pytest.param(gzip.compress(b"{}"), [], 400, id="compressed in silence"),
        pytest.param(b"", [], 400, id="empty"),
        pytest.param(b"{}", ["Expect: a-miracle"], 422, id="a strange expectation"),
    ],
)
def test_a_hostile_body_is_refused(web: WebServer, body: bytes, headers: list[str], status: int) -> None:
    found, answered, text = post(web, "/api/v1/auth/signin", body, *headers)
    assert (found, answered["content-type"]) == (status, "application/problem+json"), text


@pytest.mark.parametrize(
    "origin",
    ["http://[::1", "null", "http://\xff", "", "javascript:alert(1)", "a" * 5000],
    ids=["bracket", "null", "byte", "empty", "script", "long"],
)
def test_a_strange_origin_is_refused(web: WebServer, own: tuple[str, str], origin: str) -> None:
    status, _, body = send(web, head(f"PATCH {ME}", JSON, *own, f"Origin: {origin}", "Content-Length: 2") + b"{}")
    assert (status, json.loads(body)["code"]) == (403, "cross_origin")


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_no_header_changes_the_method(web: WebServer, own: tuple[str, str], user: User, name: str) -> None:
    assert post(web, ME, b'{"name": "Eve"}', *own, f"{name}: PATCH")[0] == 405
    assert users.get(user.id).name == "Ada"


@pytest.mark.parametrize(
    "path",
    [
        "/api//v1/users/me",
        "/api/v1/users/me/",
        "/api/v1/users/me;x=1",
        "/api/v1/users/me%3Bx",
        "/api/v1/%2e%2e/v1/users/me",
        "/api/v1/../v1/users/me",
        "/api/v1/users/me%00",
        "/API/v1/users/me",
        "/api/v1/users/me%0d%0aSet-Cookie:%20a=b",
        "/static/../stellar/panel.py",
        "/static/%2e%2e/%2e%2e/panel.py",
        "/static/..%2f..%2f..%2fpanel.py",
        "/static/servers/..%5c..%5cmodels.py",
        "/static//etc/passwd",
    ],
)
def test_a_strange_path_leads_nowhere(web: WebServer, own: tuple[str, str], path: str) -> None:
    status, headers, body = send(web, head(f"GET {path}", *own))
    assert status in (400, 404), body
    assert "set-cookie" not in headers


@pytest.mark.parametrize("path", ["//api/v1/users/me", "///api/v1/users/me", "/api/v1/users%2fme"])
def test_another_way_to_write_a_path_keeps_every_rule(web: WebServer, own: tuple[str, str], path: str) -> None:
    status, headers, _ = send(web, head(f"GET {path}", *own))
    assert status == 200
    assert "sandbox" in headers["content-security-policy"], "what the API serves gets no rights in a browser"
    assert send(web, head(f"GET {path}"))[1]["content-type"] == "application/problem+json"
    refused = send(web, head(f"PATCH {path}", JSON, own[0], "Content-Length: 15") + b'{"name": "Eve"}')
    assert json.loads(refused[2])["code"] == "csrf"
    refused = send(web, head(f"GET {path}?x=1", *own))
    assert (refused[0], list(json.loads(refused[2])["errors"])) == (422, ["x"])


@pytest.mark.parametrize("path", ["/api/v1/users/me", "//api/v1/users/me", "/api/v1/users%2fme"])
def test_acting_as_somebody_else_spares_their_account_however_it_is_addressed(
    web: WebServer, user: User, path: str
) -> None:
    root = new_user("admin", "root")
    behind = sessions.create(root, "127.0.0.1", "tests").session
    acting = impersonation.begin(roles.actor_of_user(root), behind, user.id, "tests")
    own = f"Cookie: stellar_session={acting.token}", f"X-CSRF-Token: {acting.session.csrf_token}"
    status, _, body = send(web, head(f"PATCH {path}", JSON, *own, "Content-Length: 15") + b'{"name": "Eve"}')
    assert (status, json.loads(body)["code"]) == (403, "impersonating")
    assert users.get(user.id).name == "Ada"


@pytest.mark.parametrize("target", ["//evil.example", "/%5cevil.example", "/%09/evil.example", "https:evil.example"])
def test_signing_in_leads_to_no_other_site(web: WebServer, own: tuple[str, str], target: str) -> None:
    status, headers, _ = send(web, head(f"GET /auth/signin?next={target}", *own))
    assert (status, headers["location"]) == (303, "/dashboard")


def test_a_request_that_leads_to_the_sign_in_splits_no_answer(web: WebServer) -> None:
    status, headers, _ = send(web, head("GET /dashboard?%0d%0aSet-Cookie:%20a=b"))
    assert (status, "set-cookie" in headers) == (303, False)
    assert "\r" not in headers["location"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("OPTIONS", 200), ("DELETE", 405), ("PUT", 405)])
def test_other_methods(web: WebServer, own: tuple[str, str], method: str, status: int) -> None:
    found, headers, body = send(web, head(f"{method} {ME}", *own, "Content-Length: 0", "Connection: close"))
    assert found == status
    assert method == "HEAD" or {"GET", "PATCH"} <= set(headers["allow"].split(", "))
    assert b"ada-" not in body
