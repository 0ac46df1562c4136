"""The administrators' API, through a running panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from admin_parts import PLUGINS, add_server
from rq.worker import Worker
from web_parts import PASSWORD, WebServer, make_panel, make_plugin, running, sign_in

from stellar import __version__, settings
from stellar.auth import users
from stellar.bus import sync
from stellar.extend import hookimpl
from stellar.extend.registry import HealthCheck
from stellar.plugins.nodes.models import Node

BASE = "/api/v1/admin"


@hookimpl
def register_permissions(permissions: Any, surprise: Any) -> None:
    """Asks for an argument that no hook has."""


def identity(email: str) -> str:
    """An account's id."""
    user = users.by_email(email)
    assert user is not None
    return str(user.id)


def make(root: httpx.Client, email: str, role: str = "user") -> str:
    """Make an account; its id."""
    answer = root.post(f"{BASE}/users", json={"email": email, "password": PASSWORD, "role": role})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def patch(root: httpx.Client, user_id: str, **changes: Any) -> httpx.Response:
    """Change an account."""
    return root.patch(f"{BASE}/users/{user_id}", json=changes)


def test_account_is_made_and_can_sign_in(web: WebServer, root: httpx.Client) -> None:
    body = {"email": "Ada@Example.com", "password": PASSWORD, "name": "Ada"}
    answer = root.post(f"{BASE}/users", json=body)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["email"], made["role"], made["suspended"], made["servers"]) == ("ada@example.com", "user", False, 0)
    assert "password" not in answer.text
    with web.client() as ada:
        sign_in(ada, "ada@example.com")
    assert root.post(f"{BASE}/users", json=body).status_code == 409
    assert root.get(f"{BASE}/users/{made['id']}").json() == made


def test_bad_account_is_refused(root: httpx.Client) -> None:
    good = {"email": "ada@example.com", "password": PASSWORD}
    for bad in ({"email": "x"}, {"password": "short"}, {"role": "god"}, {"extra": 1}, {"name": "a\nb"}):
        answer = root.post(f"{BASE}/users", json={**good, **bad})
        assert answer.status_code == 422, bad
    assert users.count() == 1


def test_list_is_paged_searched_and_counts_servers(root: httpx.Client) -> None:
    for name in ("ada", "bob", "cy"):
        make(root, f"{name}@example.com")
    add_server("ada@example.com")
    page = root.get(f"{BASE}/users", params={"size": 2}).json()
    assert ([user["email"] for user in page["users"]], page["total"]) == (["ada@example.com", "bob@example.com"], 4)
    assert page["users"][0]["servers"] == 1
    assert root.get(f"{BASE}/users", params={"search": "bob"}).json()["total"] == 1


def test_suspension_ends_sessions_at_once(web: WebServer, root: httpx.Client) -> None:
    make(root, "ada@example.com")
    with web.client() as ada:
        sign_in(ada, "ada@example.com")
        assert root.post(f"{BASE}/users/{identity('ada@example.com')}/suspend").json()["suspended"] is True
        assert ada.get("/api/v1/auth/session").status_code == 401
        credentials = {"email": "ada@example.com", "password": PASSWORD}
        assert ada.post("/api/v1/auth/signin", json=credentials).status_code == 403
        assert root.post(f"{BASE}/users/{identity('ada@example.com')}/unsuspend").json()["suspended"] is False
        sign_in(ada, "ada@example.com")


def test_role_change_counts_at_once(web: WebServer, root: httpx.Client) -> None:
    user_id = make(root, "ada@example.com")
    with web.client() as ada:
        sign_in(ada, "ada@example.com")
        assert ada.get(f"{BASE}/users").status_code == 403
        assert patch(root, user_id, role="admin", name="Ada L.").json()["name"] == "Ada L."
        assert ada.get(f"{BASE}/users").status_code == 200


def test_nobody_locks_everybody_out(root: httpx.Client) -> None:
    me = identity("root@example.com")
    for change in ({"suspended": True}, {"role": "user"}):
        answer = patch(root, me, **change)
        assert (answer.status_code, answer.json()["code"]) == (409, "own_account")
    other = make(root, "ada@example.com", "admin")
    assert patch(root, other, suspended=True).status_code == 200
    assert patch(root, me, suspended=True).status_code == 409
    assert root.get("/api/v1/auth/session").status_code == 200


def test_change_is_made_whole_or_not_at_all(root: httpx.Client) -> None:
    me = identity("root@example.com")
    assert patch(root, me, name="Changed", suspended=True).status_code == 409
    assert patch(root, me, name="Changed", unknown=1).status_code == 422
    assert root.get(f"{BASE}/users/{me}").json()["name"] == "Root"
    assert patch(root, "nobody", name="x").status_code == 404


def test_every_change_is_in_the_audit_log(root: httpx.Client) -> None:
    user_id = make(root, "ada@example.com")
    patch(root, user_id, suspended=True)
    entries = root.get(f"{BASE}/audit", params={"action": "user.*", "actor": "root@example.com"}).json()["entries"]
    assert [(entry["action"], entry["target_id"]) for entry in entries] == [
        ("user.update", user_id),
        ("user.create", user_id),
    ]
    assert entries[0]["details"] == {"suspended": True}
    assert root.get(f"{BASE}/audit", params={"actor": "nobody@example.com"}).json() == {"entries": [], "next": None}
    first = root.get(f"{BASE}/audit", params={"limit": 1}).json()
    second = root.get(f"{BASE}/audit", params={"limit": 1, "before": first["next"]}).json()
    assert second["entries"][0]["id"] < first["entries"][0]["id"]


