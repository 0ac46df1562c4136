"""The ports of a server: adding within the limit, the main one, notes, and giving them back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from product import GameServer
from whole_panel import Site, together

from stellar import audit
from stellar.plugins.nodes.models import Allocation
from stellar.testing.waiting import wait_until

LIMIT = 5


@pytest.fixture
def stranger(site: Site) -> Iterator[httpx.Client]:
    """Somebody else with an account."""
    with site.user("stranger") as client:
        yield client


def ports(server: GameServer) -> list[dict[str, Any]]:
    """A server's ports."""
    answer = server.client.get(f"{server.path}/allocations")
    assert answer.status_code == 200, answer.text
    assert answer.json()["limit"] == LIMIT
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def add(server: GameServer, **values: Any) -> httpx.Response:
    """Ask for one more port."""
    return server.client.post(f"{server.path}/allocations", json=values)


def test_a_game_is_told_how_many_ports_it_may_have(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada, variables={"COMMAND": "echo ready for $P_SERVER_ALLOCATION_LIMIT; exec cat"})
    server.power("start")
    server.says(f"ready for {LIMIT}")


def test_port_is_added_noted_made_the_main_one_and_given_back(site: Site, ada: httpx.Client) -> None:
    command = "echo ready on $SERVER_PORT and $SERVER_PORT_EXTRA1; exec cat"
    server = site.offline(client=ada, variables={"COMMAND": command})
    added = add(server, protocol="udp", note="  voice ")
    assert added.status_code == 201, added.text
    main, extra = ports(server)
    assert (main["port"], main["name"], main["primary"], main["note"]) == (server.port, "game", True, "")
    assert (extra["name"], extra["protocol"], extra["primary"], extra["note"]) == ("extra1", "udp", False, "voice")
    assert extra["port"] in site.node.ports and extra["port"] != main["port"]
    path = f"{server.path}/allocations/{extra['id']}"
    assert ada.patch(path, json={"note": "the new one", "primary": True}).status_code == 200
    main, other = ports(server)
    assert (main["port"], main["name"], main["protocol"]) == (extra["port"], "game", "both")
    assert (main["primary"], main["note"]) == (True, "the new one")
    assert (other["port"], other["name"], other["primary"]) == (server.port, "extra1", False)
    assert server.get()["allocation"]["port"] == extra["port"]
    wait_until(lambda: not site.unfinished_jobs(), what="the node being told")
    server.power("start")
    server.says(f"ready on {extra['port']} and {server.port}")
    server.wait("running")
    old = f"{server.path}/allocations/{other['id']}"
    assert ada.delete(old).json()["code"] == "not_offline"
    server.power("kill")
    server.wait("offline")
    assert ada.delete(old).status_code == 204
    assert [one["port"] for one in ports(server)] == [extra["port"]]
    assert ada.delete(old).status_code == 404
    lines = [line.action for line in audit.list_page(action="server.*", target_id=server.id).entries]
    for action in ("create", "update", "delete"):
        assert f"server.allocation_{action}" in lines


