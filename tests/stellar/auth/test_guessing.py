"""Guessing passwords is stopped, and stops nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from web_parts import PASSWORD, WebServer, make_panel, running, sign_in

from stellar.auth import lockout, passwords, users
from stellar.errors import Unavailable


def attempt(web: WebServer, password: str, address: str = "", email: str = "ada@example.com") -> int:
    headers = {"X-Forwarded-For": address} if address else {}
    with web.client() as client:
        answer = client.post("/api/v1/auth/signin", json={"email": email, "password": password}, headers=headers)
    if answer.status_code == 429:
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["code"] == "rate_limited"
    return answer.status_code


def test_after_some_guesses_even_the_right_password_is_refused(web: WebServer) -> None:
    users.create("ada@example.com", PASSWORD)
    allowed = lockout.PER_ACCOUNT.uses
    assert [attempt(web, f"guess {number}") for number in range(allowed)] == [401] * allowed
    assert attempt(web, PASSWORD) == 429
    assert attempt(web, PASSWORD, email=" ADA@Example.com") == 429


def test_guesses_at_the_same_time_are_all_counted(web: WebServer) -> None:
    users.create("ada@example.com", PASSWORD)
    allowed = lockout.PER_ACCOUNT.uses
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda number: attempt(web, f"guess {number}"), range(allowed + 10)))
    assert (statuses.count(401), statuses.count(429)) == (allowed, 10)


def test_guessing_locks_out_nobody_else(tmp_path: Path, redis_url: str) -> None:
    with running(make_panel(tmp_path, redis_url, web={"trusted_proxies": ["127.0.0.1"]})) as server:
        users.create("ada@example.com", PASSWORD)
        users.create("bob@example.com", PASSWORD)
        for number in range(lockout.PER_ACCOUNT.uses + 1):
            attempt(server, f"guess {number}", "203.0.113.9")
        assert attempt(server, PASSWORD, "203.0.113.9") == 429
        assert attempt(server, PASSWORD, "198.51.100.1") == 200
        assert attempt(server, PASSWORD, "203.0.113.9", "bob@example.com") == 200


def test_an_ipv6_caller_is_counted_by_network(tmp_path: Path, redis_url: str) -> None:
    with running(make_panel(tmp_path, redis_url, web={"trusted_proxies": ["127.0.0.1"]})) as server:
        users.create("ada@example.com", PASSWORD)
        allowed = lockout.PER_ACCOUNT.uses
        statuses = [attempt(server, "guess", f"2001:db8:1:2::{number:x}") for number in range(allowed + 1)]
        assert statuses == [401] * allowed + [429]
        assert attempt(server, PASSWORD, "2001:db8:1:3::1") == 200


def test_the_right_password_clears_the_count(web: WebServer) -> None:
    users.create("ada@example.com", PASSWORD)
    for _ in range(2):
        for number in range(lockout.PER_ACCOUNT.uses - 1):
            assert attempt(web, f"guess {number}") == 401
        with web.client() as client:
            sign_in(client, "ada@example.com")


def test_guessing_ones_own_password_is_counted_too(web: WebServer) -> None:
    with web.signed_in() as client:
        body = {"current": "guess", "new": "another passphrase"}
        statuses = [client.post("/api/v1/auth/password", json=body).status_code for _ in range(11)]
    assert statuses == [403] * 10 + [429]


async def test_a_flood_of_hashes_is_refused_rather_than_queued() -> None:
    import asyncio

    tasks = [asyncio.create_task(passwords.verify_async(None, "x")) for _ in range(passwords.MAX_WAITING + 5)]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, Unavailable) for answer in answers) == 5
    assert answers.count(False) == passwords.MAX_WAITING
    assert await passwords.verify_async(None, "x") is False


@pytest.mark.parametrize("password", ["short", "", "x" * 257, "ada@example.com", "ADA@example.com "])
def test_poor_passwords_are_refused(web: WebServer, password: str) -> None:
    from stellar.errors import Invalid

    with pytest.raises(Invalid) as caught:
        users.create("ada@example.com", password)
    assert list(caught.value.fields) == ["password"]
