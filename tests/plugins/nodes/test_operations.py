"""Changing, draining and removing nodes; their ports and locations. On SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from full_panel import full_panel
from link_parts import dial, greet, new_node
from web_parts import WebServer

from stellar import __version__
from stellar.audit import Entry
from stellar.auth import users
from stellar.db import disconnect, write_tx
from stellar.db.fields import new_id
from stellar.errors import Conflict
from stellar.plugins.blueprints.service import get_blueprint
from stellar.plugins.nodes import allocations
from stellar.plugins.nodes.models import Allocation, Location, Node
from stellar.plugins.servers.models import Server

API = "/api/v1"


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[WebServer]:
    with full_panel(tmp_path, redis_url, database_url) as server:
        yield server


@pytest.fixture
def admin(web: WebServer) -> Iterator[httpx.Client]:
    with web.signed_in("admin@example.com", "admin") as client:
        yield client


def make(admin: httpx.Client, name: str = "attic", **values: Any) -> str:
    made = admin.post(f"{API}/nodes", json={"name": name, **values})
    assert made.status_code == 201, made.text
    return str(made.json()["node"]["id"])


def server_on(node_id: str, ports: int = 1) -> Server:
    """A server's row, as after its creation."""
    owner = users.by_email("owner@example.com") or users.create("owner@example.com", "correct horse battery")
    with write_tx():
        server = Server.create(
            short_id=new_id()[:8],
            name="world",
            owner=owner,
            node=node_id,
            blueprint=get_blueprint("generic"),
            runtime="process",
            memory_mb=128,
            cpu_percent=0,
            disk_mb=0,
            variables={"START_COMMAND": "cat"},
            install_id=new_id(),
        )
        allocations.allocate(
            Node.get_by_id(node_id), server.id, [allocations.Wanted(f"p{n}", "both") for n in range(ports)]
        )
    return server


def test_a_node_is_changed_whole_or_not_at_all(admin: httpx.Client) -> None:
    node = f"{API}/nodes/{make(admin)}"
    place = admin.post(f"{API}/locations", json={"name": "Berlin"}).json()
    ranges = [{"first": 30000, "last": 30010}, {"first": 40000, "last": 40000}]
    changes = {"name": "cellar", "address": "play.example.org", "note": " rack 3 ", "location": "Berlin"}
    changed = admin.patch(node, json={**changes, "port_ranges": ranges})
    assert changed.status_code == 200, changed.text
    shown = admin.get(node).json()
    assert shown == changed.json()
    assert (shown["name"], shown["address"], shown["note"]) == ("cellar", "play.example.org", "rack 3")
    assert shown["location"] == {"id": place["id"], "name": "Berlin"}
    assert (shown["port_ranges"], shown["port_start"], shown["port_end"]) == (ranges, 30000, 30010)
    half = admin.patch(node, json={"note": "other", "location": "Nowhere"})
    assert half.status_code == 422 and "location" in half.json()["errors"]
    assert admin.get(node).json()["note"] == "rack 3"
    assert admin.patch(node, json={}).json() == shown
    assert admin.patch(node, json={"location": None}).json()["location"] is None
    assert Entry.select().where(Entry.action == "node.update").count() == 2


def listed(admin: httpx.Client, **query: Any) -> list[str]:
    answer = admin.get(f"{API}/nodes", params=query)
    assert answer.status_code == 200, answer.text
    return [node["name"] for node in answer.json()["items"]]


def test_list_is_searched_filtered_and_sorted(admin: httpx.Client) -> None:
    admin.post(f"{API}/locations", json={"name": "Berlin"})
    attic = make(admin, "attic", location="Berlin", address="play.example.org")
    for name in ("Cellar", "barn"):
        make(admin, name)
    assert admin.post(f"{API}/nodes/{attic}/drain").status_code == 200
    assert listed(admin) == ["attic", "barn", "Cellar"]
    assert listed(admin, sort="-created_at") == ["barn", "Cellar", "attic"]
    assert listed(admin, search="CELL") == ["Cellar"] and listed(admin, search="play attic") == ["attic"]
    assert listed(admin, search="%") == listed(admin, online=True) == listed(admin, location="Rome") == []
    assert len(listed(admin, online=False)) == 3
    assert listed(admin, draining=True) == listed(admin, location="Berlin") == ["attic"]
    for query in ({"sort": "key_hash"}, {"limit": 0}, {"limit": 201}, {"online": "perhaps"}, {"nope": 1}):
        assert admin.get(f"{API}/nodes", params=query).status_code == 422, query


