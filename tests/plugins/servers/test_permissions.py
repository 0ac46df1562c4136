"""Who may see and do what: strangers learn nothing, suspension stops an owner, plugins may veto, pages are whole."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from product import GameServer
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from whole_panel import Site

from stellar import audit
from stellar.plugins.servers.models import Server

PREFIX = "/api/v1/servers/{server_id}"
BODIES: dict[tuple[str, str], Any] = {
    ("patch", ""): {"name": "stolen"},
    ("post", "/command"): {"command": "say hi"},
    ("post", "/files/rename"): {"from": "a", "to": "b"},
    ("post", "/files/folder"): {"path": "a"},
    ("patch", "/startup"): {"variables": {"SLOTS": "9"}},
    ("post", "/blueprint"): {"blueprint": "quick"},
    ("post", "/allocations"): {},
    ("patch", "/allocations/{allocation_id}"): {"note": "stolen"},
    ("put", "/prompts/{prompt}"): {"answer": "stolen"},
    ("post", "/members"): {"email": "friend@example.com", "preset": "viewer"},
    ("patch", "/members/{user_id}"): {"preset": "viewer"},
    ("post", "/invitations"): {"email": "friend@example.com", "preset": "viewer"},
}
"""What a request needs in its body; a new route with a body has to be named here."""
PAGES = ("", "/console", "/files", "/startup", "/allocations", "/members", "/activity", "/settings")
LOOKING = (
    "",
    "/permissions",
    "/stats",
    "/history",
    "/startup",
    "/allocations",
    "/activity",
    "/members",
    "/invitations",
    "/crashes",
)
STILL_ALLOWED = {("delete", ""), ("post", "/suspend"), ("post", "/unsuspend"), *(("get", rest) for rest in LOOKING)}
FOR_ADMINISTRATORS = {("post", "/suspend"), ("post", "/unsuspend")}

Routes = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture
def routes(site: Site) -> Routes:
    """Every HTTP route about one server: method, what follows the server's id, and how to ask."""
    paths = site.admin.get("/api/v1/openapi.json").json()["paths"]
    found: Routes = []
    for path, operations in paths.items():
        if not path.startswith(PREFIX):
            continue
        for method, operation in operations.items():
            if "101" in operation["responses"]:
                continue
            rest = path.removeprefix(PREFIX)
            options: dict[str, Any] = {
                "params": {
                    one["name"]: "x" for one in operation["parameters"] if one["in"] == "query" and one["required"]
                }
            }
            if "application/json" in operation.get("requestBody", {}).get("content", {}):
                options["json"] = BODIES[method, rest]
            found.append((method, rest, options))
    assert len(found) >= 15
    return found


@pytest.fixture
def stranger(site: Site) -> Iterator[httpx.Client]:
    """Somebody else with an account."""
    with site.user("stranger") as client:
        yield client


def ask(client: httpx.Client, route: tuple[str, str, dict[str, Any]], ref: str) -> httpx.Response:
    """One of the routes, for a server."""
    method, rest, options = route
    return client.request(method, f"/api/v1/servers/{ref}{rest}", **options)


def shown(answer: httpx.Response) -> Any:
    """An answer without what differs between two requests."""
    return {key: value for key, value in answer.json().items() if key != "request_id"}


def test_stranger_cannot_tell_a_server_from_none(
    site: Site, ada: httpx.Client, stranger: httpx.Client, routes: Routes
) -> None:
    server = site.offline(client=ada)
    before = server.get()
    for route in routes:
        for ref in (server.id, before["short_id"]):
            refused, none = ask(stranger, route, ref), ask(stranger, route, str(uuid.uuid4()))
            status = 403 if route[:2] in FOR_ADMINISTRATORS else 404
            assert refused.status_code == none.status_code == status, (route, refused.text, none.text)
            assert shown(refused) == shown(none), route
    for page in PAGES:
        refused = stranger.get(f"/servers/{server.id}{page}")
        assert refused.status_code == 404, page
        assert before["name"] not in refused.text
    assert stranger.get("/api/v1/servers").json() == {"items": [], "next": None}
    assert server.get() == before
    assert ada.get(f"{server.path}/files").json()["entries"] == []


def test_nobody_without_a_session_gets_anywhere(site: Site, ada: httpx.Client, routes: Routes) -> None:
    server = site.offline(client=ada)
    before = server.get()
    with site.web.client() as anonymous:
        for route in routes:
            refused, none = ask(anonymous, route, server.id), ask(anonymous, route, str(uuid.uuid4()))
            assert refused.status_code == none.status_code == 401, (route, refused.text)
            assert shown(refused) == shown(none), route
    assert server.get() == before


def test_nothing_changes_without_the_csrf_token(site: Site, ada: httpx.Client, routes: Routes) -> None:
    server = site.offline(client=ada)
    before = server.get()
    token = ada.headers.pop("X-CSRF-Token")
    for route in routes:
        if route[0] != "get":
            code = "forbidden" if route[:2] in FOR_ADMINISTRATORS else "csrf"
            assert ask(ada, route, server.id).json()["code"] == code, route
    ada.headers["X-CSRF-Token"] = token
    assert server.get() == before


def test_strange_ids_are_no_servers(site: Site, routes: Routes) -> None:
    for ref in ("0", "%27%20or%201%3D1", "..%2f..", "a" * 5000, "%F0%9F%8C%B3", "%0A", "*"):
        for route in routes:
            assert ask(site.admin, route, ref).status_code in (404, 400), (route, ref)
    assert site.admin.get("/api/v1/servers/%00").status_code == 400


