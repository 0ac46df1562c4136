"""Bad input is a 4xx problem and nothing else happens."""

from __future__ import annotations

import http.client
import socket
from typing import Any

import pytest
from probe_plugin import calls
from web_parts import WebServer

JSON = {"Content-Type": "application/json"}


def post(web: WebServer, data: bytes, headers: dict[str, str] | None = None) -> Any:
    calls.clear()
    with web.client() as client:
        answer = client.post("/api/v1/things", content=data, headers=JSON if headers is None else headers)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert calls == []
    return answer


def test_a_good_body(web: WebServer) -> None:
    answer = post(web, b'{"name": "a", "count": 3, "parts": [{"size": 1}]}')
    assert answer.status_code == 201
    assert answer.json() == {"id": "made-1", "name": "a", "count": 3}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "malformed_body"),
        (b"{", 400, "malformed_body"),
        (b'{"name": "a"', 400, "malformed_body"),
        (b'{"name": "a"} trailing', 400, "malformed_body"),
        (b"name=a", 400, "malformed_body"),
        (b'{"name": "\xff"}', 400, "malformed_body"),
        (b'\xff\xfe{\x00"\x00', 400, "malformed_body"),
        (b'\xef\xbb\xbf{"name": "a"}', 400, "malformed_body"),
        (b'{"name": "\\ud800"}', 400, "malformed_body"),
        (b'{"name": "a", "name": "b"}', 400, "malformed_body"),
        (b'{"name": "a", "parts": [{"size": 1, "size": 2}]}', 400, "malformed_body"),
        (b'{"name": "a", "count": NaN}', 400, "malformed_body"),
        (b'{"name": "a", "extra": ' + b"[" * 1500 + b"]" * 1500 + b"}", 400, "malformed_body"),
        (b"null", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b'{"name": 3}', 422, "invalid"),
        (b'{"name": null}', 422, "invalid"),
        (b'{"name": "a", "count": "3"}', 422, "invalid"),
        (b'{"name": "a", "count": 1.5}', 422, "invalid"),
        (b'{"name": "a", "count": 99999999999999999999}', 422, "invalid"),
        (b'{"name": "a", "extra": 1e400}', 422, "invalid"),
        (b'{"name": "a", "count": 1e19}', 422, "invalid"),
        (b'{"name": "a", "role": "admin"}', 422, "invalid"),
        (b'{"name": "a", "parts": [{"size": 1, "x": 1}]}', 422, "invalid"),
        (b'{"name": "a\\u0000b"}', 422, "invalid"),
        (b'{"name": "a", "extra": {"deep": ["\\u0000"]}}', 422, "invalid"),
        (b"{}", 422, "invalid"),
        (b'{"name": "' + b"a" * 21 + b'"}', 422, "invalid"),
        (b'{"name": "' + b"a" * 5000 + b'"}', 413, "too_large"),
    ],
)
def test_a_bad_body(web: WebServer, data: bytes, status: int, code: str) -> None:
    answer = post(web, data)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("number", [b"2.0", b"2e0", b"20E-1", b"0.2e+1"])
def test_a_whole_number_is_an_integer_however_it_is_written(web: WebServer, number: bytes) -> None:
    answer = post(web, b'{"name": "a", "count": %b, "extra": {"half": 0.5}}' % number)
    assert (answer.status_code, answer.json().get("count")) == (201, 2), answer.text


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b'{"name": 3}', "name"),
        (b'{"name": "a", "role": "admin"}', "role"),
        (b"{}", "name"),
        (b'{"name": "a", "parts": [{"size": "x"}]}', "parts[0].size"),
    ],
)
def test_the_wrong_field_is_named(web: WebServer, data: bytes, field: str) -> None:
    assert list(post(web, data).json()["errors"]) == [field]


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "application"],
)
def test_only_json_is_taken(web: WebServer, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = post(web, b'{"name": "a"}', headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_by_any_spelling(web: WebServer, content_type: str) -> None:
    assert post(web, b'{"name": "a"}', {"Content-Type": content_type}).status_code == 201


def test_a_large_body_without_a_length_is_counted(web: WebServer) -> None:
    def chunks() -> Any:
        for _ in range(100):
            yield b" " * 1000

    with web.client() as client:
        answer = client.post("/api/v1/things", content=chunks(), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_large_body_is_refused_by_its_header_alone(web: WebServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
    connection.putrequest("POST", "/api/v1/things")
    for name, value in {**JSON, "Content-Length": str(10**12)}.items():
        connection.putheader(name, value)
    connection.endheaders(b"{")
    answer = connection.getresponse()
    assert answer.status == 413
    connection.close()


def test_a_body_cut_short_changes_nothing(web: WebServer) -> None:
    calls.clear()
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as raw:
        head = (
            "POST /api/v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        )
        raw.sendall(head.encode() + b'{"name": "a"}')
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(4096):
            pass
    with web.client() as client:
        assert client.get("/healthz").status_code == 200
    assert calls == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("?page=2&tag=a&tag=b&deep=true", 200),
        ("?page=x", 422),
        ("?page=", 422),
        ("?page=99999999999999999999999", 422),
        ("?page=1&page=2", 422),
        ("?page=9007199254740993", 422),
        ("?colour=red&since=2026-03-01T18:30:00.5%2B02:00", 200),
        ("?colour=green", 422),
        ("?colour=null", 422),
        ("?since=null", 422),
        ("?since=", 422),
        ("?since=1772389800", 422),
        ("?since=0.5", 422),
        ("?since=2026-03-01", 422),
        ("?since=2026-03-01T18:30:00", 422),
        ("?since=0001-01-01T00:00:00%2B23:00", 422),
        ("?since=9999-12-31T23:59:59-23:00", 422),
        ("?nope=1", 422),
        ("?tag=%00", 422),
        ("?tag=%ff", 200),
        ("?%ff=%ff", 422),
    ],
)
def test_queries(web: WebServer, query: str, status: int) -> None:
    with web.client() as client:
        assert client.get(f"/api/v1/things{query}").status_code == status


def test_a_query_as_a_struct(web: WebServer) -> None:
    with web.client() as client:
        answer = client.get("/api/v1/things?page=2&tag=a&deep=true")
    assert answer.json() == {"page": 2, "tag": ["a"], "deep": True, "colour": None, "since": None}


def test_the_parameter_that_is_wrong_is_named(web: WebServer) -> None:
    with web.client() as client:
        for query in ("page=9007199254740993", "colour=null", "since=1", "since=9999-12-31T23:59:59-23:00"):
            assert list(client.get(f"/api/v1/things?{query}").json()["errors"]) == [query.partition("=")[0]]


@pytest.mark.parametrize("target", [b"/api/v1/things?tag=\xff\xfe", b"/api/v1/things/%00", b"/api/v1/things/%ff%fe"])
def test_raw_bytes_in_the_address(web: WebServer, target: bytes) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as raw:
        raw.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        status = int(raw.recv(65536).split()[1])
    assert status < 500