@pytest.mark.parametrize("sort", ["name", "-name", "created_at", "-created_at"])
def test_pages_hold_while_nodes_come_and_go(admin: httpx.Client, sort: str) -> None:
    names = [f"{letter}{number}" for number in range(2) for letter in "bDf"]
    ids = {name: make(admin, name) for name in names}
    whole = listed(admin, sort=sort)
    first = admin.get(f"{API}/nodes", params={"sort": sort, "limit": 2}).json()
    seen = [node["name"] for node in first["items"]]
    admin.delete(f"{API}/nodes/{ids[seen[-1]]}")
    make(admin, "A first" if sort == "name" else "zz" if sort == "-name" else "now")
    after = first["next"]
    while after is not None:
        page = admin.get(f"{API}/nodes", params={"sort": sort, "limit": 2, "after": after}).json()
        seen += [node["name"] for node in page["items"]]
        after = page["next"]
    assert [name for name in seen if name in names] == whole
    assert len(seen) - len(whole) == (1 if sort == "created_at" else 0)


def test_a_cursor_of_another_list_or_order_is_refused(admin: httpx.Client) -> None:
    for name in ("one", "two", "three"):
        make(admin, name)
    cursor = admin.get(f"{API}/nodes", params={"limit": 1}).json()["next"]
    for query in ({"after": cursor, "sort": "-name"}, {"after": cursor[:-2] + "AA"}, {"after": "x"}):
        assert admin.get(f"{API}/nodes", params=query).status_code == 422, query
    assert admin.get(f"{API}/servers", params={"after": cursor, "sort": "name"}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"id": "x"},
        {"key_hash": "x"},
        {"local": True},
        {"draining": True},
        {"version": "9"},
        {"name": ""},
        {"name": None},
        {"name": "attic\n"},
        {"name": "\u0430ttic"},
        {"name": "a\u202ettic"},
        {"name": "00000000-0000-0000-0000-000000000000"},
        {"address": "a b"},
        {"address": "host\n"},
        {"note": "x" * 513},
        {"note": "a\u202eb"},
        {"location": 5},
        {"port_ranges": []},
        {"port_ranges": [{"first": 5, "last": 4}]},
        {"port_ranges": [{"first": 0, "last": 4}]},
        {"port_ranges": [{"first": 1, "last": 65536}]},
        {"port_ranges": [{"first": 1, "last": 9}, {"first": 9, "last": 10}]},
        {"port_ranges": [{"first": n, "last": n} for n in range(1, 40)]},
        {"port_ranges": [{"first": 1, "last": 9, "ip": "::"}]},
    ],
)
def test_bad_changes_are_refused(admin: httpx.Client, body: dict[str, Any]) -> None:
    node = f"{API}/nodes/{make(admin)}"
    before = admin.get(node).json()
    assert admin.patch(node, json=body).status_code == 422
    assert admin.get(node).json() == before


def test_a_taken_name_is_refused(admin: httpx.Client) -> None:
    make(admin, "attic")
    taken = admin.patch(f"{API}/nodes/{make(admin, 'cellar')}", json={"name": "attic"})
    assert (taken.status_code, taken.json()["errors"]) == (409, {"name": "is taken"})


def test_a_draining_node_gets_no_new_servers(web: WebServer, admin: httpx.Client) -> None:
    node_id = make(admin)
    node = f"{API}/nodes/{node_id}"
    assert admin.post(f"{node}/drain").json()["draining"] is True
    assert admin.post(f"{node}/drain").json()["draining"] is True
    assert Entry.select().where(Entry.action == "node.drain").count() == 1
    for wanted in ({"node": "attic"}, {}):
        refused = admin.post(f"{API}/servers", json={"name": "x", "blueprint": "generic", **wanted})
        assert (refused.status_code, refused.json()["code"]) == (409, "node_draining"), refused.text
        assert "drained" in refused.json()["detail"]
    with pytest.raises(Conflict, match="drained"):
        server_on(node_id)
    assert Server.select().count() == 0
    fits = admin.get(f"{API}/servers/availability").json()[0]["blueprints"]["generic"]
    assert fits["available"] is False and "drained" in fits["problem"]
    assert admin.post(f"{node}/undrain").json()["draining"] is False
    assert server_on(node_id).node_id == node_id


