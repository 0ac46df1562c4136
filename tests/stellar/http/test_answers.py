"""Problems, headers, pages, streams, limits."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest
from probe_plugin import probe, streams
from web_parts import WebServer, make_panel, running

from stellar.testing.waiting import wait_until


def test_a_problem_has_its_shape(web: WebServer) -> None:
    with web.client() as client:
        answer = client.get("/api/v1/broken/conflict")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "It is busy.",
        "code": "thing_busy",
        "request_id": answer.headers["x-request-id"],
    }


def test_a_problem_names_its_fields(web: WebServer) -> None:
    with web.client() as client:
        answer = client.get("/api/v1/broken/fields")
    assert (answer.status_code, answer.json()["errors"]) == (422, {"name": "It is too ugly."})


def test_an_unexpected_error_shows_nothing_of_the_inside(web: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    with web.client() as client, caplog.at_level(logging.ERROR):
        answer = client.get("/api/v1/broken/otherwise")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text and "Traceback" not in answer.text
    assert answer.json()["request_id"] in caplog.text
    assert "a secret of the inside" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nowhere", 404, "not_found"),
        ("DELETE", "/api/v1/things", 405, "method_not_allowed"),
        ("POST", "/api/v1/nowhere", 404, "not_found"),
        ("TRACE", "/api/v1/things", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there_is_a_problem_too(web: WebServer, method: str, path: str, status: int, code: str) -> None:
    with web.client() as client:
        answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_method_that_is_not_allowed_names_those_that_are(web: WebServer) -> None:
    with web.client() as client:
        allowed = client.delete("/api/v1/things").headers["allow"]
    assert {"GET", "POST"} <= set(allowed.split(", "))


@pytest.mark.parametrize("path", ["/nowhere", "/probe/broken", "/static/nowhere.js"])
def test_people_get_pages(web: WebServer, path: str) -> None:
    with web.client() as client:
        answer = client.get(path)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["x-request-id"] in answer.text
    assert "secret" not in answer.text


def test_a_page_for_users_leads_to_the_sign_in(web: WebServer) -> None:
    with web.client() as client:
        answer = client.get("/probe?a=1&b=2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/auth/signin?next=%2Fprobe%3Fa%3D1%26b%3D2")
    with web.signed_in() as client:
        assert client.get("/probe").text.endswith("<title>Probe</title>")


def test_head_is_get_without_a_body(web: WebServer) -> None:
    with web.client() as client:
        head, get = client.head("/api/v1/things"), client.get("/api/v1/things")
        assert client.head("/api/v1/flow").status_code == 405
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(get.content))


def test_api_answers_are_not_for_browsers_to_show(web: WebServer) -> None:
    with web.client() as client:
        for path in ("/api/v1/things", "/api/v1/nowhere", "/api/v1/broken/otherwise"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
            assert headers["cache-control"] == "no-store"
            assert "server" not in headers


def test_pages_run_only_our_own_scripts(web: WebServer) -> None:
    with web.signed_in() as client:
        headers = client.get("/probe").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "private, no-cache"


def test_request_ids_differ(web: WebServer) -> None:
    with web.client() as client:
        ids = {client.get("/healthz").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


def test_a_limit_counts_per_address(web: WebServer) -> None:
    with web.client() as client:
        answers = [client.get("/api/v1/limited") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [204, 204, 204, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    last = answers[-1]
    assert last.headers["ratelimit-limit"] == "3"
    assert 1 <= int(last.headers["retry-after"]) <= 60
    assert last.headers["ratelimit-reset"] == last.headers["retry-after"]
    assert last.json()["code"] == "rate_limited"


def test_a_limit_counts_per_account_and_a_public_one_per_address(web: WebServer) -> None:
    body = {"name": "a"}
    with web.signed_in("ada@example.com") as ada, web.signed_in("bob@example.com") as bob:
        answers = [client.put("/api/v1/things/1", json=body) for client in (ada, ada, bob)]
        assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["599", "598", "599"]
        assert [ada.get("/api/v1/limited").status_code for _ in range(4)] == [204, 204, 204, 429]
        assert bob.get("/api/v1/limited").status_code == 429


def test_making_things_is_limited_by_itself(web: WebServer) -> None:
    body = {"name": "a"}
    with web.signed_in() as ada:
        made, changed = ada.post("/api/v1/things", json=body), ada.put("/api/v1/things/1", json=body)
        assert [made.headers["ratelimit-limit"], changed.headers["ratelimit-limit"]] == ["120", "600"]
        statuses = {ada.post("/api/v1/things", json=body).status_code for _ in range(120)}
        assert statuses == {201, 429}
        assert ada.put("/api/v1/things/1", json=body).status_code == 200


def test_a_stream_arrives_whole(web: WebServer) -> None:
    with web.client() as client:
        answer = client.get("/api/v1/few")
    assert (answer.content, answer.headers["content-length"]) == (b"onetwosix", "9")


def test_a_stream_is_closed_when_the_client_leaves(web: WebServer) -> None:
    streams.clear()
    with web.client() as client, client.stream("GET", "/api/v1/flow") as answer:
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20%22b%22.bin"
        next(answer.iter_raw())
    wait_until(lambda: streams[-1] == "closed", what="the stream's end")


def test_health(web: WebServer) -> None:
    with web.client() as client:
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["checks"]) == (200, {"database": "ok", "redis": "ok"})


def test_only_a_trusted_proxy_is_believed(tmp_path: Path, redis_url: str) -> None:
    said = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    for trusted, address, secure in (([], "127.0.0.1", False), (["127.0.0.1"], "203.0.113.7", True)):
        panel = make_panel(tmp_path / str(secure), redis_url, probe, web={"trusted_proxies": trusted})
        with running(panel) as server:
            with server.signed_in("ada@example.com"):
                pass
            credentials = {"email": "ada@example.com", "password": "correct horse battery"}
            answer = httpx.post(f"{server.url}/api/v1/auth/signin", json=credentials, headers=said, trust_env=False)
            assert ("Secure" in answer.headers["set-cookie"]) is secure
            cookie = {"Cookie": answer.headers["set-cookie"].split(";")[0]}
            sessions = httpx.get(f"{server.url}/api/v1/auth/sessions", headers=cookie, trust_env=False).json()
            assert [one["address"] for one in sessions if one["current"]] == [address]
