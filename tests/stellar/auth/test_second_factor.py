"""Two-factor sign-in: enrolling, the second step, recovery codes, and what guessing gets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
import redis
from web_parts import PASSWORD, WebServer, make_panel, running, sign_in

from stellar import audit
from stellar.auth import lockout, totp, users
from stellar.auth.models import Authenticator, RecoveryCode

FACTOR = "/api/v1/auth/second-factor"
SIGN_IN = "/api/v1/auth/signin"
SECOND = "/api/v1/auth/signin/second"


class Device:
    """An authenticator app whose clock the test holds."""

    def __init__(self, secret: str) -> None:
        self.generator = pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        return self.generator.generate_otp(int(time.time()) // 30 + steps)


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The panel's clock for codes stands in the middle of a step, so that no step ends during a test."""
    middle = int(time.time()) // 30 * 30 + 15
    monkeypatch.setattr(time, "time", lambda: float(middle))
    yield


def enrol(client: httpx.Client) -> tuple[Device, list[str]]:
    """Turn it on; the code of the step before is used up by that."""
    begun = client.post(f"{FACTOR}/totp", json={"password": PASSWORD})
    assert begun.status_code == 201, begun.text
    device = Device(begun.json()["secret"])
    answer = client.post(f"{FACTOR}/totp/confirm", json={"code": device.code(-1)})
    assert answer.status_code == 200, answer.text
    return device, answer.json()["codes"]