def test_with_two_nodes_the_drained_one_is_left_out(admin: httpx.Client) -> None:
    admin.post(f"{API}/nodes/{make(admin)}/drain")
    second = make(admin, "barn")
    offline = admin.post(f"{API}/servers", json={"name": "x", "blueprint": "generic"})
    assert offline.status_code == 503 and "runs on barn and" in offline.json()["detail"]
    admin.post(f"{API}/nodes/{second}/drain")
    refused = admin.post(f"{API}/servers", json={"name": "x", "blueprint": "generic"})
    assert (refused.status_code, refused.json()["code"]) == (409, "node_draining")


def test_removal_waits_for_the_servers_and_says_what_remains(admin: httpx.Client) -> None:
    node_id = make(admin)
    node = f"{API}/nodes/{node_id}"
    server, portless = server_on(node_id), server_on(node_id, ports=0)
    refused = admin.delete(node)
    assert (refused.status_code, refused.json()["code"]) == (409, "node_has_servers")
    assert "2 server(s)" in refused.json()["detail"] and "drain" in refused.json()["detail"]
    admin.post(f"{node}/drain")
    refused = admin.delete(node)
    assert refused.status_code == 409
    assert set(refused.json()["errors"]["servers"].split(", ")) == {server.id, portless.id}
    allocations.release(server.id)
    Server.delete().where(Server.id == server.id).execute()
    assert "1 server(s)" in admin.delete(node).json()["detail"]
    Server.delete().execute()
    admin.post(f"{node}/allocations", json={"port": 25600})
    assert admin.delete(node).status_code == 204
    assert not Node.select().count() and not Allocation.select().count()
    assert admin.delete(node).status_code == 404


def test_a_drained_node_is_removed_with_its_servers_by_force(admin: httpx.Client) -> None:
    node_id = make(admin)
    node = f"{API}/nodes/{node_id}"
    server = server_on(node_id)
    elsewhere = server_on(make(admin, "barn"))
    assert admin.delete(f"{node}?force=true").json()["code"] == "node_has_servers"
    admin.post(f"{node}/drain")
    assert admin.delete(f"{node}?force=maybe").status_code == 422
    assert "force" in admin.delete(node).json()["detail"]
    assert admin.delete(f"{node}?force=true").status_code == 204
    assert [row.id for row in Server.select()] == [elsewhere.id]
    assert [row.server_id for row in Allocation.select()] == [elsewhere.id]
    told = Entry.select().where(Entry.action == "server.delete")
    assert [(entry.target_id, entry.actor_name) for entry in told] == [(server.id, "admin@example.com")]


def test_ranges_may_not_leave_out_a_port_in_use(admin: httpx.Client) -> None:
    node_id = make(admin, port_start=30000, port_end=30005)
    node = f"{API}/nodes/{node_id}"
    server_on(node_id, ports=2)
    admin.post(f"{node}/allocations", json={"port": 30005})
    refused = admin.patch(node, json={"port_ranges": [{"first": 30001, "last": 30004}], "name": "cellar"})
    assert (refused.status_code, refused.json()["code"]) == (409, "ports_used")
    assert "30000, 30005" in refused.json()["detail"]
    assert admin.get(node).json()["name"] == "attic"
    wider = [{"first": 30005, "last": 30009}, {"first": 30000, "last": 30001}]
    assert admin.patch(node, json={"port_ranges": wider}).json()["port_ranges"] == wider
    found = admin.get(f"{node}/allocations").json()
    assert (found["ranges"], found["ports"], found["free"]) == (wider, 7, 4)


