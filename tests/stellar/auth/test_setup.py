"""The first account, registration, and accounts as a service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from web_parts import PASSWORD, WebServer, make_panel, running

from stellar import settings
from stellar.auth import setup, users
from stellar.auth.models import Link, User
from stellar.auth.permissions import SYSTEM
from stellar.db import now
from stellar.errors import Conflict, Invalid, NotFound


def token_of(web: WebServer) -> str:
    url = setup.setup_url(web.panel.config)
    assert url is not None
    assert urlsplit(url).path == "/setup"
    return parse_qs(urlsplit(url).query)["token"][0]


def body(token: str, **changes: Any) -> dict[str, Any]:
    return {"token": token, "email": "root@example.com", "name": "Root", "password": PASSWORD, **changes}


def test_the_link_makes_the_first_administrator(web: WebServer) -> None:
    token = token_of(web)
    with web.client() as client:
        answer = client.post("/api/v1/auth/setup", json=body(token))
        assert answer.status_code == 201
        assert (answer.json()["user"]["role"], answer.json()["user"]["name"]) == ("admin", "Root")
        assert client.get("/api/v1/auth/session").json()["csrf_token"] == answer.json()["csrf_token"]
    assert setup.setup_url(web.panel.config) is None
    assert not Link.select().where(Link.token_hash == token).exists()


def test_a_used_link_is_refused(web: WebServer) -> None:
    token = token_of(web)
    with web.client() as client, web.client() as other:
        assert client.post("/api/v1/auth/setup", json=body(token)).status_code == 201
        answer = other.post("/api/v1/auth/setup", json=body(token, email="second@example.com"))
        assert (answer.status_code, answer.json()["code"]) == (409, "already_set_up")
        User.delete().execute()
        answer = other.post("/api/v1/auth/setup", json=body(token))
        assert (answer.status_code, answer.json()["code"]) == (404, "link_invalid")
    assert users.count() == 0


def test_two_at_once_make_one_administrator(web: WebServer) -> None:
    token = token_of(web)

    def finish(number: int) -> int:
        with web.client() as client:
            return client.post("/api/v1/auth/setup", json=body(token, email=f"r{number}@example.com")).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(finish, range(6)))
    assert statuses[0] == 201
    assert set(statuses[1:]) <= {404, 409}
    assert users.count() == 1


def test_an_expired_link_is_refused(web: WebServer) -> None:
    token = token_of(web)
    Link.update(expires_at=now() - timedelta(seconds=1)).execute()
    with web.client() as client:
        answer = client.post("/api/v1/auth/setup", json=body(token))
    assert (answer.status_code, answer.json()["code"]) == (404, "link_invalid")


def test_a_new_link_ends_the_earlier_one(web: WebServer) -> None:
    old, new = token_of(web), token_of(web)
    with web.client() as client:
        assert client.post("/api/v1/auth/setup", json=body(old)).status_code == 404
        assert client.post("/api/v1/auth/setup", json=body(new)).status_code == 201


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "a@b\n.c"}, "email"),
        ({"email": "a" * 250 + "@b.c"}, "email"),
        ({"password": "short"}, "password"),
        ({"name": "a\u2028b"}, "name"),
        ({"role": "admin"}, "role"),
    ],
)
def test_bad_input_leaves_the_link_valid(web: WebServer, changes: dict[str, str], field: str) -> None:
    token = token_of(web)
    with web.client() as client:
        answer = client.post("/api/v1/auth/setup", json=body(token, **changes))
        assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])
        assert client.post("/api/v1/auth/setup", json=body(token)).status_code == 201


def test_a_guessed_link_is_refused(web: WebServer) -> None:
    token_of(web)
    with web.client() as client:
        for guess in ("guess", "x" * 43, "é"):
            assert client.post("/api/v1/auth/setup", json=body(guess)).status_code == 404


SIGN_UP = {"email": "new@example.com", "name": "New", "password": PASSWORD}


def test_registration_is_closed(web: WebServer) -> None:
    with web.client() as client:
        answer = client.post("/api/v1/auth/signup", json=SIGN_UP)
    assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")
    assert users.count() == 0


def test_an_administrator_opens_and_closes_registration(web: WebServer) -> None:
    settings.put(SYSTEM, settings.OPEN_REGISTRATION, True)
    with web.client() as client:
        answer = client.post("/api/v1/auth/signup", json=SIGN_UP)
        assert (answer.status_code, answer.json()["user"]["role"]) == (201, "user")
        assert client.get("/api/v1/auth/session").status_code == 200
    with web.client() as client:
        again = client.post("/api/v1/auth/signup", json={**SIGN_UP, "email": "NEW@example.com"})
        assert (again.status_code, again.json()["code"]) == (409, "email_taken")
        settings.put(SYSTEM, settings.OPEN_REGISTRATION, False)
        assert client.post("/api/v1/auth/signup", json={**SIGN_UP, "email": "b@example.com"}).status_code == 403


@pytest.mark.parametrize("extra", [{"role": "admin"}, {"is_admin": True}, {"suspended_at": None}, {"id": "x"}])
def test_nobody_registers_as_more_than_a_user(tmp_path: Path, redis_url: str, extra: dict[str, Any]) -> None:
    with (
        running(make_panel(tmp_path, redis_url, auth={"open_registration": True})) as server,
        server.client() as client,
    ):
        answer = client.post("/api/v1/auth/signup", json={**SIGN_UP, **extra})
        assert answer.status_code == 422
        assert users.count() == 0


def test_settings_are_typed(web: WebServer) -> None:
    with pytest.raises(Invalid):
        settings.put(SYSTEM, settings.OPEN_REGISTRATION, "yes")
    with pytest.raises(NotFound):
        settings.put(SYSTEM, "no.such", 1)
    assert settings.get(settings.OPEN_REGISTRATION) is False
    assert [(one.key, one.value, one.default) for one in settings.listing()] == [
        ("auth.open_registration", False, False)
    ]


def test_addresses_are_compared_as_people_read_them(web: WebServer) -> None:
    users.create("Ädä@Exämple.com", PASSWORD)
    for same in ("ädä@exämple.com", "A\u0308da\u0308@exa\u0308mple.com", " ÄDÄ@EXÄMPLE.COM"):
        assert users.by_email(same) is not None
        with pytest.raises(Conflict):
            users.create(same, PASSWORD)
    assert users.count() == 1


def test_the_last_administrator_stays(web: WebServer) -> None:
    one = users.create("one@example.com", PASSWORD, role="admin")
    two = users.create("two@example.com", PASSWORD, role="admin")
    users.suspend(one.id)
    with pytest.raises(Conflict):
        users.suspend(two.id)
    with pytest.raises(Conflict):
        users.set_role(two.id, "user")
    assert users.suspend(one.id).suspended_at == users.get(one.id).suspended_at


def test_users_are_searched(web: WebServer) -> None:
    for name in ("c", "a", "b"):
        User.create(email=f"{name}@example.com", name=f"The {name}", password_hash="x")
    assert [email for (email,) in users.matching([User.email], "The B").tuples()] == ["b@example.com"]
    assert len(users.matching([User.id], "the")) == 3
    assert not users.matching([User.id], "%")


def test_no_such_user(web: WebServer) -> None:
    for action in (users.get, users.suspend, users.unsuspend):
        with pytest.raises(NotFound):
            action("nobody")