def test_console_token_of_one_server_opens_no_other(site: Site, ada: httpx.Client, stranger: httpx.Client) -> None:
    mine, other = site.offline(client=ada), site.offline(client=stranger)
    token = ada.get(f"{mine.path}/console-token").json()["token"]
    address = f"ws{site.web.url.removeprefix('http')}/api/v1/servers/{other.id}/console/socket?token={token}"
    with pytest.raises(InvalidStatus) as caught:
        connect(address, proxy=None)
    assert caught.value.response.status_code in (401, 404)


def test_administrator_may_do_everything_on_anybodys_server(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    through_admin = site.admin.post(f"{server.path}/start")
    assert through_admin.status_code == 202, through_admin.text
    server.wait("running")
    owner = ada.get("/api/v1/auth/session").json()["user"]["id"]
    assert site.admin.get(server.path).json()["owner"]["id"] == owner
    line = audit.list_page(action="server.start", target_id=server.id).entries[0]
    assert line.actor_name == "admin@example.com"


def test_suspended_server_is_shown_and_does_nothing(site: Site, ada: httpx.Client, routes: Routes) -> None:
    server = site.offline(client=ada)
    Server.update(suspended=True).where(Server.id == server.id).execute()
    for route in routes:
        if route[:2] in STILL_ALLOWED:
            continue
        for client in (ada, site.admin):
            refused = ask(client, route, server.id)
            assert (refused.status_code, refused.json()["code"]) == (409, "suspended"), (route, refused.text)
    for rest in LOOKING:
        assert ada.get(server.path + rest).status_code == 200, rest
    assert server.get()["suspended"] is True
    assert server.state() == "offline"
    assert [one["suspended"] for one in ada.get("/api/v1/servers").json()["items"]] == [True]
    Server.update(suspended=False).where(Server.id == server.id).execute()
    assert server.power("start").status_code == 202


def test_suspended_server_can_be_deleted(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    Server.update(suspended=True).where(Server.id == server.id).execute()
    assert ada.delete(server.path).status_code == 204
    assert ada.get(server.path).status_code == 404


def test_plugin_vetoes_an_action_with_its_own_words(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada, name="Guarded start install delete kill")
    for action, route in (("start", "start"), ("install", "reinstall"), ("kill", "kill")):
        refused = server.power(route)
        assert (refused.status_code, refused.json()["code"]) == (409, "guarded"), action
        assert refused.json()["detail"].startswith("The guard does not let ada-")
        assert refused.json()["detail"].endswith(f"{action} this server.")
    refused = ada.delete(server.path)
    assert (refused.status_code, refused.json()["code"]) == (409, "guarded")
    assert server.state() == "offline"
    assert server.get()["install"]["ok"] is True
    assert not audit.list_page(action="server.start", target_id=server.id).entries
    assert server.power("restart").status_code == 202
    server.wait("running")
    assert ada.patch(server.path, json={"name": "Free"}).status_code == 200


def test_only_what_was_done_is_in_the_audit_log(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    assert server.power("stop").status_code == 409
    assert server.power("start").status_code == 202
    assert ada.patch(server.path, json={"name": "Other"}).status_code == 200
    assert ada.delete(server.path).status_code == 204
    lines = audit.list_page(target_id=server.id).entries
    assert [line.action for line in lines] == ["server.delete", "server.update", "server.start", "server.create"]
    email = ada.get("/api/v1/auth/session").json()["user"]["email"]
    assert {line.actor_name for line in lines} == {email}
    assert all(line.address == "127.0.0.1" and line.request_id for line in lines)


def pages(client: httpx.Client, limit: int) -> list[list[str]]:
    """The ids on each page of the list."""
    found: list[list[str]] = []
    after = None
    while True:
        query = {"limit": limit} | ({"after": after} if after else {})
        page = client.get("/api/v1/servers", params=query).json()
        found.append([server["id"] for server in page["items"]])
        after = page["next"]
        if after is None:
            return found


def test_pages_hold_every_server_once(site: Site, ada: httpx.Client, stranger: httpx.Client) -> None:
    mine = [site.create(client=ada).id for _ in range(5)]
    other = site.create(client=stranger).id
    assert pages(ada, 2) == [mine[:2:-1], mine[2:0:-1], mine[:1]]
    assert pages(ada, 5) == [mine[::-1]]
    assert pages(stranger, 1) == [[other]]
    Server.update(created_at=Server.get_by_id(mine[0]).created_at).execute()
    for client, expected in ((ada, set(mine)), (site.admin, {*mine, other})):
        for limit in (1, 2, 3, 200):
            seen = [one for page in pages(client, limit) for one in page]
            assert len(seen) == len(set(seen)) and set(seen) == expected, limit


def test_page_after_a_server_that_has_gone_or_is_somebody_elses_is_refused(
    site: Site, ada: httpx.Client, stranger: httpx.Client
) -> None:
    theirs = site.create(client=stranger).id
    gone = site.create(client=ada)
    assert ada.delete(gone.path).status_code == 204
    refused = [
        ada.get("/api/v1/servers", params={"after": after})
        for after in (theirs, gone.id, str(uuid.uuid4()), "x", "", "' or 1=1", "\u202e")
    ]
    assert {answer.status_code for answer in refused} == {422}
    assert {tuple(answer.json()["errors"]) for answer in refused} == {("after",)}
    assert len({answer.json()["detail"] for answer in refused}) == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=1.5", "limit=9e99", "page=2", "after=%00"])
def test_bad_query_is_refused(site: Site, query: str) -> None:
    assert site.admin.get(f"/api/v1/servers?{query}").status_code == 422


def test_server_of_nobody_elses_limit_needs_an_administrator(site: Site, stranger: httpx.Client) -> None:
    made = GameServer(stranger, "quick", node=site.node.id)
    forced = stranger.delete(made.path, params={"force": "true"})
    assert forced.status_code == 204
