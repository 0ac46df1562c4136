"""Deleting accounts: never the last administrator's, never one that owns servers."""

from __future__ import annotations

import httpx
import pytest
from admin_parts import add_server
from web_parts import PASSWORD, WebServer, sign_in

from stellar.auth import users

BASE = "/api/v1/admin/users"


def make(email: str, role: str = "user") -> str:
    return str(users.create(email, PASSWORD, "", role).id)


def test_an_account_goes_with_its_sessions(web: WebServer, root: httpx.Client) -> None:
    user_id = make("ada@example.com")
    with web.client() as ada:
        sign_in(ada, "ada@example.com")
        assert root.delete(f"{BASE}/{user_id}").status_code == 204
        assert ada.get("/api/v1/auth/session").status_code == 401
    assert root.get(f"{BASE}/{user_id}").status_code == 404
    assert root.delete(f"{BASE}/{user_id}").status_code == 404
    (entry,) = root.get("/api/v1/admin/audit", params={"action": "user.delete"}).json()["entries"]
    assert (entry["target_id"], entry["details"]) == (user_id, {"email": "ada@example.com"})


def test_whoever_owns_servers_stays(root: httpx.Client) -> None:
    user_id = make("ada@example.com")
    add_server("ada@example.com")
    answer = root.delete(f"{BASE}/{user_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "owns_servers")
    assert "1 server" in answer.json()["detail"]
    assert root.get(f"{BASE}/{user_id}").status_code == 200


def test_the_last_administrator_stays(web: WebServer, root: httpx.Client) -> None:
    me = root.get("/api/v1/users/me").json()["id"]
    assert root.delete(f"{BASE}/{me}").json()["code"] == "own_account"
    role = {"name": "staff", "actions": ["accounts.read", "accounts.manage"]}
    assert root.post("/api/v1/admin/roles", json=role).status_code == 201
    with web.signed_in("staff@example.com", "staff") as staff:
        assert staff.delete(f"{BASE}/{me}").status_code == 403
    other = make("other@example.com", "admin")
    with web.signed_in("other@example.com") as second:
        assert users.suspend(me).suspended_at
        assert second.delete(f"{BASE}/{me}").status_code == 204
        assert second.delete(f"{BASE}/{other}").json()["code"] == "own_account"


@pytest.mark.parametrize("email", ["eve@example.com", "help@example.com"])
def test_only_those_who_manage_accounts_delete(web: WebServer, root: httpx.Client, email: str) -> None:
    user_id = make("ada@example.com")
    with web.signed_in(email, "support" if email.startswith("help") else "user") as client:
        assert client.delete(f"{BASE}/{user_id}").status_code == 403


def test_list_is_filtered_and_sorted(root: httpx.Client) -> None:
    for name in ("ada", "bob"):
        make(f"{name}@example.com")
    users.suspend(make("cy@example.com"))

    def emails(**query: str) -> list[str]:
        answer = root.get(BASE, params=query)
        assert answer.status_code == 200, answer.text
        return [user["email"].split("@")[0] for user in answer.json()["users"]]

    assert emails(sort="-email") == ["root", "cy", "bob", "ada"]
    assert emails(suspended="true") == ["cy"]
    assert emails(role="admin") == ["root"]
    for query in ({"sort": "password_hash"}, {"color": "red"}, {"page": "0"}, {"size": "100000"}, {"role": "a" * 300}):
        assert root.get(BASE, params=query).status_code == 422, query