def test_figures(root: httpx.Client) -> None:
    add_server("root@example.com")
    stats = root.get(f"{BASE}/stats").json()
    assert stats["users"] == {"total": 1, "admins": 1, "suspended": 0}
    assert stats["servers"] == {"total": 1, "suspended": 0, "states": {"installing": 1}}
    assert stats["nodes"] == {"total": 1, "online": 0}
    assert stats["versions"]["stellar"] == __version__
    assert stats["versions"]["database"].startswith("SQLite 3.")
    assert stats["uptime"] > 0


def test_join_token_of_a_node(root: httpx.Client) -> None:
    node = Node.create(name="far", address="", port_start=30000, port_end=30100)
    answer = root.post(f"{BASE}/nodes/{node.id}/token")
    assert answer.status_code == 201
    assert answer.json()["token"] in answer.json()["command"]
    assert root.post(f"{BASE}/nodes/nowhere/token").status_code == 404


def test_plugins_with_the_reason_why_one_is_disabled(tmp_path: Path, redis_url: str) -> None:
    broken = make_plugin("broken", register_permissions=register_permissions)
    disabled = make_panel(tmp_path / "other", redis_url, broken, builtin=False).plugins.plugins
    panel = make_panel(tmp_path / "data", redis_url, *PLUGINS)
    panel.plugins.plugins += disabled
    with running(panel) as web, web.signed_in("root@example.com", "admin") as root:
        found = {plugin["name"]: plugin for plugin in root.get(f"{BASE}/plugins").json()}
        assert found["admin"]["active"] is True
        assert found["admin"]["requires"] == ["nodes", "servers"]
        assert found["broken"]["active"] is False
        assert "surprise" in found["broken"]["error"]
        assert root.get(f"{BASE}/health").json()["ok"] is False


def test_health_says_what_is_wrong(web: WebServer, root: httpx.Client) -> None:
    def explode() -> str | None:
        raise RuntimeError("boom")

    web.panel.registry.health += [
        HealthCheck("probe", "fine", lambda: None),
        HealthCheck("probe", "poor", lambda: "It is too warm."),
        HealthCheck("probe", "broken", explode),
    ]
    Node.create(name="far", address="", port_start=30000, port_end=30100, key_hash="x")
    health = root.get(f"{BASE}/health").json()
    checks = {check["name"]: check for check in health["checks"]}
    assert health["ok"] is False
    assert checks["database"]["ok"] and checks["redis"]["ok"] and checks["fine"]["ok"]
    assert "stellar worker" in checks["worker"]["message"]
    assert checks["nodes"]["message"].startswith("far")
    assert checks["poor"]["message"] == "It is too warm."
    assert "boom" in checks["broken"]["message"]


def test_health_names_a_proxy_that_is_not_trusted(web: WebServer, root: httpx.Client) -> None:
    with web.client() as visitor:
        headers = {"X-Forwarded-For": "203.0.113.9"}
        visitor.post("/api/v1/auth/signin", json={"email": "a@example.com", "password": "x"}, headers=headers)
    checks = {check["name"]: check for check in root.get(f"{BASE}/health").json()["checks"]}
    assert checks["proxies"]["ok"] is False
    assert "127.0.0.1, which web.trusted_proxies doesn't name" in checks["proxies"]["message"]


def test_health_is_fine_with_a_worker(root: httpx.Client) -> None:
    Worker(["deployments"], connection=sync.client()).register_birth()
    health = root.get(f"{BASE}/health").json()
    assert health["ok"] is True, health


@hookimpl
def register_settings(settings: Any) -> None:
    settings.add("vault.token", str, "", "What opens the vault", secret=True)


def test_a_secret_setting_is_never_shown(tmp_path: Path, redis_url: str) -> None:
    vault = make_plugin("vault", register_settings=register_settings)
    panel = make_panel(tmp_path / "data", redis_url, *PLUGINS, vault)
    path = f"{BASE}/settings/vault.token"
    with running(panel) as web, web.signed_in("root@example.com", "admin") as root:

        def shown() -> list[Any]:
            return [row["value"] for row in root.get(f"{BASE}/settings").json() if row["key"] == "vault.token"]

        assert shown() == [None]
        assert root.put(path, json={"value": "open sesame"}).status_code == 204
        assert shown() == [settings.HIDDEN]
        assert root.put(path, json={"value": settings.HIDDEN}).status_code == 204
        assert settings.get("vault.token") == "open sesame"
        page = root.get("/admin?tab=settings")
        assert page.status_code == 200
        for answer in (page, root.get(f"{BASE}/settings"), root.get(f"{BASE}/audit")):
            assert "sesame" not in answer.text


def test_settings_can_be_changed(root: httpx.Client) -> None:
    key = "auth.open_registration"
    assert root.put(f"{BASE}/settings/{key}", json={"value": True}).status_code == 204
    assert [row["value"] for row in root.get(f"{BASE}/settings").json() if row["key"] == key] == [True]
    assert root.put(f"{BASE}/settings/{key}", json={"value": "perhaps"}).status_code == 422
    assert root.put(f"{BASE}/settings/unknown", json={"value": 1}).status_code == 404


def test_only_administrators_may(web: WebServer) -> None:
    paths = ("users", "stats", "audit", "plugins", "health", "settings")
    with web.signed_in("eve@example.com") as eve, web.client() as nobody:
        for path in paths:
            assert eve.get(f"{BASE}/{path}").status_code == 403, path
            assert nobody.get(f"{BASE}/{path}").status_code == 401, path
        assert patch(eve, identity("eve@example.com"), role="admin").status_code == 403
        assert eve.post(f"{BASE}/users", json={"email": "a@example.com", "password": PASSWORD}).status_code == 403
