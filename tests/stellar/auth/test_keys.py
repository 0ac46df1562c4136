"""API keys: shown once, kept hashed, bound by scopes, addresses and expiry, and never more than their owner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from rights_parts import code, new_user, signed_in
from web_parts import WebServer, make_panel, running

from stellar.auth import keys, users
from stellar.auth.models import Key, User

KEYS = "/api/v1/users/me/keys"
ROLES = "/api/v1/admin/roles"


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[WebServer]:
    """A running panel without plugins, on both databases."""
    with running(make_panel(tmp_path / "data", redis_url, database={"url": database_url})) as server:
        yield server


@pytest.fixture
def owner(web: WebServer) -> User:
    """An administrator; there is another, so that this one can be demoted."""
    new_user("admin", "other")
    return new_user("admin", "owner")


@pytest.fixture
def browser(web: WebServer, owner: User) -> Iterator[httpx.Client]:
    """The owner's browser."""
    with signed_in(web, owner) as client:
        yield client


def make(browser: httpx.Client, *scopes: str, **values: Any) -> dict[str, Any]:
    """A new key."""
    made = browser.post(KEYS, json={"name": "script", "scopes": list(scopes or ("roles.read",)), **values})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def script(web: WebServer, token: str) -> httpx.Client:
    """A program that uses a key."""
    return web.client(headers={"Authorization": f"Bearer {token}"})


def test_a_key_is_shown_once_and_kept_hashed(web: WebServer, browser: httpx.Client) -> None:
    made = make(browser)
    assert made["token"].startswith(f"stk_{made['id']}_")
    secret = made["token"].removeprefix(f"stk_{made['id']}_")
    assert secret not in str(Key.select().dicts().get())
    listed = browser.get(KEYS)
    assert secret not in listed.text and [one["id"] for one in listed.json()] == [made["id"]]
    assert listed.json()[0]["last_used_at"] is None
    with script(web, made["token"]) as client:
        assert client.get(ROLES).status_code == 200
    used = browser.get(KEYS).json()[0]
    assert used["last_used_at"] and used["last_used_from"] == "127.0.0.1"


def test_the_last_use_is_not_written_at_each_request(web: WebServer, browser: httpx.Client) -> None:
    made = make(browser)
    with script(web, made["token"]) as client:
        client.get(ROLES)
        Key.update(used_at=None).execute()
        client.get(ROLES)
    assert browser.get(KEYS).json()[0]["last_used_at"] is None


def test_scopes_bound_a_key_and_its_owner_bounds_it_too(web: WebServer, browser: httpx.Client, owner: User) -> None:
    reader, writer = make(browser)["token"], make(browser, "roles.read", "roles.manage")["token"]
    body = {"name": "made", "actions": []}
    with script(web, reader) as client:
        assert client.get(ROLES).status_code == 200
        assert code(client.post(ROLES, json=body)) == (403, "scope_missing")
    with script(web, writer) as client:
        assert client.post(ROLES, json=body).status_code == 201, "no CSRF token is needed"
        beyond = {"name": "more", "actions": ["settings.manage"]}
        assert code(client.post(ROLES, json=beyond)) == (403, "beyond_own")
        users.set_role(owner.id, "support")
        assert client.get(ROLES).status_code == 200
        assert client.delete(f"{ROLES}/made").status_code == 403
        users.set_role(owner.id, "user")
        assert client.get(ROLES).status_code == 403


def test_a_key_ends_with_its_owners_suspension(web: WebServer, browser: httpx.Client, owner: User) -> None:
    with script(web, make(browser)["token"]) as client:
        users.suspend(owner.id)
        assert code(client.get(ROLES)) == (403, "suspended")
        users.unsuspend(owner.id)
        assert client.get(ROLES).status_code == 200


def test_a_revoked_expired_or_changed_key_opens_nothing(web: WebServer, browser: httpx.Client) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    revoked, expired = make(browser), make(browser, expires_at=soon)
    with script(web, expired["token"]) as client:
        assert client.get(ROLES).status_code == 200
        Key.update(expires_at=datetime.now(UTC)).where(Key.id == expired["id"]).execute()
        assert code(client.get(ROLES)) == (401, "key_expired")
    assert browser.delete(f"{KEYS}/{revoked['id']}").status_code == 204
    assert browser.delete(f"{KEYS}/{revoked['id']}").status_code == 404
    other = make(browser)["token"]
    for wrong in (revoked["token"], other[:-1], f"{other[:-2]}aa", "stk_", f"stk_{'0' * 16}_{'a' * 43}"):
        with script(web, wrong) as client:
            assert code(client.get(ROLES)) == (401, "bad_key"), wrong
            client.cookies = browser.cookies
            assert client.get(ROLES).status_code == 401, "a wrong key is not made good by a session"


def test_a_key_works_only_from_its_addresses(web: WebServer, browser: httpx.Client) -> None:
    far = make(browser, addresses=["192.0.2.0/24", "2001:db8::/32"])
    near = make(browser, addresses=["::ffff:192.0.2.7", "127.0.0.0/8"])
    with script(web, far["token"]) as client:
        assert code(client.get(ROLES)) == (403, "key_address")
    with script(web, near["token"]) as client:
        assert client.get(ROLES).status_code == 200
    assert near["addresses"] == ["127.0.0.0/8", "192.0.2.7/32"]


def test_keys_make_no_keys_and_change_no_account(web: WebServer, browser: httpx.Client) -> None:
    with script(web, make(browser, "accounts.manage", "roles.manage")["token"]) as client:
        assert client.get("/api/v1/users/me").status_code == 200
        for method, path, body in (
            ("GET", KEYS, None),
            ("POST", KEYS, {"name": "more", "scopes": ["roles.read"]}),
            ("PATCH", "/api/v1/users/me", {"name": "Other"}),
            ("POST", "/api/v1/auth/password", {"current": "a", "new": "b"}),
            ("GET", "/api/v1/auth/sessions", None),
            ("POST", "/api/v1/auth/signout", None),
        ):
            assert code(client.request(method, path, json=body)) == (403, "session_required"), path


def test_nobody_revokes_or_sees_anothers_key(web: WebServer, browser: httpx.Client) -> None:
    made = make(browser)
    with signed_in(web, new_user("admin")) as other:
        assert other.get(KEYS).json() == []
        assert other.delete(f"{KEYS}/{made['id']}").status_code == 404
    assert len(browser.get(KEYS).json()) == 1


def test_a_user_makes_no_key_for_what_users_may_not(web: WebServer) -> None:
    with signed_in(web, new_user()) as user:
        refused = user.post(KEYS, json={"name": "script", "scopes": ["audit.read"]})
        assert code(refused) == (403, "beyond_own")


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": []},
        {"scopes": ["no.such"]},
        {"name": ""},
        {"name": "a\nb"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2200-01-01T00:00:00"},
        {"addresses": ["300.1.1.1"]},
        {"addresses": ["10.0.0.1/8"]},
        {"owner_id": "x"},
        {"user_id": "x"},
        {"is_admin": True},
    ],
)
def test_a_bad_key_is_refused(browser: httpx.Client, changes: dict[str, Any]) -> None:
    assert browser.post(KEYS, json={"name": "script", "scopes": ["roles.read"], **changes}).status_code == 422


def test_there_is_a_limit(browser: httpx.Client, owner: User) -> None:
    for number in range(keys.KEYS_PER_USER):
        Key.create(id=f"{number:016x}", user=owner, name="k", secret_hash="", scopes=[], networks=[])
    refused = browser.post(KEYS, json={"name": "script", "scopes": ["roles.read"]})
    assert code(refused) == (409, "key_limit")
