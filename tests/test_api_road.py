"""The whole API as a script uses it: sign in, make a server, watch it, work with its files, administer, sign out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from product import Console
from web_parts import PASSWORD
from websockets.sync.client import connect
from whole_panel import Site, installation_on

from stellar.testing.waiting import wait_until

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with installation_on(request.param, request, tmp_path_factory.mktemp("whole")) as site:
        yield site


class Script:
    """A script with a client: every answer has the status that it expects."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=f"{url}/api/v1", timeout=30, trust_env=False)

    def __call__(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = self.client.request(method, path, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        if "json" in answer.headers.get("content-type", ""):
            return answer.json()
        return answer.content

    def sign_in(self, email: str, password: str) -> dict[str, Any]:
        """Begin a session; its account."""
        self("POST", "/auth/signin", json={"email": email, "password": password})
        session = self("GET", "/auth/session")
        self.client.headers["X-CSRF-Token"] = session["csrf_token"]
        account: dict[str, Any] = session["user"]
        return account


@pytest.fixture
def script(site: Site) -> Iterator[Script]:
    made = Script(site.web.url)
    yield made
    made.client.close()


def test_script_goes_the_whole_road(site: Site, script: Script) -> None:
    account = the_session_begins(script)
    path = a_server_is_made(site, script, account)
    its_files_are_worked_with(script, f"{path}/files")
    it_is_started_and_spoken_to(script, path)
    its_console_is_watched(script, path)
    it_is_stopped_and_deleted(script, path)
    the_installation_is_administered(site, script)
    the_session_ends(script)


def the_session_begins(script: Script) -> dict[str, Any]:
    script("GET", "/auth/session", 401)
    refused = script("POST", "/auth/signin", 401, json={"email": "admin@example.com", "password": "wrong password"})
    assert refused["detail"] and "stellar_session" not in script.client.cookies
    account = script.sign_in("admin@example.com", PASSWORD)
    assert account["email"] == "admin@example.com"
    assert "stellar_session" in script.client.cookies
    assert script("GET", "/users/me")["id"] == account["id"]
    assert len(script("GET", "/auth/sessions")) >= 1
    return account


def a_server_is_made(site: Site, script: Script, account: dict[str, Any]) -> str:
    assert "generic" in [blueprint["name"] for blueprint in script("GET", "/blueprints")]
    node = next(node for node in script("GET", "/nodes")["items"] if node["online"])
    assert node["name"] == site.node.name
    body = {
        "name": "From a script",
        "blueprint": "generic",
        "node": node["id"],
        "memory_mb": 128,
        "cpu_percent": 100,
        "disk_mb": 64,
        "variables": {
            "START_COMMAND": "echo reading greeting; cat greeting.txt; exec cat",
            "INSTALL_COMMAND": "mkdir w",
        },
    }
    made = script("POST", "/servers", 202, json=body)
    path = f"/servers/{made['id']}"
    wait_until(lambda: script("GET", path)["state"] == "offline", what="the install")
    server = script("GET", path)
    assert (server["owner"]["id"], server["install"]["ok"]) == (account["id"], True)
    assert script("GET", f"/nodes/{node['id']}/stats")["servers"] == 1
    assert [one["id"] for one in script("GET", "/servers", params={"limit": 1})["items"]] == [made["id"]]
    return path


def its_files_are_worked_with(script: Script, files: str) -> None:
    def names(path: str = "") -> list[str]:
        return [entry["name"] for entry in script("GET", files, params={"path": path})["entries"]]

    assert names() == ["w"]
    written = script("PUT", f"{files}/content", params={"path": "greeting.txt"}, content="grüß dich\n".encode())
    assert (written["name"], written["size"]) == ("greeting.txt", 12)
    assert script("GET", f"{files}/content", params={"path": "greeting.txt"}).decode() == "grüß dich\n"
    script("POST", f"{files}/folder", 201, json={"path": "a/b"})
    blob = os.urandom(700_000)
    script("PUT", f"{files}/content", params={"path": "a/b/blob.bin"}, content=blob)
    assert script("GET", f"{files}/content", params={"path": "a/b/blob.bin"}) == blob
    script("POST", f"{files}/rename", json={"from": "a/b/blob.bin", "to": "w/moved.bin"})
    assert (names("a/b"), names("w")) == ([], ["moved.bin"])
    script("POST", f"{files}/rename", 409, json={"from": "w/moved.bin", "to": "greeting.txt"})
    script("GET", f"{files}/content", 404, params={"path": "a/b/blob.bin"})
    for outside in ("../../spec.json", "/etc/passwd", "a/../../state.json"):
        answer = script.client.get(f"{files}/content", params={"path": outside})
        assert answer.status_code in (403, 404, 422), outside
    script("DELETE", files, 204, params={"path": ["a", "w"]})
    assert names() == ["greeting.txt"]


def it_is_started_and_spoken_to(script: Script, path: str) -> None:
    assert script("POST", f"{path}/command", 409, json={"command": "too early"})["detail"]
    script("POST", f"{path}/start", 202)
    wait_until(lambda: script("GET", path)["state"] == "running", what="the start")
    script("POST", f"{path}/command", 202, json={"command": "hello over HTTP"})
    wait_until(lambda: script("GET", f"{path}/console")["data"].count("hello over HTTP") == 2, what="its answer")
    log = script("GET", f"{path}/console", params={"after": 0, "plain": 1})
    assert "grüß dich\nhello over HTTP\n" in log["data"]
    part = script("GET", f"{path}/console", params={"after": log["end"] - 5, "limit": 100})
    assert (part["seq"], part["next"]) == (log["end"] - 5, log["end"])


def its_console_is_watched(script: Script, path: str) -> None:
    token = script("GET", f"{path}/console-token")
    assert token["expires_at"]
    console = Console(connect(token["url"], proxy=None))
    console.send("resume", after=0)
    console.until(lambda: "hello over HTTP" in console.text)
    console.send("resize", cols=100, rows=30)
    console.send("input", data="hello over the socket\n")
    console.until(lambda: console.text.count("hello over the socket") == 2)
    console.send("auth", token=script("GET", f"{path}/console-token")["token"])
    again = Console(connect(token["url"], proxy=None))
    again.send("resume", after=console.next - 10)
    again.until(lambda: again.next == console.next)
    assert (again.start, again.gaps) == (console.next - 10, [])
    script("POST", f"{path}/restart", 202)
    console.until(lambda: console.text.count("reading greeting") == 2)
    wait_until(lambda: script("GET", path)["state"] == "running", what="the restart")
    again.close()
    console.close()


def it_is_stopped_and_deleted(script: Script, path: str) -> None:
    renamed = script("PATCH", path, json={"name": "Renamed", "description": "by a script"})
    assert (renamed["name"], renamed["description"]) == ("Renamed", "by a script")
    script("POST", f"{path}/stop", 202)
    wait_until(lambda: script("GET", path)["state"] == "offline", what="the end")
    script("POST", f"{path}/reinstall", 202)
    wait_until(lambda: script("GET", path)["state"] == "offline", what="the second install")
    script("DELETE", path, 204)
    script("GET", path, 404)
    assert script("GET", "/servers")["items"] == []


def the_installation_is_administered(site: Site, script: Script) -> None:
    made = script(
        "POST", "/admin/users", 201, json={"email": "bob@example.com", "password": "another good phrase", "name": "Bob"}
    )
    bob = Script(site.web.url)
    bob.sign_in("bob@example.com", "another good phrase")
    for forbidden in ("/admin/users", "/admin/audit", "/admin/stats", "/nodes"):
        bob("GET", forbidden, 403)
    script("POST", f"/admin/users/{made['id']}/suspend")
    bob("GET", "/users/me", 401)
    bob.client.close()
    assert script("GET", "/admin/stats")["users"]["suspended"] == 1
    assert script("GET", "/admin/health")["ok"] is True
    node = script("POST", "/nodes", 201, json={"name": "cellar", "port_start": 28780, "port_end": 28789})
    token = script("POST", f"/admin/nodes/{node['node']['id']}/token", 201)
    assert token["token"] in token["command"]
    script("POST", "/nodes/enrol", 401, json={"token": node["join"]["token"]})
    script("POST", "/nodes/enrol", json={"token": token["token"]})
    script("DELETE", f"/nodes/{node['node']['id']}", 204)
    actions = [line["action"] for line in script("GET", "/admin/audit", params={"limit": 200})["entries"]]
    for expected in ("server.create", "server.start", "server.command", "server.delete", "user.create", "node.enrol"):
        assert expected in actions, expected


def the_session_ends(script: Script) -> None:
    cookie = script.client.cookies["stellar_session"]
    script("POST", "/auth/signout", 204)
    script.client.cookies.set("stellar_session", cookie)
    script("GET", "/auth/session", 401)
    script("GET", "/servers", 401)
