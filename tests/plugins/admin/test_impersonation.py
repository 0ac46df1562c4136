"""Acting as somebody else: both names are known, nothing personal changes, it ends with the administrator."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from web_parts import PASSWORD, WebServer

from stellar.auth import proof, sessions, users
from stellar.testing.valkey import ValkeyServer

BASE = "/api/v1/admin"


def user_id(email: str, role: str = "user") -> str:
    user = users.by_email(email) or users.create(email, PASSWORD, "", role)
    return str(user.id)


def begin(root: httpx.Client, email: str = "ada@example.com", role: str = "user") -> httpx.Response:
    answer = root.post(f"{BASE}/users/{user_id(email, role)}/impersonate")
    if answer.status_code == 200:
        root.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return answer


def end(root: httpx.Client) -> httpx.Response:
    answer = root.post("/api/v1/auth/impersonation/end")
    if answer.status_code == 200:
        root.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return answer


def session(client: httpx.Client) -> dict[str, Any]:
    answer = client.get("/api/v1/auth/session")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_there_and_back_with_both_names_in_the_log(root: httpx.Client) -> None:
    assert session(root)["impersonator"] is None
    assert begin(root).status_code == 200
    shown = session(root)
    assert shown["user"]["email"] == "ada@example.com"
    assert shown["impersonator"]["email"] == "root@example.com"
    assert root.get(f"{BASE}/users").status_code == 403
    assert end(root).status_code == 200
    assert session(root)["user"]["email"] == "root@example.com"
    assert session(root)["impersonator"] is None
    assert end(root).json()["code"] == "not_impersonating"
    entries = root.get(f"{BASE}/audit", params={"action": "user.*", "actor": "root@example.com"}).json()["entries"]
    last, first = entries[:2]
    assert (first["action"], first["actor_name"]) == ("user.impersonate", "root@example.com")
    assert first["target_id"] == last["target_id"] == user_id("ada@example.com")
    assert first["details"] == {"email": "ada@example.com", "impersonator": "root@example.com"}
    assert (last["action"], last["actor_name"]) == ("user.impersonate_end", "ada@example.com")
    assert last["impersonator_name"] == "root@example.com"
    assert last["impersonator_id"] == user_id("root@example.com")


@pytest.mark.parametrize("role", ["admin"])
def test_nobody_acts_as_an_administrator(root: httpx.Client, role: str) -> None:
    answer = begin(root, "other@example.com", role)
    assert (answer.status_code, answer.json()["code"]) == (403, "impersonate_admin")
    assert begin(root, "root@example.com").json()["code"] == "own_account"
    assert root.post(f"{BASE}/users/nobody/impersonate").status_code == 404
    users.suspend(user_id("late@example.com"))
    assert begin(root, "late@example.com").json()["code"] == "suspended"
    assert session(root)["user"]["email"] == "root@example.com"


def test_only_those_who_may(web: WebServer) -> None:
    target = user_id("ada@example.com")
    with web.signed_in("eve@example.com") as eve, web.signed_in("help@example.com", "support") as helper:
        for client in (eve, helper):
            assert client.post(f"{BASE}/users/{target}/impersonate").status_code == 403
    with web.client() as nobody:
        assert nobody.post(f"{BASE}/users/{target}/impersonate").status_code == 401


def test_a_custom_role_reaches_only_those_who_may_no_more(web: WebServer, root: httpx.Client) -> None:
    role = {"name": "desk", "actions": ["accounts.read", "accounts.impersonate", "servers.create"]}
    made = root.post(f"{BASE}/roles", json=role)
    assert made.status_code == 201, made.text
    with web.signed_in("desk@example.com", "desk") as desk:
        assert begin(desk, "help@example.com", "support").json()["code"] == "beyond_own"


def test_nothing_personal_can_be_changed(root: httpx.Client) -> None:
    begin(root)
    asked = [
        ("POST", "/api/v1/auth/password", {"current": PASSWORD, "new": "another long password"}),
        ("PATCH", "/api/v1/users/me", {"name": "Changed"}),
        ("PATCH", "/api/v1/users/me", {"email": "mine@example.com", "password": PASSWORD}),
        ("POST", "/api/v1/users/me/keys", {"name": "x", "scopes": ["servers.create"]}),
        ("DELETE", "/api/v1/users/me/keys/0123456789abcdef", None),
        ("DELETE", "/api/v1/auth/sessions/x", None),
        ("POST", "/api/v1/auth/signin", {"email": "ada@example.com", "password": PASSWORD}),
        ("POST", f"{BASE}/users/{user_id('bob@example.com')}/impersonate", None),
    ]
    for method, path, body in asked:
        answer = root.request(method, path, json=body)
        assert answer.status_code == 403, (path, answer.text)
        assert answer.json()["code"] in ("impersonating", "forbidden"), path
    assert root.get("/api/v1/users/me").json()["name"] != "Changed"
    assert root.post("/api/v1/auth/signout").status_code == 204
    assert root.get("/api/v1/auth/session").status_code == 401


def test_it_needs_the_csrf_token(root: httpx.Client) -> None:
    begin(root)
    del root.headers["X-CSRF-Token"]
    assert root.post("/api/v1/auth/impersonation/end").status_code == 403
    assert session(root)["impersonator"] is not None


def test_it_ends_with_the_administrators_own_session(root: httpx.Client) -> None:
    begin(root)
    sessions.end_all(user_id("root@example.com"))
    assert root.get("/api/v1/auth/session").status_code == 401


def test_it_can_not_return_to_a_session_that_has_ended(root: httpx.Client) -> None:
    own = session(root)
    begin(root)
    mine = sessions.list_for(own["user"]["id"])
    assert len(mine) == 1
    sessions.end(own["user"]["id"], mine[0].id)
    assert end(root).json()["code"] == "session_ended"
    assert root.get("/api/v1/auth/session").status_code == 401


@pytest.mark.parametrize("who", ["root@example.com", "ada@example.com"])
def test_it_ends_when_a_role_changes(web: WebServer, root: httpx.Client, who: str) -> None:
    user_id("second@example.com", "admin")
    begin(root)
    users.set_role(user_id(who), "support" if who.startswith("root") else "admin")
    assert root.get("/api/v1/auth/session").status_code == 401


def test_it_lasts_an_hour_at_most_and_is_not_among_ones_own(root: httpx.Client, valkey: ValkeyServer) -> None:
    begin(root)
    assert len(sessions.list_for(user_id("root@example.com"))) == 1
    token = root.cookies["stellar_session"]
    with valkey.client() as client:
        assert 3500 < client.ttl(f"session:{sessions.token_hash(token)}") <= 3600


def test_returning_is_no_proof_of_who_one_is(root: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(root)
    monkeypatch.setattr(proof, "RECENT", timedelta(0))
    refused = root.post("/api/v1/auth/proof", json={"password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (403, "impersonating")
    begun = root.get("/api/v1/auth/session").json()["impersonator"]["id"]
    (own,) = sessions.list_for(begun)
    end(root)
    (back,) = sessions.list_for(begun)
    assert (back.created_at, back.id == own.id) == (own.created_at, False)
    body = {"name": "script", "scopes": ["accounts.read"]}
    assert root.post("/api/v1/users/me/keys", json=body).json()["code"] == "proof_required"


def test_every_page_says_so(root: httpx.Client) -> None:
    assert "Return to your account" not in root.get("/dashboard").text
    begin(root)
    page = root.get("/dashboard").text
    assert "root@example.com acts as" in page and "Return to your account" in page
    end(root)
    assert 'data-testid="impersonate"' in root.get("/admin?tab=users").text