def first(client: httpx.Client, **headers: str) -> str:
    """The token of a first step, in a browser without a session."""
    client.cookies.clear()
    answer = client.post(SIGN_IN, json={"email": "ada@example.com", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"second_factor"}
    assert "set-cookie" not in answer.headers
    return str(answer.json()["second_factor"]["token"])


def second(client: httpx.Client, token: str, code: str, **headers: str) -> tuple[int, str]:
    answer = client.post(SECOND, json={"token": token, "code": code}, headers=headers)
    return answer.status_code, answer.json().get("code", "")


def test_enrolling(web: WebServer) -> None:
    with web.signed_in() as ada, web.signed_in() as elsewhere:
        assert ada.get(FACTOR).json() == {"totp": False, "recovery_codes_left": 0}
        assert ada.post(f"{FACTOR}/totp", json={"password": "wrong"}).status_code == 403
        begun = ada.post(f"{FACTOR}/totp", json={"password": PASSWORD}).json()
        url = urlsplit(begun["url"])
        assert (url.scheme, url.netloc) == ("otpauth", "totp")
        assert parse_qs(url.query)["secret"] == [begun["secret"]]
        assert begun["qr"].startswith("data:image/svg+xml")
        assert begun["secret"] not in Authenticator.get().secret
        device = Device(begun["secret"])
        assert ada.post(f"{FACTOR}/totp/confirm", json={"code": device.code(7)}).status_code == 403
        assert ada.get(FACTOR).json()["totp"] is False
        with web.client() as other:
            sign_in(other, "ada@example.com")
        codes = ada.post(f"{FACTOR}/totp/confirm", json={"code": device.code()}).json()["codes"]
        assert len(set(codes)) == 10
        assert ada.get(FACTOR).json() == {"totp": True, "recovery_codes_left": 10}
        assert elsewhere.get("/api/v1/auth/session").status_code == 401
        assert ada.post(f"{FACTOR}/totp", json={"password": PASSWORD}).status_code == 409
        assert ada.post(f"{FACTOR}/totp/confirm", json={"code": device.code(1)}).status_code == 409
        stored = {row.code_hash for row in RecoveryCode.select()}
        assert not stored.intersection(codes)
        assert "qr" not in ada.get("/api/v1/users/me").text


def test_the_second_step_begins_the_session(web: WebServer) -> None:
    with web.signed_in() as ada, web.client() as client:
        device, _ = enrol(ada)
        token = first(client)
        assert client.get("/api/v1/auth/session").status_code == 401
        answer = client.post(SECOND, json={"token": token, "code": device.code()})
        assert answer.status_code == 200
        assert client.get("/api/v1/auth/session").json()["csrf_token"] == answer.json()["csrf_token"]
        assert second(client, token, device.code(1)) == (401, "second_step_expired"), "the token works once"


def test_a_time_step_counts_once_and_none_before_it(web: WebServer) -> None:
    with web.signed_in() as ada, web.client() as client:
        device, _ = enrol(ada)
        assert second(client, first(client), device.code(-1)) == (401, "bad_code"), "used to enrol"
        assert second(client, first(client), device.code(1))[0] == 200
        for steps in (1, 0, -1):
            assert second(client, first(client), device.code(steps)) == (401, "bad_code")


def test_one_code_twice_at_once(web: WebServer) -> None:
    with web.signed_in() as ada:
        device, codes = enrol(ada)
        for code in (device.code(), codes[0]):

            def attempt(_: int, code: str = code) -> int:
                with web.client() as client:
                    return second(client, first(client), code)[0]

            with ThreadPoolExecutor(4) as pool:
                assert sorted(pool.map(attempt, range(4))) == [200, 401, 401, 401]


@pytest.mark.parametrize(
    "code", ["000000 ", "\uff11\uff12\uff13\uff14\uff15\uff16", "abcdef", "-1", "0" * 64, "12345", "'; --"]
)
def test_codes_that_are_none(web: WebServer, code: str) -> None:
    with web.signed_in() as ada, web.client() as client:
        device, _ = enrol(ada)
        assert device.code() != code.strip()
        assert second(client, first(client), code) == (401, "bad_code")
    failed = audit.list_page(action="auth.second_failed").entries[0]
    assert (failed.actor_kind, failed.details) == ("anonymous", {"email": "ada@example.com"})


@pytest.mark.parametrize(
    "body", [{}, {"token": "x"}, {"token": 1, "code": "1"}, {"token": "x", "code": ["1"]}, {"token": "x", "code": "\0"}]
)
def test_mistyped_second_steps(web: WebServer, body: dict[str, Any]) -> None:
    with web.client() as client:
        assert client.post(SECOND, json=body).status_code == 422
        assert second(client, "forged", "123456") == (401, "second_step_expired")


def test_a_recovery_code_works_once_however_it_is_written(web: WebServer) -> None:
    with web.signed_in() as ada, web.client() as client:
        _, codes = enrol(ada)
        assert second(client, first(client), codes[0].replace("-", " ").upper())[0] == 200
        assert second(client, first(client), codes[0]) == (401, "bad_code")
        assert second(client, first(client), codes[1])[0] == 200
        assert client.get(FACTOR).status_code == 200
    assert totp.view(users.by_email("ada@example.com").id).recovery_codes_left == 8  # type: ignore[union-attr]


def test_another_accounts_codes_are_worth_nothing(web: WebServer) -> None:
    with web.signed_in() as ada, web.signed_in("bob@example.com") as bob, web.client() as client:
        enrol(ada)
        device, codes = enrol(bob)
        for code in (device.code(), codes[0]):
            assert second(client, first(client), code) == (401, "bad_code")


def test_recovery_codes_are_made_anew(web: WebServer) -> None:
    with web.signed_in() as ada, web.client() as client:
        device, old = enrol(ada)
        path = f"{FACTOR}/recovery-codes"
        assert ada.post(path, json={"password": PASSWORD, "code": "000000"}).status_code == 403
        assert ada.post(path, json={"password": "wrong", "code": device.code()}).status_code == 403
        answer = ada.post(path, json={"password": PASSWORD, "code": device.code()})
        assert answer.status_code == 201
        assert second(client, first(client), old[0]) == (401, "bad_code")
        assert second(client, first(client), answer.json()["codes"][0])[0] == 200


def test_turning_it_off_needs_password_and_code(web: WebServer) -> None:
    with web.signed_in() as ada, web.client() as client:
        device, _ = enrol(ada)
        path = f"{FACTOR}/totp/disable"
        assert ada.post(path, json={"password": PASSWORD}).status_code == 422
        assert ada.post(path, json={"password": PASSWORD, "code": "000000"}).status_code == 403
        assert ada.post(path, json={"password": "wrong", "code": device.code()}).status_code == 403
        pending = first(client)
        assert ada.post(path, json={"password": PASSWORD, "code": device.code()}).status_code == 204
        assert second(client, pending, device.code(1)) == (401, "bad_code")
        sign_in(client, "ada@example.com")
        assert ada.post(path, json={"password": PASSWORD, "code": device.code(1)}).status_code == 409
        assert not RecoveryCode.select().exists()


def test_an_administrator_helps_who_lost_everything(web: WebServer) -> None:
    with web.signed_in() as ada, web.signed_in("root@example.com", "admin") as root, web.client() as client:
        me = ada.get("/api/v1/users/me").json()["id"]
        enrol(ada)
        path = f"/api/v1/admin/users/{me}/second-factor"
        assert ada.delete(path).status_code == 403
        assert root.delete(path).status_code == 204
        assert root.delete(path).status_code == 404
        sign_in(client, "ada@example.com")


def test_the_second_step_is_bound_to_the_first(tmp_path: Path, redis_url: str) -> None:
    with running(make_panel(tmp_path, redis_url, web={"trusted_proxies": ["127.0.0.1"]})) as web:
        here, there = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "198.51.100.1"}
        with web.signed_in() as ada, web.client() as client:
            device, _ = enrol(ada)
            token = first(client, **here)
            assert second(client, token, device.code(), **there) == (401, "second_step_expired")
            body = {"current": PASSWORD, "new": "another passphrase"}
            assert ada.post("/api/v1/auth/password", json=body).status_code == 204
            assert second(client, token, device.code(), **here) == (401, "second_step_expired")
            user = users.by_email("ada@example.com")
            assert user is not None
            body = {"email": user.email, "password": "another passphrase"}
            token = client.post(SIGN_IN, json=body, headers=here).json()["second_factor"]["token"]
            users.suspend(user.id)
            assert second(client, token, device.code(), **here) == (403, "suspended")