def test_servers_get_ports_of_every_range_but_no_reserved_ones(admin: httpx.Client) -> None:
    node_id = make(admin)
    node = f"{API}/nodes/{node_id}"
    ranges = [{"first": 30010, "last": 30011}, {"first": 30000, "last": 30001}]
    admin.patch(node, json={"port_ranges": ranges})
    reserved = admin.post(f"{node}/allocations", json={"port": 30011, "note": "voice"})
    assert reserved.status_code == 201
    assert reserved.json()["reserved"] is True and reserved.json()["server_id"] is None
    server = server_on(node_id, ports=2)
    found = admin.get(f"{node}/allocations").json()
    assert [(row["port"], row["server_id"], row["note"]) for row in found["allocations"]] == [
        (30000, server.id, ""),
        (30010, server.id, ""),
        (30011, None, "voice"),
    ]
    assert found["free"] == 1
    stats = admin.get(f"{node}/stats").json()
    assert (stats["servers"], stats["allocations"], stats["reserved"], stats["ports"]) == (1, 2, 1, 4)
    assert admin.get(node).json()["servers"] == 1
    with pytest.raises(Conflict, match="30010-30011, 30000-30001"):
        server_on(node_id, ports=2)
    assert admin.delete(f"{node}/allocations/30011").status_code == 204
    assert server_on(node_id, ports=2)


def test_ports_are_listed_page_by_page(admin: httpx.Client) -> None:
    node_id = make(admin)
    server = server_on(node_id, ports=5)
    admin.post(f"{API}/nodes/{node_id}/allocations", json={"port": 25600})
    path, seen, after = f"{API}/nodes/{node_id}/allocations", [], 0
    while after is not None:
        page = admin.get(path, params={"limit": 4, "after": after}).json()
        seen += [row["port"] for row in page["allocations"]]
        after = page["next"]
    assert seen == [25565, 25566, 25567, 25568, 25569, 25600]
    assert [row["port"] for row in admin.get(path, params={"reserved": "true"}).json()["allocations"]] == [25600]
    assert len(admin.get(path, params={"server": server.id}).json()["allocations"]) == 5
    for query in ({"sort": "x"}, {"limit": 0}, {"limit": 501}, {"after": "x"}, {"after": -1}, {"reserved": "maybe"}):
        assert admin.get(path, params=query).status_code == 422


def test_reserving_and_releasing_refuse_what_makes_no_sense(admin: httpx.Client) -> None:
    node_id = make(admin)
    path = f"{API}/nodes/{node_id}/allocations"
    server_on(node_id)
    assert admin.post(path, json={"port": 25566}).status_code == 201
    for port, status in ((25566, 409), (25565, 409), (80, 422), (0, 422), (65536, 422), ("25570", 422)):
        assert admin.post(path, json={"port": port}).status_code == status, port
    assert admin.post(path, json={"port": 25570, "server_id": "x"}).status_code == 422
    refused = admin.delete(f"{path}/25565")
    assert refused.status_code == 409 and "server" in refused.json()["detail"]
    for port in ("25570", "x", "-1", "25566x", "²5566", "9" * 40):
        assert admin.delete(f"{path}/{port}").status_code == 404, port


def test_parallel_reservations_take_a_port_once(admin: httpx.Client) -> None:
    path = f"{API}/nodes/{make(admin)}/allocations"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: admin.post(path, json={"port": 25565}).status_code, range(16)))
    assert sorted(answers) == [201, *([409] * 15)]


def test_parallel_changes_never_leave_a_port_outside(admin: httpx.Client) -> None:
    node_id = make(admin, port_start=30000, port_end=30009)

    def shrink() -> None:
        admin.patch(f"{API}/nodes/{node_id}", json={"port_ranges": [{"first": 30005, "last": 30009}]})

    def place() -> None:
        try:
            server_on(node_id, ports=0 if Server.select().count() else 1)
        finally:
            disconnect()

    users.create("owner@example.com", "correct horse battery")
    with ThreadPoolExecutor(2) as pool:
        for task in [pool.submit(place), pool.submit(shrink)]:
            task.result()
    node = Node.get_by_id(node_id)
    assert all(node.port_start <= row.port <= node.port_end for row in Allocation.select())
    assert Allocation.select().count() == 1