def test_main_port_stays(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    refused = ada.delete(f"{server.path}/allocations/{ports(server)[0]['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "main_port")
    assert len(ports(server)) == 1


def test_many_at_once_never_exceed_the_limit(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    answers = together(50, lambda _: add(server))
    assert sorted(answer.status_code for answer in answers) == [201] * (LIMIT - 1) + [403] * (51 - LIMIT)
    refused = next(answer.json() for answer in answers if answer.status_code == 403)
    assert refused["code"] == "allocation_limit" and str(LIMIT) in refused["detail"]
    rows = ports(server)
    assert len(rows) == LIMIT == len({row["port"] for row in rows}) == len({row["name"] for row in rows})
    assert Allocation.select().where(Allocation.server_id == server.id).count() == LIMIT
    freed = rows[2]
    assert ada.delete(f"{server.path}/allocations/{freed['id']}").status_code == 204
    assert add(server).status_code == 201
    assert add(server).status_code == 403
    assert [row["primary"] for row in ports(server)] == [True, False, False, False, False]


def test_node_without_a_free_port_says_so(site: Site, ada: httpx.Client) -> None:
    node = site.add_node("tiny", 1)
    server = site.offline(client=site.admin, node=node.id)
    refused = add(server)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_free_port")
    assert server.client.delete(server.path).status_code == 204
    site.remove_node(node)


def numbers(server: GameServer) -> list[int]:
    """The numbers of a server's ports, the main one first."""
    return [row["port"] for row in ports(server)]


@pytest.fixture(scope="module")
def neighbours(installation: Site) -> str:
    """A blueprint of a game that takes the number after its main port, whatever it is told."""
    document = {
        "format": 1,
        "name": "neighbours",
        "title": "Neighbours",
        "description": "Listens on two ports in a row.",
        "category": "other",
        "runtimes": {"process": {}},
        "startup": {"command": "exec cat"},
        "ports": [{"name": "game"}, {"name": "query", "follows": True}],
    }
    assert installation.admin.post("/api/v1/blueprints", json={"document": document}).status_code == 201
    return "neighbours"


def test_ports_that_follow_each_other_do(site: Site, neighbours: str) -> None:
    node = site.add_node("row", 5)
    odd, first = [site.offline(node=node.id) for _ in range(2)]
    assert odd.client.delete(odd.path).status_code == 204
    pair = site.offline(neighbours, node=node.id)
    assert numbers(pair) == [first.port + 1, first.port + 2]
    values = {"name": "one too many", "blueprint": neighbours, "node": node.id}
    refused = site.admin.post("/api/v1/servers", json=values)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_free_port"), refused.text
    assert "no 2 free ports left that follow each other" in refused.json()["detail"]
    assert add(pair).status_code == 201
    _, query, extra = ports(pair)
    kept = pair.client.delete(f"{pair.path}/allocations/{query['id']}")
    moved = pair.client.patch(f"{pair.path}/allocations/{extra['id']}", json={"primary": True})
    for answer in (kept, moved):
        assert (answer.status_code, answer.json()["code"]) == (409, "needed_port")
    for server in (first, pair):
        assert server.client.delete(server.path).status_code == 204
    site.remove_node(node)


def test_a_port_that_follows_comes_with_another_blueprint(site: Site, neighbours: str) -> None:
    node = site.add_node("neighbourhood", 3)
    first, second = [site.offline(node=node.id) for _ in range(2)]
    change = {"blueprint": neighbours, "variables": {}}
    refused = first.client.post(f"{first.path}/blueprint", json=change)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_free_port")
    assert f"port {second.port} as its port" in refused.json()["detail"] and numbers(first) == [first.port]
    assert second.client.post(f"{second.path}/blueprint", json=change).status_code == 202
    second.wait("offline")
    assert numbers(second) == [second.port, second.port + 1]
    for server in (first, second):
        assert server.client.delete(server.path).status_code == 204
    site.remove_node(node)


def test_bad_requests_change_nothing(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    before = ports(server)
    bad: list[Any] = [
        {"protocol": "sctp"},
        {"protocol": None},
        {"note": "x" * 129},
        {"note": "a\x1bb"},
        {"note": "\u202e"},
        {"note": 5},
        {"port": 80},
        {"ip": "10.0.0.1"},
        {"server_id": "x"},
        [],
    ]
    for body in bad:
        assert ada.post(f"{server.path}/allocations", json=body).status_code == 422, body
    path = f"{server.path}/allocations/{before[0]['id']}"
    for body in ({"primary": False}, {"primary": 1}, {"port": 1}, {"note": None}, {"note": "a\nb"}, {"name": "x"}):
        assert ada.patch(path, json=body).status_code == 422, body
    assert ports(server) == before


def test_ports_of_others_cannot_be_reached(site: Site, ada: httpx.Client, stranger: httpx.Client) -> None:
    mine, theirs = site.offline(client=ada), site.offline(client=stranger)
    add(theirs)
    before = ports(theirs)
    for row in before:
        for path, status in ((mine.path, 404), (theirs.path, 404)):
            assert ada.patch(f"{path}/allocations/{row['id']}", json={"note": "mine"}).status_code == status
            assert ada.delete(f"{path}/allocations/{row['id']}").status_code == status
    assert ada.get(f"{theirs.path}/allocations").status_code == 404
    assert ports(theirs) == before


def test_the_nodes_page_names_the_servers_that_one_may_see(
    site: Site, ada: httpx.Client, stranger: httpx.Client
) -> None:
    server = site.create(client=ada, name="Castle <b>& co</b>")
    mine = site.create(client=stranger, name="Cottage")
    role = {"name": "watcher", "title": "Watcher", "actions": ["nodes.read"]}
    assert site.admin.post("/api/v1/admin/roles", json=role).status_code == 201
    stranger_id = stranger.get("/api/v1/users/me").json()["id"]
    assert site.admin.patch(f"/api/v1/admin/users/{stranger_id}", json={"role": "watcher"}).status_code == 200
    shown, partly = (client.get(f"/nodes/{site.node.id}").text for client in (site.admin, stranger))
    assert f'<a href="/servers/{server.id}">Castle &lt;b&gt;&amp; co&lt;/b&gt;</a>' in shown
    assert (
        f'<a href="/servers/{mine.id}">Cottage</a>' in shown and f'<a href="/servers/{mine.id}">Cottage</a>' in partly
    )
    assert "Castle" not in partly and server.id not in partly and "A server" in partly