def test_a_first_step_lasts_five_minutes_and_is_kept_hashed(web: WebServer, redis_url: str) -> None:
    with web.signed_in() as ada, web.client() as client, redis.Redis.from_url(redis_url) as known:
        device, _ = enrol(ada)
        token = first(client)
        (key,) = known.keys("signin:*")
        assert token.encode() not in key
        assert 0 < int(str(known.ttl(key))) <= 300
        known.delete(key)
        assert second(client, token, device.code()) == (401, "second_step_expired")


def test_guessing_codes_ends_the_first_step_and_then_the_address(tmp_path: Path, redis_url: str) -> None:
    with running(make_panel(tmp_path, redis_url, web={"trusted_proxies": ["127.0.0.1"]})) as web:
        here, there = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "198.51.100.1"}
        with web.signed_in() as ada, web.client() as client:
            device, _ = enrol(ada)
            token = first(client, **here)
            wrong = "000000" if device.code() != "000000" else "000001"
            tries = [second(client, token, wrong, **here)[0] for _ in range(lockout.CODES_PER_STEP.uses + 1)]
            assert tries == [401] * lockout.CODES_PER_STEP.uses + [429]
            assert second(client, token, device.code(), **here) == (401, "second_step_expired")
            statuses = [second(client, first(client, **here), wrong, **here)[0] for _ in range(8)]
            assert 429 in statuses, "new first steps don't begin the count anew"
            assert second(client, first(client, **here), device.code(), **here)[0] == 429
            assert second(client, first(client, **there), device.code(), **there)[0] == 200


def test_guessing_from_many_addresses_is_bounded_too(tmp_path: Path, redis_url: str) -> None:
    panel = make_panel(tmp_path, redis_url, web={"trusted_proxies": ["127.0.0.1"]})
    with running(panel) as web, web.signed_in() as ada, web.client() as client:
        device, _ = enrol(ada)
        wrong = "000000" if device.code() != "000000" else "000001"
        statuses = []
        for number in range(lockout.CODES_FROM_ANYWHERE.uses // 4 + 1):
            where = {"X-Forwarded-For": f"203.0.113.{number}"}
            token = first(client, **where)
            statuses += [second(client, token, wrong, **where)[0] for _ in range(4)]
        assert statuses[: lockout.CODES_FROM_ANYWHERE.uses] == [401] * lockout.CODES_FROM_ANYWHERE.uses
        assert 429 in statuses[lockout.CODES_FROM_ANYWHERE.uses :]


def test_guessing_codes_in_a_stolen_session_is_bounded(web: WebServer) -> None:
    with web.signed_in() as ada:
        device, _ = enrol(ada)
        wrong = "000000" if device.code() != "000000" else "000001"
        body = {"password": PASSWORD, "code": wrong}
        statuses = [ada.post(f"{FACTOR}/totp/disable", json=body).status_code for _ in range(6)]
        assert statuses == [403] * 5 + [429]