def test_locations(admin: httpx.Client) -> None:
    made = admin.post(f"{API}/locations", json={"name": "Berlin", "description": "Rack 3"})
    assert made.status_code == 201
    place = made.json()
    assert (place["name"], place["description"], place["nodes"]) == ("Berlin", "Rack 3", 0)
    assert admin.post(f"{API}/locations", json={"name": "Berlin"}).status_code == 409
    node_id = make(admin, location="Berlin")
    assert admin.get(f"{API}/locations").json() == [{**place, "nodes": 1}]
    refused = admin.delete(f"{API}/locations/{place['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "location_used")
    assert "1 node" in refused.json()["detail"]
    changed = admin.patch(f"{API}/locations/Berlin", json={"name": "Paris"})
    assert changed.json() == {**place, "name": "Paris", "nodes": 1}
    assert admin.get(f"{API}/nodes/{node_id}").json()["location"]["name"] == "Paris"
    admin.patch(f"{API}/nodes/{node_id}", json={"location": None})
    assert admin.delete(f"{API}/locations/Paris").status_code == 204
    assert admin.get(f"{API}/locations/Paris").status_code == 404
    assert Location.select().count() == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "a" * 65},
        {"name": "<b>"},
        {"name": "a\n"},
        {"name": "x", "id": "x"},
        {"name": "00000000-0000-0000-0000-000000000000"},
        {"name": "x", "description": "a\u200fb"},
    ],
)
def test_bad_locations_are_refused(admin: httpx.Client, body: dict[str, Any]) -> None:
    assert admin.post(f"{API}/locations", json=body).status_code == 422
    assert Location.select().count() == 0


def test_a_node_in_an_unknown_location_is_refused(admin: httpx.Client) -> None:
    assert admin.post(f"{API}/nodes", json={"name": "x", "location": "Nowhere"}).status_code == 422
    assert Node.select().count() == 0


@pytest.mark.parametrize(("version", "outdated"), [("0.0.1", True), (__version__, False), ("99.0", False), ("?", True)])
def test_an_older_agent_is_flagged(web: WebServer, admin: httpx.Client, version: str, outdated: bool) -> None:
    node, key = new_node(admin, "attic")
    assert node["outdated"] is False
    with dial(web.url, key) as socket:
        greet(socket, version=version, capabilities={"runtimes": {"process": {"available": True}}})
        shown = admin.get(f"{API}/nodes/{node['id']}").json()
    assert (shown["version"], shown["outdated"]) == (version, outdated)
    assert shown["capabilities"] == {"runtimes": {"process": {"available": True}}}


def test_users_may_do_none_of_it(web: WebServer, admin: httpx.Client) -> None:
    node = f"/nodes/{make(admin)}"
    place = f"/locations/{admin.post(f'{API}/locations', json={'name': 'Berlin'}).json()['id']}"
    calls: list[tuple[str, str, Any]] = [
        ("PATCH", node, {"name": "mine"}),
        ("POST", f"{node}/drain", None),
        ("POST", f"{node}/undrain", None),
        ("POST", f"{node}/rotate-key", None),
        ("GET", f"{node}/allocations", None),
        ("GET", f"{node}/stats", None),
        ("POST", f"{node}/allocations", {"port": 25565}),
        ("DELETE", f"{node}/allocations/25565", None),
        ("GET", "/locations", None),
        ("GET", place, None),
        ("POST", "/locations", {"name": "x"}),
        ("PATCH", place, {"name": "x"}),
        ("DELETE", place, None),
    ]
    with web.signed_in("ada@example.com") as user, web.client() as nobody:
        for method, path, body in calls:
            assert user.request(method, API + path, json=body).status_code == 403, path
            assert nobody.request(method, API + path, json=body).status_code == 401, path


def test_the_page_shows_them_and_offers_the_actions(web: WebServer, admin: httpx.Client) -> None:
    node, key = new_node(admin, "attic", location=None, note="rack <3>")
    with dial(web.url, key) as socket:
        greet(socket, version="0.0.1")
        admin.post(f"{API}/nodes/{node['id']}/drain")
        page = admin.get("/nodes").text
    for wanted in ('data-testid="node-draining"', 'data-testid="undrain-node"', 'data-testid="rotate-key"'):
        assert wanted in page
    assert 'data-testid="node-outdated"' in page
    assert "rack &lt;3&gt;" in page and "25565\u201325664" in page
    admin.post(f"{API}/nodes/{node['id']}/undrain")
    assert 'data-testid="drain-node"' in admin.get("/nodes").text
